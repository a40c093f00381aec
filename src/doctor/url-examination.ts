// One URL, step by step, as an encoder would go: name, port, TLS, certificate, handshake, connect, key. Stops where
// going on makes no sense, and says what was not tried.
import type { Socket } from 'node:net';
import type { Secret } from '../bytes/secret.ts';
import type { Clock } from '../ops/clock.ts';
import type { Random } from '../ops/random.ts';
import { SocketCarrier, TunnelCarrier } from './carrier.ts';
import type { DevelopmentAuthorityFile } from './certificate-check.ts';
import { type Examination, type Finding, notTried } from './finding.ts';
import type { Network } from './network.ts';
import { checkName, checkPort } from './reach-check.ts';
import { checkRtmp } from './rtmp-check.ts';
import type { StreamUrl } from './stream-url.ts';
import { checkTls } from './tls-check.ts';

export interface UrlExaminationParts {
  readonly network: Network;
  readonly clock: Clock;
  readonly random: Random;
  readonly key: Secret | undefined;
  /** Why there is no key to try. */
  readonly keyUntried: string;
  /** The authority of this installation, for the case that it is this installation that answers. */
  readonly development: DevelopmentAuthorityFile | undefined;
  /** Given: connect there, whatever the name leads to, for the listener is this machine's. */
  readonly address?: string | undefined;
}

export async function examineUrl(url: StreamUrl, parts: UrlExaminationParts): Promise<Examination> {
  return { subject: url.text, findings: await steps(url, parts) };
}

async function steps(url: StreamUrl, parts: UrlExaminationParts): Promise<readonly Finding[]> {
  const ours = parts.address !== undefined;
  const tlsSteps = url.tls ? ['tls', 'certificate', 'certificate-name'] : [];
  const rtmpSteps = ['handshake', 'connect', 'key'];
  const findings: Finding[] = [];
  let addresses = [parts.address ?? ''];
  if (!ours) {
    const name = await checkName(url.host, false, parts);
    findings.push(name.finding);
    const later = ['port', ...tlsSteps, ...rtmpSteps];
    if (name.addresses.length === 0) return [...findings, ...notTried(later, 'there is no address')];
    addresses = [...name.addresses];
  }
  const port = await checkPort(addresses, url.port, ours, parts);
  findings.push(port.finding);
  let socket: Socket | undefined = port.socket;
  if (socket === undefined) {
    return [...findings, ...notTried([...tlsSteps, ...rtmpSteps], 'nobody answers at the port')];
  }
  if (url.tls) {
    const secured = await checkTls(socket, url.host, parts);
    findings.push(...secured.findings);
    socket = secured.socket;
    if (socket === undefined) {
      const later = [...tlsSteps.slice(1), ...rtmpSteps];
      return [...findings, ...notTried(later, 'there is no TLS connection')];
    }
  } else findings.push(inTheClear(url));
  const { clock } = parts;
  const carrier = url.tunnel
    ? new TunnelCarrier({ socket, host: `${url.host}:${url.port}`, clock })
    : new SocketCarrier(socket);
  return [...findings, ...(await checkRtmp(url, carrier, parts))];
}

function inTheClear(url: StreamUrl): Finding {
  return {
    check: 'tls',
    state: 'warning',
    says: url.encrypted
      ? 'RTMPE hides the key from a casual reader, and proves to nobody who the server is'
      : 'no encryption: whoever carries these bytes can read the stream key',
    hint: 'use rtmps:// where the encoder can',
  };
}
