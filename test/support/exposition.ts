// Reads the text format of Prometheus (0.0.4) and forgives nothing.

export interface Family {
  readonly name: string;
  readonly kind: string;
  readonly help: string;
  readonly samples: { readonly labels: Record<string, string>; readonly value: number }[];
}

const number = /^(?:[+-]Inf|NaN|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;

/** Families by name. Throws for whatever the format does not allow, or what no good exporter writes. */
export function parseExposition(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  if (text !== '' && !text.endsWith('\n')) throw new Error('the last line does not end');
  const lines = text.split('\n').slice(0, -1);
  for (let index = 0; index < lines.length;) {
    const [, name = '', help = ''] = /^# HELP ([a-zA-Z_:][\w:]*) ([^]+)$/.exec(lines[index] ?? '') ?? [];
    const [, typed, kind = ''] = /^# TYPE (\S+) (counter|gauge)$/.exec(lines[index + 1] ?? '') ?? [];
    if (name === '' || typed !== name) throw new Error(`no HELP and TYPE: ${lines[index]}`);
    if (families.has(name)) throw new Error(`${name} comes twice`);
    if (!/^(?:[^\\]|\\[\\n])+$/.test(help)) throw new Error(`a bad escape in the help of ${name}`);
    const family: Family = { name, kind, help, samples: [] };
    families.set(name, family);
    const seen = new Set<string>();
    for (index += 2; index < lines.length && !lines[index]?.startsWith('#'); index += 1) {
      const sample = parseSample(lines[index] ?? '', name);
      const series = JSON.stringify(
        Object.entries(sample.labels)
          .map(String)
          .sort((a, b) => a.localeCompare(b)),
      );
      if (seen.has(series)) throw new Error(`${lines[index]}: a series comes twice`);
      seen.add(series);
      if (kind === 'counter' && !(sample.value >= 0)) throw new Error(`${lines[index]}: no count`);
      family.samples.push(sample);
    }
  }
  return families;
}

function parseSample(line: string, name: string): { labels: Record<string, string>; value: number } {
  const match = /^([a-zA-Z_:][\w:]*)(?:\{([^]*)\})? (\S+)$/.exec(line);
  if (match?.[1] !== name || !number.test(match[3] ?? '')) throw new Error(`no sample of ${name}: ${line}`);
  const labels: Record<string, string> = {};
  let rest = match[2] ?? '';
  while (rest !== '') {
    const pair = /^([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,(?=[^])|$)/.exec(rest);
    if (pair === null || Object.hasOwn(labels, pair[1] ?? '')) throw new Error(`bad labels: ${line}`);
    labels[pair[1] ?? ''] = (pair[2] ?? '').replace(/\\(.)/g, (_, one: string) => (one === 'n' ? '\n' : one));
    rest = rest.slice(pair[0].length);
  }
  return { labels, value: Number((match[3] ?? '').replace('Inf', 'Infinity')) };
}
