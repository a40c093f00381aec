// Decides what a client certificate is worth: it must be signed by the authority of this installation, be on the list
// of those that were issued, and be neither expired nor revoked. That the client holds its private key, TLS has
// proved. What the stream key it names allows is for keys/key-gate.ts.
import { X509Certificate } from 'node:crypto';
import type { CertificateFinding, CertificateRegister } from '../keys/key-rule.ts';
import type { CancelTimer, Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import { anySubject } from '../store/change-feed.ts';
import type { Store } from '../store/store.ts';
import { clientCertificateTopic, openClientCertificateStore } from './client-certificate-store.ts';
import type { ClientCertificateStore } from './client-certificate-store.ts';
import { type ClientIdentity, readIdentity } from './client-identity.ts';

export interface ClientCertificateGateOptions {
  readonly store: Pick<Store, 'db' | 'changes'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Certificate of the authority that signs for clients. */
  readonly authorityPem: string;
}

/** How often expiry is looked at. */
const tickMs = 500;

export class ClientCertificateGate implements CertificateRegister {
  readonly #list: ClientCertificateStore;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #listeners = new Set<(finding: CertificateFinding) => void>();
  /** Certificates that sessions may have been let in with, by serial number: no more than are on the list. */
  readonly #believed = new Map<string, ClientIdentity>();
  readonly #cancels: CancelTimer[];
  readonly #authority: X509Certificate;

  constructor({ store, clock, log, authorityPem }: ClientCertificateGateOptions) {
    this.#list = openClientCertificateStore(store);
    this.#clock = clock;
    this.#log = log;
    this.#authority = new X509Certificate(authorityPem);
    this.#cancels = [
      store.changes.on(clientCertificateTopic, (serial) => void this.#lookAgain(serial)),
      clock.every(tickMs, () => this.#tick()),
    ];
  }

  async identify(certificate: Uint8Array): Promise<CertificateFinding> {
    const identity = readIdentity(certificate);
    if (identity === undefined) return { serial: 'unreadable', objection: 'certificate-unknown' };
    if (!this.#isOurs(identity)) return findingOf(identity, 'certificate-unknown');
    // Put down first: what is revoked while the list is being read is told to the session that asks.
    this.#believed.set(identity.serial, identity);
    const objection = await this.#objection(identity);
    if (objection !== undefined) this.#believed.delete(identity.serial);
    return findingOf(identity, objection);
  }

  onWithdrawn(listener: (finding: CertificateFinding) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    for (const cancel of this.#cancels.splice(0)) cancel();
  }

  #isOurs({ certificate, forClients }: ClientIdentity): boolean {
    const authority = this.#authority;
    return forClients && certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
  }

  async #objection(identity: ClientIdentity): Promise<CertificateFinding['objection']> {
    const { serial, sha256, keyId, notAfter } = identity;
    const listed = await this.#list.find(serial);
    if (listed?.sha256 !== sha256 || listed.keyId !== keyId) return 'certificate-unknown';
    if (listed.revokedAt !== undefined) return 'certificate-revoked';
    // A resumed TLS session does not look at the dates again.
    return notAfter <= this.#clock.now() ? 'certificate-expired' : undefined;
  }

  async #lookAgain(subject: string): Promise<void> {
    for (const [serial, identity] of this.#believed) {
      if (subject !== anySubject && subject !== serial) continue;
      try {
        const objection = await this.#objection(identity);
        if (objection !== undefined) this.#withdraw(identity, objection);
      } catch (error) {
        // Better without the encoder than with one that may have been sent away.
        this.#log.error('store.failed', { reason: String(error) });
        this.#withdraw(identity, 'certificate-revoked');
      }
    }
  }

  #tick(): void {
    const now = this.#clock.now();
    for (const identity of this.#believed.values()) {
      if (identity.notAfter <= now) this.#withdraw(identity, 'certificate-expired');
    }
  }

  #withdraw(identity: ClientIdentity, objection: NonNullable<CertificateFinding['objection']>): void {
    if (!this.#believed.delete(identity.serial)) return;
    const finding = findingOf(identity, objection);
    this.#log.info('client-certificate.withdrawn', {
      certificate: finding.serial,
      key: finding.keyId,
      reason: objection,
    });
    for (const listener of this.#listeners) listener(finding);
  }
}

function findingOf(
  { serial, keyId }: ClientIdentity,
  objection: CertificateFinding['objection'],
): CertificateFinding {
  // Whoever is not of ours may name any key.
  const named = keyId === undefined || objection === 'certificate-unknown' ? {} : { keyId };
  return { serial, ...named, ...(objection && { objection }) };
}
