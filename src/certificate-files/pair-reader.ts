// Reads a certificate that the operator provides, with its key: PEM files, or one PKCS #12 file. Whatever is wrong is
// said in one sentence that names the file: better at start than by an encoder that shows "connection failed".
// Leaves out what is true of the certificate but may be meant so: dates, names, who trusts it (chain-rule.ts).
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { Secret } from '../bytes/secret.ts';
import { SetupError, type SetupErrorCode } from '../errors.ts';
import { readPkcs12 } from './pkcs12-reader.ts';

/**
 * Paths: PEM files, the chain with the server's own certificate first, and its private key; or a PKCS #12 file with
 * both. The passphrase is the first line of a file of its own.
 */
export type CertificateFiles =
  | { readonly cert: string; readonly key: string; readonly passphraseFile?: string | undefined }
  | { readonly pfx: string; readonly passphraseFile?: string | undefined };

export type Chain = readonly [X509Certificate, ...X509Certificate[]];

export interface CertificatePair {
  /** The server's own certificate first, each one issued by the next. */
  readonly chain: Chain;
  /** PKCS #8, without a passphrase. */
  readonly keyPem: Secret;
  /** The file of the certificate. */
  readonly file: string;
}

/** Every file that is read: what changes is to be read again. */
export function pathsOf(files: CertificateFiles): readonly string[] {
  const own = 'pfx' in files ? [files.pfx] : [files.cert, files.key];
  return files.passphraseFile === undefined ? own : [...own, files.passphraseFile];
}

/** The file that messages name. */
export function mainFileOf(files: CertificateFiles): string {
  return 'pfx' in files ? files.pfx : files.cert;
}

/** @throws SetupError CERTIFICATE_FILE_UNUSABLE, SECRET_FILE_UNUSABLE */
export async function readPair(files: CertificateFiles): Promise<CertificatePair> {
  const { passphraseFile } = files;
  const passphrase = passphraseFile === undefined ? undefined : await readPassphrase(passphraseFile);
  const { chain, key } =
    'pfx' in files ? await openPkcs12(files.pfx, passphrase) : await openPem(files, passphrase);
  const pair = {
    chain,
    keyPem: new Secret(key.export({ type: 'pkcs8', format: 'pem' }).toString()),
    file: mainFileOf(files),
  };
  requireAccepted(pair);
  return pair;
}

interface Opened {
  readonly chain: Chain;
  readonly key: KeyObject;
}

async function openPem(
  { cert, key }: { readonly cert: string; readonly key: string },
  passphrase: Secret | undefined,
): Promise<Opened> {
  const chain = parseChain(cert, (await read(cert, 'CERTIFICATE_FILE_UNUSABLE')).toString('latin1'));
  const privateKey = parseKey(key, (await read(key, 'SECRET_FILE_UNUSABLE')).toString('latin1'), passphrase);
  requireMatch(cert, key, chain, privateKey);
  requireOrder(cert, chain);
  return { chain, key: privateKey };
}

async function openPkcs12(path: string, passphrase: Secret | undefined): Promise<Opened> {
  const content = readPkcs12(await read(path, 'CERTIFICATE_FILE_UNUSABLE'), passphrase);
  if (content === 'damaged') {
    throw unusable(`${path} is no PKCS #12 file that can be read`, {
      hint: 'openssl pkcs12 -in FILE -info checks it; PEM files are named by { cert: FILE, key: FILE }',
    });
  }
  if (content === 'wrong-passphrase') {
    throw new SetupError('SECRET_FILE_UNUSABLE', `${path} does not open with the passphrase that is given`, {
      hint: 'write the passphrase of this file, and nothing else, into a file, and name it as passphraseFile',
    });
  }
  for (const key of content.keys) {
    const leaf = content.certificates.find((certificate) => certificate.checkPrivateKey(key));
    if (leaf !== undefined) return { chain: inOrder(leaf, content.certificates), key };
  }
  throw unusable(`${path} holds no private key with a certificate that belongs to it`, {
    hint: 'export both from where the certificate was made; openssl pkcs12 -in FILE -info shows what is in it',
  });
}

/** PKCS #12 keeps no order. */
function inOrder(leaf: X509Certificate, others: readonly X509Certificate[]): Chain {
  const chain: [X509Certificate, ...X509Certificate[]] = [leaf];
  let last: X509Certificate | undefined = leaf;
  while (last !== undefined) {
    const subject: X509Certificate = last;
    last = others.find((one) => !chain.some((known) => known.raw.equals(one.raw)) && hasIssued(one, subject));
    if (last !== undefined) chain.push(last);
  }
  return chain;
}

async function read(path: string, code: SetupErrorCode): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new SetupError(code, `${path} cannot be read (${reason})`, {
      hint: 'tls.certificate names the files; check the paths and the permissions',
      cause: error,
    });
  }
}

async function readPassphrase(path: string): Promise<Secret> {
  const [line = ''] = (await read(path, 'SECRET_FILE_UNUSABLE')).toString('utf8').split(/\r?\n/);
  return new Secret(line);
}

function parseChain(path: string, text: string): Chain {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const certificates = blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw unusable(`certificate ${index + 1} of ${blocks.length} in ${path} is damaged`, { cause });
    }
  });
  const [leaf, ...issuers] = certificates;
  if (leaf === undefined) {
    throw /PRIVATE KEY-----/.test(text)
      ? unusable(`${path} holds a private key, not a certificate`, { hint: 'cert and key may be swapped' })
      : unusable(`${path} holds no certificate in PEM form`, {
          hint: 'convert it: openssl x509 -inform der (one certificate); name a .p12 or .pfx file by { pfx: FILE }',
        });
  }
  return [leaf, ...issuers];
}

function parseKey(path: string, text: string, passphrase: Secret | undefined): KeyObject {
  const encrypted = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text);
  if (encrypted && passphrase === undefined) {
    throw new SetupError('SECRET_FILE_UNUSABLE', `${path} is protected by a passphrase`, {
      hint: `name a file with it as passphraseFile, or remove it: openssl pkey -in ${path} -out NEW.key`,
    });
  }
  try {
    return createPrivateKey(encrypted ? { key: text, passphrase: passphrase?.reveal() ?? '' } : text);
  } catch {
    // The cause stays out: nobody can promise that a parser's error quotes nothing.
    throw encrypted
      ? new SetupError('SECRET_FILE_UNUSABLE', `${path} does not open with the passphrase that is given`, {
          hint: 'passphraseFile must hold the passphrase of this key in its first line',
        })
      : new SetupError('SECRET_FILE_UNUSABLE', `${path} holds no private key in PEM form that can be read`, {
          hint: text.includes('BEGIN CERTIFICATE')
            ? 'cert and key may be swapped'
            : 'openssl pkey -in FILE checks it',
        });
  }
}

function requireMatch(cert: string, key: string, chain: Chain, privateKey: KeyObject): void {
  const owner = chain.findIndex((certificate) => certificate.checkPrivateKey(privateKey));
  if (owner === 0) return;
  throw owner === -1
    ? unusable(`the key in ${key} does not belong to the certificate in ${cert}`, {
        hint: 'both are made together; after a renewal, copy both files',
      })
    : unusable(`the server's own certificate must come first in ${cert}; now it is number ${owner + 1}`);
}

// RFC 5246 7.4.2 wants each certificate to certify the one before it; RFC 8446 4.4.2 still asks for it.
function requireOrder(cert: string, chain: Chain): void {
  for (const [index, issuer] of chain.slice(1).entries()) {
    const issued = chain[index];
    if (issued !== undefined && hasIssued(issuer, issued)) continue;
    throw unusable(`certificate ${index + 2} in ${cert} is not the issuer of certificate ${index + 1}`, {
      hint: 'order the file: server certificate, then its issuer, then the issuer of that',
    });
  }
}

function hasIssued(issuer: X509Certificate, issued: X509Certificate): boolean {
  return issued.checkIssued(issuer) && issued.verify(issuer.publicKey);
}

/** The TLS library has the last word, for example on keys that are too short. */
function requireAccepted({ chain, keyPem, file }: CertificatePair): void {
  try {
    createSecureContext({ cert: chain.map(String).join(''), key: keyPem.reveal() });
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^.*:/, '') : 'unknown error';
    throw unusable(`${file} is not accepted by the TLS library (${reason})`);
  }
}

function unusable(message: string, details: { hint?: string; cause?: unknown } = {}): SetupError {
  return new SetupError('CERTIFICATE_FILE_UNUSABLE', message, details);
}
