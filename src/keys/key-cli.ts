// The verbs of `penstock key`. Each answers a Report; bad input is a SetupError that says what would be right.
// The key itself is in one Report only, the one of its making.
import type { Clock } from '../ops/clock.ts';
import { parseAddressBlock, formatAddressBlock, type AddressBlock } from '../ops/address.ts';
import { argumentInvalid, readChoice, readMoment, readNote } from '../ops/arguments.ts';
import { parseStreamName, type KeyId, type StreamName } from '../ops/names.ts';
import {
  formatBitrate,
  formatDuration,
  formatInstant,
  parseBitrate,
  parseDuration,
} from '../ops/quantities.ts';
import type { Random } from '../ops/random.ts';
import type { Report } from '../ops/report.ts';
import { formatFields, formatTable } from '../ops/table.ts';
import { SetupError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import type { StreamKey } from './key-rule.ts';
import { openKeyStore } from './key-store.ts';
import type { SecretHasher } from './secret-hasher.ts';
import { generateKey, isKeyId } from './stream-key-format.ts';

export interface KeyCliContext {
  readonly store: Pick<Store, 'db' | 'changes'>;
  readonly hasher: SecretHasher;
  readonly random: Random;
  readonly clock: Clock;
  /** Door → URL without an application, such as `rtmps` → `rtmps://ingest.example.com:1935`. */
  readonly serverUrls: Readonly<Record<string, string>>;
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
  readonly note?: string | undefined;
}

/** Throws SetupError ARGUMENT_INVALID, ResourceError STORE_FAILED. */
export async function createKey(given: NewKeyArguments, context: KeyCliContext): Promise<Report> {
  const { key, secret } = await makeKey(given, context);
  const { id, stream, role, server, expiresAt } = describe(key, context);
  const rows = Object.entries(server).map(([door, url]) => [`${door} server`, url] as const);
  return {
    json: { id, stream, role, key: secret.reveal(), server, expiresAt },
    text: [
      `Key ${id} may ${role} ${stream}${expiresAt === null ? '' : ` until ${expiresAt}`}.`,
      '',
      ...(rows.length > 0 ? [formatFields(rows), ''] : []),
      // Not through formatFields, which would mask it.
      `stream key    ${secret.reveal()}`,
      '',
      'This is the only time the stream key is shown: the server keeps no more than its hash.',
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
  const keys = await openKeyStore(context.store).list();
  const now = context.clock.now();
  if (keys.length === 0) {
    return { json: [], text: 'There is no stream key yet. Make one: penstock key create live/camera-1' };
  }
  return {
    json: keys.map((key) => listEntry(key, context)),
    text: formatTable(
      ['ID', 'STREAM', 'ROLE', 'STATE', 'EXPIRES', 'LAST USED', 'FROM', 'NOTE'],
      keys.map((key) => [
        key.id,
        key.stream,
        key.role,
        key.state,
        expiryText(key.expiresAt, now),
        key.lastUse === undefined ? 'never' : `${formatDuration(now - key.lastUse.at)} ago`,
        key.lastUse?.address ?? '',
        key.note ?? '',
      ]),
    ),
  };
}

/** Throws SetupError NOT_FOUND, ResourceError STORE_FAILED. */
export async function showKey(id: string, context: KeyCliContext): Promise<Report> {
  const key = await openKeyStore(context.store).find(readId(id));
  if (key === undefined) throw keyNotFound(id);
  return show(key, context);
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
  if (key.state !== wanted[verb]) {
    throw new SetupError('ARGUMENT_INVALID', `Key ${key.id} is revoked; that is final.`, {
      hint: `Make a new key: penstock key create ${key.stream}`,
    });
  }
  const consequence = {
    disable: 'A live session with it ends within a second; `penstock key enable` takes that back.',
    enable: 'It is accepted again within a second.',
    revoke: 'A live session with it ends within a second. It can never be used again.',
  };
  const { json } = show(key, context);
  return { json, text: `Key ${key.id} of ${key.stream} is ${key.state}. ${consequence[verb]}` };
}

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

function keyNotFound(id: string): SetupError {
  return new SetupError('NOT_FOUND', `There is no stream key ${id}.`, { hint: 'See `penstock key list`.' });
}

async function makeKey(given: NewKeyArguments, context: KeyCliContext) {
  const rules = readRules(given, context.clock.now());
  const keys = openKeyStore(context.store);
  let made = generateKey('psk', (length) => context.random.bytes(length));
  while ((await keys.find(made.id as KeyId)) !== undefined) {
    made = generateKey('psk', (length) => context.random.bytes(length));
  }
  const key: StreamKey = { ...rules, ...context.hasher.hash(made.secret), id: made.id as KeyId };
  await keys.create(key);
  return { key, secret: made.secret };
}

function describe(key: StreamKey, { serverUrls }: KeyCliContext) {
  const app = key.stream.slice(0, key.stream.indexOf('/'));
  return {
    id: key.id,
    stream: key.stream,
    role: key.role,
    server: Object.fromEntries(
      Object.entries(serverUrls).map(([door, url]) => [door, `${url.replace(/\/+$/, '')}/${app}`]),
    ),
    expiresAt: formatInstant(key.expiresAt),
  };
}

function listEntry(key: StreamKey, context: KeyCliContext) {
  return {
    ...describe(key, context),
    state: key.state,
    lastUsedAt: formatInstant(key.lastUse?.at),
    lastUsedFrom: key.lastUse?.address ?? null,
  };
}

function show(key: StreamKey, context: KeyCliContext): Report {
  const now = context.clock.now();
  const allow = key.allow.map(formatAddressBlock);
  const json = {
    ...listEntry(key, context),
    lastUsedEncoder: key.lastUse?.encoder ?? null,
    lastUsedDoor: key.lastUse?.door ?? null,
    createdAt: formatInstant(key.createdAt),
    notBefore: formatInstant(key.notBefore),
    allow,
    require: key.require,
    maxBitrate: key.maxBitrate ?? null,
    maxSession: key.maxSession ?? null,
    note: key.note ?? null,
  };
  const text = formatFields([
    ['id', key.id],
    ['stream', key.stream],
    ['role', key.role],
    ['state', key.state],
    ['created', json.createdAt ?? undefined],
    ['not before', json.notBefore ?? undefined],
    [
      'expires',
      key.expiresAt === undefined ? 'never' : `${json.expiresAt} (${expiryText(key.expiresAt, now)})`,
    ],
    ['allowed from', allow.length === 0 ? 'anywhere' : allow.join(', ')],
    ['requires', key.require === 'tls' ? 'TLS (rtmps, rtmpts)' : 'nothing: any door that is open'],
    ['max bitrate', key.maxBitrate === undefined ? undefined : formatBitrate(key.maxBitrate)],
    ['max session', key.maxSession === undefined ? undefined : formatDuration(key.maxSession)],
    ['last used', json.lastUsedAt ?? 'never'],
    ['  from', key.lastUse?.address],
    ['  by', key.lastUse?.encoder],
    ['  door', key.lastUse?.door],
    ['note', key.note],
    ...Object.entries(json.server).map(([door, url]) => [`${door} server`, url] as const),
  ]);
  return { json, text };
}

function expiryText(expiresAt: number | undefined, now: number): string {
  if (expiresAt === undefined) return 'never';
  return expiresAt > now ? `in ${formatDuration(expiresAt - now)}` : 'expired';
}
