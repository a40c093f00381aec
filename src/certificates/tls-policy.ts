// How TLS is spoken here: Mozilla's intermediate profile within RFC 9325, and which application protocol is
// answered to a client that names some (RFC 7301). The listener itself belongs to the door. pure.
import { constants } from 'node:crypto';
import type { SecureContext, SecureContextOptions, TlsOptions } from 'node:tls';
import type { CertificateBundle, CertificatePair } from './certificate-source.ts';

export interface TlsPolicy {
  /**
   * Whether clients are asked for a certificate. `required`: who shows none that `clientAuthority` signed does not
   * get through the handshake. `optional`: anybody does; whoever lets a certificate open something must look at it.
   */
  readonly clientAuth?: 'none' | 'optional' | 'required';
  /** PEM; the keeper's contexts must have it too, for they replace the server's own. */
  readonly clientAuthority?: string | undefined;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** 48 random bytes, new with every start, so that no ticket outlives the process. */
  readonly ticketKeys: Uint8Array;
}

/** Who answers handshakes: the certificate keeper. */
export interface CertificateChooser {
  contextFor(serverName: string | undefined): SecureContext;
  bundleFor(serverName: string | undefined): CertificateBundle;
}

/** Suites and groups by name: Node's own default still takes ECDHE with CBC and plain RSA key exchange. */
export const tlsSuites = {
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
  ].join(':'),
  honorCipherOrder: true,
  ecdhCurve: 'X25519:P-256:P-384',
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
} as const satisfies SecureContextOptions;

/** Seconds a session may be resumed. */
const sessionTimeout = 3600;

/**
 * For `tls.createServer`; after the keeper's certificates were renewed, once more for `setSecureContext`, which
 * replaces the certificate of clients that name no server.
 */
export function tlsServerOptions(policy: TlsPolicy, certificates: CertificateChooser): TlsOptions {
  return {
    ...tlsSuites,
    minVersion: policy.minVersion,
    ...clientAuthentication(policy),
    sessionTimeout,
    ticketKeys: Buffer.from(policy.ticketKeys),
    ...keyMaterial(certificates.bundleFor(undefined)),
    SNICallback: (serverName, done) => done(null, certificates.contextFor(serverName)),
    ALPNCallback: ({ protocols }) => chooseApplicationProtocol(protocols),
  };
}

/** RFC 8446 4.3.2: the request for a certificate names the authority, so that browsers offer no other one. */
function clientAuthentication({ clientAuth = 'none', clientAuthority }: TlsPolicy): TlsOptions {
  if (clientAuth === 'none' || clientAuthority === undefined) return {};
  return { requestCert: true, rejectUnauthorized: clientAuth === 'required', ca: clientAuthority };
}

/** Certificate and key, or both pairs, in the form that Node's TLS takes. */
export function keyMaterial({ second, ...first }: CertificatePair & Pick<CertificateBundle, 'second'>): {
  readonly cert: string[];
  readonly key: string[];
} {
  const pairs = second === undefined ? [first] : [first, second];
  return { cert: pairs.map(({ chainPem }) => chainPem), key: pairs.map(({ keyPem }) => keyPem.reveal()) };
}

/**
 * The answer to a client's list, or undefined, which ends the handshake (RFC 7301 3.2). A list of protocols
 * that nobody here has heard of comes from an encoder, so its first is taken: the first bytes decide anyway.
 * What surely cannot be served is never taken.
 */
export function chooseApplicationProtocol(offered: readonly string[]): string | undefined {
  return (
    ['rtmp', 'http/1.1'].find((known) => offered.includes(known)) ??
    offered.find((protocol) => !isForeign(protocol))
  );
}

function isForeign(protocol: string): boolean {
  // RFC 8701 3: two equal bytes 0x?A test whether servers ignore what they do not know; they are no offer.
  if (/^(.)\1$/s.test(protocol) && (protocol.charCodeAt(0) & 0x0f) === 0x0a) return true;
  return /^(h2c?|h3|hq|spdy|acme-tls)\b/.test(protocol);
}
