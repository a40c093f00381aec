// Loads the configuration: finds the file, lays the environment and the command line over it, checks it
// against config-schema.ts and makes paths absolute. All mistakes are told at once, each with its place, what
// was found and what would be right. Also the verbs `config check` and `config show`.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import type { z } from 'zod';
import { configDefaults, configKeysAt, configSchema, doubtsAbout } from './config-schema.ts';
import { readConfigSource, type ConfigPath, type ConfigSource } from './config-source.ts';
import { SetupError } from './errors.ts';
import { safeText } from './ops/log.ts';
import type { Report } from './ops/report.ts';

type Settings = z.output<typeof configSchema>;

/** Durations in milliseconds, sizes in bytes, absolute paths. */
export type Config = Settings & {
  readonly recorder: { readonly directory: string };
  /** The file it was read from, as the user named it; undefined when only defaults hold. */
  readonly file: string | undefined;
  /** Remarks for the operator, one sentence each. */
  readonly warnings: readonly string[];
};

export interface ConfigOptions {
  /** `--config`; else $PENSTOCK_CONFIG, else ./penstock.yaml if it is there, else the defaults. */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** `--data-dir`, relative to cwd. */
  readonly dataDir?: string | undefined;
}

/**
 * The effective configuration. Relative paths of a file are relative to its folder, those of the environment
 * and of the command line to `cwd`. Throws SetupError: CONFIG_UNREADABLE, CONFIG_INVALID (one line a problem).
 */
export function loadConfig(options: ConfigOptions): Config {
  return readConfig(options).config;
}

/** `penstock config check`: throws as loadConfig does, else says what was checked. */
export function checkConfig(options: ConfigOptions): Report {
  const { file, warnings } = loadConfig(options);
  const subject = file === undefined ? 'There is no configuration file; the defaults are' : `${file} is`;
  return {
    json: { valid: true, file: file ?? null, warnings },
    text: [`${subject} valid.`, ...warnings.map((warning) => `warning: ${warning}`)].join('\n'),
  };
}

/** `penstock config show`: what holds after file, environment and flags; itself a valid configuration file. */
export function showConfig(options: ConfigOptions): Report {
  const { written } = readConfig(options);
  return { json: written, text: stringify(written).trimEnd() };
}

function readConfig(options: ConfigOptions): { config: Config; written: unknown } {
  const { cwd, env, dataDir } = options;
  const file = findFile(options);
  const source = readConfigSource({
    defaults: configDefaults,
    file,
    env,
    flags: dataDir === undefined ? [] : [{ flag: '--data-dir', path: ['dataDir'], value: dataDir }],
    keysAt: configKeysAt,
  });
  const checked = configSchema.safeParse(source.values);
  const issues = checked.error?.issues ?? [];
  const problems = [...source.problems, ...issues.flatMap((issue) => describeIssue(issue, source))];
  if (problems.length > 0 || !checked.data) {
    throw new SetupError('CONFIG_INVALID', problems.join('\n'), {
      hint: 'docs/configuration.md lists every setting; `penstock config check` checks them without starting.',
    });
  }

  const folder = file === undefined ? cwd : resolve(cwd, file.name, '..');
  const absolute = (path: string, ...key: ConfigPath): string =>
    resolve(source.isOverridden(key) ? cwd : folder, path);
  const settings = checked.data;
  const { recorder, tls, acme } = settings;
  const dataFolder = absolute(settings.dataDir, 'dataDir');
  const recordings = recorder.directory;
  const paths = {
    dataDir: dataFolder,
    certsDir: absolute(settings.certsDir, 'certsDir'),
    recorder: {
      ...recorder,
      directory:
        recordings === null ? join(dataFolder, 'recordings') : absolute(recordings, 'recorder', 'directory'),
      encryption:
        recorder.encryption?.keyFile === undefined
          ? recorder.encryption
          : {
              ...recorder.encryption,
              keyFile: absolute(recorder.encryption.keyFile, 'recorder', 'encryption', 'keyFile'),
            },
    },
    tls: {
      ...tls,
      certificate:
        typeof tls.certificate === 'string'
          ? tls.certificate
          : tls.certificate.map((files) => ({
              ...files,
              ...Object.fromEntries(
                Object.entries(files).flatMap(([name, path]) =>
                  path === undefined ? [] : [[name, absolute(path, 'tls', 'certificate')]],
                ),
              ),
            })),
    },
    acme: {
      ...acme,
      caFile: acme.caFile === null ? null : absolute(acme.caFile, 'acme', 'caFile'),
      dnsHook: acme.dnsHook === null ? null : absolute(acme.dnsHook, 'acme', 'dnsHook'),
      eab:
        acme.eab === null
          ? null
          : { ...acme.eab, hmacKeyFile: absolute(acme.eab.hmacKeyFile, 'acme', 'eab', 'hmacKeyFile') },
    },
  };
  const written = source.values as z.input<typeof configSchema>;
  return {
    config: {
      ...settings,
      ...paths,
      file: file?.name,
      warnings: [...source.warnings, ...doubtsAbout(settings)],
    },
    // As people write it (30s, 8MiB), with the paths that hold.
    written: {
      ...written,
      dataDir: paths.dataDir,
      certsDir: paths.certsDir,
      tls: paths.tls,
      acme: paths.acme,
      recorder: {
        ...written.recorder,
        directory: paths.recorder.directory,
        encryption: paths.recorder.encryption,
      },
    },
  };
}

function findFile({ file, env, cwd }: ConfigOptions): { name: string; text: string } | undefined {
  const named = file ?? (env['PENSTOCK_CONFIG'] || undefined);
  const name = named ?? 'penstock.yaml';
  try {
    return { name, text: readFileSync(resolve(cwd, name), 'utf8') };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && named === undefined) return undefined;
    throw new SetupError('CONFIG_UNREADABLE', `the configuration file ${name} cannot be read: ${code}`, {
      hint: 'Check the path given by --config or PENSTOCK_CONFIG and the rights of the file.',
      cause: error,
    });
  }
}

function describeIssue(issue: z.core.$ZodIssue, source: ConfigSource): string[] {
  const { path } = issue;
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const place = source.where([...path, key], 'key');
      return `${place}: ${dotted([...path, key])}: no setting has this name; ${suggestion(key, configKeysAt(path))}`;
    });
  }
  let found = source.values;
  for (const segment of path) found = (found as Record<PropertyKey, unknown> | undefined)?.[segment];
  const name = path.length === 0 ? '' : `${dotted(path)}: `;
  return [`${source.where(path)}: ${name}found ${describeValue(found)}, ${issue.message}`];
}

function dotted(path: ConfigPath): string {
  return safeText(path.join('.'));
}

function describeValue(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a block of settings';
  // The password of a database address is nobody's business.
  return safeText(JSON.stringify(value)).replace(/\/\/[^@"]*@/, '//…@');
}

function suggestion(key: string, known: readonly string[]): string {
  const near = known.find((candidate) => distance(candidate.toLowerCase(), key.toLowerCase()) <= 2);
  return near === undefined ? `known here: ${known.join(', ')}` : `did you mean ${near}?`;
}

/** Insertions, removals and replacements between two words (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of a.split('').entries()) {
    const next = [i + 1];
    for (let j = 1; j <= b.length; j += 1) {
      const replace = (row[j - 1] ?? 0) + (letter === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
