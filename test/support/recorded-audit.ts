// An audit log that keeps its lines, so that a test can ask who did what.
import type { AuditLine, AuditLog } from '../../src/store/audit-log.ts';

export class RecordedAudit implements Pick<AuditLog, 'note'> {
  readonly lines: AuditLine[] = [];

  note(line: AuditLine): void {
    this.lines.push(line);
  }

  /** The lines with this action. */
  of(action: AuditLine['action']): readonly AuditLine[] {
    return this.lines.filter((line) => line.action === action);
  }
}
