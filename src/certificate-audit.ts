// What the audit log tells of the server's certificates and of its authority: issued, renewed, replaced, or why not
// (OWASP ASVS 7). It listens to what the certificate rooms log, so that none of them has to know of the audit log.
// Client certificates are noted where they are made and revoked (client-certificates/client-certificate-cli.ts).
import type { Log, LogFields } from './ops/log.ts';
import type { AuditLine, AuditLog } from './store/audit-log.ts';

/** The same log; what becomes of certificates is noted too. `source`: `server` or `cli`. */
export function auditCertificates(target: Log, audit: Pick<AuditLog, 'note'>, source: string): Log {
  const noting =
    (level: 'info' | 'warn' | 'error') =>
    (event: string, fields: LogFields = {}) => {
      const line = lineOf(event, fields);
      if (line !== undefined) audit.note({ ...line, source });
      target[level](event, fields);
    };
  return {
    debug: (event, fields) => target.debug(event, fields),
    info: noting('info'),
    warn: noting('warn'),
    error: noting('error'),
    with: (fields) => auditCertificates(target.with(fields), audit, source),
  };
}

function lineOf(event: string, fields: LogFields): Omit<AuditLine, 'source'> | undefined {
  switch (event) {
    case 'authority.created':
      return { action: 'authority.created', detail: `${fields['file']}` };
    case 'certificate.issued': {
      const action = fields['replaces'] === undefined ? 'certificate.issued' : 'certificate.renewed';
      return { action, detail: `${identityOf(fields)} names ${fields['names']}` };
    }
    case 'certificate.replaced':
      return { action: 'certificate.replaced', detail: `${identityOf(fields)} ${fields['file']}` };
    case 'renewal.failed':
    case 'certificate.failed':
      return { action: 'certificate.failed', detail: `${fields['reason'] ?? fields['message']}` };
    default:
      return undefined;
  }
}

function identityOf(fields: LogFields): string {
  return `serial ${fields['serial']} until ${fields['until']}`;
}
