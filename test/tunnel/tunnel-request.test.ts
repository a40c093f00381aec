import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/errors.ts';
import { parseTunnelRequest } from '../../src/tunnel/tunnel-request.ts';

const id = 'q3-_kTz0q3-_kTz0q3-_kT';

describe('a request line', () => {
  it.each([
    ['/fcs/ident', { type: 'ident' }],
    ['/fcs/ident2', { type: 'ident' }],
    ['/open/1', { type: 'open' }],
    [`/send/${id}/0`, { type: 'send', id, sequence: 0 }],
    [`/idle/${id}/17`, { type: 'idle', id, sequence: 17 }],
    [`/close/${id}/9999999999`, { type: 'close', id, sequence: 9_999_999_999 }],
    [`/send/${id}/007`, { type: 'send', id, sequence: 7 }],
  ])('%s', (path, request) => {
    expect(parseTunnelRequest('POST', path)).toEqual(request);
  });

  it.each([
    ['GET', '/open/1'],
    ['post', '/open/1'],
    ['POST', '/'],
    ['POST', '/open'],
    ['POST', '/api/v1/keys'],
    ['POST', '/opens/1'],
    ['POST', '/x/send/1/2'],
    ['POST', '//open/1'],
    ['POST', 'http://host/open/1'],
    ['POST', ''],
  ])('%s %s is none of ours', (method, path) => {
    expect(parseTunnelRequest(method, path)).toBeUndefined();
  });

  it.each([
    '/open/',
    '/open/x',
    '/open/1/',
    '/open/1?x=1',
    '/open/12345678901',
    '/open/-1',
    '/fcs/',
    '/fcs/ident3',
    '/fcs/ident2/1',
    '/send/',
    `/send/${id}`,
    `/send/${id}/`,
    `/send/${id}/1/`,
    `/send/${id}/1 `,
    `/send/${id}/1\n`,
    `/send/${id}/+1`,
    `/send/${id}/0x1`,
    `/send/${id}/1e3`,
    `/send/${id}/1.0`,
    `/send/${id}/12345678901`,
    `/send/${id}/١`,
    '/send//1',
    '/send/../1',
    '/send/a%41/1',
    `/idle/${'x'.repeat(64)}/1`,
    '/close/__proto__/constructor',
  ])('%j is refused, not guessed', (path) => {
    expect(() => parseTunnelRequest('POST', path)).toThrow(
      expect.objectContaining({ code: 'TUNNEL_REQUEST_INVALID' }),
    );
  });

  it('of garbage is an answer or a ProtocolError, and what is read can be written again', () => {
    const part = fc.oneof(
      fc.constantFrom('/', 'send', 'idle', 'close', 'open', 'fcs', 'ident2', id, '0', '12', '?', '%'),
      fc.string({ maxLength: 4 }),
    );
    const path = fc.array(part, { maxLength: 7 }).map((parts) => `/${parts.join('')}`);
    fc.assert(
      fc.property(path, (text) => {
        try {
          const request = parseTunnelRequest('POST', text);
          if (request === undefined || !('id' in request)) return;
          const digits = text.slice(text.lastIndexOf('/') + 1);
          expect(Number(digits)).toBe(request.sequence);
          expect(text).toBe(`/${request.type}/${request.id}/${digits}`);
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
        }
      }),
      { seed: 8, numRuns: 500 },
    );
  });
});
