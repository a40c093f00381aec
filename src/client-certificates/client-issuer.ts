// Issues the certificate of an encoder, signed by the authority of this installation: what it names is a stream key,
// by its public id. Nothing is stored here; the private key goes to whoever asked for it, and nowhere else.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { Secret } from '../bytes/secret.ts';
import {
  createDevelopmentKey,
  type DevelopmentAuthority,
  type Moment,
  serialNumber,
} from '../certificates/development-authority.ts';
import { writeCertificate } from '../certificates/x509-writer.ts';
import type { KeyId } from '../ops/names.ts';
import { keyUri } from './client-identity.ts';
import { writePkcs12 } from './pkcs12-writer.ts';

export interface ClientRequest {
  /** For people and key stores; the common name. */
  readonly name: string;
  readonly keyId: KeyId;
  /** Milliseconds of validity; never longer than the authority's own. */
  readonly life: number;
}

export interface IssuedClient {
  readonly certificatePem: string;
  /** PKCS #8. */
  readonly keyPem: Secret;
  readonly pkcs12: Uint8Array;
  /** Opens the PKCS #12 file: 100 random bits in five groups of letters. */
  readonly passphrase: Secret;
}

/** Clients whose clock is a little slow must not refuse their own certificate. */
const backdating = 3_600_000;

export function issueClient(
  authority: DevelopmentAuthority,
  { name, keyId, life }: ClientRequest,
  { now, random }: Moment,
): IssuedClient {
  const issuer = new X509Certificate(authority.certificatePem);
  const keyPem = createDevelopmentKey();
  const key = createPrivateKey(keyPem.reveal());
  const certificatePem = writeCertificate(
    {
      serial: serialNumber(random),
      issuer: issuer.subject.replace(/^CN=/, ''),
      subject: name,
      notBefore: now - backdating,
      notAfter: Math.min(now + life, Date.parse(issuer.validTo)),
      key,
      role: { authority: false, clientUri: keyUri(keyId) },
    },
    createPrivateKey(authority.keyPem.reveal()),
  );
  const bytes = (length: number) => random.bytes(length);
  const passphrase = makePassphrase(bytes);
  const pkcs12 = writePkcs12(
    { key, certificatePem, authorityPem: authority.certificatePem, name, passphrase },
    bytes,
  );
  return { certificatePem, keyPem, pkcs12, passphrase };
}

const letters = '0123456789abcdefghjkmnpqrstvwxyz';

function makePassphrase(random: (length: number) => Uint8Array): Secret {
  const text = Array.from(random(20), (byte) => letters.charAt(byte & 31)).join('');
  return new Secret(text.replace(/.{4}(?=.)/g, '$&-'));
}
