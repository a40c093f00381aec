// ACME renewal information (RFC 9773): when the authority would like a certificate to be renewed, which may be
// long before its end when it has to be revoked. Leaves out the choice of a time (renewal-rule.ts).
import { X509Certificate } from 'node:crypto';
import type { AcmeHttp } from './acme-http.ts';
import type { RenewalWindow } from './acme-state.ts';
import { AcmeFailure } from './explain-problem.ts';

const authorityKeyIdentifier = Buffer.from('0603551d23', 'hex'); // OID 2.5.29.35 in DER

export interface RenewalInfo {
  readonly window: RenewalWindow;
  /** When to ask again, milliseconds since the epoch; undefined when the authority does not say. */
  readonly retryAt?: number;
}

/** `base` is `renewalInfo` of the directory. @throws AcmeFailure */
export async function fetchRenewalInfo(
  http: Pick<AcmeHttp, 'request' | 'retryAt'>,
  base: string,
  certificateId: string,
): Promise<RenewalInfo> {
  const { data } = await http.request(`${base.replace(/\/$/, '')}/${certificateId}`, 'GET');
  const window = parseWindow(data);
  if (window === undefined) {
    throw new AcmeFailure({ type: 'unintelligible', detail: 'its renewal information has no window' });
  }
  return { window, ...(http.retryAt === undefined ? {} : { retryAt: http.retryAt }) };
}

/** RFC 9773 4.2; undefined when there is no window, or it ends before it begins. */
export function parseWindow(data: unknown): RenewalWindow | undefined {
  if (!isBlock(data) || !isBlock(data['suggestedWindow'])) return undefined;
  const start = Date.parse(String(data['suggestedWindow']['start']));
  const end = Date.parse(String(data['suggestedWindow']['end']));
  if (!(start < end)) return undefined;
  const page = data['explanationURL'];
  return { start, end, ...(typeof page === 'string' ? { explanation: page } : {}) };
}

/** RFC 9773 4.1; undefined when the certificate does not say who issued it. */
export function certificateId(pem: string): string | undefined {
  const { raw, serialNumber } = new X509Certificate(pem);
  const keyId = authorityKeyId(raw);
  if (keyId === undefined) return undefined;
  const hex = serialNumber.length % 2 === 0 ? serialNumber : `0${serialNumber}`;
  const serial = Buffer.from(hex, 'hex');
  // A DER INTEGER is signed: one that begins with a set bit has a zero byte in front.
  const encoded = ((serial[0] ?? 0) & 0x80) === 0 ? serial : Buffer.concat([Buffer.of(0), serial]);
  return `${keyId.toString('base64url')}.${encoded.toString('base64url')}`;
}

// RFC 5280 4.2.1.1: OID, OCTET STRING { SEQUENCE { [0] keyIdentifier … } }. The extension is never critical.
function authorityKeyId(der: Buffer): Buffer | undefined {
  const at = der.indexOf(authorityKeyIdentifier);
  if (at === -1) return undefined;
  const octets = valueAt(der, at + authorityKeyIdentifier.length, 0x04);
  const sequence = octets && valueAt(octets, 0, 0x30);
  return sequence && valueAt(sequence, 0, 0x80);
}

/** The content of the DER value at `offset`, when it has this tag. */
function valueAt(der: Buffer, offset: number, tag: number): Buffer | undefined {
  if (der[offset] !== tag) return undefined;
  const first = der[offset + 1] ?? 0;
  const longForm = first > 0x80;
  const lengthBytes = longForm ? first & 0x7f : 0;
  const start = offset + 2 + lengthBytes;
  if (lengthBytes > 4 || start > der.length) return undefined;
  const length = longForm ? der.readUIntBE(offset + 2, lengthBytes) : first;
  return start + length <= der.length ? der.subarray(start, start + length) : undefined;
}

function isBlock(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
