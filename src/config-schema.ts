// What may be set in penstock.yaml, with its defaults and the words for what would be right. Every message
// reads on after "found X, ". Durations become milliseconds, sizes bytes, addresses { host, port }; relative
// paths are made absolute by config.ts. What this version cannot do yet is refused here, in words. pure.
import { z } from 'zod';
import { parseCertificateName } from './certificates/certificate-name.ts';
import { formatAddressBlock, parseAddressBlock } from './ops/address.ts';
import { parseStreamName } from './ops/names.ts';
import { parseDuration, parseSize } from './ops/quantities.ts';

/** The configuration of an empty file, in the form in which people write it. */
export const configDefaults = {
  hosts: [],
  dataDir: './data',
  certsDir: './certs',
  listeners: [
    { address: '0.0.0.0:1935', accept: ['rtmps', 'rtmpe', 'rtmpte'] },
    { address: '0.0.0.0:8443', accept: ['rtmps', 'rtmpts', 'https'] },
  ],
  trustedProxies: [],
  tls: { minVersion: 'TLSv1.2', certificate: 'self-signed', clientAuth: 'none' },
  acme: {
    directoryUrl: 'https://acme-v02.api.letsencrypt.org/directory',
    email: null,
    challenge: 'tls-alpn-01',
    dnsHook: null,
    eab: null,
    profile: null,
    rsa: false,
    caFile: null,
  },
  store: 'sqlite',
  recorder: {
    directory: null,
    segment: { maxDuration: null, maxSize: null },
    reconnectWindow: '30s',
    flushInterval: '250ms',
    syncInterval: '5s',
    minFreeSpace: '1GiB',
    encryption: null,
    retention: { maxAge: null, maxTotalSize: null, maxStreamSize: null, deleteWhenFull: false, streams: {} },
  },
  ingestLatency: '100ms',
  duplicatePublisher: 'takeover',
  signIn: { apps: [] },
  limits: {
    connections: 10_000,
    connectionsPerAddress: 64,
    handshakes: 1000,
    handshakesPerAddress: 200,
    handshakeTimeout: '10s',
    commandTimeout: '15s',
    idleTimeout: '30s',
    messageSize: '8MiB',
  },
  log: { level: 'info', format: null },
} as const;

const doors = ['rtmp', 'rtmps', 'rtmpe', 'rtmpt', 'rtmpts', 'rtmpte', 'https', 'http'] as const;

// A timer cannot wait longer than 24.8 days, and nobody who waits a day for a handshake means it.
const longestTimer = '24h';
const longestAge = '36500d';
const largestSize = '1000TiB';

const flag = (list: readonly string[]) => `expected ${list.slice(0, -1).join(', ')} or ${list.at(-1)}`;
const choice = <const T extends readonly [string, ...string[]]>(list: T) =>
  z.enum(list, { error: flag(list) });
const block = <T extends z.core.$ZodShape>(shape: T) =>
  z.strictObject(shape, { error: `expected a block of settings: ${Object.keys(shape).join(', ')}` });
const text = (what: string) => z.string({ error: `expected ${what}` }).min(1, { error: `expected ${what}` });
const count = (most: number) => {
  const error = `expected a whole number from 1 to ${most}`;
  return z.int({ error }).min(1, { error }).max(most, { error });
};

function duration(least: string, most: string) {
  return quantity('a duration such as 250ms, 30s or 8h', parseDuration, least, most);
}

function size(least: string, most = largestSize) {
  return quantity('a size such as 64KiB, 8MiB or 1GiB', parseSize, least, most);
}

function quantity(what: string, parse: (text: string) => number | undefined, least: string, most: string) {
  const error = `expected ${what}, from ${least} to ${most}`;
  const [lower, upper] = [parse(least) ?? 0, parse(most) ?? 0];
  return z.union([z.string(), z.number()], { error }).transform((written, context) => {
    const amount = parse(String(written));
    if (amount !== undefined && amount >= lower && amount <= upper) return amount;
    context.addIssue({ code: 'custom', message: error });
    return z.NEVER;
  });
}

const addressForm = 'expected ADDRESS:PORT such as 0.0.0.0:1935 or [::]:1935';
const address = z.string({ error: addressForm }).transform((written, context) => {
  const parsed = parseAddress(written);
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: 'custom', message: addressForm });
  return z.NEVER;
});

const retainedAge = duration('1m', longestAge);
const retainedSize = size('1MiB');
const yesOrNo = z.boolean({ error: 'expected true or false' });
const streamOrApp = 'expected a stream such as live/camera-1, or live/* for all streams of an app';
const isStreamOrApp = (name: string) => parseStreamName(name.replace(/\/\*$/, '/a')) !== undefined;

const listener = block({
  /** Where to listen; port 0 lets the system choose. */
  address,
  /** The doors that are open here, by the names of the table in docs/configuration.md. */
  accept: z
    .array(choice(doors), { error: 'expected a list such as [rtmps, https]' })
    .min(1, { error: `expected at least one of ${doors.join(', ')}` }),
});

const listeners = z
  .array(listener, { error: 'expected a list of { address, accept }' })
  .min(1, { error: 'expected at least one { address, accept }' })
  .superRefine((list, context) => {
    const seen = new Set<string>();
    for (const [index, { address: at }] of list.entries()) {
      const name = `${at.host} ${at.port}`;
      if (at.port !== 0 && seen.has(name)) {
        context.addIssue({ code: 'custom', path: [index, 'address'], message: 'but it is listed twice' });
      }
      seen.add(name);
    }
  });

const certificateForms =
  'expected self-signed, acme, { cert: FILE, key: FILE }, { pfx: FILE } or a list of such pairs';
const passphraseFile = text('a file').optional();
const pair = z.union([
  z.strictObject({ cert: text('a file'), key: text('a file'), passphraseFile }),
  z.strictObject({ pfx: text('a file'), passphraseFile }),
]);
const certificate = z.union([z.enum(['self-signed', 'acme']), pair, z.array(pair).min(1)], {
  error: certificateForms,
});

const publicName = 'expected a host name such as ingest.example.com, without a port or rtmps://';

const wildcard = z.string().regex(/^\*(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?){2,}$/i);

const settings = block({
  /** Public names; the first one is shown in encoder settings. Lower case. */
  hosts: z.array(
    z.union([z.hostname(), z.ipv4(), z.ipv6(), wildcard], { error: publicName }).transform(lowerCase),
    { error: 'expected a list such as [ingest.example.com]' },
  ),
  /** Database, secrets and, unless told otherwise, recordings. An absolute path. */
  dataDir: text('a folder'),
  /** Certificates and their private keys. An absolute path. */
  certsDir: text('a folder'),
  listeners,
  /** Proxies that begin every connection with a PROXY protocol header, which is believed. */
  trustedProxies: z.array(
    z.string().transform((written, context) => {
      const block = parseAddressBlock(written);
      // Plain data, as everything here: an address is a number of 128 bits, which JSON cannot write.
      if (block !== undefined) return formatAddressBlock(block);
      context.addIssue({ code: 'custom', message: 'expected an address or block such as 10.0.0.0/8' });
      return z.NEVER;
    }),
    { error: 'expected a list such as [10.0.0.0/8]' },
  ),
  tls: block({
    minVersion: choice(['TLSv1.2', 'TLSv1.3']),
    /** `self-signed`, `acme`, or PEM or PKCS #12 files by absolute paths, chosen by server name. */
    certificate: certificate.transform((chosen) =>
      typeof chosen === 'string' || Array.isArray(chosen) ? chosen : [chosen],
    ),
    /** Whether TLS clients are asked for a certificate of this installation (docs/certificates.md). */
    clientAuth: choice(['none', 'optional', 'required']),
  }),
  /** Read only with `tls.certificate: acme`. */
  acme: block({
    directoryUrl: z.url({ protocol: /^https$/, error: 'expected an https:// address' }),
    email: z.email({ error: 'expected an e-mail address' }).nullable(),
    challenge: choice(['tls-alpn-01', 'http-01', 'dns-01']),
    /** Program that makes and removes TXT records, for dns-01. An absolute path. */
    dnsHook: text('a program').nullable(),
    /** Account that the authority has given out beforehand (external account binding). */
    eab: z
      .strictObject(
        { keyId: text('the key id'), hmacKeyFile: text('a file') },
        { error: 'expected { keyId: ID, hmacKeyFile: FILE }' },
      )
      .nullable(),
    /** Kind of certificate, of those that the authority offers. */
    profile: text('a profile').nullable(),
    /** A second certificate with an RSA key. */
    rsa: z.boolean({ error: 'expected true or false' }),
    caFile: text('a PEM file').nullable(),
  }),
  store: text('sqlite').superRefine((chosen, context) => {
    if (chosen === 'sqlite') return;
    const postgres = /^postgres(?:ql)?:/.test(chosen);
    const message = postgres
      ? 'but PostgreSQL is not available in this version; use sqlite'
      : 'expected sqlite';
    context.addIssue({ code: 'custom', message });
  }),
  recorder: block({
    /** An absolute path. */
    directory: text('a folder').nullable(),
    segment: block({
      /** A file ends at the first key frame after so much; null: it goes on. */
      maxDuration: duration('1s', longestAge).nullable(),
      /** A file ends before the key frame whose pictures would outgrow it; null: it goes on. */
      maxSize: size('1MiB').nullable(),
    }),
    /** An encoder whose connection broke continues its file if it is back in time; 0 = never. */
    reconnectWindow: duration('0', longestTimer),
    /** At most this much is lost when the process is killed. */
    flushInterval: duration('10ms', '60s'),
    /** At most this much is lost at a power cut. */
    syncInterval: duration('100ms', '1h'),
    /** Bytes that recording never uses up on its volume. */
    minFreeSpace: size('0'),
    /** Recordings of these streams are encrypted where they lie; null: none. */
    encryption: z
      .strictObject(
        {
          keyFile: text('a file').optional(),
          keyCommand: z
            .array(text('a program or an argument'), {
              error: 'expected a list such as [vault-client, read, key]',
            })
            .min(1, { error: 'expected a program and its arguments' })
            .optional(),
          streams: z
            .array(z.string().refine(isStreamOrApp, { error: streamOrApp }), { error: streamOrApp })
            .nullable()
            .default(null),
        },
        { error: 'expected { keyFile: FILE } or { keyCommand: [PROGRAM, ARGUMENT, …] }, or null' },
      )
      .refine(({ keyFile, keyCommand }) => (keyFile === undefined) !== (keyCommand === undefined), {
        error: 'expected either keyFile or keyCommand',
      })
      .nullable(),
    retention: block({
      /** Counted from the end of a recording. */
      maxAge: retainedAge.nullable(),
      /** Of all recordings; the oldest go first. */
      maxTotalSize: size('1MiB').nullable(),
      /** Of the recordings of each stream. */
      maxStreamSize: retainedSize.nullable(),
      /** When the volume is nearly full, delete the oldest recordings instead of stopping to record. */
      deleteWhenFull: yesOrNo,
      /** By stream or `APP/*`, in place of what holds for all. */
      streams: z.record(
        z.string().refine(isStreamOrApp, { error: streamOrApp }),
        block({
          maxAge: retainedAge.nullable().optional(),
          maxStreamSize: retainedSize.nullable().optional(),
        }),
        {
          error: (issue) =>
            issue.code === 'invalid_key'
              ? 'but a name in it is no stream: write live/camera-1, or live/* for all streams of an app'
              : 'expected streams such as { live/camera-1: { maxAge: 7d } }',
        },
      ),
    }),
  }),
  /** Reads of publishing connections are gathered this long (PERFORMANCE 3.3); 0 = read at once. */
  ingestLatency: duration('0', '1s'),
  /** A second publisher of a live stream: with the same key it takes over, or it is always refused. */
  duplicatePublisher: choice(['takeover', 'refuse']),
  signIn: block({
    /** Applications whose encoders are asked for user and password when they connect with neither these nor a key. */
    apps: z.array(
      z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, { error: 'expected an application such as live' }),
      { error: 'expected a list such as [live]' },
    ),
  }),
  limits: block({
    /** Connections at one time, whatever their state. */
    connections: count(1_000_000),
    /** Connections at one time from one address (IPv6: from one /64). */
    connectionsPerAddress: count(1_000_000),
    /** Connections at one time whose TLS or RTMP handshake is not finished. */
    handshakes: count(1_000_000),
    /** The same from one address (IPv6: from one /64). */
    handshakesPerAddress: count(1_000_000),
    /** From accept to the end of the RTMP handshake, TLS included, whatever bytes come. */
    handshakeTimeout: duration('1ms', longestTimer),
    /** From the end of the handshake to a publish or play. */
    commandTimeout: duration('1ms', longestTimer),
    /** A publisher that sends nothing for so long is closed. */
    idleTimeout: duration('1ms', longestTimer),
    /** One message after the key check; before it 64 KiB hold. The wire knows no more than 16 MiB - 1. */
    messageSize: size('64KiB', '16777215'),
  }),
  log: block({
    level: choice(['debug', 'info', 'warn', 'error']),
    /** null: pretty on a terminal, else json. */
    format: choice(['pretty', 'json']).nullable(),
  }),
});

export const configSchema = settings.superRefine((chosen, context) => {
  if (chosen.tls.certificate !== 'acme') return;
  const { hosts, listeners: doorsHere } = chosen;
  const { challenge, dnsHook } = chosen.acme;
  const refuse = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
  const wide = hosts.find((host) => host.startsWith('*.'));
  if (hosts.length === 0)
    refuse(['hosts'], 'but tls.certificate: acme needs a public name, such as [ingest.example.com]');
  if (wide !== undefined && challenge !== 'dns-01')
    refuse(['acme', 'challenge'], `but ${wide} among the hosts can only be had by dns-01`);
  if (hosts.some((host) => parseCertificateName(host)?.kind === 'ip') && challenge === 'dns-01')
    refuse(['acme', 'challenge'], 'but an address among the hosts cannot be validated by dns-01');
  if (challenge === 'dns-01' && dnsHook === null)
    refuse(['acme', 'dnsHook'], 'but acme.challenge: dns-01 needs a program that makes TXT records');
  if (challenge === 'http-01' && !doorsHere.some(({ accept }) => accept.includes('http')))
    refuse(['listeners'], 'but acme.challenge: http-01 needs a listener that accepts http, at port 80');
  if (challenge === 'tls-alpn-01' && !doorsHere.some(({ accept }) => accept.some(isTlsDoor)))
    refuse(['listeners'], 'but acme.challenge: tls-alpn-01 needs a listener that accepts rtmps or https');
});

/** What is valid and yet probably a mistake, one sentence each. */
export function doubtsAbout(chosen: z.output<typeof configSchema>): readonly string[] {
  const { challenge } = chosen.acme;
  if (chosen.tls.certificate !== 'acme' || challenge === 'dns-01') return [];
  const port = challenge === 'http-01' ? 80 : 443;
  const wanted = challenge === 'http-01' ? (door: string) => door === 'http' : isTlsDoor;
  if (chosen.listeners.some(({ address: at, accept }) => at.port === port && accept.some(wanted))) return [];
  const what = challenge === 'http-01' ? 'http' : 'rtmps or https';
  return [
    `acme.challenge: ${challenge} is looked for at port ${port}, where no listener accepts ${what}: ` +
      `open one there, or let a port mapping lead port ${port} to one that does`,
  ];
}

function isTlsDoor(door: string): boolean {
  return ['rtmps', 'rtmpts', 'https'].includes(door);
}

/** Keys of the block at `path`, list items counting as 0; none where a single value stands. */
export function configKeysAt(path: readonly PropertyKey[]): readonly string[] {
  let schemas: readonly z.core.$ZodType[] = [settings];
  for (const segment of path) schemas = schemas.flatMap((schema) => childrenOf(schema, segment));
  const keys = schemas.flatMap(unwrapped).flatMap((schema) => {
    return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  });
  return [...new Set(keys)];
}

function childrenOf(schema: z.core.$ZodType, segment: PropertyKey): readonly z.core.$ZodType[] {
  return unwrapped(schema).flatMap((inner): readonly z.core.$ZodType[] => {
    if (inner instanceof z.ZodArray) return typeof segment === 'number' ? [inner.element] : [];
    if (inner instanceof z.ZodRecord) return [inner.valueType];
    if (!(inner instanceof z.ZodObject)) return [];
    const shape: Readonly<Record<PropertyKey, z.core.$ZodType>> = inner.shape;
    return Object.hasOwn(shape, segment) && shape[segment] ? [shape[segment]] : [];
  });
}

function unwrapped(schema: z.core.$ZodType): readonly z.core.$ZodType[] {
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(unwrapped);
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional) return unwrapped(schema.unwrap());
  if (schema instanceof z.ZodPipe) return unwrapped(schema.in);
  return [schema];
}

function parseAddress(written: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[([^[\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(written);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2] ?? '';
  const hostForm = match?.[1] === undefined ? z.union([z.ipv4(), z.hostname()]) : z.ipv6();
  return port <= 65_535 && hostForm.safeParse(host).success ? { host, port } : undefined;
}

function lowerCase(name: string): string {
  return name.toLowerCase();
}
