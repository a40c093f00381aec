import { describe, expect, it } from 'vitest';
import { AmfObject, type AmfValue } from '../../src/amf/amf-value.ts';
import { commandLimits } from '../../src/command/command-limits.ts';
import { connectResult, readConnect } from '../../src/command/connect-command.ts';
import { refusalOf } from '../support/refusal-of.ts';

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
    expect(connect(properties)).toEqual(place);
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
    });
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
  it('says success and AMF0', () => {
    const [properties, information] = connectResult();
    expect(properties.get('fmsVer')).toMatch(/^FMS\/\d+,\d+,\d+,\d+$/); // librtmp parses it so
    expect(Object.fromEntries(information.properties)).toEqual({
      level: 'status',
      code: 'NetConnection.Connect.Success',
      description: 'Connection succeeded.',
      objectEncoding: 0,
    });
  });
});
