// The request line of RTMPT (SPEC-RTMPT, RTMPE 4.1): which paths are the tunnel's, and what they ask for. Strict:
// what is nearly such a path is an error, never a guess. Leaves headers and bodies to the door. pure.
import { ProtocolError } from '../errors.ts';

/** The requests that carry a tunnel's bytes and are counted. */
export type TunnelVerb = 'send' | 'idle' | 'close';

export type TunnelRequest =
  | { readonly type: 'ident' }
  | { readonly type: 'open' }
  | { readonly type: TunnelVerb; readonly id: string; readonly sequence: number };

const claimed = /^\/(?:fcs|open|send|idle|close)\//;
const ident = /^\/fcs\/ident2?$/;
const open = /^\/open\/\d{1,10}$/;
const carrying = /^\/(send|idle|close)\/([A-Za-z0-9_-]{1,63})\/(\d{1,10})$/;

/**
 * Undefined when the request is none of the tunnel's.
 * @throws ProtocolError TUNNEL_REQUEST_INVALID when it is one, but malformed.
 */
export function parseTunnelRequest(method: string, path: string): TunnelRequest | undefined {
  if (method !== 'POST' || !claimed.test(path)) return undefined;
  if (ident.test(path)) return { type: 'ident' };
  if (open.test(path)) return { type: 'open' };
  const [, verb, id, sequence] = carrying.exec(path) ?? [];
  if (verb === undefined || id === undefined)
    throw new ProtocolError('TUNNEL_REQUEST_INVALID', 'a path that RTMPT does not have', {
      clause: 'RTMPE 4.1',
    });
  return { type: verb as TunnelVerb, id, sequence: Number(sequence) };
}
