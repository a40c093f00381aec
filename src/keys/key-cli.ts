// The verbs of `penstock key`. Each answers a Report; bad input is a SetupError that says what would be right.
// The key itself is in one Report only, the one of its making.
import type { Secret } from '../bytes/secret.ts';
import type { Clock } from '../ops/clock.ts';
import { parseAddressBlock, type AddressBlock } from '../ops/address.ts';
import { argumentInvalid, readChoice, readMoment, readNote } from '../ops/arguments.ts';
import { parseStreamName, type KeyId, type StreamName } from '../ops/names.ts';
import { formatInstant, parseBitrate, parseDuration } from '../ops/quantities.ts';
import type { Random } from '../ops/random.ts';
import type { Report } from '../ops/report.ts';
import { SetupError } from '../errors.ts';
import type { AuditLine, AuditLog } from '../store/audit-log.ts';
import type { Store } from '../store/store.ts';
import {
  describeKey,
  encoderSettings,
  reportKey,
  reportKeys,
  secretText,
  type ServerUrls,
} from './key-report.ts';
import type { KeySecret, StreamKey } from './key-rule.ts';
import { openKeyStore } from './key-store.ts';
import type { SecretHasher } from './secret-hasher.ts';
import { sealVerifiers, type SignInUser } from './sign-in-verifier.ts';
import { generateKey, isKeyId } from './stream-key-format.ts';

export interface KeyCliContext {
  readonly store: Pick<Store, 'db' | 'changes'>;
  readonly hasher: SecretHasher;
  readonly random: Random;
  readonly clock: Clock;
  readonly serverUrls: ServerUrls;
  readonly audit: Pick<AuditLog, 'note'>;
  /** Whose doing it is, for the audit log: `cli`, `server`, or `token ID`. */
  readonly source: string;
}

/** As typed on the command line. */
export interface NewKeyArguments {
  readonly stream: string;
  readonly role?: string | undefined;
  readonly expires?: string | undefined;
  readonly notBefore?: string | undefined;
  readonly allow?: readonly string[] | undefined;
  readonly require?: string | undefined;
  readonly maxBitrate?: string | undefined;
  readonly maxSession?: string | undefined;
  /** Codec names, each possibly several with commas between. */
  readonly codecs?: readonly string[] | undefined;
  readonly note?: string | undefined;
  /** Draws the publish URL for a phone, as lines for the text. */
  readonly qr?: ((url: string) => string) | undefined;
}

/** Throws SetupError ARGUMENT_INVALID, ResourceError STORE_FAILED. */
export async function createKey(given: NewKeyArguments, context: KeyCliContext): Promise<Report> {
  if (given.qr !== undefined) requirePublishUrl(given, context);
  const { key, secret } = await makeKey(given, context);
  const { id, stream, role, server, expiresAt } = describeKey(key, context.serverUrls);
  const from = formatInstant(key.notBefore);
  const settings = encoderSettings(key, secret.reveal(), server);
  return {
    json: { id, stream, role, key: secret.reveal(), server, expiresAt, settings },
    text: [
      `Key ${id} may ${role} ${stream}${from === null ? '' : ` from ${from}`}${expiresAt === null ? '' : ` until ${expiresAt}`}.`,
      '',
      secretText(secret.reveal(), server, settings, settings === null ? undefined : given.qr?.(settings.url)),
    ].join('\n'),
  };
}

/**
 * Gives a key a new secret. The old one goes on working until the grace ends, and both count as the same key: an
 * encoder that is switched to the new one takes its stream over at once. `grace` is a duration, by default 24 h; 0
 * ends the old secret at once. Throws SetupError NOT_FOUND, or ARGUMENT_INVALID also for a key that is revoked or
 * has expired; ResourceError STORE_FAILED.
 */
export async function rotateKey(
  id: string,
  { grace = '24h' }: { readonly grace?: string | undefined },
  context: KeyCliContext,
): Promise<Report> {
  const now = context.clock.now();
  const duration = parseDuration(grace);
  if (duration === undefined || duration > longestGrace) {
    throw argumentInvalid('--grace', grace, 'Give a duration such as 24h or 7d, at most 365d; 0 for none.');
  }
  const keys = openKeyStore(context.store);
  const before = await keys.find(readId(id));
  if (before === undefined) throw keyNotFound(id);
  if (before.expiresAt !== undefined && before.expiresAt <= now) throw keyOver(before, 'has expired');
  const made = generateKey('psk', (length) => context.random.bytes(length), before.id);
  const key = await keys.rotate(before.id, keptOf(made.secret, before, context), now + duration);
  if (key === undefined) throw keyNotFound(id);
  if (key.state === 'revoked') throw keyOver(key, 'is revoked');
  note(context, 'key.rotated', key, `grace ${grace}`);
  const { server, ...described } = describeKey(key, context.serverUrls);
  const settings = encoderSettings(key, made.secret.reveal(), server);
  const until = formatInstant(now + duration);
  return {
    json: { ...described, key: made.secret.reveal(), server, settings, previousUntil: until },
    text: [
      `Key ${key.id} of ${key.stream} has a new secret.`,
      duration === 0
        ? 'The old one has ended; a live session with it ends within a second.'
        : `The old one works until ${until}; \`penstock key show ${key.id}\` tells who still uses it.`,
      '',
      secretText(made.secret.reveal(), server, settings),
    ].join('\n'),
  };
}

/**
 * For a server's first start: makes a key when there is none at all, and answers it. Undefined when there are
 * keys. Throws ResourceError STORE_FAILED.
 */
export async function createFirstKey(
  stream: StreamName,
  context: KeyCliContext,
): Promise<string | undefined> {
  const keys = await openKeyStore(context.store).list();
  if (keys.length > 0) return undefined;
  const { secret } = await makeKey({ stream, note: 'made at the first start' }, context);
  return secret.reveal();
}

/** Throws ResourceError STORE_FAILED. */
export async function listKeys(context: KeyCliContext): Promise<Report> {
  return reportKeys(await openKeyStore(context.store).list(), context.serverUrls, context.clock.now());
}

/** Throws SetupError NOT_FOUND, ResourceError STORE_FAILED. */
export async function showKey(id: string, context: KeyCliContext): Promise<Report> {
  const key = await openKeyStore(context.store).find(readId(id));
  if (key === undefined) throw keyNotFound(id);
  return reportKey(key, context.serverUrls, context.clock.now());
}

/** Throws SetupError NOT_FOUND, or ARGUMENT_INVALID when a revoked key is to change; ResourceError STORE_FAILED. */
export async function setKeyState(
  id: string,
  verb: 'disable' | 'enable' | 'revoke',
  context: KeyCliContext,
): Promise<Report> {
  const wanted = { disable: 'disabled', enable: 'active', revoke: 'revoked' } as const;
  const key = await openKeyStore(context.store).setState(readId(id), wanted[verb]);
  if (key === undefined) throw keyNotFound(id);
  if (key.state !== wanted[verb]) throw keyOver(key, 'is revoked; that is final');
  note(
    context,
    ({ disable: 'key.disabled', enable: 'key.enabled', revoke: 'key.revoked' } as const)[verb],
    key,
  );
  const consequence = {
    disable: 'A live session with it ends within a second; `penstock key enable` takes that back.',
    enable: 'It is accepted again within a second.',
    revoke: 'A live session with it ends within a second. It can never be used again.',
  };
  const { json } = reportKey(key, context.serverUrls, context.clock.now());
  return { json, text: `Key ${key.id} of ${key.stream} is ${key.state}. ${consequence[verb]}` };
}

/** What a key may be restricted to: every name that a session can have for a codec. */
export const codecNames = [
  'h264',
  'hevc',
  'av1',
  'vp9',
  'vp8',
  'vvc',
  'h263',
  'vp6',
  'vp6-alpha',
  'screen',
  'screen2',
  'aac',
  'opus',
  'mp3',
  'ac3',
  'eac3',
  'flac',
  'pcm',
  'adpcm',
  'speex',
  'nellymoser',
  'g711-alaw',
  'g711-mulaw',
] as const;

const codecAliases: Readonly<Record<string, string>> = {
  avc: 'h264',
  h265: 'hevc',
  'ac-3': 'ac3',
  'e-ac-3': 'eac3',
};

/** Milliseconds: a grace without an end would be no rotation. */
const longestGrace = 365 * 86_400_000;

function readRules(given: NewKeyArguments, now: number): Omit<StreamKey, 'id' | 'digest' | 'pepperVersion'> {
  const expiresAt = given.expires === undefined ? undefined : readMoment('--expires', given.expires, now);
  const notBefore =
    given.notBefore === undefined ? undefined : readMoment('--not-before', given.notBefore, now);
  if (expiresAt !== undefined && expiresAt <= Math.max(now, notBefore ?? now)) {
    throw argumentInvalid(
      '--expires',
      given.expires ?? '',
      'Give a moment in the future, after --not-before.',
    );
  }
  return {
    stream: readStream(given.stream),
    role: readChoice('--role', given.role ?? 'publish', ['publish', 'play']),
    state: 'active',
    createdAt: now,
    notBefore,
    expiresAt,
    allow: (given.allow ?? []).map(readBlock),
    require: readChoice('--require', given.require ?? 'any', ['any', 'tls']),
    maxBitrate: readPositive(
      '--max-bitrate',
      given.maxBitrate,
      parseBitrate,
      'a bitrate such as 12M or 800k',
    ),
    maxSession: readPositive(
      '--max-session',
      given.maxSession,
      parseDuration,
      'a duration such as 8h or 30m',
    ),
    codecs: readCodecs(given.codecs ?? []),
    generation: 1,
    note: given.note === undefined ? undefined : readNote('--note', given.note),
  };
}

function readStream(text: string): StreamName {
  const stream = parseStreamName(text);
  if (stream !== undefined) return stream;
  throw argumentInvalid(
    'STREAM',
    text,
    'Give APP/NAME such as live/camera-1: letters, digits, ".", "_" and "-", each part at most 64 characters.',
  );
}

function readBlock(text: string): AddressBlock {
  const block = parseAddressBlock(text);
  if (block !== undefined) return block;
  throw argumentInvalid(
    '--allow',
    text,
    'Give an address or a block such as 203.0.113.7, 10.0.0.0/8 or 2001:db8::/32.',
  );
}

function readCodecs(texts: readonly string[]): readonly string[] {
  const words = texts.flatMap((text) => text.split(',')).map((word) => word.trim().toLowerCase());
  const names = words.map((word) => codecAliases[word] ?? word);
  return [...new Set(names.map((name) => readChoice('--codecs', name, codecNames)))];
}

function readPositive(
  argument: string,
  text: string | undefined,
  parse: (text: string) => number | undefined,
  expected: string,
): number | undefined {
  if (text === undefined) return undefined;
  const value = parse(text);
  if (value === undefined || value === 0) throw argumentInvalid(argument, text, `Give ${expected}.`);
  return value;
}

// A whole key in place of its id must not be repeated: the command may be in front of an audience.
function readId(text: string): KeyId {
  if (isKeyId(text)) return text as KeyId;
  throw argumentInvalid('ID', text, "Give the 8 characters of the key's id, as in `penstock key list`.");
}

/** Asked before a key is made: nobody wants one that is not shown as it should be. */
function requirePublishUrl({ role }: NewKeyArguments, { serverUrls }: KeyCliContext): void {
  if (role !== 'play' && Object.keys(serverUrls).length > 0) return;
  throw new SetupError('ARGUMENT_INVALID', '--qr: there is no URL to publish to with this key.', {
    hint: 'It is for keys that publish, and some listener has to accept encoders ("accept": rtmps).',
  });
}

function keyOver(key: StreamKey, why: string): SetupError {
  return new SetupError('ARGUMENT_INVALID', `Key ${key.id} ${why}.`, {
    hint: `Make a new key: penstock key create ${key.stream}`,
  });
}

function note(
  { audit, source }: KeyCliContext,
  action: AuditLine['action'],
  key: StreamKey,
  detail?: string,
): void {
  audit.note({ action, source, key: key.id, stream: key.stream, detail });
}

function keyNotFound(id: string): SetupError {
  return new SetupError('NOT_FOUND', `There is no stream key ${id}.`, { hint: 'See `penstock key list`.' });
}

/** All that is kept of a secret. */
function keptOf(secret: Secret, owner: SignInUser, { hasher, random }: KeyCliContext): KeySecret {
  const verifiers = sealVerifiers(hasher, (length) => random.bytes(length), owner, secret);
  return { ...hasher.hash(secret), verifiers };
}

async function makeKey(given: NewKeyArguments, context: KeyCliContext) {
  const rules = readRules(given, context.clock.now());
  const keys = openKeyStore(context.store);
  let made = generateKey('psk', (length) => context.random.bytes(length));
  while ((await keys.find(made.id as KeyId)) !== undefined) {
    made = generateKey('psk', (length) => context.random.bytes(length));
  }
  const id = made.id as KeyId;
  const key: StreamKey = { ...rules, ...keptOf(made.secret, { ...rules, id }, context), id };
  await keys.create(key);
  note(context, 'key.created', key, key.role);
  return { key, secret: made.secret };
}
