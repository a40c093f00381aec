// The tables as kysely sees them, one interface a table; migrations.ts makes them. All times are integer
// milliseconds since the Unix epoch; lists are JSON arrays. pure (types only).
import type { Generated } from 'kysely';

export interface Schema {
  stream_keys: StreamKeyTable;
  api_tokens: ApiTokenTable;
  recordings: RecordingTable;
  removed_recordings: RemovedRecordingTable;
  live_servers: LiveServerTable;
  changes: ChangeTable;
  audit: AuditTable;
  client_certificates: ClientCertificateTable;
}

export interface StreamKeyTable {
  id: string;
  stream: string;
  role: 'publish' | 'play';
  /** HMAC-SHA-256 in hex; never the key itself. */
  digest: string;
  pepper_version: number;
  created_at: number;
  not_before: number | null;
  expires_at: number | null;
  /** JSON array of address blocks; empty = from anywhere. */
  allow: string;
  require: 'any' | 'tls';
  /** Bits per second. */
  max_bitrate: number | null;
  max_session_ms: number | null;
  note: string | null;
  state: 'active' | 'disabled' | 'revoked';
  last_used_at: number | null;
  last_used_from: string | null;
  last_used_encoder: string | null;
  last_used_door: string | null;
  /** JSON array of codec names; empty = any. */
  codecs: string;
  /** Counts the secrets that the key has had; the digest is that of the newest. */
  generation: number;
  /** What a password is checked against (keys/sign-in-verifier.ts), sealed; null for secrets of older versions. */
  verifiers: string | null;
  /** The secret before, and when its grace ends. */
  previous_digest: string | null;
  previous_pepper_version: number | null;
  previous_until: number | null;
  previous_verifiers: string | null;
  previous_used_at: number | null;
  previous_used_from: string | null;
  previous_used_encoder: string | null;
  previous_used_door: string | null;
}

export interface ApiTokenTable {
  id: string;
  /** HMAC-SHA-256 in hex; never the token itself. */
  digest: string;
  pepper_version: number;
  /** JSON array. */
  scopes: string;
  note: string | null;
  created_at: number;
  expires_at: number | null;
  revoked_at: number | null;
  last_used_at: number | null;
}

interface RecordingTable {
  id: string;
  stream: string;
  key_id: string | null;
  state: 'recording' | 'complete' | 'recovered';
  started_at: number;
  ended_at: number | null;
  duration_ms: number | null;
  bytes: number | null;
  /** Hex. */
  sha256: string | null;
  /** Relative to the recordings folder, with forward slashes. */
  path: string;
  /** The id of the first segment. */
  event: string;
  segment: number;
  /** JSON array. */
  gaps: string;
  /** 1 = retention keeps it. */
  locked: number;
  /** JSON object. */
  origin: string | null;
  /** JSON array of codec names. */
  codecs: string;
}

interface RemovedRecordingTable {
  id: string;
  event: string;
  segment: number;
  sha256: string | null;
  removed_at: number;
}

export interface LiveServerTable {
  /** One run of one server process. */
  server_id: string;
  /** JSON: what `penstock stream list` shows of it. */
  sessions: string;
  updated_at: number;
}

export interface AuditTable {
  seq: Generated<number>;
  at: number;
  action: string;
  /** Whose doing: an address, `cli`, `server` or the public id of a token. */
  source: string;
  key_id: string | null;
  stream: string | null;
  door: string | null;
  detail: string | null;
}

export interface ClientCertificateTable {
  /** Hex, lower case. */
  serial: string;
  name: string;
  key_id: string;
  /** Fingerprint of the certificate, hex. */
  sha256: string;
  created_at: number;
  expires_at: number;
  revoked_at: number | null;
}

interface ChangeTable {
  seq: Generated<number>;
  topic: string;
  subject: string;
  at: number;
}
