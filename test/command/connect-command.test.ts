import { describe, expect, it } from 'vitest';
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import { AmfObject, type AmfValue } from '../../src/amf/amf-value.ts';
import { commandLimits } from '../../src/command/command-limits.ts';
import { connectResult, readConnect } from '../../src/command/connect-command.ts';
import { refusalOf } from '../support/refusal-of.ts';
import { toHex } from '../support/vectors.ts';

function connect(commandObject: AmfValue) {
  return readConnect({ name: 'connect', transactionId: 1, commandObject, args: [] });
}

const refusal = (commandObject: AmfValue) => refusalOf(() => connect(commandObject));

describe('connect', () => {
  it('takes what OBS sends, and leaves out what it does not need', () => {
    const place = {
      app: 'live?key=k',
      tcUrl: 'rtmps://h/live?key=k',
      flashVer: 'FMLE/3.0 (compatible; FMSc/1.0)',
    };
    const properties = new AmfObject([
      ...Object.entries(place),
      ['type', 'nonprivate'],
      ['swfUrl', place.tcUrl],
    ]);
    expect(connect(properties)).toEqual({ ...place, objectEncoding: 0 });
  });

  it('takes properties of any kind of object', () => {
    const properties: [string, AmfValue][] = [['app', 'live']];
    expect(connect(new AmfObject(properties, 'ecma-array')).app).toBe('live');
    expect(connect(new AmfObject(properties, 'typed-object', 'Connect')).app).toBe('live');
  });

  it('knows tcUrl by its other spelling, which yields to the right one', () => {
    expect(
      connect(
        new AmfObject([
          ['app', 'live'],
          ['tcurl', 'rtmp://a/'],
        ]),
      ).tcUrl,
    ).toBe('rtmp://a/');
    const both = new AmfObject([
      ['app', 'live'],
      ['tcurl', 'rtmp://a/'],
      ['tcUrl', 'rtmp://b/'],
    ]);
    expect(connect(both).tcUrl).toBe('rtmp://b/');
  });

  it.each([
    ['is missing', undefined, ''],
    ['is a number', 9, ''],
    ['is longer than anybody reads', 'F'.repeat(60_000), 'F'.repeat(64)],
  ])('lives with a flashVer that %s', (_, flashVer, expected) => {
    expect(
      connect(
        new AmfObject([
          ['app', 'live'],
          ['flashVer', flashVer],
        ]),
      ),
    ).toEqual({
      app: 'live',
      tcUrl: '',
      flashVer: expected,
      objectEncoding: 0,
    });
  });

  it.each<[AmfValue, number]>([
    [3, 3],
    [0, 0],
    [undefined, 0],
    ['3', 0],
    [1, 0], // AMF1 and AMF2 are no formats of RTMP
  ])('understands objectEncoding %s as %i', (objectEncoding, expected) => {
    const properties = new AmfObject([
      ['app', 'live'],
      ['objectEncoding', objectEncoding],
    ]);
    expect(connect(properties).objectEncoding).toBe(expected);
  });

  it.each([
    ['no command object', null],
    ['a string for it', 'live'],
    ['an array for it', ['app', 'live']],
    ['no app', new AmfObject([['tcUrl', 'rtmp://h/live']])],
    ['a number for the app', new AmfObject([['app', 7]])],
    ['an object for the app', new AmfObject([['app', new AmfObject([])]])],
    [
      'a number for tcUrl',
      new AmfObject([
        ['app', 'live'],
        ['tcUrl', 1935],
      ]),
    ],
    [
      'app as a property of the prototype only',
      new AmfObject([['__proto__', new AmfObject([['app', 'live']])]]),
    ],
  ])('is COMMAND_INVALID with %s', (_, commandObject) => {
    expect(refusal(commandObject)).toBe('COMMAND_INVALID');
  });

  it('holds app and tcUrl to their lengths', () => {
    const longest = { app: 'a'.repeat(commandLimits.nameLength), tcUrl: 't'.repeat(commandLimits.urlLength) };
    expect(connect(new AmfObject(Object.entries(longest)))).toMatchObject(longest);
    expect(refusal(new AmfObject(Object.entries({ ...longest, app: `${longest.app}a` })))).toBe(
      'STREAM_NAME_INVALID',
    );
    expect(refusal(new AmfObject(Object.entries({ ...longest, tcUrl: `${longest.tcUrl}t` })))).toBe(
      'STREAM_NAME_INVALID',
    );
  });
});

describe('the answer to connect', () => {
  it('to a client of before is, byte for byte, what it always was', () => {
    const bytes = encodeAmf0(...connectResult({ objectEncoding: 0, enhanced: undefined }));
    expect(toHex(bytes)).toBe(
      [
        '03 0006666d73566572 02000d464d532f332c352c332c383234 000c6361706162696c6974696573 00403f000000000000 000009',
        '03 00056c6576656c 0200067374617475 73 0004636f6465',
        '02001d4e6574436f6e6e656374696f6e2e436f6e6e6563742e53756363657373 000b6465736372697074696f6e',
        '020015436f6e6e656374696f6e207375636365656465642e 000e6f626a656374456e636f64696e67 000000000000000000 000009',
      ]
        .join('')
        .replaceAll(' ', ''),
    );
  });

  it('says AMF3 and what of Enhanced RTMP there is to those who have asked', () => {
    const enhanced = { fourCcList: ['hvc1'], second: false, reconnect: false };
    const [properties, information] = connectResult({ objectEncoding: 3, enhanced });
    expect(information.get('objectEncoding')).toBe(3);
    expect(properties.get('fourCcList')).toEqual(['hvc1']);
  });

  it('says success and AMF0', () => {
    const [properties, information] = connectResult({ objectEncoding: 0, enhanced: undefined });
    expect(properties.get('fmsVer')).toMatch(/^FMS\/\d+,\d+,\d+,\d+$/); // librtmp parses it so
    expect(Object.fromEntries(information.properties)).toEqual({
      level: 'status',
      code: 'NetConnection.Connect.Success',
      description: 'Connection succeeded.',
      objectEncoding: 0,
    });
  });
});
