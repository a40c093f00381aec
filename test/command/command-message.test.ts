import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import { encodeAmf3 } from '../../src/amf/amf3-encoder.ts';
import { AmfObject, type AmfValue } from '../../src/amf/amf-value.ts';
import { MessageType } from '../../src/chunk/message.ts';
import {
  amf3CommandPayload,
  commandPayload,
  readCommand,
  readDataMessage,
} from '../../src/command/command-message.ts';
import { refusalOf } from '../support/refusal-of.ts';
import { fromHex, toHex } from '../support/vectors.ts';

const { CommandAmf0, CommandAmf3, DataAmf0, DataAmf3 } = MessageType;
const joined = (...parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
const metadata = new AmfObject(
  [
    ['duration', 0],
    ['videocodecid', 1635135537], // a FourCC as a number. WIRE 4
    ['encoder', 'obs-output module (libobs version 30.0.0)'],
  ],
  'ecma-array',
);

/** Objects inside one another: a bomb from some depth on. */
function nested(depth: number): Uint8Array {
  const open = fromHex('03 0001 61'); // an object that begins with the key "a"
  return joined(
    ...Array.from({ length: depth }, () => open),
    encodeAmf0(null),
    ...Array.from({ length: depth }, () => fromHex('000009')),
  );
}

describe('a command', () => {
  it('reads as it was written', () => {
    const payload = commandPayload('publish', 5, null, 'camera-1', 'live');
    expect(readCommand(CommandAmf0, payload)).toEqual({
      name: 'publish',
      transactionId: 5,
      commandObject: null,
      args: ['camera-1', 'live'],
    });
  });

  it('may end behind the transaction ID', () => {
    expect(readCommand(CommandAmf0, encodeAmf0('createStream', 2))).toEqual({
      name: 'createStream',
      transactionId: 2,
      commandObject: undefined,
      args: [],
    });
  });

  it('of AMF3 begins with a format byte, which some leave out', () => {
    const amf0 = commandPayload('createStream', 2, null);
    expect(readCommand(CommandAmf3, joined(Uint8Array.of(0), amf0)).name).toBe('createStream');
    expect(readCommand(CommandAmf3, amf0).name).toBe('createStream');
    expect(refusalOf(() => readCommand(CommandAmf0, joined(Uint8Array.of(0), amf0)))).toBeDefined();
  });

  it('of AMF3 may switch to AMF3 for any value', () => {
    const payload = joined(
      Uint8Array.of(0),
      encodeAmf0('connect', 1),
      fromHex('11'),
      encodeAmf3(new AmfObject([['app', 'live']])),
      fromHex('11'),
      fromHex('06 00'), // the first string of AMF3 in this message
    );
    const { commandObject, args } = readCommand(CommandAmf3, payload);
    expect((commandObject as AmfObject).get('app')).toBe('live');
    expect(args).toEqual(['app']);
  });

  it('is written for AMF3 as AMF0 behind the format byte', () => {
    const amf0 = commandPayload('onBWDone', 0, null);
    expect(toHex(amf3CommandPayload(amf0))).toBe(`00${toHex(amf0)}`);
  });

  it.each<[string, AmfValue[]]>([
    ['nothing at all', []],
    ['a number for its name', [1, 1]],
    ['null for its name', [null, 1]],
    ['an empty name', ['', 1]],
    ['no transaction ID', ['connect']],
    ['a string for a transaction ID', ['connect', '1']],
    ['null for a transaction ID', ['connect', null]],
    ['NaN', ['connect', Number.NaN]],
    ['infinity', ['connect', Number.POSITIVE_INFINITY]],
    ['a transaction ID below 0', ['connect', -1]],
  ])('with %s is COMMAND_INVALID', (_, values) => {
    expect(refusalOf(() => readCommand(CommandAmf0, encodeAmf0(...values)))).toBe('COMMAND_INVALID');
  });

  it('cut short anywhere inside a value is AMF_TRUNCATED', () => {
    const [name, transactionId, object] = [
      encodeAmf0('connect'),
      encodeAmf0(1),
      encodeAmf0(new AmfObject([['app', 'live']])),
    ];
    const whole = joined(name, transactionId, object);
    const between: Record<number, string | undefined> = {
      0: 'COMMAND_INVALID',
      [name.length]: 'COMMAND_INVALID',
      [name.length + transactionId.length]: undefined,
      [whole.length]: undefined,
    };
    for (let length = 0; length <= whole.length; length += 1) {
      const expected = length in between ? between[length] : 'AMF_TRUNCATED';
      expect(refusalOf(() => readCommand(CommandAmf0, whole.subarray(0, length)))).toBe(expected);
    }
  });

  it.each([
    ['a depth bomb', joined(encodeAmf0('connect', 1), nested(20_000)), 'AMF_TOO_DEEP'],
    [
      'an AMF3 object that only its class can read',
      joined(encodeAmf0('connect', 1), fromHex('11 0a 07 03 54')),
      'AMF_TYPE_UNKNOWN',
    ],
    [
      'an array that claims 4 G values',
      joined(encodeAmf0('connect', 1), fromHex('0a ffffffff')),
      'AMF_TOO_LARGE',
    ],
  ])('with %s is refused', (_, payload, code) => {
    expect(refusalOf(() => readCommand(CommandAmf0, payload))).toBe(code);
  });
});

describe('a data message', () => {
  it.each([
    [
      '@setDataFrame in front, as FFmpeg and OBS send it',
      DataAmf0,
      encodeAmf0('@setDataFrame', 'onMetaData', metadata),
    ],
    ['the bare handler', DataAmf0, encodeAmf0('onMetaData', metadata)],
    [
      'the AMF3 format byte',
      DataAmf3,
      joined(Uint8Array.of(0), encodeAmf0('@setDataFrame', 'onMetaData', metadata)),
    ],
    ['the AMF3 type without its format byte', DataAmf3, encodeAmf0('onMetaData', metadata)],
  ])('with %s gives the metadata', (_, type, payload) => {
    const message = readDataMessage(type, payload);
    expect(message.name).toBe('onMetaData');
    expect(message.metadata?.get('encoder')).toBe('obs-output module (libobs version 30.0.0)');
    // What a ScriptData tag holds: everything but the format byte, borrowed from the payload.
    const start = payload[0] === 0 ? 1 : 0;
    expect(message.body).toEqual(payload.subarray(start));
    expect(message.body.buffer).toBe(payload.buffer);
  });

  it('in AMF3 is written again in AMF0, which is what readers of FLV know', () => {
    const payload = joined(
      Uint8Array.of(0),
      encodeAmf0('@setDataFrame', 'onMetaData'),
      fromHex('11'),
      encodeAmf3(metadata),
    );
    const message = readDataMessage(DataAmf3, payload);
    expect(message.metadata?.get('videocodecid')).toBe(1635135537);
    expect(message.body).toEqual(encodeAmf0('@setDataFrame', 'onMetaData', metadata));
  });

  it('in AMF3 with a name that AMF0 has no room for is refused', () => {
    const object = new AmfObject([['k'.repeat(65_536), 1]]);
    const payload = joined(encodeAmf0('x'), fromHex('11'), encodeAmf3(object));
    expect(refusalOf(() => readDataMessage(DataAmf0, payload))).toBe('AMF_TOO_LARGE');
  });

  it('does not believe the count of an ECMA array', () => {
    const payload = encodeAmf0('onMetaData', metadata);
    payload[payload.indexOf(8) + 4] = 20; // OBS writes 20 whatever follows. WIRE 4
    expect(readDataMessage(DataAmf0, payload).metadata?.properties.size).toBe(3);
  });

  it('is no metadata under another name or with another value', () => {
    expect(readDataMessage(DataAmf0, encodeAmf0('onTextData', metadata))).toMatchObject({
      name: 'onTextData',
      metadata: undefined,
    });
    expect(readDataMessage(DataAmf0, encodeAmf0('onMetaData', 'x')).metadata).toBeUndefined();
    expect(readDataMessage(DataAmf0, encodeAmf0(7, metadata))).toMatchObject({
      name: undefined,
      metadata: undefined,
    });
    expect(readDataMessage(DataAmf0, new Uint8Array(0))).toMatchObject({
      name: undefined,
      metadata: undefined,
    });
  });

  it('keeps what it knew before a type it does not know', () => {
    const tail = fromHex('04 0a 0b 01'); // a MovieClip, which nobody has ever sent
    const message = readDataMessage(DataAmf0, joined(encodeAmf0('onMetaData', metadata), tail));
    expect(message.metadata?.get('duration')).toBe(0);
    expect(message.body.subarray(-4)).toEqual(tail);
    expect(readDataMessage(DataAmf0, tail).name).toBeUndefined();
  });

  it.each([
    ['a depth bomb', joined(encodeAmf0('onMetaData'), nested(8000)), 'AMF_TOO_DEEP'],
    [
      'a depth bomb behind a harmless value',
      joined(encodeAmf0('onMetaData', metadata), nested(17)),
      'AMF_TOO_DEEP',
    ],
    ['a value cut short', encodeAmf0('onMetaData', metadata).subarray(0, -5), 'AMF_TRUNCATED'],
    ['5,000 values', encodeAmf0(...Array.from({ length: 5000 }, () => null)), 'AMF_TOO_LARGE'],
  ])('with %s is refused', (_, payload, code) => {
    expect(refusalOf(() => readDataMessage(DataAmf0, payload))).toBe(code);
  });
});

describe('garbage', () => {
  it('gives a message or a ProtocolError', () => {
    const type = fc.constantFrom(CommandAmf0, CommandAmf3, DataAmf0, DataAmf3);
    const markers = fc.array(fc.constantFrom(0, 1, 2, 3, 5, 7, 8, 9, 10, 11, 12, 16, 17, 255), {
      maxLength: 60,
    });
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      markers.map((values) => Uint8Array.from(values)),
    );
    fc.assert(
      fc.property(type, bytes, (type, payload) => {
        const code = refusalOf(() =>
          type === CommandAmf0 || type === CommandAmf3
            ? readCommand(type, payload)
            : readDataMessage(type, payload),
        );
        expect(code ?? 'AMF_').toMatch(/^(?:AMF_|COMMAND_INVALID$)/);
      }),
      { seed: 20261122, numRuns: 1000 },
    );
  });
});
