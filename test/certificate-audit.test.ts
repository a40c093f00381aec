import { expect, it } from 'vitest';
import { auditCertificates } from '../src/certificate-audit.ts';
import { RecordedAudit } from './support/recorded-audit.ts';
import { RecordedLog } from './support/recorded-log.ts';

function stage() {
  const target = new RecordedLog();
  const audit = new RecordedAudit();
  return { target, audit, log: auditCertificates(target, audit, 'server') };
}

const identity = { serial: '2A', until: '2027-01-01T00:00:00.000Z' };

it.each([
  ['authority.created', { file: '/ca.pem' }, 'authority.created', /^\/ca\.pem$/],
  [
    'certificate.issued',
    { ...identity, names: 'a b' },
    'certificate.issued',
    /^serial 2A until 2027.* names a b$/,
  ],
  ['certificate.issued', { ...identity, names: 'a', replaces: '29' }, 'certificate.renewed', /^serial 2A/],
  [
    'certificate.replaced',
    { ...identity, file: '/own.pem' },
    'certificate.replaced',
    /^serial 2A .* \/own\.pem$/,
  ],
  ['renewal.failed', { reason: 'DNS: no' }, 'certificate.failed', /^DNS: no$/],
  ['certificate.failed', { message: 'expired', file: '/own.pem' }, 'certificate.failed', /^expired$/],
])('%s %j is noted', (event, fields, action, detail) => {
  const { target, audit, log } = stage();
  log.with({ session: 'x' }).warn(event, fields);
  expect(target.events).toEqual([event]);
  expect(audit.lines).toEqual([{ action, source: 'server', detail: expect.stringMatching(detail) }]);
});

it('everything else is logged only', () => {
  const { target, audit, log } = stage();
  log.debug('renewal.failed', { reason: 'at debug level nothing happens' });
  log.info('certificate.substituted');
  log.error('disk.failed');
  expect(target.events).toHaveLength(3);
  expect(audit.lines).toEqual([]);
});
