// What a client would think of a certificate: is its issuer trusted, is it in its time, does it carry the name? The
// judgement is apart from the connection, so that files are judged the same way. pure.
import type { X509Certificate } from 'node:crypto';
import { chooseByName, namesOfCertificate, parseCertificateName } from '../certificates/certificate-name.ts';
import { formatInstant } from '../ops/quantities.ts';
import { encoderWords, type Finding } from './finding.ts';

/** An authority that this installation made for itself. */
export interface DevelopmentAuthorityFile {
  readonly certificate: X509Certificate;
  readonly file: string;
  /** The server shows its certificate until there is one from ACME. */
  readonly awaited?: boolean;
}

export interface ShownCertificate {
  readonly leaf: X509Certificate;
  /** How many certificates came with it, itself included. */
  readonly chainLength: number;
  /** What the TLS library says against the chain, as in CERT_HAS_EXPIRED; undefined for nothing. */
  readonly problem: string | undefined;
}

const day = 86_400_000;
/** A public authority's certificate that is this near its end was not renewed as it should have been. */
const nearEnd = 14 * day;

/** Chain and dates. `now` in milliseconds since the epoch. */
export function judgeChain(
  shown: ShownCertificate,
  now: number,
  development: DevelopmentAuthorityFile | undefined,
): Finding {
  const { leaf, problem } = shown;
  const notAfter = Date.parse(leaf.validTo);
  const until = formatInstant(notAfter) ?? '';
  const issuer = commonName(leaf.issuer);
  const failed = {
    check: 'certificate',
    state: 'failed',
    encoders: encoderWords.certificateRefused,
  } as const;
  if (notAfter <= now) {
    const hint = 'renew it, and let the server have the new file; or is the clock of this machine wrong?';
    return { ...failed, says: `the certificate expired at ${until}`, hint };
  }
  if (Date.parse(leaf.validFrom) > now) {
    const from = formatInstant(Date.parse(leaf.validFrom)) ?? '';
    const hint = 'set the clock of this machine, or of the machine that made the certificate';
    return { ...failed, says: `the certificate is not valid before ${from}`, hint };
  }
  if (development !== undefined && isIssuedBy(leaf, development.certificate)) {
    return {
      check: 'certificate',
      state: 'warning',
      says: `issued by the development CA of this installation, until ${until}: OBS will refuse this certificate`,
      encoders: encoderWords.certificateRefused,
      hint:
        development.awaited === true
          ? 'it stands in for the one from ACME, which is not there yet: penstock cert status says how far it is'
          : `for OBS, trust ${development.file} on its machine, or give the server a certificate of a public ` +
            'authority (tls.certificate); ffmpeg takes it as it is',
    };
  }
  if (problem === undefined) {
    const says = `issued by ${issuer}, until ${until}`;
    if (notAfter - now > nearEnd) return { check: 'certificate', state: 'ok', says };
    const hint = 'it should have been renewed by now: see what the log says of certificates';
    return { check: 'certificate', state: 'warning', says: `${says}: that is soon`, hint };
  }
  const { says, hint } = distrust(shown, issuer);
  return { ...failed, says, hint };
}

/** Whether a client that was told `host` takes the certificate for that server. RFC 9525 6.3 */
export function judgeName(leaf: X509Certificate, host: string): Finding {
  const names = namesOfCertificate(leaf.subjectAltName);
  const check = 'certificate-name';
  if (carriesName(names, host)) return { check, state: 'ok', says: `the certificate is for ${host}` };
  const carried = names.length === 0 ? 'no name at all' : names.slice(0, 5).join(', ');
  return {
    check,
    state: 'failed',
    says: `the certificate is not for ${host} but for ${carried}`,
    encoders: encoderWords.certificateRefused,
    hint:
      'let encoders use a name that it carries, or get a certificate that carries this one ("hosts" for the ' +
      'development certificate)',
  };
}

/** Exactly, or by a wildcard. */
export function carriesName(names: readonly string[], host: string): boolean {
  const wanted = parseCertificateName(host)?.name;
  // An empty list in front: what nothing covers is answered with the first.
  return wanted !== undefined && chooseByName([[], names], wanted) === 1;
}

function distrust({ leaf, chainLength, problem }: ShownCertificate, issuer: string) {
  if (leaf.issuer === leaf.subject) {
    return {
      says: 'the certificate is signed by itself, so nobody vouches for it',
      hint: 'get one of a public authority (tls.certificate), or trust this one on every encoder',
    };
  }
  const unknownIssuer = /ISSUER|VERIFY_LEAF/.test(problem ?? '');
  if (problem === 'SELF_SIGNED_CERT_IN_CHAIN' || (chainLength > 1 && unknownIssuer)) {
    return {
      says: `the certificate leads to an authority that this machine does not trust (${issuer})`,
      hint:
        'if it is a private one, trust it on every machine with an encoder; of a public one a certificate of the ' +
        'chain is missing in the file',
    };
  }
  if (unknownIssuer) {
    return {
      says: `the server sends its own certificate only, and this machine does not know ${issuer}, which issued it`,
      hint:
        'if that is a public authority, an intermediate certificate is missing: put it behind the own one in the ' +
        'file (as in fullchain.pem, not cert.pem); if it is a private one, every encoder has to trust it',
    };
  }
  return {
    says: `the certificate is not trusted (${problem}); it was issued by ${issuer}`,
    hint: 'look at the whole chain: openssl s_client -connect HOST:PORT -showcerts',
  };
}

function isIssuedBy(leaf: X509Certificate, authority: X509Certificate): boolean {
  try {
    return leaf.checkIssued(authority) && leaf.verify(authority.publicKey);
  } catch {
    return false;
  }
}

function commonName(distinguished: string): string {
  return /^CN=(.+)$/m.exec(distinguished)?.[1] ?? distinguished.replaceAll('\n', ', ');
}
