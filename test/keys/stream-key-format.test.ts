// The written form of keys: every key made is read, and no single slip of the fingers is.
import { randomBytes } from 'node:crypto';
import { assert as assertProperty, constantFrom, integer, property, string, uint8Array } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/bytes/secret.ts';
import { safeText } from '../../src/ops/log.ts';
import { crockfordAlphabet, generateKey, isKeyId, parseKey } from '../../src/keys/stream-key-format.ts';

const runs = { seed: 1, numRuns: 300 };
const randomness = uint8Array({ minLength: 34, maxLength: 34 });
const prefixes = constantFrom('psk' as const, 'ptk' as const);
const make = (prefix: 'psk' | 'ptk', bytes: Uint8Array) => {
  const key = generateKey(prefix, (length) => bytes.subarray(0, length));
  return { id: key.id, text: key.secret.reveal() };
};
const parse = (prefix: 'psk' | 'ptk', text: string) => {
  const parsed = parseKey(prefix, new Secret(text));
  return typeof parsed === 'string' ? parsed : { id: parsed.id, text: parsed.secret.reveal() };
};
const zeros = make('psk', new Uint8Array(34)).text;

describe('generateKey', () => {
  it('writes 43 characters that every encoder and the log mask let through or catch as one word', () => {
    assertProperty(
      property(prefixes, randomness, (prefix, bytes) => {
        const { id, text } = make(prefix, bytes);
        expect(text).toMatch(/^p[st]k_[0-9a-hjkmnp-tv-z]{8}_[0-9a-hjkmnp-tv-z]{30}$/);
        expect(text.split('_')[1]).toBe(id);
        expect(encodeURIComponent(text)).toBe(text);
        expect(safeText(`publish ${text} now`)).toBe('publish [secret] now');
      }),
      runs,
    );
  });

  it('is fixed by its random bytes: a key given out must stay valid in every later version', () => {
    expect(zeros).toBe('psk_00000000_000000000000000000000000001k4p');
    expect(
      make(
        'ptk',
        Uint8Array.from({ length: 34 }, (_, index) => index * 7),
      ).text,
    ).toBe('ptk_07enw3ah_rz6dmv29gqy5ckt18fpx4bjs073xk6');
  });

  it('uses all 170 bits it is given', () => {
    const texts = Array.from({ length: 170 }, (_, bit) => {
      const bytes = new Uint8Array(34);
      bytes[Math.floor(bit / 5)] = 1 << (bit % 5);
      return make('psk', bytes).text;
    });
    expect(new Set(texts).size).toBe(170);
  });
});

describe('parseKey', () => {
  it('reads what was generated, and only as the kind it is', () => {
    assertProperty(
      property(prefixes, randomness, (prefix, bytes) => {
        const key = make(prefix, bytes);
        expect(parse(prefix, key.text)).toEqual(key);
        expect(parse(prefix === 'psk' ? 'ptk' : 'psk', key.text)).toBe('not-a-key');
      }),
      runs,
    );
  });

  it('catches every single wrong character, wherever it is', () => {
    for (const text of [zeros, make('psk', randomBytes(34)).text]) {
      for (let at = 0; at < text.length; at++) {
        for (const letter of `${crockfordAlphabet}ilouAZ_- \n\u0000é`) {
          if (letter === text[at]) continue;
          const wrong = text.slice(0, at) + letter + text.slice(at + 1);
          expect(['mistyped', 'not-a-key']).toContain(parse('psk', wrong));
        }
      }
    }
  });

  it('catches every wrong, missing, doubled or swapped character of any key', () => {
    const at = integer({ min: 4, max: 42 });
    assertProperty(
      property(
        randomness,
        at,
        string({ minLength: 1, maxLength: 1, unit: 'grapheme' }),
        (bytes, at, letter) => {
          const { text } = make('psk', bytes);
          const [head, here, tail] = [text.slice(0, at), text.charAt(at), text.slice(at + 1)];
          const wrongs = [
            head + letter + tail,
            head + tail,
            head + here + here + tail,
            head + letter + here + tail,
            head + tail.charAt(0) + here + tail.slice(1),
          ];
          for (const wrong of wrongs.filter((candidate) => candidate !== text)) {
            expect(parse('psk', wrong)).toBe('mistyped');
          }
        },
      ),
      { seed: 2, numRuns: 1000 },
    );
  });

  it.each(['', 'camera-1', 'psk', 'PSK_00000000_0000', ' psk_', '../psk_', 'key=psk_'])(
    'takes %j for no key',
    (text) => expect(parse('psk', text)).toBe('not-a-key'),
  );

  it('lets about one in a million random texts of the right form through', () => {
    let passed = 0;
    for (let count = 0; count < 20_000; count++) {
      const letters = Array.from(randomBytes(38), (byte) => crockfordAlphabet[byte & 31]).join('');
      if (parse('psk', `psk_${letters.slice(0, 8)}_${letters.slice(8)}`) !== 'mistyped') passed++;
    }
    expect(passed).toBeLessThan(4);
  });
});

describe('isKeyId', () => {
  it.each(['00000000', '7h2kq9d4'])('%s', (text) => expect(isKeyId(text)).toBe(true));
  it.each(['', '7h2kq9d', '7h2kq9d45', '7H2KQ9D4', '7h2kq9du', '7h2kq9d4\n'])('not %j', (text) =>
    expect(isKeyId(text)).toBe(false),
  );
});
