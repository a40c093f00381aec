// The roof: builds every room and joins them, starts them in order and stops them in the reverse. Nothing here
// decides anything; whoever wants to know how the rooms hang together reads this file.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AcmeSource, renewTopic } from './acme/acme-source.ts';
import { ApplianceMetrics } from './appliance-metrics.ts';
import { auditCertificates } from './certificate-audit.ts';
import { Archive } from './archive/archive.ts';
import type { VaultEncryption } from './archive/recording-vault.ts';
import { CertificateKeeper } from './certificates/certificate-keeper.ts';
import { type DevelopmentAuthority, leafNames } from './certificates/development-authority.ts';
import { DevelopmentSource } from './certificates/development-source.ts';
import { ChallengeAnswers } from './door/challenge-answers.ts';
import { openLocalSource } from './certificates/local-source.ts';
import { ClientCertificateGate } from './client-certificates/client-certificate-gate.ts';
import type { Config } from './config.ts';
import { createHttpHandler } from './console/http-handler.ts';
import { DoorServer } from './door/door-server.ts';
import { linkSecretLength } from './download/signed-link.ts';
import { type DoorUrls, doorUrls, encoderUrls } from './encoder-settings.ts';
import { SetupError } from './errors.ts';
import { EvidenceKeeper } from './evidence/evidence-keeper.ts';
import { openEvidenceKey } from './evidence/evidence-key.ts';
import { prepareKeyExchange } from './handshake/key-exchange.ts';
import { createStreamHub } from './hub/stream-hub.ts';
import { type KeyGate, openKeyGate } from './keys/key-gate.ts';
import { pepperLength, SecretHasher } from './keys/secret-hasher.ts';
import { openTokenGate } from './tokens/token-gate.ts';
import { parseAddressBlock } from './ops/address.ts';
import { streamMatches } from './ops/names.ts';
import type { Clock } from './ops/clock.ts';
import type { Component } from './ops/component.ts';
import type { Log } from './ops/log.ts';
import type { Random } from './ops/random.ts';
import { createRecorder } from './recorder/recorder.ts';
import { RetentionKeeper } from './retention/retention-keeper.ts';
import { SessionRegistry } from './session/session-registry.ts';
import { type AuditLog, openAuditLog } from './store/audit-log.ts';
import { openLiveSessionStore } from './store/live-session-store.ts';
import { openSecretFile } from './store/secret-file.ts';
import { lockForServing, type ServerLock } from './store/server-lock.ts';
import { openStore, type Store } from './store/store.ts';

/** Milliseconds that the doors wait at most for the repair of what a killed server left; the rest goes on beside. */
const recoveryPatience = 2000;

export interface ApplianceParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What this machine calls itself, for the development certificate. */
  readonly machineName: string;
}

/** What the server and every command stand on: the database and the pepper of the key hashes. */
export interface Ground {
  readonly store: Store;
  readonly hasher: SecretHasher;
  /** Close it before the store. */
  readonly audit: AuditLog;
  readonly metrics: ApplianceMetrics;
}

/** @throws SetupError when the data folder, the database or the pepper cannot be used. */
export async function openGround(
  config: Config,
  parts: Omit<ApplianceParts, 'machineName'>,
): Promise<Ground> {
  const { clock, random } = parts;
  const metrics = new ApplianceMetrics();
  const log = metrics.listenTo(parts.log);
  try {
    mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SetupError('DATA_FOLDER_UNUSABLE', `the data folder cannot be made: ${reason}`, {
      hint: 'choose another folder with --data-dir or dataDir, or give this user the right to write there',
      cause: error,
    });
  }
  const store = await openStore({ folder: config.dataDir, clock, log });
  try {
    const path = join(config.dataDir, 'pepper');
    const hasher = new SecretHasher(openSecretFile({ path, length: pepperLength, random }));
    const audit = openAuditLog({ db: store.db, folder: config.dataDir, clock, log });
    return { store, hasher, audit, metrics };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** @throws SetupError when the key of encrypted recordings cannot be had. */
export async function openArchive(
  config: Config,
  { store }: Ground,
  parts: Omit<ApplianceParts, 'machineName'>,
): Promise<Archive> {
  const { encryption } = config.recorder;
  return new Archive({
    ...parts,
    encryption: encryption === null ? undefined : await openEncryption(encryption, parts.random),
    folder: config.recorder.directory,
    db: store.db,
    minFreeSpace: config.recorder.minFreeSpace,
  });
}

async function openEncryption(
  { keyFile, keyCommand = [], streams }: NonNullable<Config['recorder']['encryption']>,
  random: Random,
): Promise<VaultEncryption> {
  const { loadDataKey } = await import('./encryption/data-key.ts');
  return {
    key: await loadDataKey(keyFile === undefined ? { keyCommand } : { keyFile }),
    applies: (stream) => streams === null || streams.some((pattern) => streamMatches(pattern, stream)),
    random: (length) => random.bytes(length),
  };
}

/** What links to recordings are signed with, made when there is none; without the file every link given out is bad. */
export function openLinkSecret(dataFolder: string, random: Random): Uint8Array {
  return openSecretFile({ path: join(dataFolder, 'link-secret'), length: linkSecretLength, random });
}

/** The authority of this installation, made when there is none. */
export function openAuthority(config: Config, parts: ApplianceParts): Promise<DevelopmentAuthority> {
  const names = leafNames(parts.machineName, config.hosts);
  return new DevelopmentSource(config.certsDir, names, parts).openAuthority();
}

/** A running server. `stop` tells publishers, seals their files and leaves nothing behind. */
export interface Appliance extends Component {
  /** URLs of the open doors with their real ports, once started. */
  readonly urls: DoorUrls;
  /** Real ports of the listeners in their order, once started. */
  readonly ports: readonly number[];
  /** What clients of the development certificate have to trust. */
  readonly caFile: string | undefined;
  /** Whether there is no certificate from ACME yet: the one of `caFile` is served for a while. */
  readonly awaitsCertificate: boolean;
}

/** Builds the whole house on the ground; nothing is open until start(). */
export async function buildAppliance(
  config: Config,
  ground: Ground,
  given: ApplianceParts,
): Promise<Appliance> {
  const { store, hasher, audit, metrics } = ground;
  const parts = { ...given, log: metrics.listenTo(given.log) };
  const { clock, random, log } = parts;
  const serverId = Buffer.from(random.bytes(8)).toString('hex');
  const liveSessions = openLiveSessionStore({ store, clock, log, serverId });
  const hub = createStreamHub({ clock, log, duplicatePublisher: config.duplicatePublisher });
  const archive = await openArchive(config, ground, parts);
  const recorder = createRecorder({ hub, archive, clock, log, ...config.recorder });
  const settings = config.recorder.retention;
  const evidence = new EvidenceKeeper({ archive, key: openEvidenceKey(config.dataDir, random), clock, log });
  const retention = new RetentionKeeper({ archive, settings, audit, clock, log, source: 'server' });
  const { clientAuth } = config.tls;
  const certificateParts = { ...parts, log: auditCertificates(log, audit, 'server') };
  const authority = clientAuth === 'none' ? undefined : await openAuthority(config, certificateParts);
  const clientAuthority = authority?.certificatePem;
  const clients =
    clientAuthority === undefined
      ? undefined
      : new ClientCertificateGate({ store, clock, log, authorityPem: clientAuthority });
  const gate: KeyGate = await openKeyGate({
    store,
    hasher,
    clock,
    random,
    log,
    audit: metrics.countRefusals(audit),
    certificates: clients,
  });
  const { limits, signIn } = config;
  const { changes } = store;
  const sessions = new SessionRegistry({
    clock,
    random,
    log,
    limits,
    gate,
    hub,
    signIn,
    liveSessions,
    recordings: () => recorder.active,
    changes,
  });
  const challenges = new ChallengeAnswers();
  const { certificate } = config.tls;
  const names = { hosts: config.hosts, certsDir: config.certsDir };
  const chosen = { ...names, certificate: certificate === 'acme' ? 'self-signed' : certificate } as const;
  const local = openLocalSource(chosen, certificateParts);
  const acme =
    certificate === 'acme'
      ? new AcmeSource({ ...config.acme, ...names }, local, {
          ...certificateParts,
          answers: challenges,
          environment: process.env,
        })
      : undefined;
  if (acme !== undefined) changes.on(renewTopic, () => acme.renew());
  const certificates = new CertificateKeeper(acme ?? local, { ...certificateParts, clientAuthority });
  let ready = false;
  let lock: ServerLock | undefined;
  let door: DoorServer | undefined;
  const ports = () => door?.addresses.map(({ port }) => port);
  const urls = () => doorUrls(config, ports());
  metrics.observe({ hub, recorder, archive, sessions, certificates, door: () => door, clock });
  const onRequest = createHttpHandler({
    archive,
    streams: liveSessions,
    tokenGate: openTokenGate({ store, hasher, clock, audit }),
    keys: {
      store,
      hasher,
      random,
      clock,
      audit,
      get serverUrls() {
        return encoderUrls(urls());
      },
    },
    audit,
    linkSecret: openLinkSecret(config.dataDir, random),
    ready: () => ready,
    health: () => metrics.health(),
    metrics: () => metrics.expose(),
    clock,
    log,
  });

  return {
    get urls() {
      return urls();
    },
    get ports() {
      return ports() ?? [];
    },
    get caFile() {
      return certificates.caFile;
    },
    get awaitsCertificate() {
      return acme !== undefined && certificates.kind === 'development';
    },
    start: async () => {
      for (const warning of config.warnings) log.warn('config.doubted', { warning });
      const accepted = new Set(config.listeners.flatMap(({ accept }) => accept));
      if (accepted.has('rtmpe') || accepted.has('rtmpte')) prepareKeyExchange();
      lock = lockForServing(config.dataDir); // before anything of another server's could be touched
      audit.keepFile();
      audit.note({ action: 'server.started', source: 'server' });
      const { file: _file, warnings: _warnings, ...settings } = config;
      await audit.noteSettings(settings);
      await archive.beginRecovery(recoveryPatience);
      await archive.watchSpace();
      metrics.start();
      await retention.start();
      await evidence.start();
      await certificates.start();
      await recorder.start();
      await sessions.start();
      door = new DoorServer({
        listeners: config.listeners.map(({ address, accept }) => ({ ...address, accept })),
        limits,
        ingestLatency: config.ingestLatency,
        tls: { minVersion: config.tls.minVersion, ticketKeys: random.bytes(48), clientAuth, clientAuthority },
        certificates,
        challenges,
        trustedProxies: config.trustedProxies.flatMap((block) => parseAddressBlock(block) ?? []),
        turnsAway: (address) => gate.turnsAway(address),
        betterUrl: (wanted) => {
          if (wanted === 'http') return urls().https;
          const [url] = Object.values(encoderUrls(urls())); // the safest first
          return url === undefined ? undefined : `${url}/live`;
        },
        clock,
        random,
        log,
        onTransport: (transport) => sessions.open(transport),
        onRequest,
      });
      await door.start();
      acme?.begin();
      ready = true;
      log.info('appliance.started', {
        listeners: door.addresses.map(({ host, port }) => `${host}:${port}`).join(' '),
      });
    },
    stop: async () => {
      ready = false;
      door?.stopAccepting();
      await sessions.stop();
      await recorder.stop();
      await retention.stop();
      await evidence.stop();
      await archive.stop();
      metrics.stop();
      await door?.stop();
      await certificates.stop();
      await liveSessions.close();
      await gate.close();
      clients?.close();
      if (lock !== undefined) audit.note({ action: 'server.stopped', source: 'server' });
      await audit.close();
      await store.close();
      lock?.release();
      log.info('appliance.stopped');
    },
  };
}
