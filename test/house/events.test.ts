// docs/events.md lists what the log can say: every event of the code, and no other. An event is a literal
// `noun.past-participle` where it is said, so that a search for it finds the place.
import { describe, expect, it } from 'vitest';
import { trouble, codeOf, lineAt, sourceFiles, textOf } from '../support/tree.ts';

interface Said {
  readonly event: string;
  readonly level: string;
  readonly place: string;
}

const call = /(?:\blog|Log|\))\s*\.(debug|info|warn|error)\(\s*(?:'([^']*)'|([^\s)]))/g;

const calls = sourceFiles()
  .filter((file) => file !== 'src/ops/log.ts')
  .flatMap((file) => {
    const code = codeOf(file);
    return [...code.matchAll(call)].map((match) => ({
      event: match[2],
      level: match[1] ?? '',
      place: `${file}:${lineAt(code, match.index)}`,
    }));
  });
const said = calls.filter((one): one is Said => one.event !== undefined);

const irregular =
  'begun bound built cut found gone held hung kept left lost made met read sent set shut torn';

function isWellFormed(event: string): boolean {
  const match = /^[a-z]+(?:-[a-z]+)*\.([a-z]+(?:-[a-z]+)*)$/.exec(event);
  return (match?.[1] ?? '')
    .split('-')
    .some((word) => /(?:ed|[aeiorw]n)$/.test(word) || irregular.split(' ').includes(word));
}

describe('log events', () => {
  it('are literals', () => {
    const computed = calls.filter(({ event }) => event === undefined).map(({ place }) => place);
    expect(
      trouble(computed, "write log.info('noun.participle', …) out; put what differs into the fields"),
    ).toBe('');
  });

  it('read noun.past-participle', () => {
    const odd = said
      .filter(({ event }) => !isWellFormed(event))
      .map(({ event, place }) => `${place}: ${event}`);
    expect(trouble(odd, 'as in publish.started or certificate.renewed')).toBe('');
  });

  it('are the rows of docs/events.md, with their level', () => {
    const rows = [...textOf('docs/events.md').matchAll(/^\| `([a-z.-]+)` \| ([a-z, ]+) \|/gm)].map(
      (match) => ({
        event: match[1] ?? '',
        levels: (match[2] ?? '').split(', '),
      }),
    );
    const missing = said
      .filter(({ event, level }) => !rows.some((row) => row.event === event && row.levels.includes(level)))
      .map(({ event, level, place }) => `${event} (${level}, ${place})`);
    expect(trouble(missing, 'add a row to docs/events.md: event, level, what it means to the reader')).toBe(
      '',
    );
    const stale = rows.filter(
      (row) =>
        !row.levels.every((level) => said.some((one) => one.event === row.event && one.level === level)),
    );
    expect(
      trouble(
        stale.map(({ event }) => event),
        'nobody says these (at this level)',
      ),
    ).toBe('');
  });
});
