// An appliance as its metrics see it: some of everything, so that no metric is silent.
import type { MetricSources } from '../../src/appliance-metrics.ts';
import { silentLog } from '../../src/ops/log.ts';
import { FakeClock } from './fake-clock.ts';

type Active = MetricSources['recorder']['active'][number];

/** In every state one recording of 1000 bytes, 600 of them while it goes well. */
export function metricSources(overrides: Partial<MetricSources> = {}): MetricSources {
  const active = (['recording', 'failed', 'stalled', 'interrupted'] as const).map(
    (state) => ({ state, bytes: state === 'recording' ? 600 : 100 }) as Active,
  );
  return {
    hub: { publications: [{}, {}], failedSubscribers: 3 } as unknown as MetricSources['hub'],
    recorder: { active, waitingBytes: 4096 } as unknown as MetricSources['recorder'],
    archive: { freeBytes: 5e9, spaceState: 'ample' },
    sessions: {
      figures: {
        opened: 9,
        doors: new Map([
          ['rtmps', 2],
          ['rtmpe', 1],
        ]),
        streams: new Map([['live/a', 700]]),
        receivedBytes: 1700,
      },
    } as unknown as MetricSources['sessions'],
    certificates: {
      kind: 'files',
      served: [
        { names: ['a.example', 'b.example'], notAfter: Date.UTC(2027, 0, 1) },
        { names: ['a.example', 'b.example'], notAfter: Date.UTC(2027, 0, 2) },
      ],
    },
    door: () => ({
      figures: {
        connections: 5,
        strangers: 2,
        tunnels: 1,
        refused: { TOO_MANY_CONNECTIONS: 4, ADDRESS_LOCKED_OUT: 0 },
      },
    }),
    clock: new FakeClock(Date.UTC(2026, 0, 1)),
    ...overrides,
  };
}

metricSources.log = silentLog;
