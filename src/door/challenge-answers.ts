// What an ACME authority is to find when it validates names right now: written by acme/, read by the door. Empty
// nearly always, so that a stranger who asks gets nothing. Leaves out dns-01, which is answered elsewhere.
import { isIPv4 } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { CertificatePair } from '../certificates/certificate-source.ts';
import { parseCertificateName, type CertificateName } from '../certificates/certificate-name.ts';

/** RFC 8737 6.2. */
export const acmeProtocol = 'acme-tls/1';

const httpFolder = '/.well-known/acme-challenge/'; // RFC 8555 8.3

export class ChallengeAnswers {
  readonly #pages = new Map<string, string>();
  readonly #contexts = new Map<string, SecureContext>();

  /** Answers http-01 until the returned function is called. */
  showPage(token: string, keyAuthorization: string): () => void {
    this.#pages.set(token, keyAuthorization);
    return () => void this.#pages.delete(token);
  }

  /** Answers tls-alpn-01 for a DNS name or IP address until the returned function is called. */
  showCertificate(name: CertificateName, { chainPem, keyPem }: CertificatePair): () => void {
    const serverName = serverNameOf(name);
    const context = createSecureContext({ cert: chainPem, key: keyPem.reveal() });
    this.#contexts.set(serverName, context);
    return () => {
      if (this.#contexts.get(serverName) === context) this.#contexts.delete(serverName);
    };
  }

  /** What a GET of this path is answered with; undefined when nobody validates it. */
  pageAt(path: string): string | undefined {
    return path.startsWith(httpFolder) ? this.#pages.get(path.slice(httpFolder.length)) : undefined;
  }

  /** With what a client is met that names this server and speaks acme-tls/1. */
  contextFor(serverName: string | undefined): SecureContext | undefined {
    const name = serverName === undefined ? undefined : parseCertificateName(serverName)?.name;
    return name === undefined ? undefined : this.#contexts.get(name);
  }
}

/** RFC 8738 6: SNI cannot carry an address, so its reverse-mapping name stands for it. */
function serverNameOf(name: CertificateName): string {
  if (name.kind === 'dns') return name.name;
  if (isIPv4(name.name)) return `${name.name.split('.').toReversed().join('.')}.in-addr.arpa`;
  return `${Buffer.from(name.bytes).toString('hex').split('').toReversed().join('.')}.ip6.arpa`;
}
