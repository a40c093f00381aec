// Where an encoder is told to publish, taken apart as encoders do: the scheme says which of TLS, tunnel and RTMPE
// are on, the path is the application. A stream key has no place in it: arguments are seen by every user of a
// machine. pure.
import { domainToASCII } from 'node:url';
import { isIP } from 'node:net';
import { SetupError } from '../errors.ts';

export const schemes = ['rtmp', 'rtmps', 'rtmpe', 'rtmpt', 'rtmpts', 'rtmpte'] as const;
export type Scheme = (typeof schemes)[number];

export interface StreamUrl {
  /** Canonical, with the application, without a default port. */
  readonly text: string;
  readonly scheme: Scheme;
  /** A name in ASCII, or an address without brackets. */
  readonly host: string;
  readonly port: number;
  readonly app: string;
  readonly tls: boolean;
  readonly tunnel: boolean;
  /** The RTMPE handshake. */
  readonly encrypted: boolean;
}

/** Ports that a URL need not name. WIRE 1 */
const defaultPorts: Readonly<Record<Scheme, number>> = {
  rtmp: 1935,
  rtmps: 443,
  rtmpe: 1935,
  rtmpt: 80,
  rtmpts: 443,
  rtmpte: 80,
};
const usualApp = 'live';
const form = /^([a-z]+):\/\/(\[[0-9a-f:.]+\]|[^/:?#@[\]]+)(?::(\d{1,5}))?(?:\/([^?#]*))?$/i;

/** @throws SetupError ARGUMENT_INVALID, which never repeats the URL: it may hold a key. */
export function parseStreamUrl(text: string): StreamUrl {
  if (/p[st]k_|[?&](?:key|token|auth)=/i.test(text)) {
    throw new SetupError('ARGUMENT_INVALID', 'URL: there is a stream key in it.', {
      hint:
        'Give the server only, as in rtmps://ingest.example.com/live, and the key with --key-file FILE, or - for ' +
        'standard input. What stands on a command line is seen by others: rotate that key if this machine has any.',
    });
  }
  const [, scheme = '', bracketed = '', port, path = ''] = form.exec(text) ?? [];
  const known = schemes.find((one) => one === scheme.toLowerCase());
  const host = bracketed.startsWith('[') ? bracketed.slice(1, -1) : domainToASCII(bracketed).toLowerCase();
  const number = port === undefined ? undefined : Number(port);
  if (known === undefined || host === '' || number === 0 || (number ?? 0) > 65_535) {
    throw new SetupError('ARGUMENT_INVALID', 'URL: this is no address of an RTMP server.', {
      hint: `Give one such as rtmps://ingest.example.com/live; schemes: ${schemes.join(', ')}.`,
    });
  }
  return streamUrl(known, host, number ?? defaultPorts[known], path.replace(/\/+$/, '') || usualApp);
}

/** The same from its parts. */
export function streamUrl(scheme: Scheme, host: string, port: number, app: string): StreamUrl {
  const place = isIP(host) === 6 ? `[${host}]` : host;
  return {
    text: `${scheme}://${place}${port === defaultPorts[scheme] ? '' : `:${port}`}/${app}`,
    scheme,
    host,
    port,
    app,
    tls: scheme === 'rtmps' || scheme === 'rtmpts',
    tunnel: scheme === 'rtmpt' || scheme === 'rtmpts' || scheme === 'rtmpte',
    encrypted: scheme === 'rtmpe' || scheme === 'rtmpte',
  };
}
