// Writes a PKCS #12 file (RFC 7292) with one private key, its certificate and the authority: AES-256 and SHA-256
// throughout (PBES2, RFC 8018 6.2), which OpenSSL, GnuTLS, NSS, Windows and macOS of today read. Leaves out RC2 and
// 3DES, which older Windows and macOS would want.
import {
  createCipheriv,
  createHash,
  createHmac,
  type KeyObject,
  pbkdf2Sync,
  X509Certificate,
} from 'node:crypto';
import forge from 'node-forge';
import type { Secret } from '../bytes/secret.ts';
import {
  type Asn1,
  bmp,
  context,
  contextConstructed,
  der,
  empty,
  integer,
  octets,
  oid,
  sequence,
  set,
} from '../certificates/der-writer.ts';

export interface Pkcs12Content {
  readonly key: KeyObject;
  readonly certificatePem: string;
  readonly authorityPem: string;
  /** What key stores show. */
  readonly name: string;
  /** ASCII. It guards the file, so it must be unguessable: the work for one guess is set low. */
  readonly passphrase: Secret;
}

const oids = {
  data: '1.2.840.113549.1.7.1',
  encryptedData: '1.2.840.113549.1.7.6',
  shroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
  certificateBag: '1.2.840.113549.1.12.10.1.3',
  x509Certificate: '1.2.840.113549.1.9.22.1',
  friendlyName: '1.2.840.113549.1.9.20',
  localKeyId: '1.2.840.113549.1.9.21',
  pbes2: '1.2.840.113549.1.5.13',
  pbkdf2: '1.2.840.113549.1.5.12',
  hmacWithSha256: '1.2.840.113549.2.9',
  aes256Cbc: '2.16.840.1.101.3.4.1.42',
  sha256: '2.16.840.1.101.3.4.2.1',
} as const;

/** What OpenSSL writes: readers are known to take it. The passphrase is what protects, not the count. */
const iterations = 2048;
/** RFC 7292 B.3: the purpose of the derived bytes is a MAC key. */
const macPurpose = 3;

/** `random` gives that many unguessable bytes. */
export function writePkcs12(content: Pkcs12Content, random: (length: number) => Uint8Array): Buffer {
  const { key, certificatePem, authorityPem, name, passphrase } = content;
  const certificate = new X509Certificate(certificatePem);
  const keyId = createHash('sha1').update(certificate.raw).digest();
  const attributes = set(
    sequence(oid(oids.friendlyName), set(bmp(name))),
    sequence(oid(oids.localKeyId), set(octets(keyId))),
  );
  const certificates = sequence(
    sequence(...certificateBag(certificate), attributes),
    sequence(...certificateBag(new X509Certificate(authorityPem))),
  );
  const sealedCertificates = encrypt(der(certificates), passphrase, random);
  const sealedKey = encrypt(key.export({ type: 'pkcs8', format: 'der' }), passphrase, random);
  const authenticatedSafe = der(
    sequence(
      // RFC 5652 8: EncryptedData
      sequence(
        oid(oids.encryptedData),
        contextConstructed(
          0,
          sequence(
            integer(Uint8Array.of(0)),
            sequence(
              oid(oids.data),
              sealedCertificates.algorithm,
              context(0, sealedCertificates.bytes), // IMPLICIT OCTET STRING
            ),
          ),
        ),
      ),
      plainData(
        der(
          sequence(
            sequence(
              oid(oids.shroudedKeyBag),
              contextConstructed(0, sequence(sealedKey.algorithm, octets(sealedKey.bytes))),
              attributes,
            ),
          ),
        ),
      ),
    ),
  );
  return der(
    sequence(
      integer(Uint8Array.of(3)),
      plainData(authenticatedSafe),
      macOf(authenticatedSafe, passphrase, random),
    ),
  );
}

function certificateBag(certificate: X509Certificate): Asn1[] {
  const bag = sequence(oid(oids.x509Certificate), contextConstructed(0, octets(certificate.raw)));
  return [oid(oids.certificateBag), contextConstructed(0, bag)];
}

function plainData(bytes: Uint8Array): Asn1 {
  return sequence(oid(oids.data), contextConstructed(0, octets(bytes)));
}

// RFC 8018 6.2, A.4
function encrypt(
  bytes: Uint8Array,
  passphrase: Secret,
  random: (length: number) => Uint8Array,
): { readonly algorithm: Asn1; readonly bytes: Buffer } {
  const [salt, iv] = [random(16), random(16)];
  const key = pbkdf2Sync(passphrase.reveal(), salt, iterations, 32, 'sha256');
  const cipher = createCipheriv('aes-256-cbc', key, iv);
  const derivation = sequence(
    oid(oids.pbkdf2),
    sequence(octets(salt), iterationCount(), sequence(oid(oids.hmacWithSha256), empty())),
  );
  return {
    algorithm: sequence(oid(oids.pbes2), sequence(derivation, sequence(oid(oids.aes256Cbc), octets(iv)))),
    bytes: Buffer.concat([cipher.update(bytes), cipher.final()]),
  };
}

// RFC 7292 4: MacData
function macOf(bytes: Uint8Array, passphrase: Secret, random: (length: number) => Uint8Array): Asn1 {
  const salt = random(16);
  const key = forge.pkcs12.generateKey(
    passphrase.reveal(),
    forge.util.createBuffer(Buffer.from(salt).toString('latin1')),
    macPurpose,
    iterations,
    32,
    forge.md.sha256.create(),
  );
  const mac = createHmac('sha256', Buffer.from(key.getBytes(), 'latin1')).update(bytes).digest();
  return sequence(sequence(sequence(oid(oids.sha256), empty()), octets(mac)), octets(salt), iterationCount());
}

function iterationCount(): Asn1 {
  return integer(Uint8Array.of(iterations >> 8, iterations & 0xff));
}
