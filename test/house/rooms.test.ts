// What may know what. A room imports only the rooms on its line, an outside package has an owner, and nothing
// lies deeper than src/<room>/<file>.ts. When a rule here is in your way, the question is where the code belongs;
// when the answer is "here", change the table and say why in the commit.
import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { trouble, importsOf, roomOf, rooms, sourceFiles } from '../support/tree.ts';

const mayImport: Readonly<Record<string, readonly string[]>> = {
  bytes: [],
  ops: ['bytes'],
  store: ['bytes', 'ops'],
  tunnel: ['bytes'],
  handshake: ['bytes'],
  chunk: ['bytes'],
  amf: ['bytes'],
  command: ['bytes', 'chunk', 'amf'],
  flv: ['bytes', 'amf'],
  connection: ['bytes', 'handshake', 'chunk', 'amf', 'command', 'flv'],
  keys: ['bytes', 'ops', 'store'],
  tokens: ['bytes', 'ops', 'store', 'keys'],
  hub: ['ops', 'flv'],
  encryption: ['bytes'],
  archive: ['ops', 'flv', 'store', 'encryption'],
  recorder: ['ops', 'flv', 'hub', 'archive'],
  retention: ['ops', 'store', 'archive'],
  evidence: ['ops', 'flv', 'store', 'archive'],
  playback: ['ops', 'flv', 'archive'],
  'certificate-files': ['bytes', 'ops'],
  certificates: ['bytes', 'ops', 'certificate-files'],
  'client-certificates': ['bytes', 'ops', 'store', 'keys', 'certificates'],
  acme: ['bytes', 'ops', 'store', 'certificates', 'door'],
  transport: ['ops', 'tunnel'],
  door: ['bytes', 'ops', 'tunnel', 'transport', 'certificates'],
  session: ['bytes', 'ops', 'store', 'transport', 'connection', 'command', 'flv', 'keys', 'hub', 'playback'],
  relay: ['bytes', 'ops', 'transport', 'connection', 'command', 'flv', 'hub'],
  download: ['bytes', 'ops', 'tokens', 'keys', 'archive', 'hub'],
  doctor: ['bytes', 'ops', 'connection', 'keys', 'certificates'],
  console: ['ops', 'keys', 'tokens', 'hub', 'archive', 'session', 'certificates', 'download'],
};

/** The files of src/ itself: the roof may import every room, and no room imports the roof. */
const roof = [
  'config.ts',
  'config-schema.ts',
  'config-source.ts',
  'encoder-settings.ts',
  'qr-code.ts',
  'appliance.ts',
  'appliance-metrics.ts',
  'certificate-audit.ts',
  'cli.ts',
  'cli-ground.ts',
  'cli-keys.ts',
  'cli-recordings.ts',
  'cli-certificates.ts',
  'cli-doctor.ts',
];

/** Who may use an outside module: a room (`door/`), one file, or files by their ending (`*-store.ts`). */
const owners: Readonly<Record<string, readonly string[]>> = {
  'node:net': ['door/', 'doctor/', 'transport/', 'download/', 'console/', 'certificates/'],
  'node:tls': ['acme/', 'door/', 'doctor/', 'download/', 'console/', 'certificate-files/', 'certificates/'],
  'node:http': ['acme/', 'door/', 'doctor/', 'download/', 'console/', 'certificates/'],
  'node:https': ['acme/', 'door/', 'download/', 'console/', 'certificates/'],
  'node:fs': [
    'acme/',
    'archive/',
    'evidence/',
    'encryption/data-key.ts',
    'doctor/',
    'certificate-files/',
    'certificates/',
    'client-certificates/',
    'store/',
    'config.ts',
    'appliance.ts',
    'appliance-metrics.ts',
    'cli-ground.ts',
    'cli-doctor.ts',
  ],
  'node:crypto': [
    'acme/',
    'handshake/',
    'encryption/',
    'keys/',
    'download/',
    'certificate-files/',
    'certificates/',
    'client-certificates/',
    'store/',
    'archive/',
    'evidence/',
    'doctor/',
    'ops/random.ts',
  ],
  'node:dns': ['doctor/'],
  'node:perf_hooks': ['appliance-metrics.ts'],
  'node:os': ['cli.ts', 'cli-certificates.ts', 'doctor/'],
  'node:sqlite': ['store/'],
  kysely: ['store/', 'archive/', 'keys/', '*-store.ts'],
  hono: ['console/'],
  '@hono/node-server': ['console/'],
  pino: ['ops/log.ts'],
  uqr: ['qr-code.ts'],
  commander: ['cli.ts', 'cli-ground.ts', 'cli-recordings.ts'],
  yaml: ['config.ts', 'config-source.ts', 'console/', 'keys/'],
  zod: ['config.ts', 'config-schema.ts', 'console/', 'keys/'],
  'acme-client': ['acme/'],
  'node:child_process': ['acme/', 'encryption/data-key.ts'],
  'node-forge': ['certificate-files/', 'certificates/', 'client-certificates/'],
};

/** Built-in modules that compute and touch nothing outside: any room may use them (the pure ones see purity). */
const harmless = [
  'node:path',
  'node:url',
  'node:util',
  'node:events',
  'node:stream',
  'node:buffer',
  'node:zlib',
];

const inside = (file: string) => file.slice('src/'.length);

function isOwner(file: string, owner: string): boolean {
  const name = inside(file);
  if (owner.startsWith('*')) return name.endsWith(owner.slice(1));
  return owner.endsWith('/') ? name.startsWith(owner) : name === owner;
}

/** `node:fs` of `node:fs/promises`, `kysely` of `kysely/migration`, `@hono/node-server` as it is. */
function moduleName(specifier: string): string {
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? '');
}

describe('rooms', () => {
  it('lie on two floors: src/<room>/<file>.ts', () => {
    const deep = sourceFiles().filter((file) => file.split('/').length > 3);
    expect(trouble(deep, 'move these up: a room has no rooms inside')).toBe('');
  });

  it('are in the table', () => {
    const unknown = rooms().filter((room) => !Object.hasOwn(mayImport, room));
    expect(trouble(unknown, 'add the new room to mayImport above and to src/README.md')).toBe('');
  });

  it('import only the rooms on their line', () => {
    const wrong: string[] = [];
    for (const file of sourceFiles()) {
      const room = roomOf(file);
      for (const specifier of importsOf(file).filter((name) => name.startsWith('.'))) {
        const target = posix.join(posix.dirname(file), specifier);
        const other = roomOf(target);
        if (room === '' || room === other || target === 'src/errors.ts') continue;
        if (other === '') wrong.push(`${file} imports the roof (${target}); export an Options type instead`);
        else if (!mayImport[room]?.includes(other)) wrong.push(`${file} imports ${other}/`);
      }
    }
    expect(trouble(wrong, 'a room knows only the rooms in mayImport')).toBe('');
  });

  it('import inside the project with the ending .ts, and nothing outside src/', () => {
    const wrong = sourceFiles().flatMap((file) =>
      importsOf(file)
        .filter((name) => name.startsWith('.'))
        .filter((name) => !name.endsWith('.ts') || !posix.join(posix.dirname(file), name).startsWith('src/'))
        .map((name) => `${file}: ${name}`),
    );
    expect(trouble(wrong, 'imports end in .ts and stay in src/')).toBe('');
  });

  it('leave the roof to the files that are known there', () => {
    const upstairs = sourceFiles()
      .filter((file) => roomOf(file) === '')
      .map(inside)
      .filter((file) => file !== 'errors.ts' && !roof.includes(file));
    expect(trouble(upstairs, 'a file of src/ itself needs a reason; most belong into a room')).toBe('');
  });
});

describe('outside modules', () => {
  it('are used by their owners only', () => {
    const wrong = sourceFiles().flatMap((file) =>
      importsOf(file)
        .filter((name) => !name.startsWith('.'))
        .map(moduleName)
        .filter((name) => !harmless.includes(name))
        .filter((name) => !owners[name]?.some((owner) => isOwner(file, owner)))
        .map((name) => `${file} uses ${name}; it belongs to ${owners[name]?.join(' ') ?? 'nobody yet'}`),
    );
    expect(trouble(wrong, 'ask the owning room for what you need, or widen the table with a reason')).toBe(
      '',
    );
  });

  it('of Node.js are written with node:', () => {
    const wrong = sourceFiles().flatMap((file) =>
      importsOf(file)
        .filter((name) => !name.startsWith('node:') && builtinModules.includes(name))
        .map((name) => `${file}: ${name}`),
    );
    expect(trouble(wrong, 'write node: in front')).toBe('');
  });
});
