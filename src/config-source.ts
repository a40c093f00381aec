// Where configuration values come from: the defaults, over them a YAML file, over that the environment
// (PENSTOCK_A__B) and the command line. Remembers where each value stands, so that a mistake can be pointed
// at. Knows nothing of what the values mean: config-schema.ts does. pure.
import { isAlias, isMap, isScalar, isSeq, LineCounter, parse, parseDocument, type Document } from 'yaml';

export type ConfigPath = readonly PropertyKey[];

export interface ConfigLayers {
  readonly defaults: Readonly<Record<string, unknown>>;
  readonly file?: { readonly name: string; readonly text: string } | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Command-line flags: name of the flag, the key it sets, its value. */
  readonly flags: readonly { readonly flag: string; readonly path: ConfigPath; readonly value: unknown }[];
  /** Keys of the block at a path, to tell the environment's spelling from a mistake. */
  readonly keysAt: (path: ConfigPath) => readonly string[];
}

export interface ConfigSource {
  /** Everything merged, as written. */
  readonly values: unknown;
  /** YAML that cannot be read and environment variables that set nothing, each with its place. */
  readonly problems: readonly string[];
  /** Variables that look like ours and set nothing, but may be another program's. */
  readonly warnings: readonly string[];
  /** `penstock.yaml:12:5`, `PENSTOCK_STORE` or `--data-dir`: where the value (or the key itself) stands. */
  where(path: ConfigPath, part?: 'key' | 'value'): string;
  /** True when the value comes from the environment or a flag rather than from the file. */
  isOverridden(path: ConfigPath): boolean;
}

const prefix = 'PENSTOCK_';

/** Merges the layers. Never throws: what cannot be read is in `problems`. */
export function readConfigSource(layers: ConfigLayers): ConfigSource {
  const problems: string[] = [];
  const warnings: string[] = [];
  const overrides = new Map<string, string>();
  const lines = new LineCounter();
  const name = layers.file?.name ?? '';
  const document =
    layers.file && parseDocument(layers.file.text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };

  let values: unknown = layers.defaults;
  for (const error of document?.errors ?? []) problems.push(`${at(error.pos[0])}: ${error.message}`);
  if (document && problems.length === 0) {
    try {
      // An empty file changes nothing; a file of anything but settings is for the schema to refuse.
      values = merge(values, document.toJS({ maxAliasCount: 100 }) ?? {});
    } catch {
      problems.push(`${at(0)}: the aliases of this file unfold to too much`);
    }
  }

  for (const variable of Object.keys(layers.env).sort()) {
    const written = layers.env[variable];
    if (!variable.startsWith(prefix) || variable === `${prefix}CONFIG` || !written) continue;
    const segments = variable.slice(prefix.length).split('__');
    const path = matchPath(segments, layers.keysAt);
    if (path !== undefined) {
      values = withValue(values, path, readScalar(written));
      overrides.set(path.join('.'), variable);
    } else if (segments.length > 1) {
      problems.push(`${variable}: no setting has this name; docs/configuration.md lists them`);
    } else {
      // Container platforms inject PENSTOCK_PORT, PENSTOCK_SERVICE_HOST and the like.
      warnings.push(`${variable}: no setting has this name, the variable is ignored`);
    }
  }
  for (const { flag, path, value } of layers.flags) {
    values = withValue(values, path, value);
    overrides.set(path.join('.'), flag);
  }

  const overriddenBy = (path: ConfigPath): string | undefined => {
    for (let length = path.length; length > 0; length -= 1) {
      const variable = overrides.get(path.slice(0, length).join('.'));
      if (variable !== undefined) return variable;
    }
    return undefined;
  };
  return {
    values,
    problems,
    warnings,
    where: (path, part = 'value') =>
      overriddenBy(path) ?? (document ? at(offsetOf(document, path, part)) : 'the defaults'),
    isOverridden: (path) => overriddenBy(path) !== undefined,
  };
}

// DATA_DIR, DATADIR and data_dir all mean dataDir; a number is the place in a list.
function matchPath(
  segments: readonly string[],
  keysAt: (path: ConfigPath) => readonly string[],
): ConfigPath | undefined {
  const path: PropertyKey[] = [];
  for (const segment of segments) {
    const plain = segment.replaceAll('_', '').toLowerCase();
    const key = keysAt(path).find((candidate) => candidate.toLowerCase() === plain);
    if (key === undefined && !/^\d{1,3}$/.test(segment)) return undefined;
    path.push(key ?? Number(segment));
  }
  return path;
}

// `[a, b]`, `{a: 1}`, 12, true and null mean what they mean in YAML; what is no YAML, as [::1]:1935, is text.
function readScalar(written: string): unknown {
  try {
    return parse(written, { logLevel: 'error' });
  } catch {
    return written;
  }
}

// Blocks are merged, lists and single values replaced. fromEntries keeps a key __proto__ an ordinary one.
function merge(below: unknown, above: unknown): unknown {
  if (!isBlock(below) || !isBlock(above)) return above;
  const merged = Object.entries(above).map(([key, value]) => [
    key,
    Object.hasOwn(below, key) ? merge(below[key], value) : value,
  ]);
  return Object.fromEntries([...Object.entries(below), ...merged]);
}

function withValue(node: unknown, path: ConfigPath, value: unknown): unknown {
  const [head, ...rest] = path;
  if (head === undefined) return value;
  if (Array.isArray(node) && typeof head === 'number' && head <= node.length) {
    return [...node.slice(0, head), withValue(node[head], rest, value), ...node.slice(head + 1)];
  }
  const inner = isBlock(node) ? node : {};
  return { ...inner, [head]: withValue(inner[String(head)], rest, value) };
}

function isBlock(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// Walks as far as the file goes: a key that is missing is reported where its block stands.
function offsetOf(document: Document.Parsed, path: ConfigPath, part: 'key' | 'value'): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range[0] ?? 0;
  for (const [index, segment] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const found = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(segment));
      if (!found) break;
      const wanted = part === 'key' && index === path.length - 1 ? found.key : found.value;
      offset = startOf(wanted) ?? startOf(found.key) ?? offset;
      node = found.value;
    } else if (isSeq(node)) {
      node = node.items[Number(segment)];
      offset = startOf(node) ?? offset;
    } else break;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  const { range } = (node ?? {}) as { range?: readonly number[] | null };
  return range?.[0];
}
