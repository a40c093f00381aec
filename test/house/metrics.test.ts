// docs/metrics.md lists what GET /metrics of a running appliance tells: every metric with its type and labels.
import { describe, expect, it } from 'vitest';
import { ApplianceMetrics } from '../../src/appliance-metrics.ts';
import { metricSources } from '../support/metric-sources.ts';
import { parseExposition } from '../support/exposition.ts';
import { textOf, trouble } from '../support/tree.ts';

const rows = [...textOf('docs/metrics.md').matchAll(/^\| `(penstock_\w+)` \| (\w+) \|([^|]*)\|/gm)].map(
  ([, name = '', kind = '', labels = '']) => `${name} ${kind} ${labels.replace(/[` ]/g, '')}`,
);

describe('docs/metrics.md', () => {
  it('lists every metric with its type and labels, and no other', async () => {
    const metrics = new ApplianceMetrics();
    metrics.observe(metricSources());
    metrics.listenTo(metricSources.log).info('thing.done');
    metrics
      .countRefusals({ note: () => undefined })
      .note({ action: 'key.refused', source: 'x', detail: 'revoked' });
    const exposed = [...parseExposition(await metrics.expose()).values()].map(({ name, kind, samples }) => {
      return `${name} ${kind} ${Object.keys(samples[0]?.labels ?? {}).join(',')}`;
    });
    expect(
      trouble(
        exposed.filter((one) => !rows.includes(one)),
        'add or mend a row of docs/metrics.md',
      ),
    ).toBe('');
    expect(
      trouble(
        rows.filter((one) => !exposed.includes(one)),
        'no appliance tells these',
      ),
    ).toBe('');
    expect(new Set(rows).size).toBe(rows.length);
  });
});
