// Status codes and the information objects that carry them. RTMP 7.2; the specification names no
// NetStream.Publish.* code at all, so those follow what encoders act on (WIRE 7). pure.
import { AmfObject } from '../amf/amf-value.ts';

/** Code → level. An encoder stops on level `error`. */
const statusLevels = {
  'NetConnection.Connect.Success': 'status',
  'NetConnection.Connect.Rejected': 'error',
  'NetConnection.Connect.InvalidApp': 'error',
  'NetConnection.Connect.Closed': 'status',
  'NetConnection.Connect.ReconnectRequest': 'status', // E-RTMP v2 "Reconnect Request"
  'NetConnection.Call.Failed': 'error',
  'NetStream.Publish.Start': 'status',
  'NetStream.Publish.BadName': 'error',
  'NetStream.Publish.Failed': 'error',
  'NetStream.Unpublish.Success': 'status',
  // Known from FMS; `warning`, because an encoder would stop on `error` and the stream goes on.
  'NetStream.Record.Start': 'status',
  'NetStream.Record.Failed': 'warning',
  'NetStream.Play.Failed': 'error',
  'NetStream.Failed': 'error',
} as const satisfies Record<string, 'status' | 'warning' | 'error'>;

export type StatusCode = keyof typeof statusLevels;

/** The information object of `_result`, `_error` and `onStatus`. The description never echoes a key or name. */
export function statusObject(code: StatusCode, description: string): AmfObject {
  return new AmfObject([
    ['level', statusLevels[code]],
    ['code', code],
    ['description', description],
  ]);
}
