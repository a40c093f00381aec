// The first two steps: does the name lead to an address, and does somebody answer at the port? Tried as encoders
// do, address by address.
import { once } from 'node:events';
import { isIP, type Socket } from 'node:net';
import type { Clock } from '../ops/clock.ts';
import { doctorLimits } from './doctor-limits.ts';
import { encoderWords, type Finding } from './finding.ts';
import { codeOf, type Network, tooLate, within } from './network.ts';

export interface NameAnswer {
  readonly finding: Finding;
  readonly addresses: readonly string[];
}

/** `ours`: the name is to lead to this machine. */
export async function checkName(
  host: string,
  ours: boolean,
  { network, clock }: { readonly network: Network; readonly clock: Clock },
): Promise<NameAnswer> {
  const check = 'name';
  if (isIP(host) !== 0) {
    return { finding: { check, state: 'ok', says: `${host} is an address` }, addresses: [host] };
  }
  const answer = await within(clock, doctorLimits.nameTime, network.resolve(host).catch(codeOf));
  const own = network.ownAddresses();
  const wanted = own.filter((address) => !isLocal(address)).join(' or ') || 'of the server';
  if (answer === tooLate || typeof answer === 'string' || answer.length === 0) {
    const reason = answer === tooLate ? 'no answer in time' : String(answer);
    const later = answer === tooLate || answer === 'EAI_AGAIN';
    const finding: Finding = {
      check,
      state: 'failed',
      says: `${host} has no address (${reason})`,
      encoders: encoderWords.nameUnknown,
      hint: later
        ? 'check the network and the DNS server of this machine (/etc/resolv.conf), then try again'
        : `check the spelling; if it is right, let the DNS of ${host} have an A or AAAA record with the address ${
            ours ? wanted : 'of the server'
          }`,
    };
    return { finding, addresses: [] };
  }
  const addresses = [...new Set(answer)];
  const says = `${host} is ${addresses.join(', ')}`;
  const strange = ours && !addresses.some((address) => own.includes(address));
  if (!strange) return { finding: { check, state: 'ok', says }, addresses };
  const hint =
    'fine behind a router or load balancer that forwards the ports of the listeners to this machine; ' +
    `else let the DNS of ${host} point here`;
  return {
    finding: { check, state: 'warning', says: `${says}, and this machine has ${own.join(', ')}`, hint },
    addresses,
  };
}

export interface PortAnswer {
  readonly finding: Finding;
  /** Connected; undefined when nobody answered. */
  readonly socket: Socket | undefined;
}

/** Tries one address after the other. `ours`: the listener is this installation's. */
export async function checkPort(
  addresses: readonly string[],
  port: number,
  ours: boolean,
  { network, clock }: { readonly network: Network; readonly clock: Clock },
): Promise<PortAnswer> {
  const check = 'port';
  const failures: { readonly address: string; readonly code: string }[] = [];
  for (const address of addresses.slice(0, doctorLimits.addresses)) {
    const begun = clock.monotonic();
    const socket = network.connect(address, port);
    socket.on('error', () => undefined);
    const opened = once(socket, 'connect').then(() => socket, codeOf);
    const answer = await within(clock, doctorLimits.connectTime, opened);
    if (answer === tooLate || typeof answer === 'string') {
      socket.destroy();
      failures.push({ address, code: answer === tooLate ? 'ETIMEDOUT' : answer });
      continue;
    }
    const says = `${address} answers at port ${port} after ${Math.round(clock.monotonic() - begun)} ms`;
    if (failures.length === 0) return { finding: { check, state: 'ok', says }, socket };
    const others = failures.map((one) => `${one.address} does not (${one.code})`).join(', ');
    const hint =
      'an encoder that tries the other address first waits in vain; mend it, or take it out of the DNS';
    return { finding: { check, state: 'warning', says: `${says}; ${others}`, hint }, socket };
  }
  return { finding: explain(failures, port, ours), socket: undefined };
}

function explain(
  failures: readonly { readonly address: string; readonly code: string }[],
  port: number,
  ours: boolean,
): Finding {
  const where = failures.map(({ address, code }) => `${address} (${code})`).join(', ');
  const codes = failures.map(({ code }) => code);
  const finding = { check: 'port', state: 'failed' } as const;
  if (codes.includes('ECONNREFUSED')) {
    return {
      ...finding,
      says: `nobody listens at port ${port} of ${where}`,
      encoders: encoderWords.portClosed,
      hint: ours
        ? 'start the server (scripts/penstock serve), and look at "listeners" in the configuration'
        : 'is the server running, and is this the port of one of its listeners? (a URL without a port means 443 ' +
          'for rtmps, 1935 for rtmp)',
    };
  }
  if (codes.includes('ETIMEDOUT')) {
    return {
      ...finding,
      says: `no answer from port ${port} of ${where}`,
      encoders: encoderWords.portSilent,
      hint:
        `open TCP port ${port} in the firewall of ${failures[0]?.address ?? 'the server'}, and forward it if the ` +
        'server stands behind a router; a network of your own that lets nothing out but 443 looks the same',
    };
  }
  return {
    ...finding,
    says: `port ${port} cannot be reached: ${where}`,
    encoders: encoderWords.unreachable,
    hint: 'check the network of this machine: has it a route to that address (ip route get ADDRESS)?',
  };
}

function isLocal(address: string): boolean {
  return /^(?:127\.|::1$|fe80:)/i.test(address);
}
