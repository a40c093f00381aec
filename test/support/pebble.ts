// A real ACME authority: Debian's pebble, with pebble-challtestsrv as its DNS, where every name is 127.0.0.1.
// Validation takes no artificial time. The listeners to be validated are named at the start.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { connect, type ConnectionOptions } from 'node:tls';
import { eventually } from './eventually.ts';
import { freePorts } from './free-ports.ts';
import { makeIssuer, makeLeaf, writePair } from './certificate-files.ts';
import { RealProcess } from './real-process.ts';

export interface PebbleOptions {
  /** Holds its configuration. */
  readonly folder: string;
  /** Where it connects to for tls-alpn-01 and http-01. */
  readonly tlsPort: number;
  readonly httpPort: number;
  /** Refuses accounts that are not bound by this key: id → base64url. */
  readonly accounts?: Readonly<Record<string, string>>;
  /** Seconds that its certificates live; years otherwise. */
  readonly life?: number;
  /** Percentage of good nonces that it refuses. */
  readonly badNonces?: number;
}

const day = 86_400_000;

export class Pebble {
  readonly port: number;
  /** Root of the TLS certificate of pebble itself, and of whoever stands in front of it. */
  readonly caFile: string;
  /** Certificate and key for 127.0.0.1 and localhost under that root. */
  readonly files: { readonly cert: string; readonly key: string };
  /** TXT records: for a DNS hook. */
  readonly dnsUrl: string;
  readonly #processes: readonly RealProcess[];
  readonly #managementPort: number;
  readonly #agent: Agent;

  private constructor(
    made: Pick<Pebble, 'port' | 'caFile' | 'files' | 'dnsUrl'>,
    processes: readonly RealProcess[],
    managementPort: number,
    ca: string,
  ) {
    this.port = made.port;
    this.caFile = made.caFile;
    this.files = made.files;
    this.dnsUrl = made.dnsUrl;
    this.#processes = processes;
    this.#managementPort = managementPort;
    this.#agent = new Agent({ ca });
  }

  static async start(options: PebbleOptions): Promise<Pebble> {
    const { folder, tlsPort, httpPort, accounts, life, badNonces = 0 } = options;
    const [port = 0, managementPort = 0, dnsPort = 0, dnsManagement = 0] = await freePorts(4);
    const issuer = makeIssuer('Root of the test authority itself', Date.now());
    const lifetime = { notBefore: Date.now() - day, notAfter: Date.now() + day };
    const leaf = makeLeaf(issuer, ['127.0.0.1', 'localhost'], lifetime);
    const files = writePair(folder, 'pebble', leaf.pem, leaf.keyPem);
    const caFile = join(folder, 'pebble-ca.pem');
    writeFileSync(caFile, issuer.pem);
    const config = join(folder, 'pebble.json');
    const pebble = {
      listenAddress: `127.0.0.1:${port}`,
      managementListenAddress: `127.0.0.1:${managementPort}`,
      certificate: files.cert,
      privateKey: files.key,
      httpPort,
      tlsPort,
      ocspResponderURL: '',
      externalAccountBindingRequired: accounts !== undefined,
      ...(accounts === undefined ? {} : { externalAccountMACKeys: accounts }),
      ...(life === undefined ? {} : { certificateValidityPeriod: life }),
    };
    writeFileSync(config, JSON.stringify({ pebble }));
    const dns = new RealProcess('pebble-challtestsrv', [
      '-http01',
      '',
      '-https01',
      '',
      '-tlsalpn01',
      '',
      '-defaultIPv6',
      '',
      '-dns01',
      `127.0.0.1:${dnsPort}`,
      '-management',
      `127.0.0.1:${dnsManagement}`,
    ]);
    const server = new RealProcess('pebble', ['-config', config, '-dnsserver', `127.0.0.1:${dnsPort}`], {
      env: { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: String(badNonces), PEBBLE_AUTHZREUSE: '0' },
    });
    const dnsUrl = `http://127.0.0.1:${dnsManagement}`;
    const made = new Pebble({ port, caFile, files, dnsUrl }, [dns, server], managementPort, issuer.pem);
    await eventually('pebble to answer', async () => (await made.root()) || undefined);
    return made;
  }

  get directoryUrl(): string {
    return `https://127.0.0.1:${this.port}/dir`;
  }

  /** PEM of the root that its certificates lead to; empty while it does not answer. */
  async root(): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    const url = `https://127.0.0.1:${this.#managementPort}/roots/0`;
    request(url, { agent: this.#agent }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () => resolve(response.statusCode === 200 ? Buffer.concat(pieces).toString() : ''));
    })
      .on('error', () => resolve(''))
      .end();
    return promise;
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    await Promise.all(this.#processes.map((one) => one.discard()));
  }
}

/** Serial number of what is served to a client that trusts `ca` alone; undefined when it does not trust that. */
export async function trustedSerial(options: ConnectionOptions): Promise<string | undefined> {
  const socket = connect({ host: '127.0.0.1', ...options });
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerCertificate().serialNumber;
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}
