// The decision about one request, given the key it names: who may do what, where, when and from where.
// pure. Leaves out looking the key up, comparing secrets and counting guesses (key-gate.ts).
import type { Secret } from '../bytes/secret.ts';
import { blockContains, parseAddress, type AddressBlock } from '../ops/address.ts';
import type { KeyId, StreamName } from '../ops/names.ts';
import type { HashedSecret } from './secret-hasher.ts';

type Role = 'publish' | 'play';
export type KeyState = 'active' | 'disabled' | 'revoked';

/** What is kept of a secret. */
export interface KeySecret extends HashedSecret {
  /** For signing in (sign-in-verifier.ts), sealed; undefined for one that was made by an older version. */
  readonly verifiers?: string | undefined;
}

/** A secret that was replaced and still works for a while, so that an encoder can be switched at leisure. */
export interface PreviousSecret extends KeySecret {
  /** End of the grace, in milliseconds since the epoch. */
  readonly until: number;
  readonly lastUse?: KeyUse | undefined;
}

export interface StreamKey extends KeySecret {
  readonly id: KeyId;
  readonly stream: StreamName;
  readonly role: Role;
  readonly state: KeyState;
  /** Times are milliseconds since the epoch. */
  readonly createdAt: number;
  readonly notBefore?: number | undefined;
  readonly expiresAt?: number | undefined;
  /** Empty = from anywhere. */
  readonly allow: readonly AddressBlock[];
  /** `tls`: RTMPS and RTMPTS only; the RC4 of RTMPE does not count. */
  readonly require: 'any' | 'tls';
  /** Bits per second. */
  readonly maxBitrate?: number | undefined;
  /** Milliseconds. */
  readonly maxSession?: number | undefined;
  /** Names as in `penstock stream list`: h264, aac… Empty = any. */
  readonly codecs: readonly string[];
  /** Counts the secrets that the key has had, from 1: the digest is that of the newest. */
  readonly generation: number;
  readonly previous?: PreviousSecret | undefined;
  readonly note?: string | undefined;
  /** With whichever of its secrets. */
  readonly lastUse?: KeyUse | undefined;
}

export interface KeyUse {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly address: string;
  readonly encoder: string;
  readonly door: string;
}

export interface AccessRequest {
  readonly right: Role;
  readonly app: string;
  /** The publishing or playing name as sent, without its query. */
  readonly name: Secret;
  /** From `?key=`, wherever the encoder put it. */
  readonly key?: Secret | undefined;
  /** Whose password the client has shown when it connected. */
  readonly signedIn?: { readonly keyId: KeyId; readonly generation: number } | undefined;
  /** DER of the certificate that the client has shown in TLS, and holds the key of. */
  readonly certificate?: Uint8Array | undefined;
  readonly address: string;
  /** Whether TLS carries the connection. */
  readonly tls: boolean;
  readonly door: string;
  readonly encoder: string;
}

/** Who knows client certificates; the gate knows keys. */
export interface CertificateRegister {
  /** Decides by what is committed when it is called. Throws ResourceError STORE_FAILED. */
  identify(certificate: Uint8Array): Promise<CertificateFinding>;
  /** Tells within 1 s that a certificate which was good no longer is. */
  onWithdrawn(listener: (finding: CertificateFinding) => void): () => void;
}

/**
 * What the peer hears, whatever the reason: the true one would tell a guesser how far the guess led. At most 255
 * bytes, which is as much as ffmpeg shows.
 */
export const refusalDescription =
  'This stream key was not accepted. Give it as stream key, behind the name as ?key=, or as password to sign in. ' +
  'Check server address, application and stream name; if all is right, ask the operator, whose log has the reason ' +
  '(as expired or needs rtmps).';

/** What is told on the wire when a client certificate opens nothing, whatever the reason; see `refusalDescription`. */
export const certificateRefusal =
  'This client certificate was not accepted. Check that server address, application and stream name are exactly as ' +
  'given to you; if they are, ask the operator, whose log names the reason (such as expired, revoked, or another ' +
  'stream).';

/** `key-missing`: the name of a stream stands where its key belongs. */
type RefusalReason =
  | 'not-a-key'
  | 'key-missing'
  | 'mistyped'
  | 'unknown-key'
  | 'wrong-secret'
  | 'disabled'
  | 'revoked'
  | 'rotated'
  | 'not-yet-valid'
  | 'expired'
  | 'role-missing'
  | 'wrong-stream'
  | 'address-not-allowed'
  | 'encryption-required'
  | 'too-many-attempts'
  | 'unknown-user'
  | 'verifier-missing'
  | 'stale-challenge'
  | CertificateObjection;

/** `unknown`: issued by somebody else, or not on our list. */
export type CertificateObjection = `certificate-${'unknown' | 'expired' | 'revoked'}`;

/** What a client certificate stands for, and why it opens nothing if so. */
export interface CertificateFinding {
  /** Serial number in hex: public. */
  readonly serial: string;
  readonly keyId?: KeyId;
  readonly objection?: CertificateObjection;
}

export type Verdict =
  | {
      readonly granted: true;
      readonly keyId: KeyId;
      readonly stream: StreamName;
      /** Which secret of the key was shown (StreamKey.generation). */
      readonly generation: number;
      /** When the key expires, or the grace of an old secret ends, in milliseconds since the epoch. */
      readonly until?: number;
      /** Milliseconds. */
      readonly maxSession?: number;
      /** Bits per second. */
      readonly maxBitrate?: number;
      /** Left out: any. */
      readonly codecs?: readonly string[];
      /** Serial number of the client certificate that was shown in place of a secret. */
      readonly certificate?: string;
    }
  | {
      readonly granted: false;
      /** For the log alone: on the wire every refusal reads alike. */
      readonly reason: RefusalReason;
      /** When an existing key was named. */
      readonly keyId?: KeyId;
      /** Milliseconds that the answer is to wait, for whoever is guessing. */
      readonly delay?: number;
      readonly certificate?: string;
    };

/** What became of the key that a request carries: how far it led. */
export type Credential =
  | { readonly outcome: 'not-a-key' | 'key-missing' | 'mistyped' | 'unknown-key' | CertificateObjection }
  | {
      readonly outcome: 'wrong-secret' | 'matched' | 'matched-previous' | 'certified';
      readonly key: StreamKey;
    }
  | { readonly outcome: 'signed-in'; readonly key: StreamKey; readonly generation: number };

/** Generation of a session that was opened without a secret: no rotation ends it. */
export const withoutSecret = Infinity;

/** `now` in milliseconds since the epoch. */
export function judge(credential: Credential, request: AccessRequest, now: number): Verdict {
  if (!('key' in credential)) return { granted: false, reason: credential.outcome };
  const { outcome, key } = credential;
  const old = generationOf(credential) === key.generation - 1 ? key.previous : undefined;
  const reason = outcome === 'wrong-secret' ? outcome : objection(credential, old, request, now);
  if (reason !== undefined) return { granted: false, reason, keyId: key.id };
  const until = Math.min(key.expiresAt ?? Infinity, old?.until ?? Infinity);
  return {
    granted: true,
    keyId: key.id,
    stream: key.stream,
    generation: generationOf(credential),
    ...(until < Infinity && { until }),
    ...(key.maxSession !== undefined && { maxSession: key.maxSession }),
    ...(key.maxBitrate !== undefined && { maxBitrate: key.maxBitrate }),
    ...(key.codecs.length > 0 && { codecs: key.codecs }),
  };
}

/** Whether the name of a stream stands where a key for it should. */
export function lacksKey({ app, name, key, right }: AccessRequest, keys: Iterable<StreamKey>): boolean {
  const stream = `${app}/${name.reveal()}`;
  const opens = (one: StreamKey) => one.stream === stream && one.role === right && one.state === 'active';
  return key === undefined && [...keys].some(opens);
}

// The first of these that holds is the one in the log, so what an operator would look at first comes first.
function objection(
  credential: Extract<Credential, { key: StreamKey }>,
  old: PreviousSecret | undefined,
  request: AccessRequest,
  now: number,
): RefusalReason | undefined {
  const { key, outcome } = credential;
  if (key.state !== 'active') return key.state;
  if (old !== undefined && now >= old.until) return 'rotated';
  if (old === undefined && generationOf(credential) < key.generation) return 'rotated'; // twice
  if (key.notBefore !== undefined && now < key.notBefore) return 'not-yet-valid';
  if (key.expiresAt !== undefined && now >= key.expiresAt) return 'expired';
  if (key.role !== request.right) return 'role-missing';
  if (!namesStream(key.stream, request, outcome)) return 'wrong-stream';
  if (!isAllowed(key.allow, request.address)) return 'address-not-allowed';
  if (key.require === 'tls' && !request.tls) return 'encryption-required';
  return undefined;
}

function generationOf(credential: Extract<Credential, { key: StreamKey }>): number {
  const { key, outcome } = credential;
  if (outcome === 'certified') return withoutSecret;
  if (outcome === 'signed-in') return credential.generation;
  return outcome === 'matched-previous' ? key.generation - 1 : key.generation;
}

// The key as the name says which stream it is for, so only the application is compared; a key in the query or a
// certificate stands beside the name, so the whole stream is. Who has signed in may leave the name out.
function namesStream(
  stream: StreamName,
  { app, name: given, key }: AccessRequest,
  outcome: Extract<Credential, { key: StreamKey }>['outcome'],
): boolean {
  const name = given.reveal();
  if (outcome === 'signed-in') {
    const short = stream.slice(stream.indexOf('/') + 1);
    return (stream === app || stream === `${app}/${short}`) && ['', short, stream].includes(name);
  }
  return key === undefined && outcome !== 'certified'
    ? stream.startsWith(`${app}/`)
    : stream === `${app}/${name}`;
}

function isAllowed(allow: readonly AddressBlock[], text: string): boolean {
  if (allow.length === 0) return true;
  const address = parseAddress(text);
  return address !== undefined && allow.some((block) => blockContains(block, address));
}
