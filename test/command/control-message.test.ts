import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  peerBandwidthPayload,
  readControlMessage,
  uint32Payload,
  UserControlEvent,
  userControlPayload,
} from '../../src/command/control-message.ts';
import { refusalOf } from '../support/refusal-of.ts';
import { fromHex, toHex } from '../support/vectors.ts';

const types = { acknowledgement: 3, userControl: 4, windowSize: 5, peerBandwidth: 6 };

const codeOf = (type: number, payload: Uint8Array) => refusalOf(() => readControlMessage(type, payload));

describe('both directions from one table', () => {
  it.each([
    [
      types.acknowledgement,
      '00 26 25 a0',
      { type: 'acknowledgement', sequenceNumber: 2_500_000 },
      uint32Payload(2_500_000),
    ],
    [
      types.acknowledgement,
      'ff ff ff ff',
      { type: 'acknowledgement', sequenceNumber: 0xffffffff },
      uint32Payload(0xffffffff),
    ],
    [
      types.windowSize,
      '00 26 25 a0',
      { type: 'window-acknowledgement-size', size: 2_500_000 },
      uint32Payload(2_500_000),
    ],
    [
      types.peerBandwidth,
      '00 26 25 a0 02',
      { type: 'set-peer-bandwidth', size: 2_500_000 },
      peerBandwidthPayload(2_500_000),
    ],
    [
      types.userControl,
      '0000 00000001',
      { type: 'user-control', event: 0, value: 1 },
      userControlPayload(UserControlEvent.StreamBegin, 1),
    ],
    [
      types.userControl,
      '0006 fedcba98',
      { type: 'user-control', event: 6, value: 0xfedcba98 },
      userControlPayload(UserControlEvent.PingRequest, 0xfedcba98),
    ],
  ])('type %i: %s', (type, hex, message, written) => {
    expect(readControlMessage(type, fromHex(hex))).toEqual(message);
    expect(toHex(written)).toBe(hex.replaceAll(' ', ''));
  });
});

describe('cut short', () => {
  it.each([
    [types.acknowledgement, '01020304', 4],
    [types.windowSize, '01020304', 4],
    [types.peerBandwidth, '0102030402', 4], // some leave the limit type out; nothing here needs it
    [types.userControl, '000000000001', 6],
    [types.userControl, '0003 00000001 00000bb8', 6], // SetBufferLength: the length itself is not read
    [types.userControl, '0007 00000001', 6],
    [types.userControl, '001a', 2], // SWF verification carries no number
    [types.userControl, '0005 00', 2], // nobody has defined it
  ])('type %i of %s is refused below %i bytes and read from there on', (type, hex, needed) => {
    const bytes = fromHex(hex);
    for (let length = 0; length <= bytes.length; length += 1) {
      expect(codeOf(type, bytes.subarray(0, length))).toBe(
        length < needed ? 'CONTROL_MESSAGE_INVALID' : undefined,
      );
    }
  });

  it('does not read past the payload into what lies behind it', () => {
    const memory = fromHex('0000 00000001 ffffffff');
    expect(codeOf(types.userControl, memory.subarray(0, 5))).toBe('CONTROL_MESSAGE_INVALID');
    expect(readControlMessage(types.windowSize, memory.subarray(2, 6))).toEqual({
      type: 'window-acknowledgement-size',
      size: 1,
    });
  });
});

describe('garbage', () => {
  it('gives a message or CONTROL_MESSAGE_INVALID', () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 6 }), fc.uint8Array({ maxLength: 12 }), (type, payload) => {
        expect([undefined, 'CONTROL_MESSAGE_INVALID']).toContain(codeOf(type, payload));
      }),
      { seed: 20261122, numRuns: 500 },
    );
  });
});
