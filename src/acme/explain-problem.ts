// What went wrong on the way to a certificate, in words: what happened, and what the operator can do about it.
// RFC 8555 6.7 has the types an authority uses; those it cannot know (no answer, an answer that makes no sense,
// a hook that fails) are added. pure.
import { ResourceError } from '../errors.ts';

export type ChallengeType = 'tls-alpn-01' | 'http-01' | 'dns-01';

export interface AcmeProblem {
  /** The end of `urn:ietf:params:acme:error:…`, or one of our own: unreachable, untrusted, silent, failing, … */
  readonly type: string;
  /** As the authority or the system put it. */
  readonly detail: string;
  /** Of HTTP. */
  readonly status?: number;
  /** Milliseconds since the epoch before which the authority does not want to be asked again. */
  readonly retryAt?: number;
  /** Name that could not be validated. */
  readonly identifier?: string;
  readonly challenge?: ChallengeType;
  /** With type `told`: what another process has explained already. */
  readonly told?: { readonly problem: string; readonly hint: string };
}

export interface Explanation {
  readonly reason: string;
  readonly hint: string;
}

/** An attempt failed. `message` and `hint` are the words for it. */
export class AcmeFailure extends ResourceError {
  readonly problem: AcmeProblem;

  constructor(problem: AcmeProblem, cause?: unknown) {
    const { reason, hint } = explainProblem(problem);
    super('ACME_FAILED', reason, { hint, cause });
    this.problem = problem;
  }
}

const longestDetail = 300;

export function explainProblem(problem: AcmeProblem): Explanation {
  const { status, identifier, challenge } = problem;
  const type = identifier === undefined ? problem.type : sharpened(problem);
  const name = identifier ?? 'a name of the certificate';
  const said = quote(problem.detail);
  const reach = challenge === undefined ? 'make the name reachable' : reachable[challenge];
  switch (type) {
    case 'unreachable':
      return words(
        `the authority cannot be reached: ${said}`,
        'firewall, network or DNS of this machine: check that it may open connections to acme.directoryUrl',
      );
    case 'silent':
      return words(
        `the authority does not answer: ${said}`,
        'it may be down, or a firewall swallows the connection; it is tried again by itself',
      );
    case 'untrusted':
      return words(
        `the TLS certificate of the authority itself is not trusted: ${said}`,
        /\b(?:expired|not yet valid)\b/i.test(problem.detail)
          ? 'check that the clock of this machine is right'
          : 'a private authority needs its root certificate in acme.caFile',
      );
    case 'failing':
      return words(
        `the authority is failing (HTTP ${status}): ${said}`,
        'this is its own trouble; it is tried again by itself',
      );
    case 'unintelligible':
      return words(
        `the authority gave an answer that makes no sense: ${said}`,
        'check that acme.directoryUrl is the address of an ACME directory',
      );
    case 'challengeMissing':
      return words(
        `the authority does not offer ${challenge} for ${name}: ${said}`,
        'choose another acme.challenge; wildcards need dns-01',
      );
    case 'hookFailed':
      return words(
        `the DNS hook failed for ${name}: ${said}`,
        'run acme.dnsHook by hand: HOOK add NAME VALUE',
      );
    case 'fileUnusable':
      return words(said, 'check the path and the permissions');
    case 'told':
      return words(said, problem.told?.hint ?? '');
    case 'noServer':
      return words(said, 'start the server and run the command again; only dns-01 works without it');
    case 'postponed':
      return words(
        said,
        'nothing more is asked of the authority before that, so that it does not lock us out',
      );
    case 'stopped':
      return words(`the attempt was interrupted: ${said}`, 'it is tried again by itself');
    case 'late':
      return words(`the authority has not finished in time: ${said}`, 'it is tried again by itself');
    case 'rateLimited':
      return words(
        `rate limit: the authority wants fewer requests: ${said}`,
        'wait; nothing is asked before the time it names. Try things out with its staging directory',
      );
    case 'dns':
      return words(
        `DNS: the authority cannot look up ${name}: ${said}`,
        challenge === 'dns-01'
          ? 'see that the DNS hook has made the TXT record visible to everybody when it ends'
          : `give ${name} an A or AAAA record with the public address of this server`,
      );
    case 'connection':
      return words(`firewall: the authority cannot connect to ${name}: ${said}`, reach);
    case 'tls':
      return words(`the authority met a TLS error at ${name}: ${said}`, reach);
    case 'unauthorized':
    case 'incorrectResponse':
      return words(
        identifier === undefined
          ? `the authority refused the request: ${said}`
          : `another server answers for ${name}: ${said}`,
        identifier === undefined ? 'see what it says; the account may be deactivated' : reach,
      );
    case 'caa':
      return words(
        `DNS: a CAA record of ${name} forbids this authority: ${said}`,
        'add the authority to the CAA record, or remove the record',
      );
    case 'rejectedIdentifier':
    case 'unsupportedIdentifier':
      return words(
        `the authority issues no certificate for these names: ${said}`,
        'hosts must be public names; for others use self-signed or a private authority',
      );
    case 'invalidProfile':
      return words(
        `the authority does not offer the certificates of acme.profile: ${said}`,
        'choose one of its profiles, or leave acme.profile out',
      );
    case 'externalAccountRequired':
      return words(
        `the authority wants to know whose account this is: ${said}`,
        'set acme.eab: { keyId, hmacKeyFile } to what it gave you',
      );
    case 'userActionRequired':
      return words(`the authority wants something of you: ${said}`, 'visit the page that it names');
    case 'invalidContact':
    case 'unsupportedContact':
      return words(
        `the authority does not like acme.email: ${said}`,
        'set acme.email to an address that works',
      );
    case 'accountDoesNotExist':
      return words(
        `the authority does not know our account any more: ${said}`,
        'a new registration is made with the next attempt',
      );
    default:
      return words(
        `the authority refused (${type}${status === undefined ? '' : `, HTTP ${status}`}): ${said}`,
        'see what it says, and docs/certificates.md',
      );
  }
}

const reachable: Readonly<Record<ChallengeType, string>> = {
  'tls-alpn-01':
    'port 443 of that name must lead from the Internet to a TLS listener here: check DNS, firewall and forwarding',
  'http-01':
    'port 80 of that name must lead from the Internet to a listener here that accepts http: check DNS, firewall and forwarding',
  'dns-01': 'see that the DNS hook has made the TXT record visible to everybody when it ends',
};

/** Some authorities call every validation in vain "unauthorized", and only their words tell more. */
function sharpened({ type, detail }: AcmeProblem): string {
  // RFC 7301 3.2: whoever answers there knows no acme-tls/1.
  if (type === 'tls' && /\bno application protocol\b/i.test(detail)) return 'incorrectResponse';
  if (type !== 'unauthorized') return type;
  if (/\b(?:failed to connect|connection refused|time(?:d )?out|timeout|no route)\b/i.test(detail))
    return 'connection';
  return /\b(?:NXDOMAIN|SERVFAIL|DNS problem|no such host)\b/i.test(detail) ? 'dns' : type;
}

function words(reason: string, hint: string): Explanation {
  return { reason, hint };
}

/** One line of printable text, not too long. */
function quote(detail: string): string {
  const line = detail.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  return line.length > longestDetail ? `${line.slice(0, longestDetail)}…` : line || 'no reason given';
}
