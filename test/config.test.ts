// The configuration as operators meet it: lookup, defaults, environment, paths, and mistakes told in words.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { checkConfig, loadConfig, showConfig, type Config } from '../src/config.ts';
import { SetupError } from '../src/errors.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-config-'));
  mkdirSync(join(folder, 'etc'));
  mkdirSync(join(folder, 'empty'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function load(yaml: string, env: Record<string, string> = {}): Config {
  writeFileSync(join(folder, 'test.yaml'), yaml);
  return loadConfig({ file: 'test.yaml', env, cwd: folder });
}

function problemsOf(action: () => unknown): string[] {
  try {
    action();
  } catch (error) {
    if (error instanceof SetupError && error.code === 'CONFIG_INVALID') return error.message.split('\n');
    throw error;
  }
  throw new Error('the configuration was accepted');
}

const fromEnvironment = (env: Record<string, string>) => loadConfig({ env, cwd: join(folder, 'empty') });

describe('defaults', () => {
  it('are what the manual says', () => {
    expect(loadConfig({ env: {}, cwd: '/srv/tv' })).toMatchObject({
      hosts: [],
      dataDir: '/srv/tv/data',
      certsDir: '/srv/tv/certs',
      listeners: [
        { address: { host: '0.0.0.0', port: 1935 }, accept: ['rtmps', 'rtmpe', 'rtmpte'] },
        { address: { host: '0.0.0.0', port: 8443 }, accept: ['rtmps', 'rtmpts', 'https'] },
      ],
      tls: { minVersion: 'TLSv1.2', certificate: 'self-signed', clientAuth: 'none' },
      store: 'sqlite',
      recorder: {
        directory: '/srv/tv/data/recordings',
        segment: { maxDuration: null, maxSize: null },
        reconnectWindow: 30_000,
        flushInterval: 250,
        syncInterval: 5000,
        minFreeSpace: 1024 ** 3,
        retention: {
          maxAge: null,
          maxTotalSize: null,
          maxStreamSize: null,
          deleteWhenFull: false,
          streams: {},
        },
      },
      ingestLatency: 100,
      limits: {
        connections: 10_000,
        connectionsPerAddress: 64,
        handshakeTimeout: 10_000,
        commandTimeout: 15_000,
        idleTimeout: 30_000,
        messageSize: 8 * 1024 ** 2,
      },
      log: { level: 'info', format: null },
      file: undefined,
      warnings: [],
    });
  });

  it('hold for an empty file and for a block that sets one thing', () => {
    expect(load('').limits.connections).toBe(10_000);
    expect(load('# nothing yet\n').limits.connections).toBe(10_000);
    expect(load('limits: { connections: 5 }').limits).toMatchObject({ connections: 5, idleTimeout: 30_000 });
  });
});

describe('lookup', () => {
  it('takes --config before PENSTOCK_CONFIG before ./penstock.yaml', () => {
    const cwd = join(folder, 'etc');
    writeFileSync(join(cwd, 'penstock.yaml'), 'limits: { connections: 1 }');
    writeFileSync(join(cwd, 'two.yaml'), 'limits: { connections: 2 }');
    writeFileSync(join(cwd, 'three.yaml'), 'limits: { connections: 3 }');
    const env = { PENSTOCK_CONFIG: 'two.yaml' };
    expect(loadConfig({ env: {}, cwd }).limits.connections).toBe(1);
    expect(loadConfig({ env, cwd }).limits.connections).toBe(2);
    expect(loadConfig({ file: 'three.yaml', env, cwd })).toMatchObject({
      limits: { connections: 3 },
      file: 'three.yaml',
    });
  });

  it('says which named file cannot be read', () => {
    const unreadable = expect.objectContaining({
      code: 'CONFIG_UNREADABLE',
      message: expect.stringContaining('nowhere.yaml') as string,
      hint: expect.any(String) as string,
    }) as Error;
    expect(() => loadConfig({ file: 'nowhere.yaml', env: {}, cwd: folder })).toThrow(unreadable);
    const env = { PENSTOCK_CONFIG: 'nowhere.yaml' };
    expect(() => loadConfig({ env, cwd: folder })).toThrow(unreadable);
  });
});

describe('paths', () => {
  it('of a file are relative to its folder, of flags and environment to the working folder', () => {
    writeFileSync(join(folder, 'etc', 'paths.yaml'), 'dataDir: d\ncertsDir: c\nrecorder: { directory: r }');
    const options = { file: 'etc/paths.yaml', env: {}, cwd: folder };
    expect(loadConfig(options)).toMatchObject({
      dataDir: join(folder, 'etc/d'),
      certsDir: join(folder, 'etc/c'),
      recorder: { directory: join(folder, 'etc/r') },
    });
    const env = { PENSTOCK_CERTS_DIR: 'e', PENSTOCK_DATA_DIR: 'unused' };
    expect(loadConfig({ ...options, env, dataDir: 'f' })).toMatchObject({
      dataDir: join(folder, 'f'),
      certsDir: join(folder, 'e'),
    });
  });

  it('of certificates are made absolute, one pair or several', () => {
    const one = { cert: join(folder, 'a.pem'), key: '/etc/a.key' };
    expect(load('tls: { certificate: { cert: a.pem, key: /etc/a.key } }').tls.certificate).toEqual([one]);
    expect(load('tls: { certificate: [{ cert: a.pem, key: /etc/a.key }] }').tls.certificate).toEqual([one]);
  });
});

describe('environment', () => {
  it('sets any value, whatever the case and the underscores of its name', () => {
    const { limits, dataDir, recorder, hosts, listeners, log } = fromEnvironment({
      PENSTOCK_LIMITS__CONNECTIONS_PER_ADDRESS: '10',
      PENSTOCK_limits__idleTimeout: '2m',
      PENSTOCK_DATADIR: '/d',
      PENSTOCK_RECORDER__MIN_FREE_SPACE: '2GiB',
      PENSTOCK_HOSTS: '[Ingest.example.com]',
      PENSTOCK_LISTENERS: '[{address: "127.0.0.1:0", accept: [rtmps]}]',
      PENSTOCK_LOG__LEVEL: 'debug',
      PENSTOCK_INGEST_LATENCY: '0',
    });
    expect(limits).toMatchObject({ connectionsPerAddress: 10, idleTimeout: 120_000, connections: 10_000 });
    expect(dataDir).toBe('/d');
    expect(recorder).toMatchObject({ minFreeSpace: 2 * 1024 ** 3, directory: '/d/recordings' });
    expect(hosts).toEqual(['ingest.example.com']);
    expect(listeners).toEqual([{ address: { host: '127.0.0.1', port: 0 }, accept: ['rtmps'] }]);
    expect(log.level).toBe('debug');
  });

  it('overrides one item of a list, and the members of a value that is a word by default', () => {
    const { listeners, tls } = fromEnvironment({
      PENSTOCK_LISTENERS__1__ADDRESS: '[::1]:443',
      PENSTOCK_TLS__CERTIFICATE__CERT: '/a',
      PENSTOCK_TLS__CERTIFICATE__KEY: '/b',
    });
    expect(listeners.map(({ address }) => address)).toEqual([
      { host: '0.0.0.0', port: 1935 },
      { host: '::1', port: 443 },
    ]);
    expect(tls.certificate).toEqual([{ cert: '/a', key: '/b' }]);
  });

  it('wins over the file; an empty variable sets nothing', () => {
    const yaml = 'limits: { connections: 3 }';
    expect(load(yaml, { PENSTOCK_LIMITS__CONNECTIONS: '4' }).limits.connections).toBe(4);
    expect(load(yaml, { PENSTOCK_LIMITS__CONNECTIONS: '' }).limits.connections).toBe(3);
  });

  it('is blamed by the name of the variable', () => {
    const env = { PENSTOCK_LIMITS__CONNECTIONS: 'many', PENSTOCK_LIMITS__CONECTIONS: '5' };
    expect(problemsOf(() => fromEnvironment(env))).toEqual([
      expect.stringMatching(/^PENSTOCK_LIMITS__CONECTIONS: no setting has this name/),
      expect.stringMatching(
        /^PENSTOCK_LIMITS__CONNECTIONS: limits\.connections: found "many", expected a whole/,
      ),
    ]);
  });

  it('may hold variables of a platform that look like ours: a warning, no error', () => {
    const env = { PENSTOCK_SERVICE_HOST: '10.0.0.1', PENSTOCK_PORT_1935_TCP: 'tcp://10.0.0.1:1935' };
    expect(fromEnvironment(env).warnings).toHaveLength(2);
  });
});

describe('mistakes', () => {
  it('are told together, each with line, column, what was found and what would be right', () => {
    const yaml = [
      'recoder: {}',
      'listeners:',
      '  - address: 1935',
      '    accept: [rtmpz]',
      'limits:',
      '  connections: 1.5',
      '  idleTimeout: 30 seconds',
      'log: loud',
    ].join('\n');
    expect(problemsOf(() => load(yaml)).sort()).toEqual([
      'test.yaml:1:1: recoder: no setting has this name; did you mean recorder?',
      'test.yaml:3:14: listeners.0.address: found 1935, expected ADDRESS:PORT such as 0.0.0.0:1935 or [::]:1935',
      'test.yaml:4:14: listeners.0.accept.0: found "rtmpz", expected rtmp, rtmps, rtmpe, rtmpt, rtmpts, rtmpte, https or http',
      'test.yaml:6:16: limits.connections: found 1.5, expected a whole number from 1 to 1000000',
      'test.yaml:7:16: limits.idleTimeout: found "30 seconds", expected a duration such as 250ms, 30s or 8h, from 1ms to 24h',
      'test.yaml:8:6: log: found "loud", expected a block of settings: level, format',
    ]);
  });

  it.each([
    ['hosts: [rtmps://example.com/live]', 'expected a host name'],
    ['hosts: example.com', 'expected a list such as'],
    ['listeners: []', 'expected at least one'],
    ['listeners: [{ address: "0.0.0.0:65536", accept: [rtmps] }]', 'expected ADDRESS:PORT'],
    ['listeners: [{ address: "::1:1935", accept: [rtmps] }]', 'expected ADDRESS:PORT'],
    ['listeners: [{ address: "[1.2.3.4]:1935", accept: [rtmps] }]', 'expected ADDRESS:PORT'],
    ['listeners: [{ address: "0.0.0.0:1", accept: [] }]', 'expected at least one of rtmp'],
    ['listeners: [{ address: "0.0.0.0:1" }]', 'accept: found nothing, expected a list'],
    ['tls: { minVersion: TLSv1.1 }', 'expected TLSv1.2 or TLSv1.3'],
    ['tls: { certificate: { cert: a.pem } }', 'expected self-signed, acme, { cert: FILE, key: FILE }'],
    ['limits: { handshakeTimeout: 0 }', 'from 1ms to 24h'],
    ['limits: { idleTimeout: 25d }', 'from 1ms to 24h'],
    ['limits: { messageSize: 16MiB }', 'from 64KiB to 16777215'],
    ['recorder: { minFreeSpace: lots }', 'expected a size such as'],
    ['- a\n- b', 'found a list, expected a block of settings'],
    ['log:', 'found nothing, expected a block of settings'],
  ])('%j: %s', (yaml, expected) => {
    expect(problemsOf(() => load(yaml))).toEqual([expect.stringContaining(expected)]);
  });

  it.each([
    ['store: postgres://penstock:hunter2@db/penstock', 'PostgreSQL is not available in this version'],
    ['recorder: { retention: { maxAge: soon } }', 'expected a duration such as 250ms, 30s or 8h'],
    ['recorder: { retention: { deleteWhenFull: 1 } }', 'expected true or false'],
    ['recorder: { retention: { streams: { live: { maxAge: 1h } } } }', 'write live/camera-1, or live/*'],
    ['recorder: { retention: { streams: { live/a: { maxAge: x } } } }', 'expected a duration'],
    ['recorder: { retention: { streams: { live/a: { maxTotalSize: 1GiB } } } }', 'known here: maxAge'],
  ])('what cannot be done yet is refused: %j', (yaml, expected) => {
    const problems = problemsOf(() => load(yaml));
    expect(problems).toEqual([expect.stringContaining(expected)]);
    expect(problems.join()).not.toContain('hunter2');
  });

  it.each([
    ['', 'hosts: found an empty list, but tls.certificate: acme needs a public name'],
    [
      'hosts: [a.example, "*.a.example"]',
      'acme.challenge: found "tls-alpn-01", but *.a.example among the hosts',
    ],
    ['hosts: [203.0.113.7]\nacme: { challenge: dns-01, dnsHook: hook }', 'cannot be validated by dns-01'],
    [
      'hosts: [a.example]\nacme: { challenge: dns-01 }',
      'acme.dnsHook: found nothing, but acme.challenge: dns-01',
    ],
    ['hosts: [a.example]\nacme: { challenge: http-01 }', 'needs a listener that accepts http'],
    ['hosts: [a.example]\nacme: { eab: { keyId: x } }', 'found nothing, expected a file'],
    ['hosts: [a.example]\nacme: { directoryUrl: "http://a.example/dir" }', 'expected an https:// address'],
  ])('with ACME are told before an authority is asked: %j', (yaml, expected) => {
    const problems = problemsOf(() => load(`tls: { certificate: acme }\n${yaml}`));
    expect(problems).toEqual([expect.stringContaining(expected)]);
  });

  it('with ACME make paths absolute, and allow wildcards where they can be had', () => {
    const { hosts, acme } = load(
      'hosts: ["*.A.example"]\ntls: { certificate: acme }\n' +
        'acme: { challenge: dns-01, dnsHook: hook, eab: { keyId: x, hmacKeyFile: eab.key } }',
    );
    expect(hosts).toEqual(['*.a.example']);
    expect([acme.dnsHook, acme.eab?.hmacKeyFile]).toEqual([
      expect.stringMatching(/^\/.*\/hook$/),
      expect.stringMatching(/^\/.*\/eab\.key$/),
    ]);
  });

  const validatedAt = (challenge: string, address: string, door: string) =>
    'hosts: [a.example]\ntls: { certificate: acme }\n' +
    `acme: { challenge: ${challenge}, dnsHook: hook }\nlisteners: [{ address: "${address}", accept: [${door}] }]`;

  it.each([
    ['tls-alpn-01', '0.0.0.0:8443', 'https', ['tls-alpn-01 is looked for at port 443, where no listener']],
    ['tls-alpn-01', '[::]:443', 'rtmpts', []],
    ['http-01', '0.0.0.0:8080', 'http', ['http-01 is looked for at port 80, where no listener accepts http']],
    ['http-01', '0.0.0.0:80', 'http', []],
    ['dns-01', '0.0.0.0:1935', 'rtmps', []],
  ])('of ports are doubts: %s with a listener at %s for %s', (challenge, address, door, expected) => {
    const { warnings } = load(validatedAt(challenge, address, door));
    expect(warnings).toEqual(expected.map((words) => expect.stringContaining(words)));
  });

  it('no TLS listener at all is no place for tls-alpn-01', () => {
    expect(problemsOf(() => load(validatedAt('tls-alpn-01', '0.0.0.0:443', 'rtmp')))).toEqual([
      expect.stringContaining('needs a listener that accepts rtmps or https'),
    ]);
  });

  it('in the YAML itself have a place too', () => {
    expect(problemsOf(() => load('hosts: [a\nlog: {}'))[0]).toMatch(/^test\.yaml:\d+:\d+: /);
    expect(problemsOf(() => load('store: sqlite\nstore: sqlite'))).toEqual([
      expect.stringMatching(/^test\.yaml:2:1: .*unique/),
    ]);
  });

  it('the same address twice is one, port 0 twice is none', () => {
    const listeners = (port: number) =>
      load(`listeners:\n${`  - { address: "127.0.0.1:${port}", accept: [rtmps] }\n`.repeat(2)}`);
    expect(problemsOf(() => listeners(1935))).toEqual([expect.stringMatching(/^test\.yaml:3:16: .*twice/)]);
    expect(listeners(0).listeners).toHaveLength(2);
  });
});

describe('verbs', () => {
  const options = () => ({ file: 'test.yaml', env: { PENSTOCK_PORT: 'x' }, cwd: folder });

  it('check says what was checked, and warns', () => {
    writeFileSync(join(folder, 'test.yaml'), 'hosts: [a.example]');
    expect(checkConfig(options())).toEqual({
      json: { valid: true, file: 'test.yaml', warnings: [expect.stringContaining('PENSTOCK_PORT')] },
      text: expect.stringMatching(/^test\.yaml is valid\.\nwarning: PENSTOCK_PORT/) as string,
    });
    expect(checkConfig({ env: {}, cwd: join(folder, 'empty') }).text).toMatch(
      /^There is no configuration file/,
    );
  });

  it('show prints a file that means the same', () => {
    writeFileSync(join(folder, 'test.yaml'), 'hosts: [a.example]\nrecorder: { minFreeSpace: 2GiB }');
    const { json, text } = showConfig(options());
    expect(parse(text)).toEqual(json);
    expect(json).toMatchObject({
      hosts: ['a.example'],
      dataDir: join(folder, 'data'),
      recorder: { directory: join(folder, 'data/recordings'), minFreeSpace: '2GiB' },
    });
    const before = loadConfig(options());
    expect({ ...load(text), warnings: before.warnings }).toEqual(before);
  });
});
