import { describe, expect, it } from 'vitest';
import { ApplianceMetrics, type MetricSources } from '../src/appliance-metrics.ts';
import { parseExposition } from './support/exposition.ts';
import { metricSources } from './support/metric-sources.ts';
import { RecordedAudit } from './support/recorded-audit.ts';
import { RecordedLog } from './support/recorded-log.ts';

function observed(overrides: Partial<MetricSources> = {}) {
  const metrics = new ApplianceMetrics();
  const sources = metricSources(overrides);
  metrics.observe(sources);
  const read = async (name: string) =>
    (parseExposition(await metrics.expose()).get(name)?.samples ?? []).map(({ labels, value }) =>
      [...Object.values(labels), value].join(' '),
    );
  return { metrics, sources, read };
}

describe('the metrics of an appliance', () => {
  it.each([
    ['penstock_connections', ['5']],
    ['penstock_handshakes', ['2']],
    ['penstock_connections_refused_total', ['TOO_MANY_CONNECTIONS 4', 'ADDRESS_LOCKED_OUT 0']],
    ['penstock_sessions', ['rtmps 2', 'rtmpe 1']],
    ['penstock_publications', ['2']],
    ['penstock_received_bytes_total', ['1700']],
    ['penstock_stream_received_bytes_total', ['live/a 700']],
    ['penstock_subscribers_failed_total', ['3']],
    ['penstock_recordings', ['1']],
    ['penstock_recordings_failing', ['2']],
    ['penstock_recording_free_bytes', ['5000000000']],
    ['penstock_certificate_not_after_seconds', [`a.example,b.example ${Date.UTC(2027, 0, 1) / 1000}`]],
    ['penstock_certificate_development', ['0']],
  ])('%s', async (name, samples) => expect(await observed().read(name)).toEqual(samples));

  it('are of this process', async () => {
    const { read, metrics } = observed();
    metrics.start();
    const [memory, fds, cpu, started] = await Promise.all(
      ['resident_memory_bytes', 'open_fds', 'cpu_seconds_total', 'start_time_seconds'].map(async (name) =>
        Number((await read(`penstock_${name}`))[0]),
      ),
    );
    metrics.stop();
    expect(memory).toBeGreaterThan(1e7);
    expect(fds).toBeGreaterThan(3);
    expect(cpu).toBeGreaterThan(0);
    expect(Math.abs(Date.now() / 1000 - (started ?? 0))).toBeLessThan(3600);
  });

  it('count what is logged, and hand it on', async () => {
    const { metrics, read } = observed();
    const log = new RecordedLog();
    const counted = metrics.listenTo(log);
    counted.with({ session: 's1' }).error('recording.failed', { code: 'DISK_FULL' });
    counted.error('recording.failed');
    counted.error('store.failed');
    counted.warn('heartbeat.failed');
    expect(log.of('recording.failed')).toMatchObject([{ session: 's1', code: 'DISK_FULL' }, {}]);
    expect(await read('penstock_recording_failures_total')).toEqual(['2']);
    expect(await read('penstock_store_failures_total')).toEqual(['2']);
    expect(await read('penstock_log_events_total')).toContain('recording.failed error 2');
  });

  it('count refused keys by reason, and no others', async () => {
    const { metrics, read } = observed();
    const audit = new RecordedAudit();
    const counted = metrics.countRefusals(audit);
    counted.note({ action: 'key.refused', source: '203.0.113.7', detail: 'revoked' });
    counted.note({ action: 'key.used', source: '203.0.113.7' });
    expect(await read('penstock_key_refusals_total')).toEqual(['revoked 1']);
    expect(audit.lines).toHaveLength(2);
  });

  it('never count written bytes backwards when a recording is sealed', async () => {
    let bytes = 600;
    const recorder = {
      get active() {
        return bytes === 0 ? [] : [{ state: 'recording', bytes }];
      },
      waitingBytes: 0,
    } as unknown as MetricSources['recorder'];
    const { metrics, read } = observed({ recorder });
    expect(await read('penstock_recording_written_bytes_total')).toEqual(['600']);
    metrics.listenTo(metricSources.log).info('recording.sealed', { bytes: 900 });
    expect(await read('penstock_recording_written_bytes_total')).toEqual(['1500']); // both, for a moment
    bytes = 0;
    expect(await read('penstock_recording_written_bytes_total')).toEqual(['1500']);
  });

  it('are silent about what is not known yet', async () => {
    const { read } = observed({
      door: () => undefined,
      archive: { freeBytes: Infinity, spaceState: 'ample' },
    });
    expect(await read('penstock_connections')).toEqual([]);
    expect(await read('penstock_recording_free_bytes')).toEqual([]);
  });
});

describe('the health of an appliance', () => {
  const recorderIn = (...states: string[]) =>
    ({
      active: states.map((state) => ({ state, bytes: 0 })),
      waitingBytes: 0,
    }) as unknown as MetricSources['recorder'];
  const served = (notAfter: number) => [{ names: ['a'], notAfter }];
  const later = Date.UTC(2027, 0, 1);

  it.each([
    ['all well', { recorder: recorderIn('recording', 'interrupted') }, 'ok', 'ok'],
    ['a recording fails', { recorder: recorderIn('recording', 'failed') }, 'failing', 'ok'],
    ['a disk stalls', { recorder: recorderIn('stalled') }, 'failing', 'ok'],
    ['no space', { recorder: recorderIn(), archive: { freeBytes: 1, spaceState: 'stop' } }, 'failing', 'ok'],
    ['low space', { recorder: recorderIn(), archive: { freeBytes: 1, spaceState: 'low' } }, 'ok', 'ok'],
    [
      'development',
      { recorder: recorderIn(), certificates: { kind: 'development', served: served(later) } },
      'ok',
      'development',
    ],
    [
      'expired',
      { recorder: recorderIn(), certificates: { kind: 'acme', served: served(1) } },
      'ok',
      'expired',
    ],
  ] as const)('%s', (_, overrides, recording, certificate) => {
    expect(observed(overrides).metrics.health()).toEqual({ recording, certificate });
  });
});
