// The TLS step: shakes hands as OBS would, and looks at what the server shows. An untrusted certificate does not
// end the examination: ffmpeg goes on too, and whoever mends the certificate wants to know what comes after it.
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { isIP, type Socket } from 'node:net';
import { connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import type { Clock } from '../ops/clock.ts';
import { type DevelopmentAuthorityFile, judgeChain, judgeName } from './certificate-check.ts';
import { doctorLimits } from './doctor-limits.ts';
import { encoderWords, type Finding } from './finding.ts';
import { codeOf, type Network, tooLate, within } from './network.ts';

export interface TlsAnswer {
  readonly findings: readonly Finding[];
  /** Undefined when no TLS was spoken. */
  readonly socket: TLSSocket | undefined;
}

export interface TlsCheckParts {
  readonly network: Pick<Network, 'trustedRoots'>;
  readonly clock: Clock;
  readonly development: DevelopmentAuthorityFile | undefined;
}

export async function checkTls(socket: Socket, host: string, parts: TlsCheckParts): Promise<TlsAnswer> {
  const secured = connect({
    socket,
    ...(isIP(host) === 0 && { servername: host }),
    ca: [...parts.network.trustedRoots()],
    rejectUnauthorized: false, // judged below, in words
    minVersion: 'TLSv1.2',
  });
  secured.on('error', () => undefined);
  const ended = new Promise<string>((resolve) => void secured.once('close', () => resolve('ECONNRESET')));
  const shaken = once(secured, 'secureConnect').then(() => secured, codeOf);
  const answer = await within(parts.clock, doctorLimits.tlsTime, Promise.race([shaken, ended]));
  if (answer === tooLate || typeof answer === 'string') {
    socket.destroy();
    return { findings: [explain(answer === tooLate ? 'silence' : answer)], socket: undefined };
  }
  const says = `${secured.getProtocol()} with ${secured.getCipher().name}`;
  const chain = chainOf(secured);
  const [leaf] = chain;
  const findings: Finding[] = [{ check: 'tls', state: 'ok', says }];
  if (leaf !== undefined) {
    const problem = secured.authorized ? undefined : problemOf(secured);
    const shown = { leaf, chainLength: chain.length, problem };
    findings.push(judgeChain(shown, parts.clock.now(), parts.development), judgeName(leaf, host));
  }
  return { findings, socket: secured };
}

/** Node judges the name too; that is a finding of its own here. */
function problemOf({ authorizationError }: TLSSocket): string | undefined {
  const code = String(authorizationError);
  return code.includes('ALTNAME') || code.includes('HOSTNAME') ? undefined : code;
}

function chainOf(socket: TLSSocket): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  const seen = new Set<string>();
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (next?.raw !== undefined && !seen.has(next.fingerprint256)) {
    seen.add(next.fingerprint256);
    chain.push(new X509Certificate(next.raw));
    next = next.issuerCertificate as DetailedPeerCertificate | undefined;
  }
  return chain;
}

function explain(code: string): Finding {
  const failed = { check: 'tls', state: 'failed' } as const;
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH|UNEXPECTED_MESSAGE|HTTP_REQUEST|RECORD/.test(code)) {
    return {
      ...failed,
      says: `the server answers at this port, but not with TLS (${code})`,
      encoders: encoderWords.tlsFailed,
      hint: 'take the port of a listener that accepts rtmps; with rtmp:// in place of rtmps:// the key would be readable on the way',
    };
  }
  if (/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS/.test(code)) {
    return {
      ...failed,
      says: `the server speaks neither TLS 1.2 nor TLS 1.3 (${code})`,
      encoders: encoderWords.tlsFailed,
      hint: 'update the server, or the proxy in front of it',
    };
  }
  if (code === 'silence') {
    return {
      ...failed,
      says: 'the server takes the connection and then says nothing: no TLS handshake',
      encoders: encoderWords.silent,
      hint: 'something else may listen there, or a load balancer in front of it waits for its PROXY header (trustedProxies)',
    };
  }
  if (/HANDSHAKE_FAILURE|CERTIFICATE_REQUIRED/.test(code)) {
    return {
      ...failed,
      says: `the server refuses the TLS handshake (${code})`,
      encoders: encoderWords.tlsFailed,
      hint: 'it wants a client certificate (tls.clientAuth: required), or offers no cipher that is still in use',
    };
  }
  return {
    ...failed,
    says: `the server ended the connection during the TLS handshake (${code})`,
    encoders: encoderWords.tlsFailed,
    hint:
      'does this port speak TLS? A server that has locked this address out, or is full, hangs up the same way; its ' +
      'log says connection.refused then',
  };
}
