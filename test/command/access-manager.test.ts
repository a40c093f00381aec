import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  readSignIn,
  signInChallenge,
  signInFailed,
  signInMethods,
  signInWanted,
} from '../../src/command/access-manager.ts';

const at = (app: string, tcUrl = `rtmps://h/${app}`) => ({ app, tcUrl });

describe('what clients say of signing in', () => {
  it('is nothing, most often', () => {
    for (const app of ['live', 'live?key=psk_1', 'live?authmod=kerberos&user=u', 'live?user=u'])
      expect(readSignIn(at(app))).toBeUndefined();
  });

  it('is that they want to, without a name', () => {
    expect(readSignIn(at('live?authmod=llnw'))).toMatchObject({ method: 'llnw', user: undefined });
    expect(readSignIn(at('live?authmod=adobe&user='))?.user).toBeUndefined();
  });

  it('is a name', () => {
    const step = { method: 'adobe', user: 'camera-1', answer: undefined, apps: ['live'] };
    expect(readSignIn(at('live?authmod=adobe&user=camera-1'))).toEqual(step);
    expect(readSignIn(at('live', 'rtmps://h/live?authmod=adobe&user=camera-1'))).toEqual(step);
  });

  it('is an answer of FFmpeg', () => {
    expect(
      readSignIn(
        at('live?authmod=adobe&user=u&challenge=0a1b2c3d&response=XrY7u+Ae7tCTyyK/j1rNww==&opaque=n1'),
      )?.answer,
    ).toEqual({ nonce: 'n1', clientNonce: '0a1b2c3d', count: '', response: 'XrY7u+Ae7tCTyyK/j1rNww==' });
    const limelight = 'live?authmod=llnw&user=u&nonce=n1&cnonce=0a1b2c3d&nc=00000001&response=ff00';
    expect(readSignIn(at(limelight))).toMatchObject({
      method: 'llnw',
      answer: { nonce: 'n1', clientNonce: '0a1b2c3d', count: '00000001', response: 'ff00' },
    });
  });

  it('is an answer of OBS, whose own nonce is base64 that nothing may decode', () => {
    const app = 'live?authmod=adobe&user=u&challenge=a+b/cQ==&response=+/%2B==&opaque=n1';
    expect(readSignIn(at(app))?.answer).toMatchObject({ clientNonce: 'a+b/cQ==', response: '+/%2B==' });
  });

  it('comes behind a query that the URL had already', () => {
    const app = 'live?authmod=llnw?authmod=llnw&user=u&nonce=n&cnonce=c&nc=1&response=r';
    expect(readSignIn(at(app))).toMatchObject({ user: 'u', apps: ['live', 'live?authmod=llnw'] });
  });

  it('is no answer while a part is missing', () => {
    const parts = ['challenge=c', 'response=r', 'opaque=o'];
    for (const left of parts) {
      const rest = parts.filter((part) => part !== left).join('&');
      expect(readSignIn(at(`live?authmod=adobe&user=u&${rest}`))?.answer).toBeUndefined();
    }
  });

  it('is text of any kind, and harms nobody', () => {
    const text = fc.string({ unit: fc.constantFrom('?', '&', '=', 'authmod=', 'adobe', 'user', 'x', '\0') });
    fc.assert(
      fc.property(text, text, (app, tcUrl) => {
        const step = readSignIn({ app, tcUrl });
        expect(step === undefined || signInMethods.includes(step.method)).toBe(true);
      }),
      { seed: 6, numRuns: 300 },
    );
  });
});

describe('what clients are told', () => {
  // WIRE 6: these look for this text, brackets and spaces included.
  const gstreamer = /\[ *AccessManager.Reject *\] *: *\[ *authmod=(?<authmod>.*?) *\] *: *(?<query>\?.*)$/s;

  it('first to sign in', () => {
    expect(signInWanted('adobe')).toBe('[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ');
  });

  it('then how', () => {
    const asked = { user: 'camera-1', salt: 'a1', nonce: 'b2' };
    expect(signInChallenge('adobe', asked)).toBe(
      '[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=camera-1&salt=a1&challenge=b2&opaque=b2',
    );
    expect(signInChallenge('llnw', asked)).toBe(
      '[ AccessManager.Reject ] : [ authmod=llnw ] : ?reason=needauth&user=camera-1&nonce=b2',
    );
    expect(gstreamer.exec(signInChallenge('adobe', asked))?.groups).toMatchObject({ authmod: 'adobe' });
  });

  it('and at last that it was wrong', () => {
    expect(gstreamer.exec(signInFailed('adobe'))?.groups?.['query']).toBe('?reason=authfailed');
  });
});
