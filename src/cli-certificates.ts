// Binds the verbs of certificates.
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Ground } from './appliance.ts';
import { commandLog, onGround, program, reading } from './cli-ground.ts';
import type { Config } from './config.ts';
import { systemClock } from './ops/clock.ts';
import { systemRandom } from './ops/random.ts';

export function addCertificateCommands(): void {
  const cert = program.command('cert').description('certificates');
  reading(
    cert.command('status').description('what is served, until when, when it is renewed, and what went wrong'),
  ).action(async () =>
    onGround(async (ground, config) =>
      (await import('./acme/acme-cli.ts')).showCertificates(await certificateContext(ground, config)),
    ),
  );
  reading(cert.command('renew').description('get new certificates by ACME now')).action(async () =>
    onGround(async (ground, config) => {
      const { renewCertificates } = await import('./acme/acme-cli.ts');
      const { renewTopic } = await import('./acme/acme-source.ts');
      const { serverRuns } = await import('./store/server-lock.ts');
      const alive = setInterval(() => undefined, 1000); // pauses alone do not keep a process going
      try {
        return await renewCertificates(await certificateContext(ground, config), {
          runs: serverRuns(config.dataDir),
          ask: () => ground.store.changes.change(async (_, announce) => announce(renewTopic, 'all')),
        });
      } finally {
        clearInterval(alive);
      }
    }),
  );
  reading(
    cert.command('trust').description('how clients come to trust the certificate authority of this server'),
  ).action(async () =>
    onGround(async (ground, config) =>
      (await import('./certificates/trust-cli.ts')).explainTrust(await trustContext(ground, config)),
    ),
  );
  reading(
    cert
      .command('client <name>')
      .description('issue a certificate that stands for a stream key; its passphrase is shown once')
      .requiredOption('--key-id <id>', 'public id of the stream key, as in `penstock key list`')
      .option('--days <number>', 'how long it is valid (default: 365)')
      .option('-o, --output <folder>', 'where its files go (default: this folder)'),
  ).action(async (name: string, options: { keyId: string; days?: string; output?: string }) =>
    onGround(async (ground, config) => {
      const { issueClientCertificate } = await import('./client-certificates/client-certificate-cli.ts');
      return issueClientCertificate({ ...options, name }, await clientContext(ground, config));
    }),
  );
  reading(cert.command('clients').description('all client certificates that were issued here')).action(
    async () =>
      onGround(async (ground, config) => {
        const { listClientCertificates } = await import('./client-certificates/client-certificate-cli.ts');
        return listClientCertificates(await clientContext(ground, config));
      }),
  );
  reading(
    cert
      .command('revoke <certificate>')
      .description('end client certificates for good, by serial number or name; live sessions end'),
  ).action(async (which: string) =>
    onGround(async (ground, config) => {
      const { revokeClientCertificate } = await import('./client-certificates/client-certificate-cli.ts');
      return revokeClientCertificate(which, await clientContext(ground, config));
    }),
  );
}

/** What a command makes of certificates is audited as what a server does. */
async function partsOn({ audit }: Ground) {
  const { auditCertificates } = await import('./certificate-audit.ts');
  const log = auditCertificates(commandLog(), audit, 'cli');
  return { clock: systemClock, random: systemRandom, log, machineName: hostname() };
}

async function certificateContext(ground: Ground, config: Config) {
  const { openLocalSource } = await import('./certificates/local-source.ts');
  const { ChallengeAnswers } = await import('./door/challenge-answers.ts');
  const { hosts, certsDir, acme } = config;
  const { certificate } = config.tls;
  const parts = await partsOn(ground);
  const chosen = {
    certificate: certificate === 'acme' ? 'self-signed' : certificate,
    hosts,
    certsDir,
  } as const;
  return {
    acme: certificate === 'acme' ? { ...acme, hosts, certsDir } : undefined,
    local: openLocalSource(chosen, parts),
    parts: { ...parts, answers: new ChallengeAnswers(), environment: process.env },
  };
}

async function authorityOf(ground: Ground, config: Config) {
  const { openAuthority } = await import('./appliance.ts');
  return openAuthority(config, await partsOn(ground));
}

const authorityFile = (config: Config) => join(config.certsDir, 'development', 'ca.pem');

async function trustContext(ground: Ground, config: Config) {
  const { doorUrls } = await import('./encoder-settings.ts');
  const { rtmps, https } = doorUrls(config);
  return {
    authorityPem: (await authorityOf(ground, config)).certificatePem,
    authorityFile: authorityFile(config),
    served: config.tls.certificate === 'self-signed',
    rtmpsUrl: rtmps,
    httpsUrl: https,
  };
}

async function clientContext(ground: Ground, config: Config) {
  const { store, audit } = ground;
  const { doorUrls } = await import('./encoder-settings.ts');
  return {
    store,
    audit,
    clock: systemClock,
    random: systemRandom,
    source: 'cli',
    authority: () => authorityOf(ground, config),
    clientAuth: config.tls.clientAuth,
    rtmpsUrl: doorUrls(config).rtmps,
    caFile: config.tls.certificate === 'self-signed' ? authorityFile(config) : undefined,
  };
}
