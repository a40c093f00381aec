// The verbs `penstock cert client`, `cert clients` and `cert revoke`. The private key and the passphrase leave in the
// files and the one Report of their making; the server keeps neither.
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DevelopmentAuthority } from '../certificates/development-authority.ts';
import { SetupError } from '../errors.ts';
import type { StreamKey } from '../keys/key-rule.ts';
import { openKeyStore } from '../keys/key-store.ts';
import { isKeyId } from '../keys/stream-key-format.ts';
import { argumentInvalid } from '../ops/arguments.ts';
import type { Clock } from '../ops/clock.ts';
import type { KeyId } from '../ops/names.ts';
import { formatInstant } from '../ops/quantities.ts';
import type { Random } from '../ops/random.ts';
import { formatTable, type Report } from '../ops/report.ts';
import type { AuditLog } from '../store/audit-log.ts';
import type { Store } from '../store/store.ts';
import { type ClientCertificate, openClientCertificateStore } from './client-certificate-store.ts';
import { readIdentity } from './client-identity.ts';
import { type IssuedClient, issueClient } from './client-issuer.ts';

export interface ClientCertificateCliContext {
  readonly store: Pick<Store, 'db' | 'changes'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly audit: Pick<AuditLog, 'note'>;
  /** Whose doing it is, for the audit log. */
  readonly source: string;
  /** Makes the authority when there is none yet. */
  readonly authority: () => Promise<DevelopmentAuthority>;
  readonly clientAuth: 'none' | 'optional' | 'required';
  /** Base URL of the RTMPS door, if one is open. */
  readonly rtmpsUrl: string | undefined;
  /** What clients have to trust; undefined when public authorities will do. */
  readonly caFile: string | undefined;
}

export interface NewClientArguments {
  readonly name: string;
  readonly keyId: string;
  readonly days?: string | undefined;
  /** Where the files go; the working folder unless told. Made when there is none. */
  readonly output?: string | undefined;
}

const day = 86_400_000;
const defaultDays = 365;
const longestDays = 3650;

/**
 * Issues a certificate for the stream key and writes NAME.p12, NAME.pem and NAME.key, none of which may exist.
 * Throws SetupError ARGUMENT_INVALID, NOT_FOUND; ResourceError STORE_FAILED.
 */
export async function issueClientCertificate(
  given: NewClientArguments,
  context: ClientCertificateCliContext,
): Promise<Report> {
  const { store, clock, random } = context;
  const now = clock.now();
  const name = readName(given.name);
  const life = readDays(given.days) * day;
  const key = await usableKey(given.keyId, context, now);
  const authority = await context.authority();
  const issued = issueClient(authority, { name, keyId: key.id, life }, { now, random });
  const identity = readIdentity(issued.certificatePem);
  if (identity === undefined) throw new Error('the certificate that was just written cannot be read');
  const { serial, sha256, notAfter: expiresAt } = identity;
  const files = await writeFiles(given.output ?? '.', name, issued);
  const certificate = { serial, name, keyId: key.id, sha256, createdAt: now, expiresAt };
  try {
    await openClientCertificateStore(store).create(certificate);
  } catch (error) {
    // It would open nothing.
    await Promise.all(Object.values(files).map((path) => rm(path, { force: true })));
    throw error;
  }
  note(context, 'client-certificate.created', certificate, key.stream);
  const ffmpeg = ffmpegLine(key, files, context);
  return {
    json: {
      ...shape(certificate, key.stream, now),
      files,
      passphrase: issued.passphrase.reveal(),
      ffmpeg: ffmpeg ?? null,
    },
    text: [
      `Certificate ${serial} for ${name} stands for the stream key ${key.id}: whoever holds it may publish`,
      `${key.stream} until ${formatInstant(expiresAt)}, without a stream key.`,
      '',
      `certificate   ${files.certificate}`,
      `private key   ${files.key}`,
      `both          ${files.pkcs12} (PKCS #12)`,
      `passphrase    ${issued.passphrase.reveal()}`,
      '',
      ...(ffmpeg === undefined ? [] : [`ffmpeg        ${ffmpeg}`, '']),
      'This is the only time the passphrase of the PKCS #12 file is shown. Bring the files to the encoder by a way',
      'that nobody else reads; the server keeps no copy of the private key.',
      ...(context.clientAuth === 'none'
        ? [
            '',
            'The server does not ask for certificates yet: set tls.clientAuth to optional, and restart it.',
          ]
        : []),
    ].join('\n'),
  };
}

/** Throws ResourceError STORE_FAILED. */
export async function listClientCertificates(
  context: Pick<ClientCertificateCliContext, 'store' | 'clock'>,
): Promise<Report> {
  const now = context.clock.now();
  const list = await openClientCertificateStore(context.store).list();
  const streams = await streamsByKey(context);
  const rows = list.map((one) => shape(one, streams.get(one.keyId), now));
  if (rows.length === 0) {
    return {
      json: [],
      text: 'There is no client certificate yet. Issue one: penstock cert client NAME --key-id ID',
    };
  }
  return {
    json: rows,
    text: formatTable(
      ['NAME', 'STREAM', 'KEY', 'STATE', 'EXPIRES', 'SERIAL'],
      rows.map((row) => [
        row.name,
        row.stream ?? '',
        row.keyId,
        row.state,
        row.expiresAt?.slice(0, 10) ?? '',
        row.serial,
      ]),
    ),
  };
}

/**
 * Ends certificates for good, by the serial number of one or by the name of all that have it.
 * Throws SetupError NOT_FOUND, ResourceError STORE_FAILED.
 */
export async function revokeClientCertificate(
  which: string,
  context: Pick<ClientCertificateCliContext, 'store' | 'clock' | 'audit' | 'source'>,
): Promise<Report> {
  const now = context.clock.now();
  const certificates = openClientCertificateStore(context.store);
  const list = await certificates.list();
  const serial = which.replaceAll(':', '').toLowerCase();
  const bySerial = list.filter((one) => one.serial === serial);
  const found = bySerial.length > 0 ? bySerial : list.filter(({ name }) => name === which);
  if (found.length === 0) {
    throw new SetupError('NOT_FOUND', 'There is no client certificate with this serial number or name.', {
      hint: 'See `penstock cert clients`.',
    });
  }
  await certificates.revoke(
    found.map((one) => one.serial),
    now,
  );
  const streams = await streamsByKey(context);
  for (const one of found) {
    if (one.revokedAt === undefined) note(context, 'client-certificate.revoked', one, streams.get(one.keyId));
  }
  const revoked = found.map((one) => ({ ...one, revokedAt: one.revokedAt ?? now }));
  return {
    json: revoked.map((one) => shape(one, streams.get(one.keyId), now)),
    text: revoked
      .map(
        (one) =>
          `Certificate ${one.serial} of ${one.name} is revoked. A live session with it ends within a second.`,
      )
      .join('\n'),
  };
}

function shape(one: ClientCertificate, stream: string | undefined, now: number) {
  const state = one.revokedAt !== undefined ? 'revoked' : one.expiresAt <= now ? 'expired' : 'active';
  return {
    serial: one.serial,
    name: one.name,
    keyId: one.keyId,
    stream: stream ?? null,
    state,
    createdAt: formatInstant(one.createdAt),
    expiresAt: formatInstant(one.expiresAt),
    revokedAt: formatInstant(one.revokedAt),
  };
}

function readName(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text) && !/^p[st]k_/.test(text)) return text;
  throw argumentInvalid('NAME', text, 'Give up to 64 letters, digits, ".", "_" and "-", such as camera-1.');
}

function readDays(text: string | undefined): number {
  const days = text === undefined ? defaultDays : /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (days >= 1 && days <= longestDays) return days;
  throw argumentInvalid('--days', text ?? '', `Give a whole number from 1 to ${longestDays}.`);
}

async function usableKey(
  id: string,
  { store }: ClientCertificateCliContext,
  now: number,
): Promise<StreamKey> {
  if (!isKeyId(id)) {
    throw argumentInvalid(
      '--key-id',
      id,
      "Give the 8 characters of the key's id, as in `penstock key list`.",
    );
  }
  const key = await openKeyStore(store).find(id as KeyId);
  if (key === undefined) {
    throw new SetupError('NOT_FOUND', `There is no stream key ${id}.`, { hint: 'See `penstock key list`.' });
  }
  const over = key.state === 'revoked' || (key.expiresAt !== undefined && key.expiresAt <= now);
  if (!over && key.role === 'publish') return key;
  const why = over ? 'is revoked or has expired' : 'may play, not publish';
  throw new SetupError('ARGUMENT_INVALID', `Key ${key.id} ${why}: a certificate for it would open nothing.`, {
    hint: `Make another key first: penstock key create ${key.stream}`,
  });
}

async function streamsByKey({
  store,
}: Pick<ClientCertificateCliContext, 'store'>): Promise<ReadonlyMap<string, string>> {
  return new Map((await openKeyStore(store).list()).map(({ id, stream }) => [id, stream]));
}

async function writeFiles(folder: string, name: string, issued: IssuedClient) {
  const files = {
    certificate: join(folder, `${name}.pem`),
    key: join(folder, `${name}.key`),
    pkcs12: join(folder, `${name}.p12`),
  };
  const written: string[] = [];
  const write = async (path: string, content: string | Uint8Array, mode: number) => {
    const file = await open(path, 'wx', mode);
    written.push(path);
    try {
      await file.writeFile(content);
    } finally {
      await file.close();
    }
  };
  try {
    await mkdir(folder, { recursive: true });
    await write(files.certificate, issued.certificatePem, 0o644);
    await write(files.key, issued.keyPem.reveal(), 0o600);
    await write(files.pkcs12, issued.pkcs12, 0o600);
  } catch (error) {
    await Promise.all(written.map((path) => rm(path, { force: true })));
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new SetupError(
      'ARGUMENT_INVALID',
      `The files of ${name} cannot be written to ${folder} (${code}).`,
      {
        hint:
          code === 'EEXIST'
            ? 'Files are never overwritten: choose another NAME, or another folder with -o.'
            : 'Choose a folder with -o in which you may write.',
        cause: error,
      },
    );
  }
  return files;
}

function ffmpegLine(
  key: StreamKey,
  files: { readonly certificate: string; readonly key: string },
  { rtmpsUrl, caFile }: ClientCertificateCliContext,
): string | undefined {
  if (rtmpsUrl === undefined) return undefined;
  const trust = caFile === undefined ? '' : ` -ca_file '${caFile}'`;
  return (
    `ffmpeg -re -i input.mp4 -c copy -f flv -tls_verify 1${trust} -cert_file '${files.certificate}' ` +
    `-key_file '${files.key}' '${rtmpsUrl}/${key.stream}'`
  );
}

function note(
  { audit, source }: Pick<ClientCertificateCliContext, 'audit' | 'source'>,
  action: 'client-certificate.created' | 'client-certificate.revoked',
  { serial, name, keyId, expiresAt }: ClientCertificate,
  stream: string | undefined,
): void {
  const until = action === 'client-certificate.created' ? `, until ${formatInstant(expiresAt)}` : '';
  audit.note({ action, source, key: keyId, stream, detail: `certificate ${serial}, ${name}${until}` });
}
