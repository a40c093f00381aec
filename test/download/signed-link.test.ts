import { describe, expect, it } from 'vitest';
import { isLink, linkSecretLength, makeLink, openLink } from '../../src/download/signed-link.ts';
import type { RecordingId } from '../../src/ops/names.ts';
import { seededRandom } from '../support/seeded-random.ts';

const secret = seededRandom('link')(linkSecretLength);
const id = '0123456789abcdef-2' as RecordingId;
const now = Date.UTC(2026, 10, 22);
const link = makeLink(id, now + 60_000, secret);

describe('signed links', () => {
  it('open their recording until they expire', () => {
    expect(link).toMatch(/^\/r\/0123456789abcdef-2\.flv\?exp=\d{10}&sig=[A-Za-z0-9_-]{43}$/);
    expect([openLink(link, now, secret), openLink(link, now + 59_999, secret)]).toEqual([id, id]);
    expect(openLink(link, now + 60_000, secret)).toBeUndefined();
    expect([isLink('/r/x.flv'), isLink('/r/a/b.flv'), isLink('/r/x.mp4')]).toEqual([true, false, false]);
  });

  it('open nothing when any character differs, or under another secret', () => {
    // all but the last character, of which two bits mean nothing
    for (let at = 0; at < link.length - 1; at += 1) {
      const changed = link.slice(0, at) + (link[at] === 'Q' ? 'R' : 'Q') + link.slice(at + 1);
      expect(openLink(changed, now, secret)).toBeUndefined();
    }
    expect(openLink(link, now, seededRandom('other')(32))).toBeUndefined();
  });

  it('open nothing when a parameter is missing, doubled, added or turned round', () => {
    const [path, query] = link.split('?') as [string, string];
    const [exp, sig] = query.split('&') as [string, string];
    for (const wrong of [
      '',
      exp,
      sig,
      `${sig}&${exp}`,
      `${query}&x=1`,
      `${query}&${exp}`,
      `${query}&`,
      `${query}#`,
    ]) {
      expect(openLink(`${path}?${wrong}`, now, secret)).toBeUndefined();
    }
    expect(openLink(`${path}?${exp.replace('=', '=0')}&${sig}`, now, secret)).toBeUndefined();
    expect(openLink('/r/../x.flv', now, secret)).toBeUndefined();
  });
});
