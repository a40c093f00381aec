import { describe, expect, it } from 'vitest';
import { ResourceError } from '../../src/errors.ts';
import { serveApi } from '../support/api-server.ts';

describe('errors', () => {
  it('of the host are 503, and say nothing of its insides', async () => {
    const tokenGate = {
      check: () =>
        Promise.reject(
          new ResourceError('STORE_FAILED', 'secret/path is broken', { hint: 'mend secret/path' }),
        ),
    };
    const { ask, log } = await serveApi({ tokenGate });
    for (const path of ['/api/v1/streams', '/api/v1/recordings/0000000000000000/file']) {
      const response = await ask(path);
      expect(response.status).toBe(503);
      expect(await response.text()).not.toContain('secret');
    }
    expect(log.of('request.failed')).toMatchObject([{ code: 'STORE_FAILED', hint: 'mend secret/path' }, {}]);
  });

  it('of ours are 500, logged as a bug, and do not stop the server', async () => {
    const tokenGate = {
      check: (): never => {
        throw new TypeError('undefined is not a secret');
      },
    };
    const { ask, log } = await serveApi({ tokenGate });
    for (const path of ['/api/v1/streams', '/api/v1/recordings/0000000000000000/file']) {
      const response = await ask(path);
      expect(response.status).toBe(500);
      expect(await response.text()).not.toMatch(/secret|at |TypeError/);
    }
    expect(log.of('request.failed')).toMatchObject([
      { bug: true, message: expect.stringContaining('TypeError') },
      { bug: true },
    ]);
    expect((await ask('/healthz')).status).toBe(200);
  });
});
