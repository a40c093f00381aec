// The verb `penstock cert trust`: how clients come to trust the development authority of this installation. Commands
// are those of each system's own manual; nothing is changed here.
import { X509Certificate } from 'node:crypto';
import { resolve } from 'node:path';
import { formatInstant } from '../ops/quantities.ts';
import type { Report } from '../ops/report.ts';

export interface TrustContext {
  /** The authority's certificate. */
  readonly authorityPem: string;
  readonly authorityFile: string;
  /** Whether the server shows a certificate of this authority. */
  readonly served: boolean;
  /** Base URLs of open doors, for the examples. */
  readonly rtmpsUrl: string | undefined;
  readonly httpsUrl: string | undefined;
}

export function explainTrust({
  authorityPem,
  authorityFile,
  served,
  rtmpsUrl,
  httpsUrl,
}: TrustContext): Report {
  const certificate = new X509Certificate(authorityPem);
  const file = resolve(authorityFile);
  const expiresAt = formatInstant(Date.parse(certificate.validTo));
  const name = certificate.subject.replace(/^CN=/, '');
  const quoted = `'${file.replaceAll("'", String.raw`'\''`)}'`;
  const systems = [
    [
      'Debian, Ubuntu',
      `sudo cp ${quoted} /usr/local/share/ca-certificates/penstock.crt && sudo update-ca-certificates`,
    ],
    [
      'Fedora, RHEL',
      `sudo cp ${quoted} /etc/pki/ca-trust/source/anchors/penstock.pem && sudo update-ca-trust`,
    ],
    ['macOS', `sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain ca.pem`],
    ['Windows', 'certutil -addstore -f Root ca.pem   (as administrator)'],
  ] as const;
  const programs = [
    [
      'OBS',
      'has no setting of its own: it asks the system, so use the lines above on its machine and restart it',
    ],
    ['ffmpeg', `-tls_verify 1 -ca_file ${quoted}${rtmpsUrl === undefined ? '' : ` … ${rtmpsUrl}/live/…`}`],
    ['curl', `curl --cacert ${quoted} ${httpsUrl ?? 'https://HOST:PORT'}/healthz`],
  ] as const;
  const lines = (list: readonly (readonly [string, string])[]) =>
    list.map(([system, line]) => `  ${system.padEnd(14)}  ${line}`);
  return {
    json: {
      file,
      name,
      sha256: certificate.fingerprint256,
      expiresAt,
      served,
      commands: Object.fromEntries([...systems, ...programs]),
    },
    text: [
      `authority    ${name}`,
      `certificate  ${file}`,
      `SHA-256      ${certificate.fingerprint256}`,
      `valid until  ${expiresAt}`,
      '',
      ...(served
        ? [
            'Bring the file to the machine of the client (it is public; compare the fingerprint there), then trust it.',
            '',
            'The whole system:',
            ...lines(systems),
            '',
            'One program:',
            ...lines(programs),
            '',
            'Whoever can read ca.key, beside the file, can pass for any site to the systems that trust it: keep it for',
            'development and closed networks.',
          ]
        : [
            'The server shows a certificate of another origin (tls.certificate), so nobody needs to trust this one:',
            'it only signs client certificates (penstock cert client).',
          ]),
    ].join('\n'),
  };
}
