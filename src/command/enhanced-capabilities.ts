// What client and server of Enhanced RTMP say of themselves in connect and its answer. E-RTMP v2 "Enhancing
// NetConnection connect Command". Who announces nothing may send all of it (WIRE 3), and hears nothing. pure.
import { AmfObject, type AmfValue } from '../amf/amf-value.ts';

/** CapsExMask */
const capabilities = { reconnect: 0x01, multitrack: 0x02, modEx: 0x04, timestampNanoOffset: 0x08 } as const;
/** FourCcInfoMask: nothing is decoded or encoded here, whatever comes is passed on. */
const canForward = 0x04;
const anyCodec = '*';

/** Codecs whose sequence headers and key frames are known here; others are recorded as they come. */
export const videoFourCcs = ['avc1', 'hvc1', 'av01', 'vp08', 'vp09', 'vvc1'] as const;
export const audioFourCcs = ['mp4a', 'Opus', 'fLaC', 'ac-3', 'ec-3', '.mp3'] as const;

export interface EnhancedClient {
  /** FourCCs of `fourCcList`, the way of version 1; undefined if it was not sent. */
  readonly fourCcList: readonly AmfValue[] | undefined;
  /** Speaks version 2: sent `capsEx` or a map of codecs. */
  readonly second: boolean;
  /** Follows a ReconnectRequest. */
  readonly reconnect: boolean;
}

/** What connect's properties announce; undefined when nothing of Enhanced RTMP is among them. */
export function readEnhancedClient(properties: AmfObject): EnhancedClient | undefined {
  const fourCcList = elementsOf(properties.get('fourCcList'));
  const capsEx = properties.get('capsEx');
  const maps = ['videoFourCcInfoMap', 'audioFourCcInfoMap'].map((name) => properties.get(name));
  const second = typeof capsEx === 'number' || maps.some((map) => map instanceof AmfObject);
  if (fourCcList === undefined && !second) return undefined;
  const reconnect = typeof capsEx === 'number' && (capsEx & capabilities.reconnect) !== 0;
  return { fourCcList, second, reconnect };
}

/** What the server adds to its properties: each thing in the way in which the client asked. */
export function enhancedAnswer({ fourCcList, second }: EnhancedClient): readonly [string, AmfValue][] {
  const answer: [string, AmfValue][] = [];
  if (fourCcList !== undefined) {
    const ours = [...videoFourCcs, ...audioFourCcs];
    const both = fourCcList.includes(anyCodec) ? ours : ours.filter((fourCc) => fourCcList.includes(fourCc));
    answer.push(['fourCcList', both]);
  }
  if (second) {
    const { reconnect, multitrack, modEx, timestampNanoOffset } = capabilities;
    // The nanoseconds are honoured by keeping them: they stay in the tags that are recorded.
    answer.push(['capsEx', reconnect | multitrack | modEx | timestampNanoOffset]);
    answer.push(['videoFourCcInfoMap', forwardable(videoFourCcs)]);
    answer.push(['audioFourCcInfoMap', forwardable(audioFourCcs)]);
  }
  return answer;
}

function forwardable(fourCcs: readonly string[]): AmfObject {
  return new AmfObject([anyCodec, ...fourCcs].map((fourCc) => [fourCc, canForward]));
}

/** A strict array, or the array with names that some make of it. */
function elementsOf(value: AmfValue): readonly AmfValue[] | undefined {
  if (value instanceof AmfObject) return [...value.properties.values()];
  return Array.isArray(value) ? (value as readonly AmfValue[]) : undefined;
}
