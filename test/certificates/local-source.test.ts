import { describe, expect, it } from 'vitest';
import { type LocalSourceOptions, openLocalSource } from '../../src/certificates/local-source.ts';
import { systemRandom } from '../../src/ops/random.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordedLog } from '../support/recorded-log.ts';

const parts = {
  clock: new FakeClock(),
  log: new RecordedLog(),
  random: systemRandom,
  machineName: 'studio',
};

function kindOf(options: Partial<LocalSourceOptions>): string {
  return openLocalSource({ certificate: 'self-signed', hosts: [], certsDir: '/nowhere', ...options }, parts)
    .kind;
}

describe('sources that need nobody outside', () => {
  it('are chosen by tls.certificate', () => {
    const pair = { cert: 'a.pem', key: 'a.key' };
    expect(kindOf({ hosts: ['ingest.example.com', '203.0.113.7'] })).toBe('development');
    expect(kindOf({ certificate: pair })).toBe('files');
    expect(kindOf({ certificate: [pair, pair] })).toBe('files');
  });

  it.each([
    ['no pair', { certificate: [] }, /empty list/],
    ['a URL as host', { hosts: ['https://x.example'] }, /"https:\/\/x\.example" is no DNS name/],
  ] as const)('are refused at once with %s', (_, options, message) => {
    expect(() => kindOf(options)).toThrow(message);
    expect(() => kindOf(options)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});
