// Certificates the operator provides as PEM files. Whatever is wrong with them is said in one sentence that
// names the file: better at start than by an encoder that shows "connection failed". Leaves out revocation
// and trust: a private authority is the operator's own choice.
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { Secret } from '../bytes/secret.ts';
import { SetupError, type SetupErrorCode } from '../errors.ts';
import { namesOfCertificate, oneLine } from './certificate-name.ts';
import type { CertificateBundle, CertificateSource } from './certificate-source.ts';

/** Paths of PEM files: the chain with the server's own certificate first, and its private key. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

export class FileSource implements CertificateSource {
  readonly kind = 'files';
  readonly certificateFile: string;
  readonly authorityFile = undefined;
  readonly #files: readonly [CertificateFiles, ...CertificateFiles[]];

  constructor(files: readonly [CertificateFiles, ...CertificateFiles[]]) {
    this.#files = files;
    this.certificateFile = files[0].cert;
  }

  async load(): Promise<readonly [CertificateBundle, ...CertificateBundle[]]> {
    const [first, ...others] = this.#files;
    return [await loadPair(first), ...(await Promise.all(others.map(loadPair)))];
  }
}

async function loadPair({ cert, key }: CertificateFiles): Promise<CertificateBundle> {
  const chainText = await readPem(cert, 'CERTIFICATE_FILE_UNUSABLE');
  const keyText = await readPem(key, 'SECRET_FILE_UNUSABLE');
  const chain = parseChain(cert, chainText);
  const privateKey = parseKey(key, keyText);
  const [leaf] = chain;
  requireMatch(cert, key, chain, privateKey);
  requireOrder(cert, chain);
  const bundle = {
    names: namesOfCertificate(leaf.subjectAltName),
    chainPem: chain.map((certificate) => certificate.toString()).join(''),
    keyPem: new Secret(keyText),
    notBefore: Date.parse(leaf.validFrom),
    notAfter: Date.parse(leaf.validTo),
    issuer: oneLine(leaf.issuer),
    serial: leaf.serialNumber,
    file: cert,
  };
  if (bundle.names.length === 0) {
    throw unusable(`${cert} carries no DNS name or IP address that a client could check (no subjectAltName)`);
  }
  requireAccepted(bundle);
  return bundle;
}

async function readPem(path: string, code: SetupErrorCode): Promise<string> {
  try {
    return await readFile(path, 'latin1');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new SetupError(code, `${path} cannot be read (${reason})`, {
      hint: 'tls.certificate names the PEM files cert and key; check the paths and the permissions',
      cause: error,
    });
  }
}

function parseChain(path: string, text: string): readonly [X509Certificate, ...X509Certificate[]] {
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
          hint: 'convert it: openssl x509 -inform der (one certificate), openssl pkcs12 (a .p12 or .pfx file)',
        });
  }
  return [leaf, ...issuers];
}

function parseKey(path: string, text: string): KeyObject {
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text)) {
    throw new SetupError('SECRET_FILE_UNUSABLE', `${path} is protected by a passphrase`, {
      hint: `remove it: openssl pkey -in ${path} -out NEW.key`,
    });
  }
  try {
    return createPrivateKey(text);
  } catch {
    // The cause stays out: nobody can promise that a parser's error quotes nothing.
    throw new SetupError(
      'SECRET_FILE_UNUSABLE',
      `${path} holds no private key in PEM form that can be read`,
      {
        hint: text.includes('BEGIN CERTIFICATE')
          ? 'cert and key may be swapped'
          : 'openssl pkey -in FILE checks it',
      },
    );
  }
}

function requireMatch(
  cert: string,
  key: string,
  chain: readonly X509Certificate[],
  privateKey: KeyObject,
): void {
  const owner = chain.findIndex((certificate) => certificate.checkPrivateKey(privateKey));
  if (owner === 0) return;
  throw owner === -1
    ? unusable(`the key in ${key} does not belong to the certificate in ${cert}`)
    : unusable(`the server's own certificate must come first in ${cert}; now it is number ${owner + 1}`);
}

// RFC 5246 7.4.2 wants each certificate to certify the one before it; RFC 8446 4.4.2 still asks for it.
function requireOrder(cert: string, chain: readonly X509Certificate[]): void {
  for (const [index, issuer] of chain.slice(1).entries()) {
    const issued = chain[index];
    if (issued !== undefined && issued.checkIssued(issuer) && issued.verify(issuer.publicKey)) continue;
    throw unusable(`certificate ${index + 2} in ${cert} is not the issuer of certificate ${index + 1}`, {
      hint: 'order the file: server certificate, then its issuer, then the issuer of that',
    });
  }
}

/** The TLS library has the last word, for example on keys that are too short. */
function requireAccepted({ chainPem, keyPem, file }: CertificateBundle): void {
  try {
    createSecureContext({ cert: chainPem, key: keyPem.reveal() });
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^.*:/, '') : 'unknown error';
    throw unusable(`${file} is not accepted by the TLS library (${reason})`);
  }
}

function unusable(message: string, details: { hint?: string; cause?: unknown } = {}): SetupError {
  return new SetupError('CERTIFICATE_FILE_UNUSABLE', message, details);
}
