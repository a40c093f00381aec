import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Counter, Metrics } from '../../src/ops/metrics.ts';
import { parseExposition } from '../support/exposition.ts';

describe('the exposition', () => {
  it('is what Prometheus reads', async () => {
    const metrics = new Metrics(10);
    const refused = metrics.counter('penstock_refused_total', 'Refused, by "reason".');
    metrics.gauge('penstock_free_bytes', 'Bytes\\free,\nnow.', () => 1.5e9);
    metrics.counted('penstock_seen_total', 'Counted elsewhere.', () => Promise.resolve(7));
    metrics.gauge('penstock_none', 'Nothing at this moment.', () => undefined);
    metrics.gauge('penstock_broken', 'Cannot be read.', () => {
      throw new Error('no');
    });
    metrics.gauge('penstock_odd', 'Odd values.', () => [
      { value: Infinity, labels: { of: 'a"b\\c\nd' } },
      { value: Number.NaN, labels: { of: '' } },
    ]);
    refused.add(1, { reason: 'expired' });
    refused.add(2, { reason: 'expired' });
    refused.add(1, { reason: 'revoked' });
    expect(await metrics.expose()).toBe(
      [
        '# HELP penstock_refused_total Refused, by "reason".',
        '# TYPE penstock_refused_total counter',
        'penstock_refused_total{reason="expired"} 3',
        'penstock_refused_total{reason="revoked"} 1',
        String.raw`# HELP penstock_free_bytes Bytes\\free,\nnow.`,
        '# TYPE penstock_free_bytes gauge',
        'penstock_free_bytes 1500000000',
        '# HELP penstock_seen_total Counted elsewhere.',
        '# TYPE penstock_seen_total counter',
        'penstock_seen_total 7',
        '# HELP penstock_odd Odd values.',
        '# TYPE penstock_odd gauge',
        String.raw`penstock_odd{of="a\"b\\c\nd"} +Inf`,
        'penstock_odd{of=""} NaN',
        '',
      ].join('\n'),
    );
  });

  it('survives any label, help and number', async () => {
    const value = fc.oneof(
      fc.double(),
      fc.integer(),
      fc.constantFrom(Infinity, -Infinity, Number.NaN, 1e21, 1e-9),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary' }),
        fc.string({ minLength: 1 }),
        value,
        async (label, help, number) => {
          const metrics = new Metrics(2);
          const written = help.replaceAll('\r', ' ');
          metrics.gauge('penstock_any', `.${written}`, () => [{ value: number, labels: { label } }]);
          const text = await metrics.expose();
          const family = parseExposition(text).get('penstock_any');
          expect(family?.samples).toEqual([{ labels: { label }, value: number === 0 ? 0 : number }]);
        },
      ),
      { seed: 7, numRuns: 200 },
    );
  });

  it('sums up what is beyond the limit, whoever counts', async () => {
    const metrics = new Metrics(2);
    const streams = ['a', 'b', 'c', 'd'].map((stream, index) => ({ value: index + 1, labels: { stream } }));
    metrics.gauge('penstock_read', 'Read.', () => streams);
    const counter = metrics.counter('penstock_added_total', 'Added.');
    for (const { value, labels } of streams) counter.add(value, labels);
    const families = parseExposition(await metrics.expose());
    for (const name of ['penstock_read', 'penstock_added_total']) {
      expect(families.get(name)?.samples).toEqual([
        { labels: { stream: 'a' }, value: 1 },
        { labels: { stream: 'b' }, value: 2 },
        { labels: { stream: '(other)' }, value: 7 },
      ]);
    }
  });

  it.each([
    'Upper_total',
    'penstock__x_total',
    'penstock_x',
    '1_total',
    'penstock-x_total',
    'penstock_one_total',
  ])('knows no counter %s', (name) => {
    const metrics = new Metrics(1);
    metrics.counter('penstock_one_total', 'One.');
    expect(() => metrics.counter(name, 'Two.')).toThrow(TypeError);
  });

  it('knows no gauge that reads like a counter', () => {
    expect(() => new Metrics(1).gauge('penstock_x_total', 'No.', () => 1)).toThrow(TypeError);
  });
});

describe('a counter', () => {
  it('tells the sum of the series with some labels', () => {
    const counter = new Counter(10);
    counter.add(1, { event: 'a', level: 'warn' });
    counter.add(2, { event: 'a', level: 'error' });
    counter.add(4, { event: 'b', level: 'error' });
    expect([counter.total({ event: 'a' }), counter.total({ level: 'error' }), counter.total()]).toEqual([
      3, 6, 7,
    ]);
  });
});
