import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type DoctorContext, type Installation, runDoctor } from '../../src/doctor/doctor-cli.ts';
import { SetupError } from '../../src/errors.ts';
import type { StreamKey } from '../../src/keys/key-rule.ts';
import { systemRandom } from '../../src/ops/random.ts';
import { brokenServer, closedPort, testNetwork } from '../support/doctor-network.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const secret = 'psk_7h2kq9d4_notarealsecretbutlongenough';

function contextFor(given: Partial<Installation> = {}, input = ''): DoctorContext {
  const folder = temporaryFolder();
  return {
    network: testNetwork({ whyNotListen: () => Promise.resolve(undefined) }),
    clock: new FakeClock(Date.now()),
    random: systemRandom,
    readStandardInput: () => Promise.resolve(input),
    installation: {
      configFile: undefined,
      warnings: [],
      hosts: [],
      dataDir: folder,
      certsDir: folder,
      recordings: folder,
      minFreeSpace: 0,
      listeners: [{ host: '0.0.0.0', port: 1935, accept: ['rtmps'] }],
      certificateFiles: [],
      behindProxy: false,
      clientCertificates: false,
      running: false,
      keys: () => Promise.resolve([{ role: 'publish', state: 'active', stream: 'live/a' } as StreamKey]),
      liveWith: () => Promise.resolve(undefined),
      ...given,
    },
  };
}

describe('penstock doctor', () => {
  it('looks at the installation; warnings are no failure', async () => {
    const { json, text, failed } = await runDoctor({}, contextFor({ warnings: ['a remark'] }));
    expect(failed).toBe(false);
    expect(json).toMatchObject({ ok: true, examinations: [{ subject: 'this installation' }] });
    expect(text).toMatch(/^this installation\n {2}ok {9}configuration {2}the defaults hold/);
    expect(text).toContain('WARNING    configuration  a remark');
    expect(text).toMatch(/not tried +urls +the server is not running\n\nNothing failed; \d to look at\.$/);
  });

  it.each([
    [{ issued: true }, /ok +certificate +there is one from ACME$/m],
    [{ issued: false }, /WARNING +certificate +there is none from ACME yet\n.*cert status/],
    [
      { issued: true, failure: { reason: 'rate limit', hint: 'wait' } },
      /WARNING .*not be renewed yet: rate limit/,
    ],
    [{ issued: false, failure: { reason: 'DNS: no', hint: 'mend it' } }, /FAILED .*yet: DNS: no\n.*mend it/],
  ])('tells how ACME goes: %j', async (acme, expected) => {
    expect((await runDoctor({}, contextFor({ acme }))).text).toMatch(expected);
  });

  it('says of certificate files what the server would say', async () => {
    const certificateProblems = [{ says: 'the key in k does not belong', hint: 'copy both' }];
    const { text, failed } = await runDoctor({}, contextFor({ certificateProblems }));
    expect(text).toMatch(/FAILED +certificate +the key in k does not belong\n +what to do +copy both/);
    expect(failed).toBe(true);
  });

  it('looks for no wildcard in the DNS: only certificates know those', async () => {
    const { text } = await runDoctor({}, contextFor({ hosts: ['*.example.com'] }));
    expect(text).not.toContain('*.example.com');
  });

  it('goes on with whatever else can be known when something is broken', async () => {
    const broken = contextFor({
      keys: () => Promise.reject(new SetupError('STORE_UNUSABLE', 'it is damaged')),
    });
    const { json, failed } = await runDoctor({}, broken);
    expect(failed).toBe(true);
    expect(JSON.stringify(json)).toContain('it is damaged');
    expect(JSON.stringify(json)).toContain('0.0.0.0:1935 is free');
    const installation = new SetupError('CONFIG_INVALID', 'penstock.yaml:3:1: no', { hint: 'mend it' });
    const report = await runDoctor({}, { ...contextFor(), installation });
    expect([report.failed, report.text]).toEqual([true, expect.stringContaining('penstock.yaml:3:1: no')]);
  });

  it('examines the doors of a running server at this machine, under every public name', async () => {
    const port = await closedPort();
    const listeners = [{ host: '0.0.0.0', port, accept: ['https', 'rtmpe', 'rtmps'] }];
    const hosts = ['a.example', 'b.example'];
    const { json } = await runDoctor({}, contextFor({ running: true, listeners, hosts }));
    const { examinations } = json as { examinations: { subject: string; findings: { says: string }[] }[] };
    expect(examinations.map(({ subject }) => subject)).toEqual([
      'this installation',
      ...['rtmps://a.example', 'rtmpe://a.example', 'rtmps://b.example'].map((url) => `${url}:${port}/live`),
    ]);
    expect(examinations[1]?.findings[0]?.says).toContain('of 127.0.0.1');
    const behind = await runDoctor({}, contextFor({ running: true, listeners, hosts, behindProxy: true }));
    expect(behind.text).toContain('must begin with a PROXY header');
  });

  it('does not call an installation sick for wanting client certificates', async () => {
    const listeners = [{ host: '127.0.0.1', port: await closedPort(), accept: ['rtmps', 'rtmpe'] }];
    const { json, text } = await runDoctor(
      {},
      contextFor({ running: true, listeners, clientCertificates: true }),
    );
    const { examinations } = json as { examinations: { subject: string }[] };
    expect(examinations.map(({ subject }) => subject)).toEqual([
      'this installation',
      expect.stringMatching(/^rtmpe:/),
    ]);
    expect(text).toContain('not tried  tls-urls');
  });

  it('explains the same trouble once, and puts what was not tried on one line', async () => {
    const port = await closedPort();
    const listeners = [{ host: '127.0.0.1', port, accept: ['rtmps'] }];
    const { text } = await runDoctor(
      {},
      contextFor({ running: true, listeners, hosts: ['a.example', 'b.example'] }),
    );
    expect(text.match(/nobody listens at port/g)).toHaveLength(2);
    expect(text.match(/OBS says {5}Failed to connect to server/g)).toHaveLength(1);
    expect(text).toContain('not tried  tls, certificate, certificate-name, handshake, connect, key  nobody');
  });
});

describe('the key', () => {
  const url = 'rtmp://h.example:9/live';

  it('comes from a file or from standard input', async () => {
    const file = join(temporaryFolder(), 'key');
    writeFileSync(file, `${secret}\n`);
    const port = await brokenServer((socket) => socket.destroy());
    for (const keyFile of [file, '-']) {
      const report = await runDoctor(
        { url: `rtmp://h.example:${port}`, keyFile },
        contextFor({}, ` ${secret}\n`),
      );
      expect(JSON.stringify(report)).not.toContain(secret);
      expect(report.failed).toBe(true);
    }
  });

  it.each(['', 'two words', 'x'.repeat(501)])(
    'that is none is refused, and not repeated: %j',
    async (input) => {
      const running = runDoctor({ url, keyFile: '-' }, contextFor({}, input));
      await expect(running).rejects.toMatchObject({
        code: 'ARGUMENT_INVALID',
        message: '--key-file: this is no stream key.',
      });
    },
  );

  it('whose stream is on the air here is not tried', async () => {
    let asked = '';
    const liveWith = (id: string) => {
      asked = id;
      return Promise.resolve('live/a');
    };
    const report = await runDoctor({ url, keyFile: '-' }, contextFor({ liveWith }, secret));
    expect(asked).toBe('7h2kq9d4');
    expect(report.text).not.toContain('[secret]');
  });

  it('cannot be read: says which way is right', async () => {
    const running = runDoctor({ url, keyFile: '/nowhere/key' }, contextFor());
    await expect(running).rejects.toMatchObject({ message: expect.stringContaining('ENOENT') as string });
  });
});
