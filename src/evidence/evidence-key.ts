// The key that signs manifests: Ed25519 (RFC 8032), made at the first start, private part in a file of its own
// (0600), public part beside it for everybody who wants to check. Leaves out what is signed (manifest.ts).
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from '../errors.ts';
import type { Random } from '../ops/random.ts';
import { openSecretFile } from '../store/secret-file.ts';

/** Bytes of an Ed25519 private key in PEM (PKCS #8); always the same. */
const pemLength = 119;
/** Bytes of a signature. RFC 8032 5.1.6. */
export const signatureLength = 64;

export interface EvidenceKey {
  readonly publicKey: PublicKey;
  /** 64 bytes over the bytes as they are. */
  sign(bytes: Uint8Array): Uint8Array;
}

export interface PublicKey {
  /** The first 32 hex digits of the SHA-256 of its SubjectPublicKeyInfo. */
  readonly id: string;
  readonly key: KeyObject;
}

const publicKeyName = 'evidence-key.pub.pem';

/** The key of this installation, made when there is none. @throws SetupError SECRET_FILE_UNUSABLE */
export function openEvidenceKey(folder: string, random: Random): EvidenceKey {
  const path = join(folder, 'evidence-key.pem');
  const make = () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    return Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  };
  const pem = Buffer.from(openSecretFile({ path, length: pemLength, random, make }));
  try {
    const key = createPrivateKey(pem);
    const publicKey = createPublicKey(key);
    const publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    const publicPath = join(folder, publicKeyName);
    if (readIfThere(publicPath) !== publicPem) writeFileSync(publicPath, publicPem, { mode: 0o644 });
    return { publicKey: describe(publicKey), sign: (bytes) => sign(null, bytes, key) };
  } catch (error) {
    throw new SetupError('SECRET_FILE_UNUSABLE', `The key file ${path} cannot be used: ${String(error)}.`, {
      hint: 'Restore it from a backup, or move it away: a new key is made, and older manifests need the old public key.',
      cause: error,
    });
  }
}

/** The public key of this installation; undefined when there is none yet. @throws SetupError ARGUMENT_INVALID */
export function findPublicKey(folder: string): PublicKey | undefined {
  const path = join(folder, publicKeyName);
  return readIfThere(path) === undefined ? undefined : readPublicKey(path);
}

/** A public key in a PEM file. @throws SetupError ARGUMENT_INVALID */
export function readPublicKey(path: string): PublicKey {
  try {
    const key = createPublicKey(readFileSync(path));
    if (key.asymmetricKeyType !== 'ed25519') throw new Error(`it is of type ${key.asymmetricKeyType}`);
    return describe(key);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SetupError('ARGUMENT_INVALID', `${path} holds no public key to check with: ${reason}`, {
      hint: `Name the file ${publicKeyName} from the data folder of the server that recorded.`,
      cause: error,
    });
  }
}

export function isSignedBy({ key }: PublicKey, bytes: Uint8Array, signature: Uint8Array): boolean {
  return signature.length === signatureLength && verify(null, bytes, key, signature);
}

function describe(key: KeyObject): PublicKey {
  const der = key.export({ type: 'spki', format: 'der' });
  return { id: createHash('sha256').update(der).digest('hex').slice(0, 32), key };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
