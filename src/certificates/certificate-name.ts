// The names a certificate can carry: DNS names and IP addresses (RFC 5280 4.2.1.6), in one canonical spelling,
// and which certificate answers a server name (RFC 9525 6.3). Leaves out the common name: clients ignore it. pure.
import { isIP, isIPv4 } from 'node:net';
import { domainToASCII } from 'node:url';

/** `name` is lower-case ASCII; `bytes` are the 4 or 16 bytes of the address. */
export type CertificateName =
  | { readonly kind: 'dns'; readonly name: string }
  | { readonly kind: 'ip'; readonly name: string; readonly bytes: Uint8Array };

// RFC 1034 3.5 letters, digits and hyphens; the underscore is practice in private networks.
const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** Undefined when a certificate cannot carry this text: an empty label, a zone index, 254 characters and more. */
export function parseCertificateName(text: string): CertificateName | undefined {
  if (isIP(text) !== 0) {
    const bytes = addressBytes(text);
    return bytes === undefined ? undefined : { kind: 'ip', name: canonicalAddress(text), bytes };
  }
  // domainToASCII reads like a URL: it stops at a slash and drops line feeds without a word.
  if (/[^a-z0-9._*\u0080-\uffff-]/i.test(text)) return undefined;
  const name = domainToASCII(text.replace(/\.$/, '')).toLowerCase();
  const labels = name.split('.');
  if (labels.length > 2 && labels[0] === '*') labels.shift();
  // RFC 1123 2.1: what ends in a number would be an address, and a malformed one.
  if (name.length > 253 || /^\d+$/.test(labels.at(-1) ?? '')) return undefined;
  return labels.every((part) => label.test(part)) ? { kind: 'dns', name } : undefined;
}

/**
 * Index of the certificate that answers `serverName`: the first that carries exactly this name, else the first
 * whose wildcard covers it, else 0, for a client must never be left without an answer.
 */
export function chooseByName(
  certificates: readonly (readonly string[])[],
  serverName: string | undefined,
): number {
  const wanted = serverName === undefined ? undefined : parseCertificateName(serverName);
  if (wanted === undefined) return 0;
  const exact = certificates.findIndex((names) => names.includes(wanted.name));
  if (exact !== -1) return exact;
  if (wanted.kind === 'ip') return 0;
  // RFC 9525 6.3: a wildcard stands for exactly one label, the leftmost.
  const wildcard = `*${wanted.name.slice(wanted.name.indexOf('.'))}`;
  return Math.max(
    0,
    certificates.findIndex((names) => names.includes(wildcard)),
  );
}

/** The names of Node's `subjectAltName` text, canonical; entries of other kinds are left out. */
export function namesOfCertificate(subjectAltName: string | undefined): readonly string[] {
  const names: string[] = [];
  for (const entry of (subjectAltName ?? '').split(', ')) {
    const text = /^(?:DNS|IP Address):(.+)$/.exec(entry)?.[1];
    const name = text === undefined ? undefined : parseCertificateName(text);
    if (name !== undefined) names.push(name.name);
  }
  return names;
}

/** Node's spelling of a distinguished name has one attribute a line. */
export function oneLine(distinguishedName: string): string {
  return distinguishedName.split('\n').join(', ');
}

function canonicalAddress(address: string): string {
  return isIPv4(address) ? address : new URL(`http://[${address}]`).hostname.slice(1, -1);
}

function addressBytes(address: string): Uint8Array | undefined {
  if (isIPv4(address)) return Uint8Array.from(address.split('.'), Number);
  if (address.includes('%')) return undefined;
  // The canonical spelling has at most one `::` and no dotted tail.
  const [head = '', tail] = canonicalAddress(address).split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0);
  return Uint8Array.from([...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 0xff]));
}
