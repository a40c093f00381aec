// A body that trickles holds its connection for no longer than any other request; its tunnel lives on. Node measures
// that on its own clock, so here the limit is short instead.
import { expect, it, vi } from 'vitest';
import { doorLimits } from '../../src/door/door-limits.ts';
import { readToEnd } from '../support/loopback.ts';
import { openDoor } from '../support/open-door.ts';
import { postOnce } from '../support/tunnel-encoder.ts';

vi.mock(import('../../src/door/door-limits.ts'), async (original) => {
  const { doorLimits: real } = await original();
  return { doorLimits: { ...real, httpHeadersTime: 100, httpRequestTime: 150 } as unknown as typeof real };
});

it('cuts a body that does not come to an end', async () => {
  expect(doorLimits.httpRequestTime).toBe(150);
  const { dial, ports, arrived } = await openDoor({ accept: [['rtmpt']] });
  const where = { port: ports[0] ?? 0 };
  const id = (await postOnce(where, '/open/1', Buffer.of(0))).body.toString().trim();
  const slow = await dial();
  const answer = readToEnd(slow);
  slow.write(`POST /send/${id}/0 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n`);
  const drip = setInterval(() => void slow.write('\x03'), 50);
  expect((await answer).bytes.toString()).toMatch(/^HTTP\/1\.1 408 /);
  clearInterval(drip);
  expect((await postOnce(where, `/send/${id}/0`, Buffer.of(3))).status).toBe(200);
  expect(arrived[0]?.bytes()).toEqual(Buffer.of(3));
});
