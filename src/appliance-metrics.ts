// What GET /metrics and /readyz tell of an appliance: every metric with its name, and where it is read. Nothing is
// counted on the hot path: rooms are asked when somebody scrapes, and what goes wrong is counted where it is logged.
import { readdirSync, readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Archive } from './archive/archive.ts';
import type { CertificateKeeper } from './certificates/certificate-keeper.ts';
import { consoleLimits } from './console/console-limits.ts';
import type { Health } from './console/http-api.ts';
import type { DoorServer } from './door/door-server.ts';
import type { StreamHub } from './hub/stream-hub.ts';
import type { Clock } from './ops/clock.ts';
import type { Log, LogFields } from './ops/log.ts';
import { type Counter, Metrics, type Sample } from './ops/metrics.ts';
import type { Recorder } from './recorder/recorder.ts';
import type { SessionRegistry } from './session/session-registry.ts';
import type { AuditLog } from './store/audit-log.ts';

/** The rooms that are asked. */
export interface MetricSources {
  readonly hub: StreamHub;
  readonly recorder: Recorder;
  readonly archive: Pick<Archive, 'freeBytes' | 'spaceState'>;
  readonly sessions: SessionRegistry;
  readonly certificates: Pick<CertificateKeeper, 'served' | 'kind'>;
  /** Undefined before the start. */
  readonly door: () => Pick<DoorServer, 'figures'> | undefined;
  readonly clock: Clock;
}

/** Milliseconds between two looks at how late timers come. */
const delayResolution = 100;
/** Log events that mean that the database could not be read or written. */
const storeFailures = 'store.failed audit.failed heartbeat.failed stream-list.failed key-use.lost'.split(' ');

export class ApplianceMetrics {
  readonly #metrics = new Metrics(consoleLimits.metricSeries);
  readonly #events: Counter;
  readonly #refusals: Counter;
  readonly #delay = monitorEventLoopDelay({ resolution: delayResolution });
  #finishedBytes = 0;
  #sources: MetricSources | undefined;

  constructor() {
    this.#events = this.#metrics.counter(
      'penstock_log_events_total',
      'Lines of the log, by event and level.',
    );
    this.#refusals = this.#metrics.counter(
      'penstock_key_refusals_total',
      'Stream keys refused, by true reason.',
    );
  }

  /** The same log, with its lines counted. */
  listenTo(target: Log): Log {
    const counted = (level: 'debug' | 'info' | 'warn' | 'error') => (event: string, fields?: LogFields) => {
      this.#events.add(1, { event, level });
      const bytes = fields?.['bytes'];
      if (event === 'recording.sealed' && typeof bytes === 'number') this.#finishedBytes += bytes;
      target[level](event, fields);
    };
    return {
      debug: counted('debug'),
      info: counted('info'),
      warn: counted('warn'),
      error: counted('error'),
      with: (fields) => this.listenTo(target.with(fields)),
    };
  }

  /** The same audit log, with refused keys counted. */
  countRefusals(audit: Pick<AuditLog, 'note'>): Pick<AuditLog, 'note'> {
    return {
      note: (line) => {
        if (line.action === 'key.refused') this.#refusals.add(1, { reason: line.detail ?? 'unknown' });
        audit.note(line);
      },
    };
  }

  /** Once. */
  observe(sources: MetricSources): void {
    this.#sources = sources;
    this.#observeProcess();
    this.#observeDoors(sources);
    this.#observeStreams(sources);
    this.#observeRecordings(sources);
    this.#observeCertificates(sources);
  }

  start(): void {
    this.#delay.enable();
  }

  stop(): void {
    this.#delay.disable();
  }

  expose(): Promise<string> {
    return this.#metrics.expose();
  }

  /** For whoever asks, token or not: states only. */
  health(): Health {
    const { recorder, archive, certificates, clock } = this.#sources ?? {};
    const failing =
      archive?.spaceState === 'stop' ||
      recorder?.active.some(({ state }) => state === 'failed' || state === 'stalled') === true;
    const expired = certificates?.served.some(({ notAfter }) => notAfter <= (clock?.now() ?? 0)) === true;
    return {
      recording: failing ? 'failing' : 'ok',
      certificate: expired ? 'expired' : certificates?.kind === 'development' ? 'development' : 'ok',
    };
  }

  #observeProcess(): void {
    const metrics = this.#metrics;
    const labels = { version: version(), node: process.versions.node };
    metrics.gauge('penstock_build_info', 'Always 1; the labels tell the version.', () => [
      { value: 1, labels },
    ]);
    metrics.gauge('penstock_start_time_seconds', 'When the process started, since the Unix epoch.', () => {
      return performance.timeOrigin / 1000;
    });
    metrics.counted('penstock_cpu_seconds_total', 'CPU time of the process, user and system.', () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    });
    metrics.gauge('penstock_resident_memory_bytes', 'Memory that the process holds.', () =>
      process.memoryUsage.rss(),
    );
    metrics.gauge('penstock_open_fds', 'File descriptors that the process has open.', () => {
      return readdirSync('/proc/self/fd').length;
    });
    const help = 'How late the event loop came to its timers, at worst, since the last scrape.';
    metrics.gauge('penstock_event_loop_delay_seconds', help, () => {
      const worst = Math.max(0, this.#delay.max / 1e6 - delayResolution) / 1000;
      this.#delay.reset();
      return worst;
    });
  }

  #observeDoors({ door, sessions }: MetricSources): void {
    const metrics = this.#metrics;
    metrics.gauge(
      'penstock_connections',
      'TCP connections that are open.',
      () => door()?.figures.connections,
    );
    metrics.gauge(
      'penstock_handshakes',
      'Connections that have not shown a good key yet, TLS and RTMP handshakes among them.',
      () => door()?.figures.strangers,
    );
    metrics.gauge('penstock_tunnels', 'RTMPT tunnels that are open.', () => door()?.figures.tunnels);
    metrics.counted(
      'penstock_connections_refused_total',
      'Connections turned away, by the code of the error.',
      () => samplesOf(Object.entries(door()?.figures.refused ?? {}), 'code'),
    );
    metrics.gauge('penstock_sessions', 'RTMP sessions that are open, by door.', () =>
      samplesOf(sessions.figures.doors, 'door'),
    );
    metrics.counted(
      'penstock_sessions_total',
      'RTMP sessions since the start.',
      () => sessions.figures.opened,
    );
  }

  #observeStreams({ hub, sessions }: MetricSources): void {
    const metrics = this.#metrics;
    metrics.gauge('penstock_publications', 'Streams that are live.', () => hub.publications.length);
    metrics.counted('penstock_received_bytes_total', 'Media received by all publications.', () => {
      return sessions.figures.receivedBytes;
    });
    metrics.counted(
      'penstock_stream_received_bytes_total',
      'Media received of each live stream, since its publication began.',
      () => samplesOf(sessions.figures.streams, 'stream'),
    );
    metrics.counted('penstock_subscribers_failed_total', 'Subscribers dropped because they failed.', () => {
      return hub.failedSubscribers;
    });
    metrics.counted(
      'penstock_store_failures_total',
      'Times that the database could not be read or written.',
      () => storeFailures.reduce((sum, event) => sum + this.#events.total({ event }), 0),
    );
  }

  #observeRecordings({ recorder, archive }: MetricSources): void {
    const metrics = this.#metrics;
    const live = () => recorder.active.filter(({ state }) => state === 'recording').length;
    metrics.gauge('penstock_recordings', 'Recordings that are being written.', live);
    metrics.gauge('penstock_recordings_failing', 'Streams whose recording fails or stalls now.', () => {
      return recorder.active.filter(({ state }) => state === 'failed' || state === 'stalled').length;
    });
    let written = 0;
    metrics.counted('penstock_recording_written_bytes_total', 'Bytes written to recordings.', () => {
      const active = recorder.active.reduce((sum, { bytes }) => sum + bytes, 0);
      return (written = Math.max(written, this.#finishedBytes + active)); // for a moment one may be in both
    });
    metrics.counted(
      'penstock_recording_failures_total',
      'Times that a recording could not be written.',
      () => {
        return this.#events.total({ event: 'recording.failed' });
      },
    );
    metrics.gauge('penstock_recording_waiting_bytes', 'Bytes in memory that wait for the disk.', () => {
      return recorder.waitingBytes;
    });
    metrics.gauge(
      'penstock_recording_free_bytes',
      'Bytes that are free on the volume of the recordings.',
      () => {
        return Number.isFinite(archive.freeBytes) ? archive.freeBytes : undefined;
      },
    );
  }

  #observeCertificates({ certificates }: MetricSources): void {
    const metrics = this.#metrics;
    const help = 'When each certificate that is served expires, since the Unix epoch.';
    metrics.gauge('penstock_certificate_not_after_seconds', help, () => {
      const ends = new Map<string, number>();
      for (const { names, notAfter } of certificates.served) {
        const name = names.join(',');
        ends.set(name, Math.min(notAfter / 1000, ends.get(name) ?? Infinity));
      }
      return samplesOf(ends, 'names');
    });
    metrics.gauge(
      'penstock_certificate_development',
      '1 while the certificate is of the development CA.',
      () => Number(certificates.kind === 'development'),
    );
  }
}

function samplesOf(entries: Iterable<readonly [string, number]>, label: string): readonly Sample[] {
  return [...entries].map(([name, value]) => ({ value, labels: { [label]: name } }));
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}
