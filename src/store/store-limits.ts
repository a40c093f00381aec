// What bounds the audit log: a flood of refusals must neither fill the disk nor keep it busy.

export const storeLimits = {
  /** Refusals written one by one in a minute; those beyond it are counted in one line. */
  auditRefusals: 120,
  /** Bytes of audit.jsonl before the server puts it aside and begins a new one. */
  auditFileSize: 16 * 1024 * 1024,
  /** Files put aside that are kept, audit.jsonl.1 being the newest. */
  auditFiles: 9,
  /** Lines kept in the database; a trigger there protects exactly so many (migrations.ts). */
  auditLines: 1_000_000,
} as const;
