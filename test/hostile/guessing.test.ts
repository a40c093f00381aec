// Guessing keys: one address tries 10,000 within a minute. It is soon locked out, it learns nothing, it costs little,
// nobody else notices, and neither log nor audit nor process list holds any of what was tried. SECURITY 3 "Guessing".
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateKey } from '../../src/keys/stream-key-format.ts';
import { Encoder, type Refusal } from '../support/encoder.ts';
import { firstDifference, framesIn, syntheticFrames } from '../support/media.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const guesser = '127.0.0.1';
const elsewhere = '127.0.0.2';
const guesses = 10_000;
/** Milliseconds in which all of them are tried. */
const minute = 60_000;
/** Connections that guess at once; fewer than one address may have. */
const width = 40;
/** Guesses may be judged until the bucket is empty; all others only hear that they were refused. */
const mostJudged = 50;
/** Milliseconds of the server's CPU for one guess, most of which end where they are accepted; 0.3 is usual. */
const mostCpu = 2;
/** Letters of a key behind its public id. */
const secretLength = 30;

const folder = temporaryFolder(afterAll);
const server = new ServerProcess({ folder });
const random = seededRandom('guesses');
const refusals: (Refusal | undefined)[] = [];
const tried: string[] = [];
/** Milliseconds that a good encoder from elsewhere waited for Publish.Start, meanwhile. */
const waits: number[] = [];
/** What a publisher from elsewhere sends all the while, and how much of it was sent. */
const frames = syntheticFrames('guessing', 90, 1500);
let sent = 0;
/** As `audit list --json` answers. */
interface AuditLine {
  readonly action: string;
  readonly source: string;
}

let cpu = 0;
let lasted = 0;
let key = '';
let keyId = '';
let audit: readonly AuditLine[] = [];
let recording = '';
/** Command line and environment of the server, as every user of the machine may see the one of them. */
let visible = '';

beforeAll(async () => {
  await server.start();
  ({ key, id: keyId } = await server.createKey('live/camera'));
  const steady = await server.createKey('live/steady');
  const publisher = new Encoder({ port: server.port, name: steady.key, localAddress: elsewhere });
  await publisher.published;
  const before = cpuTime();
  const began = performance.now();
  const playing = play(publisher, began);
  const guessing = Promise.all(Array.from({ length: width }, guess));
  while (tried.length < guesses) waits.push(await publishFrom(elsewhere));
  await guessing;
  lasted = performance.now() - began;
  cpu = cpuTime() - before;
  await playing;
  await publisher.finish();
  // The guesser's own encoder is refused, the right key or not, until the lockout is over.
  refusals.push(await new Encoder({ port: server.port, name: key, localAddress: guesser }).ended);
  const { pid } = server.process.child;
  visible = readFileSync(`/proc/${pid}/cmdline`, 'latin1') + readFileSync(`/proc/${pid}/environ`, 'latin1');
  recording = (await server.finishedRecording('live/steady')).path;
  audit = await server.json('audit', 'list', '--since', '1h');
  await server.stop();
}, 150_000);

afterAll(() => server.discard());

/** Every other guess is of a key that exists, with another secret; the others are of keys that do not. */
async function guess(): Promise<void> {
  while (tried.length < guesses) {
    const name = generateKey('psk', (length) => {
      const bytes = random(length);
      if (tried.length % 2 === 0) bytes.set(idBytes());
      return bytes;
    }).secret.reveal();
    tried.push(name);
    refusals.push(await new Encoder({ port: server.port, name, localAddress: guesser }).ended);
  }
}

/** What the generator turns into the id of the good key. */
function idBytes(): Uint8Array {
  return Uint8Array.from(keyId, (letter) => '0123456789abcdefghjkmnpqrstvwxyz'.indexOf(letter));
}

/** Frames at the pace of the clock, until the guessing is over. */
async function play(publisher: Encoder, began: number): Promise<void> {
  while (tried.length < guesses) {
    const frame = frames[sent];
    if (frame === undefined || frame.timestamp > performance.now() - began) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      continue;
    }
    sent += 1;
    await publisher.send(frame.type, frame.timestamp, frame.payload);
  }
}

async function publishFrom(localAddress: string): Promise<number> {
  const began = performance.now();
  const encoder = new Encoder({ port: server.port, name: key, localAddress });
  await encoder.published;
  const waited = performance.now() - began;
  await encoder.finish();
  return waited;
}

/** Milliseconds of CPU that the server has used so far. proc(5): utime and stime in ticks of 10 ms. */
function cpuTime(): number {
  const stat = readFileSync(`/proc/${server.process.child.pid}/stat`, 'utf8');
  const [utime, stime] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number);
  return ((utime ?? 0) + (stime ?? 0)) * 10;
}

describe('10,000 wrong keys from one address', () => {
  it('are tried within a minute', () => {
    expect(tried.length).toBeGreaterThanOrEqual(guesses);
    expect(lasted).toBeLessThan(minute);
  });

  it('are hardly judged at all', () => {
    const reasons = server.logged('publish.refused').map(({ reason }) => String(reason));
    const judged = reasons.filter((reason) => reason !== 'too-many-attempts');
    expect(judged.length).toBeGreaterThan(0);
    expect(judged.length).toBeLessThanOrEqual(mostJudged);
    expect(server.logged('address.locked-out')).toMatchObject([{ address: guesser }]);
    const refused = audit.filter(({ action, source }) => /refused/.test(action) && source === guesser);
    expect(refused.length).toBeLessThanOrEqual(mostJudged);
    expect(audit.filter(({ action }) => action === 'address.locked-out').length).toBe(1);
  });

  it('change nothing in what somebody else records meanwhile', () => {
    expect(sent).toBeGreaterThan(100);
    expect(firstDifference(frames.slice(0, sent), framesIn(recording))).toBeUndefined();
  });

  it('hear the same, if anything, and so does the right one from there', () => {
    // Who is locked out need not be heard at all: undefined.
    const heard = refusals.filter((refusal) => refusal !== undefined);
    expect(refusals.length).toBe(guesses + 1);
    expect(heard.length).toBeGreaterThan(0);
    expect(new Set(heard.map(({ code, description }) => `${code}: ${description}`)).size).toBe(1);
    expect(heard[0]?.code).toBe('NetStream.Publish.BadName');
  });

  it('cost little', () => {
    expect(cpu / guesses).toBeLessThan(mostCpu);
  });

  it('do not keep a good key from elsewhere waiting', () => {
    expect(waits.length).toBeGreaterThan(3);
    expect(Math.max(...waits)).toBeLessThan(3000);
  });

  it('leave no trace of a key in log, audit, command line or environment, and no mistake of ours', () => {
    const secrets = new Set([...tried, key].map((secret) => secret.slice(13, 13 + secretLength)));
    // Read once, whatever the number of secrets: every run of letters that is long enough to hold one.
    const told = server.log + JSON.stringify(audit) + visible;
    const runs = told.match(/[0-9a-z]{30,}/g) ?? [];
    const pieces = runs.flatMap((run) =>
      Array.from({ length: run.length - secretLength + 1 }, (_, at) => run.slice(at, at + secretLength)),
    );
    expect(pieces.filter((piece) => secrets.has(piece))).toEqual([]);
    expect(told).not.toMatch(/psk_/);
    expect(server.log).not.toMatch(/"bug":true/);
  });
});
