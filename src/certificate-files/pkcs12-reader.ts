// Opens a PKCS #12 file (RFC 7292), by node-forge: Node's own TLS refuses those that are sealed with RC2 and 3DES, as
// Windows and Java wrote them for years. Gives what is in it, in whatever order; judges nothing.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import forge from 'node-forge';
import type { Secret } from '../bytes/secret.ts';

export interface Pkcs12Content {
  readonly certificates: readonly X509Certificate[];
  readonly keys: readonly KeyObject[];
}

export function readPkcs12(
  bytes: Uint8Array,
  passphrase: Secret | undefined,
): Pkcs12Content | 'damaged' | 'wrong-passphrase' {
  let content: forge.asn1.Asn1;
  try {
    content = forge.asn1.fromDer(Buffer.from(bytes).toString('latin1'));
  } catch {
    return 'damaged';
  }
  const text = passphrase?.reveal() ?? '';
  try {
    return contentOf(content, text);
  } catch (error) {
    // The check of the whole comes first, so a later failure is none of the passphrase's.
    if (/MAC|password/i.test(String(error))) return 'wrong-passphrase';
  }
  try {
    // PKCS #12 takes a passphrase in 16-bit characters (RFC 7292 B.1), PBES2 in bytes, which are UTF-8 by practice.
    return contentOf(withoutMac(content), Buffer.from(text, 'utf8').toString('latin1'));
  } catch {
    return 'damaged';
  }
}

const { pki, pkcs12, asn1 } = forge;

function contentOf(file: forge.asn1.Asn1, passphrase: string): Pkcs12Content {
  const { safeContents } = pkcs12.pkcs12FromAsn1(file, false, passphrase);
  const bags = safeContents.flatMap(({ safeBags }) => safeBags);
  return { certificates: bags.flatMap(certificateIn), keys: bags.flatMap(keyIn) };
}

/** RFC 7292 4: version, content, and a MAC that was looked at before. */
function withoutMac(file: forge.asn1.Asn1): forge.asn1.Asn1 {
  return Array.isArray(file.value) ? { ...file, value: file.value.slice(0, 2) } : file;
}

function certificateIn({ type, cert, asn1: raw }: forge.pkcs12.Bag): X509Certificate[] {
  if (type !== pki.oids['certBag']) return [];
  const value = cert === undefined || cert === null ? raw : pki.certificateToAsn1(cert);
  return [new X509Certificate(Buffer.from(asn1.toDer(value).getBytes(), 'latin1'))];
}

// node-forge knows RSA keys; any other kind it hands over as it came.
function keyIn({ type, key, asn1: raw }: forge.pkcs12.Bag): KeyObject[] {
  if (type !== pki.oids['keyBag'] && type !== pki.oids['pkcs8ShroudedKeyBag']) return [];
  const value = key === undefined || key === null ? raw : pki.wrapRsaPrivateKey(pki.privateKeyToAsn1(key));
  const der = Buffer.from(asn1.toDer(value).getBytes(), 'latin1');
  return [createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })];
}
