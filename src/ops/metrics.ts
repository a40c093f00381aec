// A small registry of metrics in the text format of Prometheus (exposition format 0.0.4): counters that are added
// to, and counters and gauges that are read when somebody asks. Bounded: a label whose values strangers can multiply
// must not fill the memory. Leaves out histograms and summaries. pure.

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly value: number;
  readonly labels?: Labels;
}

/** Undefined when there is nothing to tell at this moment. */
export type Reading = number | readonly Sample[] | undefined;
type Read = () => Reading | Promise<Reading>;
type Kind = 'counter' | 'gauge';

interface Family {
  readonly name: string;
  readonly help: string;
  readonly kind: Kind;
  readonly read: Read;
}

export const contentType = 'text/plain; version=0.0.4; charset=utf-8';

const nameForm = /^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/;
/** The value of every label of the series that stands for those beyond the limit. */
const others = '(other)';

/** A count that only grows. */
export class Counter {
  readonly #series: number;
  readonly #counts = new Map<string, { value: number; readonly labels: Labels }>();

  /** `series`: label sets that are told apart; further ones are counted together. */
  constructor(series: number) {
    this.#series = series;
  }

  add(amount = 1, labels: Labels = {}): void {
    const known = this.#counts.get(seriesName(labels));
    const full = known === undefined && this.#counts.size >= this.#series;
    const counted = full ? withOthers(labels) : labels;
    const name = seriesName(counted);
    const count = this.#counts.get(name) ?? { value: 0, labels: counted };
    count.value += amount;
    this.#counts.set(name, count);
  }

  /** The sum over all series that have these labels. */
  total(labels: Labels = {}): number {
    let sum = 0;
    for (const { value, labels: own } of this.#counts.values()) {
      if (Object.entries(labels).every(([name, wanted]) => own[name] === wanted)) sum += value;
    }
    return sum;
  }

  get samples(): readonly Sample[] {
    return [...this.#counts.values()].map(({ value, labels }) => ({ value, labels }));
  }
}

export class Metrics {
  readonly #series: number;
  readonly #families = new Map<string, Family>();

  /** `series`: label sets of one metric that are told apart; the others are summed up. */
  constructor(series: number) {
    this.#series = series;
  }

  /** Names of counters end in `_total`; `help` is a sentence. */
  counter(name: string, help: string): Counter {
    const counter = new Counter(this.#series);
    this.#register({ name, help, kind: 'counter', read: () => counter.samples });
    return counter;
  }

  /** A count that somebody else keeps. */
  counted(name: string, help: string, read: Read): void {
    this.#register({ name, help, kind: 'counter', read });
  }

  /** A value that goes up and down. */
  gauge(name: string, help: string, read: Read): void {
    this.#register({ name, help, kind: 'gauge', read });
  }

  /** Everything, for one scrape. A metric that cannot be read is left out: the others still tell what is wrong. */
  async expose(): Promise<string> {
    const texts: string[] = [];
    for (const family of this.#families.values()) texts.push(await this.#expose(family));
    return texts.join('');
  }

  async #expose({ name, help, kind, read }: Family): Promise<string> {
    let reading: Reading;
    try {
      reading = await read();
    } catch {
      reading = undefined;
    }
    if (reading === undefined) return '';
    const samples = typeof reading === 'number' ? [{ value: reading }] : this.#bounded(reading);
    const lines = samples.map(
      ({ value, labels = {} }) => `${name}${labelText(labels)} ${numberText(value)}\n`,
    );
    return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${kind}\n${lines.join('')}`;
  }

  #bounded(samples: readonly Sample[]): readonly Sample[] {
    if (samples.length <= this.#series) return samples;
    const counter = new Counter(this.#series);
    for (const { value, labels } of samples) counter.add(value, labels);
    return counter.samples;
  }

  #register(family: Family): void {
    const { name, kind } = family;
    if (!nameForm.test(name) || name.endsWith('_total') !== (kind === 'counter')) {
      throw new TypeError(`${name} is no name of a ${kind}`);
    }
    if (this.#families.has(name)) throw new TypeError(`there are two metrics ${name}`);
    this.#families.set(name, family);
  }
}

function withOthers(labels: Labels): Labels {
  return Object.fromEntries(Object.keys(labels).map((name) => [name, others]));
}

function seriesName(labels: Labels): string {
  return JSON.stringify(Object.entries(labels));
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(value: string): string {
  return escapeHelp(value).replaceAll('"', String.raw`\"`);
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', String.raw`\\`).replaceAll('\n', String.raw`\n`);
}

function numberText(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}
