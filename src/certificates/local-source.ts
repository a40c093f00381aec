// Chooses between the sources that need nobody outside: the development authority and the operator's own files.
// ACME builds on the same one, as what is served until there is something better.
import { SetupError } from '../errors.ts';
import { parseCertificateName } from './certificate-name.ts';
import type { CertificateSource } from './certificate-source.ts';
import { leafNames } from './development-authority.ts';
import { DevelopmentSource, type DevelopmentSourceParts } from './development-source.ts';
import { FileSource, type CertificateFiles } from './file-source.ts';

export interface LocalSourceOptions {
  readonly certificate: 'self-signed' | CertificateFiles | readonly CertificateFiles[];
  /** Public names of this installation: DNS names or IP addresses. */
  readonly hosts: readonly string[];
  /** Folder of the development authority. */
  readonly certsDir: string;
}

export interface LocalSourceParts extends DevelopmentSourceParts {
  /** What this machine calls itself. */
  readonly machineName: string;
}

/** @throws SetupError CONFIG_INVALID when the options ask for what cannot be */
export function openLocalSource(options: LocalSourceOptions, parts: LocalSourceParts): CertificateSource {
  const { certificate, hosts, certsDir } = options;
  if (certificate !== 'self-signed') {
    const [first, ...others] = 'cert' in certificate || 'pfx' in certificate ? [certificate] : certificate;
    if (first === undefined) {
      throw new SetupError('CONFIG_INVALID', 'tls.certificate is an empty list', {
        hint: 'name at least one pair { cert: FILE, key: FILE }, or use self-signed',
      });
    }
    return new FileSource([first, ...others], { ...parts, hosts });
  }
  for (const host of hosts) {
    if (parseCertificateName(host) !== undefined) continue;
    throw new SetupError('CONFIG_INVALID', `hosts: ${JSON.stringify(host)} is no DNS name or IP address`, {
      hint: 'write names such as ingest.example.com, without scheme, port or path',
    });
  }
  return new DevelopmentSource(certsDir, leafNames(parts.machineName, hosts), parts);
}
