// Binds the verbs of live streams and of recordings.
import type { Command } from 'commander';
import type { Archive } from './archive/archive.ts';
import {
  commandLog,
  onArchive,
  onGround,
  openTheArchive,
  print,
  program,
  reading,
  writeOut,
} from './cli-ground.ts';
import type { Config } from './config.ts';
import { SetupError } from './errors.ts';
import { systemClock } from './ops/clock.ts';
import { systemRandom } from './ops/random.ts';
import type { Report } from './ops/report.ts';

export function addStreamCommands(): void {
  const stream = program.command('stream').description('live streams');
  reading(stream.command('list').description('what is being published now')).action(async () =>
    onGround(async (ground) => {
      const { openLiveSessionStore } = await import('./store/live-session-store.ts');
      const { listStreams } = await import('./session/stream-cli.ts');
      return listStreams(
        openLiveSessionStore({ store: ground.store, clock: systemClock, log: commandLog() }),
      );
    }),
  );
  reading(stream.command('kick <stream>').description('end the session that publishes a stream')).action(
    async (name: string) =>
      onGround(async ({ store }) => {
        const { openLiveSessionStore } = await import('./store/live-session-store.ts');
        const { kickStream } = await import('./session/stream-cli.ts');
        const liveSessions = openLiveSessionStore({ store, clock: systemClock, log: commandLog() });
        return kickStream(name, liveSessions, store.changes);
      }),
  );
}

export function addRecordingCommands(): void {
  const recording = program.command('recording').description('recordings');
  reading(recording.command('list').description('all recordings, oldest first'))
    .option('--stream <stream>', 'of this stream only')
    .option('--since <when>', 'begun since this ISO date, or so long ago, such as 24h')
    .action(async (options: { stream?: string; since?: string }) =>
      onArchive(async (archive, verbs) => verbs.listRecordings(archive, options, systemClock.now())),
    );
  reading(recording.command('show <id>').description('one recording')).action(async (id: string) =>
    onArchive(async (archive, verbs) => verbs.showRecording(archive, id)),
  );
  reading(
    recording.command('get <id>').description('copy a recording, also one in progress, out of the archive'),
  )
    .option('-o, --output <file>', 'a new file, or - for standard output')
    .option('--event', 'all segments of its event, as one file')
    .action(async (id: string, options: { output?: string; event?: boolean }) =>
      onArchive(async (archive, verbs, audit) => {
        const report = await verbs.getRecording(archive, { ...options, id, writeOut });
        audit.note({ action: 'recording.downloaded', source: 'cli', detail: `recording ${id}` });
        return report;
      }),
    );
  reading(recording.command('delete <id>').description('delete a finished recording, file and all')).action(
    async (id: string) =>
      onArchive(async (archive, verbs, audit) => {
        const report = await verbs.deleteRecording(archive, id);
        audit.note({ action: 'recording.deleted', source: 'cli', detail: `recording ${id}` });
        return report;
      }),
  );
  reading(recording.command('link <id>').description('an address that opens a recording for a while'))
    .option('--ttl <duration>', 'how long, at most 24h (default: 1h)')
    .action(async (id: string, { ttl }: { ttl?: string }) =>
      onGround(async (ground, config) => {
        const { openLinkSecret } = await import('./appliance.ts');
        const { doorUrls } = await import('./encoder-settings.ts');
        const { linkRecording } = await import('./download/link-cli.ts');
        const secret = openLinkSecret(config.dataDir, systemRandom);
        const baseUrl = doorUrls(config).https;
        const archive = await openTheArchive(ground, config);
        const report = await linkRecording(archive, { id, ttl, baseUrl, secret, now: systemClock.now() });
        ground.audit.note({ action: 'recording.linked', source: 'cli', detail: `recording ${id}` });
        return report;
      }),
    );
  addRetentionCommands(recording);
  addEvidenceCommands(recording);
}

function addRetentionCommands(recording: Command): void {
  for (const [name, locked, description] of [
    ['lock', true, 'keep a recording from retention and deletion'],
    ['unlock', false, 'let go of a locked recording'],
  ] as const) {
    reading(recording.command(`${name} <id>`).description(description))
      .option('--event', 'all segments of its event')
      .action(async (id: string, { event }: { event?: boolean }) =>
        onArchive(async (archive, _verbs, audit) => {
          const { lockRecording } = await import('./retention/retention-cli.ts');
          return lockRecording(archive, { id, locked, event }, audit);
        }),
      );
  }
  reading(recording.command('prune').description('delete what recorder.retention says, now'))
    .option('--dry-run', 'only say what would go, and why')
    .action(async (options: { dryRun?: boolean }) =>
      onGround(async (ground, config) => {
        const { pruneByHand } = await import('./retention/retention-cli.ts');
        const archive = await openTheArchive(ground, config);
        const settings = config.recorder.retention;
        const tools = { audit: ground.audit, clock: systemClock, log: commandLog(), source: 'cli' } as const;
        return pruneByHand({ archive, settings, ...tools }, options);
      }),
    );
}

function addEvidenceCommands(recording: Command): void {
  reading(recording.command('verify [id]').description('check recordings against what was signed of them'))
    .option('--file <file>', 'check this file and the manifest beside it; needs no data folder')
    .option('--public-key <file>', 'with --file: evidence-key.pub.pem of the server that recorded')
    .action(async (id: string | undefined, options: { file?: string; publicKey?: string }) => {
      const { verifyFile, verifyRecordings } = await import('./evidence/evidence-cli.ts');
      const { serverRuns } = await import('./store/server-lock.ts');
      if (options.file === undefined && options.publicKey === undefined) {
        await onGround(async (ground, config) =>
          verifyRecordings(await openTheArchive(ground, config), {
            id,
            dataFolder: config.dataDir,
            wait: serverRuns(config.dataDir)
              ? (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))
              : undefined,
          }),
        );
      } else if (options.file === undefined || options.publicKey === undefined || id !== undefined) {
        throw new SetupError('ARGUMENT_INVALID', '--file and --public-key belong together, without an ID', {
          hint: 'penstock recording verify --file FILE.flv --public-key evidence-key.pub.pem',
        });
      } else print(await verifyFile(options.file, options.publicKey));
    });
  reading(
    recording.command('repair [file]').description('mend a damaged FLV file, or what a crash left behind'),
  )
    .option('-o, --output <file>', 'a new file, in place of FILE.repaired.flv')
    .action(async (file: string | undefined, { output }: { output?: string }) => {
      const { repairArchive, repairFile } = await import('./archive/recording-cli.ts');
      if (file !== undefined) print(await repairFile(file, output));
      else await withoutServer(async (archive) => repairArchive(archive));
    });
  reading(
    recording
      .command('reindex')
      .description('make the list of recordings anew from the files, as far as it is lost'),
  ).action(async () =>
    withoutServer(async (archive, config) => {
      const { reindex } = await import('./evidence/evidence-cli.ts');
      return reindex(archive, config.dataDir);
    }),
  );
}

/** For verbs that would get in the way of a server: it must not run, nor start meanwhile. */
async function withoutServer(verb: (archive: Archive, config: Config) => Promise<Report>): Promise<void> {
  await onGround(async (ground, config) => {
    const { lockForServing } = await import('./store/server-lock.ts');
    const lock = lockForServing(config.dataDir);
    try {
      return await verb(await openTheArchive(ground, config), config);
    } finally {
      lock.release();
    }
  });
}
