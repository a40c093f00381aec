// Node checks the patience of an http.Server only while it listens, and the door's never listen: without a word
// to them, a client that sends half a header would keep its connection for ever. That check runs on Node's own
// clock, so here the limits are short instead.
import { expect, it, vi } from 'vitest';
import { doorLimits } from '../../src/door/door-limits.ts';
import { readToEnd } from '../support/loopback.ts';
import { openDoor } from '../support/open-door.ts';

vi.mock(import('../../src/door/door-limits.ts'), async (original) => {
  const { doorLimits: real } = await original();
  return { doorLimits: { ...real, httpHeadersTime: 100 } as unknown as typeof real };
});

it('cuts headers that do not come to an end, in the clear and inside TLS', async () => {
  expect(doorLimits.httpHeadersTime).toBe(100);
  const { dial, dialTls } = await openDoor();
  const half = 'GET / HTTP/1.1\r\nHost: ingest.exam';
  const clear = await dial();
  const secure = await dialTls();
  clear.write(half);
  secure.write(half);
  const drip = setInterval(() => void secure.write('p'), 50);
  const answers = await Promise.all([clear, secure].map((socket) => readToEnd(socket)));
  clearInterval(drip);
  for (const { bytes } of answers) expect(bytes.toString()).toMatch(/^HTTP\/1\.1 408 /);
});
