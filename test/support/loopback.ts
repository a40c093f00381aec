// Two ends of a real connection on this machine, in the clear or inside TLS, and a certificate for it.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, createServer as createTlsServer } from 'node:tls';
import { onTestFinished } from 'vitest';
import type { CertificateBundle } from '../../src/certificates/certificate-source.ts';
import type { CertificateChooser } from '../../src/certificates/tls-policy.ts';
import { Secret } from '../../src/bytes/secret.ts';
import { makeIssuer, makeLeaf, type TestIssuer } from './certificate-files.ts';

const day = 86_400_000;

/** What a certificate keeper gives to a listener. `renew` replaces the default certificate. */
export class TestCertificates implements CertificateChooser {
  readonly authority: TestIssuer = makeIssuer('Test authority', Date.now());
  readonly listeners = new Set<() => void>();
  #bundle = this.#make(['ingest.example.com', '127.0.0.1']);

  get ca(): string {
    return this.authority.pem;
  }

  bundleFor(): CertificateBundle {
    return this.#bundle;
  }

  contextFor(): ReturnType<typeof createSecureContext> {
    return createSecureContext({ cert: this.#bundle.chainPem, key: this.#bundle.keyPem.reveal() });
  }

  onRenewed(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  renew(names: readonly string[]): void {
    this.#bundle = this.#make(names);
    for (const listener of this.listeners) listener();
  }

  #make(names: readonly string[]): CertificateBundle {
    const life = { notBefore: Date.now() - day, notAfter: Date.now() + day };
    const { pem, keyPem } = makeLeaf(this.authority, names, life);
    const told = { issuer: 'CN=Test authority', serial: '42', file: 'test' };
    return { names, chainPem: pem, keyPem: new Secret(keyPem), ...life, ...told };
  }
}

export type Link = 'tcp' | 'tls';

let certificates: TestCertificates | undefined;

/** The accepting end and the connecting end. Both are gone when the test is. */
export async function socketPair(link: Link): Promise<{ near: Socket; far: Socket; server: Server }> {
  certificates ??= new TestCertificates();
  const { chainPem, keyPem } = certificates.bundleFor();
  const server =
    link === 'tcp'
      ? createServer()
      : createTlsServer({ cert: chainPem, key: keyPem.reveal(), maxVersion: 'TLSv1.3' });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const options = { port, host: '127.0.0.1', allowHalfOpen: true };
  const far = link === 'tcp' ? connect(options) : connectTls({ ...options, ca: certificates.ca });
  const [[near]] = (await Promise.all([
    once(server, link === 'tcp' ? 'connection' : 'secureConnection'),
    once(far, link === 'tcp' ? 'connect' : 'secureConnect'),
  ])) as [[Socket], unknown];
  for (const socket of [near, far]) socket.on('error', () => undefined);
  onTestFinished(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  return { near, far, server };
}

/** Everything that arrives until the other end says that there is no more; how it ended. */
export async function readToEnd(socket: Socket): Promise<{ bytes: Buffer; reset: boolean }> {
  const pieces: Buffer[] = [];
  let reset = false;
  socket.on('error', () => (reset = true));
  socket.on('data', (piece: Buffer) => pieces.push(piece));
  if (!socket.readableEnded && !socket.destroyed) {
    await Promise.race([once(socket, 'end'), new Promise((resolve) => socket.once('close', resolve))]).catch(
      () => undefined,
    );
  }
  return { bytes: Buffer.concat(pieces), reset };
}
