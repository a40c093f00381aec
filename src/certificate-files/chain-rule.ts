// What may be wrong with a certificate that can be served all the same: dates, an issuer that clients will miss, a name
// that nobody calls it by. Each in one sentence, with what to do. The clock is an argument.
import { X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import type { CertificatePair } from './pair-reader.ts';

export interface Doubt {
  readonly kind: 'out-of-date' | 'incomplete' | 'uncovered';
  readonly message: string;
  readonly hint: string;
}

/** `now` in milliseconds since the epoch; `uncovered`: names of this server that the certificate does not carry. */
export function doubtsAbout(
  pair: CertificatePair,
  uncovered: readonly string[],
  now: number,
): readonly Doubt[] {
  return [...doubtsOfDates(pair, now), ...doubtsOfEnd(pair), ...doubtsOfNames(pair, uncovered)];
}

function doubtsOfDates({ chain, file }: CertificatePair, now: number): readonly Doubt[] {
  return chain.flatMap((certificate, index): readonly Doubt[] => {
    const which =
      index === 0 ? `the certificate in ${file}` : `certificate ${index + 1} in ${file}, an issuer,`;
    const from = Date.parse(certificate.validFrom);
    const until = Date.parse(certificate.validTo);
    // An issuer that ran out is missing in effect: nobody can build a chain with it.
    const kind = index === 0 ? 'out-of-date' : 'incomplete';
    if (until <= now) {
      const hint =
        index === 0
          ? 'replace it with a renewed one; encoders that check certificates refuse it'
          : 'get the chain of today from whoever issued the certificate, and replace the file';
      return [{ kind, message: `${which} expired at ${new Date(until).toISOString()}`, hint }];
    }
    if (from > now) {
      const hint = 'check that the clock of this machine is right';
      return [{ kind, message: `${which} is not valid before ${new Date(from).toISOString()}`, hint }];
    }
    return [];
  });
}

// RFC 8446 4.4.2: the root may be left out, anything between may not.
function doubtsOfEnd({ chain, file }: CertificatePair): readonly Doubt[] {
  const last = chain.at(-1);
  if (last === undefined || last.issuer === last.subject || publicRoots().has(last.issuer)) return [];
  const issuer = last.issuer.split('\n').join(', ');
  return [
    {
      kind: 'incomplete',
      message: `the chain in ${file} ends with a certificate issued by "${issuer}", which is neither in the file nor a public root`,
      hint: 'append the certificate of this issuer to the file; without an intermediate most clients refuse the server',
    },
  ];
}

function doubtsOfNames({ file }: CertificatePair, uncovered: readonly string[]): readonly Doubt[] {
  return uncovered.map((host) => ({
    kind: 'uncovered',
    message: `${file} does not carry ${host}, a name of this server (hosts)`,
    hint: 'clients that come by this name will refuse it: get a certificate with all names, or correct hosts',
  }));
}

let roots: ReadonlySet<string> | undefined;

/** Subjects of the roots that browsers trust, as Node.js ships them. Read when first needed: it takes a while. */
function publicRoots(): ReadonlySet<string> {
  roots ??= new Set(rootCertificates.map((pem) => new X509Certificate(pem).subject));
  return roots;
}
