// Recorder and archive against a model that is too simple to be wrong: seeded sequences of what encoders, operators,
// disks and kills do, on real files and a real database, under a clock of the test. Every frame that came while the
// disk was well is in one file, once, in its place; what is in the folder and what the catalogue says is the same.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Archive } from '../../src/archive/archive.ts';
import type { RecordingEntry } from '../../src/archive/catalogue-store.ts';
import type { OpenRecording } from '../../src/archive/open-recording.ts';
import { listFiles, type RecordingFile } from '../../src/archive/recording-file.ts';
import { ResourceError } from '../../src/errors.ts';
import { headLength } from '../../src/flv/file-head.ts';
import { gapMarkOf, metadataOf } from '../../src/flv/script-data.ts';
import { TagType, type Tag } from '../../src/flv/tag.ts';
import type { Publication } from '../../src/hub/publication.ts';
import { createStreamHub } from '../../src/hub/stream-hub.ts';
import type { KeyId, StreamName } from '../../src/ops/names.ts';
import { createRecorder } from '../../src/recorder/recorder.ts';
import { openTestArchive } from '../support/archive.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { aacTag, avcTag, readTags, type ReadTag } from '../support/media-tags.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { settled } from '../support/settled.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { testOrigin } from '../support/test-origin.ts';

const window = 30_000;
const longestRetry = 70_000;

/** What the encoder of one stream knows of itself, and what must become of its frames. */
class Source {
  readonly stream: StreamName;
  publication: Publication | undefined;
  keyId = '';
  /** Added to the clock of the test to make the encoder's own. */
  clockOffset = 0;
  /** Which codec parameters hold; each frame says them. */
  parameters = 0;
  needsKeyFrame = true;
  begun = false;
  /** The server was, since its last frame; whether the next goes on with the event is shown elsewhere. */
  killed = false;
  /** Frames of one event have one number; undefined: it cannot be told whether the next is another. */
  event: number | undefined = 0;
  /** Until when (clock of the test) an encoder that comes back continues the event. */
  mayReturnUntil = -1;

  constructor(name: string) {
    this.stream = `live/${name}` as StreamName;
  }
}

interface Sent {
  readonly stream: StreamName;
  readonly event: number | undefined;
  readonly sure: boolean;
}

class Stage {
  readonly folder = temporaryFolder();
  readonly clock = new FakeClock();
  readonly log = new RecordedLog();
  readonly sources = [new Source('a'), new Source('b')];
  /** By serial number. */
  readonly sent: Sent[] = [];
  readonly #random: (length: number) => Uint8Array;
  readonly #segment: number | null;
  archive!: Archive;
  recorder!: ReturnType<typeof createRecorder>;
  hub!: ReturnType<typeof createStreamHub>;
  trouble: 'full' | 'stop' | undefined;
  #events = 0;
  #underWay = 0;
  /** Made by the present server. */
  readonly #files: RecordingFile[] = [];
  /** Only the living one may write: what is left of a killed server is done before. */
  #life = 0;

  constructor(seed: string, segment: number | null) {
    this.#random = seededRandom(seed);
    this.#segment = segment;
  }

  below(end: number): number {
    return Buffer.from(this.#random(4)).readUInt32BE() % end;
  }

  async start(): Promise<void> {
    const { archive } = await openTestArchive({ dataFolder: this.folder, seed: `life ${(this.#life += 1)}` });
    this.archive = archive;
    const makeFile = archive.vault.create.bind(archive.vault);
    archive.vault.create = async (...asked) => {
      const file = await makeFile(...asked);
      this.#files.push(file);
      return file;
    };
    await archive.beginRecovery(60_000);
    const [space, create] = [() => this.trouble === 'stop', this.#create.bind(this)];
    this.hub = createStreamHub({ clock: this.clock, log: this.log });
    this.recorder = createRecorder({
      hub: this.hub,
      archive: {
        create,
        findInterrupted: (...asked) => archive.findInterrupted(...asked),
        get spaceState() {
          return space() ? 'stop' : 'ample';
        },
      },
      clock: this.clock,
      log: this.log,
      flushInterval: 250,
      syncInterval: 5000,
      reconnectWindow: window,
      segment: { maxDuration: this.#segment, maxSize: null },
    });
    await this.recorder.start();
  }

  async #create(request: Parameters<Archive['create']>[0]): Promise<OpenRecording> {
    if (this.trouble !== undefined) throw full();
    const failing = new Set<string | symbol>(['append', 'patch', 'datasync', 'seal']);
    return new Proxy(await this.#busy(this.archive.create(request)), {
      get: (target, name) => {
        if (this.trouble === 'full' && failing.has(name)) return () => Promise.reject(full());
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...given: unknown[]) => this.#busy(Reflect.apply(value, target, given) as Promise<unknown>);
      },
      set: (target, name, value) => Reflect.set(target, name, value, target),
    });
  }

  async #busy<Result>(work: Promise<Result>): Promise<Result> {
    this.#underWay += 1;
    return work.finally(() => (this.#underWay -= 1));
  }

  /** The real disk has its time whenever the clock of the test moves. */
  async pass(milliseconds: number): Promise<void> {
    for (let left = milliseconds; left > 0; left -= 50) {
      this.clock.advance(Math.min(50, left));
      do await settled();
      while (this.#underWay > 0);
    }
  }

  /** All that came is on the disk. */
  async flushed(): Promise<void> {
    await this.pass(1000);
    if (this.recorder.waitingBytes > 0) throw new Error('a second did not suffice to write everything');
  }

  async publish(source: Source, keyId: string): Promise<void> {
    const same = keyId === source.keyId;
    const before = source.publication;
    try {
      source.publication = await this.hub.publish(source.stream, {
        label: 's',
        keyId: keyId as KeyId,
        origin: testOrigin,
        pause: () => undefined,
        resume: () => undefined,
        evict: () => undefined,
        tell: () => undefined,
      });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error;
      const refused = before !== undefined && !same && error.code === 'STREAM_BUSY';
      if (!refused) {
        if (error.code !== 'DISK_FULL' || this.trouble === undefined) throw error;
        source.publication = undefined;
        source.event = undefined;
      }
      return;
    }
    if (before !== undefined && !same) throw new Error('another key took the stream');
    // A takeover is a coming back.
    const continues =
      same && source.begun && (before !== undefined || this.clock.monotonic() <= source.mayReturnUntil);
    if (this.trouble !== undefined || source.killed) source.event = undefined;
    else if (!continues) {
      source.event = this.#events += 1;
      source.begun = false;
    }
    source.keyId = keyId;
    source.clockOffset =
      this.below(5) === 0 ? this.below(1_000_000) - this.clock.monotonic() : source.clockOffset;
    this.#write(source, avcTag('header', 0, 20, source.parameters));
    this.#write(source, aacTag('header', 0));
    source.needsKeyFrame = true;
  }

  /** Sound and picture in turns, half of a second, with a key frame at the beginning if there must be one. */
  async send(source: Source, wild = false): Promise<void> {
    if (source.publication === undefined) return;
    const frames = 12 + this.below(60);
    for (let frame = 0; frame < frames; frame += 1) {
      const at = Math.max(0, this.clock.monotonic() + source.clockOffset);
      const isKey = source.needsKeyFrame || this.below(20) === 0;
      source.needsKeyFrame = false;
      this.#frame(source, avcTag(isKey ? 'key' : 'inter', at, 60 + this.below(2000)));
      this.#frame(source, aacTag('frame', wild && frame === 5 ? at + 900_000_000 : at + 3, 40));
      await this.pass(40);
    }
  }

  #frame(source: Source, tag: Tag): void {
    const body = Buffer.from(tag.body);
    const head = tag.type === TagType.Video ? 5 : 2;
    body.writeUInt32BE(this.sent.length, head);
    body.writeUInt32BE(source.parameters, head + 4);
    this.sent.push({ stream: source.stream, event: source.event, sure: this.trouble === undefined });
    source.begun = true;
    source.killed = false;
    this.#write(source, { ...tag, body });
  }

  #write(source: Source, tag: Tag): void {
    source.publication?.write(tag);
  }

  async end(source: Source, reason: 'unpublished' | 'publisher-lost' | 'kicked'): Promise<void> {
    if (source.publication === undefined) return;
    await source.publication.end(reason);
    source.publication = undefined;
    source.mayReturnUntil = reason === 'publisher-lost' ? this.clock.monotonic() + window : -1;
  }

  changeParameters(source: Source): void {
    source.parameters += 1;
    this.#write(source, avcTag('header', 0, 20, source.parameters));
    source.needsKeyFrame = true;
  }

  async breakDisk(): Promise<void> {
    await this.flushed();
    this.trouble = this.below(2) === 0 ? 'full' : 'stop';
    for (const source of this.sources) source.event = undefined;
  }

  /** The disk is well again, and everybody had the time to notice. */
  async mendDisk(): Promise<void> {
    this.trouble = undefined;
    await this.pass(longestRetry);
    for (const source of this.sources) source.needsKeyFrame = true;
  }

  /** kill -9, and the next start on the same folder. */
  async kill(): Promise<void> {
    await this.flushed();
    for (const source of this.sources) {
      source.publication = undefined;
      source.killed = true;
      source.mayReturnUntil = -1;
    }
    this.clock.silence();
    for (const file of this.#files.splice(0)) await file.close(); // as the end of a process does
    await this.start();
  }

  /** Answers what was done. */
  async step(): Promise<string> {
    const source = this.sources[this.below(this.sources.length)]!;
    const [own, other] = source.keyId === 'key00001' ? ['key00001', 'key00002'] : ['key00002', 'key00001'];
    const choice = this.below(25);
    if (source.publication === undefined && choice < 12) {
      await this.pass([100, 3000, 29_000, 31_000, 45_000][choice] ?? 0);
      await this.publish(source, choice % 3 === 0 ? other : own);
      return `${source.stream} comes`;
    }
    if (choice < 10) await this.send(source);
    else if (choice === 10) await this.end(source, 'unpublished');
    else if (choice === 11) await this.end(source, 'kicked');
    else if (choice < 15) await this.end(source, 'publisher-lost');
    else if (choice === 15) await this.publish(source, own);
    else if (choice === 16) await this.publish(source, other);
    else if (choice === 17) this.changeParameters(source);
    else if (choice === 18) source.clockOffset += this.below(4_000_000) - 2_000_000;
    else if (choice === 19) await this.send(source, true);
    else if (choice === 20) await this.pass(this.below(20_000));
    else if (choice === 24) this.clock.setNow(this.clock.now() + this.below(200_000_000) - 100_000_000);
    else if (this.trouble !== undefined) await this.mendDisk();
    else if (choice === 21) await this.kill();
    else await this.breakDisk();
    return `${choice} ${source.stream}`;
  }
}

function full(): ResourceError {
  return new ResourceError('DISK_FULL', 'no space left', { hint: 'make room' });
}

const isFrame = ({ role }: Tag) => role === 'key-frame' || role === 'inter-frame' || role === 'audio';
const headOf = ({ type }: Tag) => (type === TagType.Video ? 5 : 2);
const serialOf = (tag: Tag) => Buffer.from(tag.body).readUInt32BE(headOf(tag));
const parametersOf = (tag: Tag) => Buffer.from(tag.body).readUInt32BE(headOf(tag) + 4);

/** What every finished file must be, whatever happened; answers its frames. */
function expectSound(entry: RecordingEntry, path: string): ReadTag[] {
  const bytes = readFileSync(path);
  const { tags, reader } = readTags(bytes);
  expect([reader.status, reader.wholeBytes, entry.bytes]).toEqual(['reading', bytes.length, bytes.length]);
  const head = metadataOf(tags[0]!.body);
  expect(head?.get('filesize')).toBe(bytes.length);
  expect(Math.trunc(Number(head?.get('duration')) * 1000)).toBe(entry.durationMs);
  const stream = tags.filter(({ position }) => position >= headLength);
  const frames = stream.filter(isFrame);
  expect(frames[0]?.timestamp).toBe(0);
  for (const type of [TagType.Audio, TagType.Video]) {
    const times = frames.filter((tag) => tag.type === type).map(({ timestamp }) => timestamp);
    expect(times).toEqual(times.toSorted((one, other) => one - other));
  }
  expect(frames.find(({ type }) => type === TagType.Video)?.role ?? 'key-frame').toBe('key-frame');
  let inForce: Uint8Array | undefined;
  for (const tag of stream) {
    if (tag.type !== TagType.Video) continue;
    if (tag.role === 'sequence-start') inForce = tag.body;
    else expect(((inForce?.[5] ?? 0) - 35) & 0xff).toBe(parametersOf(tag) & 0xff); // as avcTag fills
  }
  const marks = stream.flatMap(({ type, body }) =>
    type === TagType.ScriptData ? [gapMarkOf(body)].filter((mark) => mark !== undefined) : [],
  );
  expect(entry.gaps).toEqual(marks);
  return frames;
}

async function check(stage: Stage): Promise<void> {
  const entries = await stage.archive.list();
  const files = await listFiles(stage.archive.folder, '');
  expect(files.toSorted()).toEqual(entries.map(({ path }) => path).toSorted());
  const found = new Map<number, RecordingEntry>();
  for (const source of stage.sources) {
    const own = entries
      .filter(({ stream }) => stream === source.stream)
      .map((entry) => {
        expect(entry.state).not.toBe('recording');
        expect(existsSync(stage.archive.pathOf(entry))).toBe(true);
        return { entry, serials: expectSound(entry, stage.archive.pathOf(entry)).map(serialOf) };
      })
      .toSorted((one, other) => one.serials[0]! - other.serials[0]!);
    const serials = own.flatMap((file) => file.serials);
    expect(serials).toEqual([...new Set(serials)].toSorted((one, other) => one - other));
    for (const { entry, serials: mine } of own) for (const serial of mine) found.set(serial, entry);
    const pairs = own.slice(1).map(({ entry }, index) => [own[index]!.entry, entry] as const);
    const disordered = pairs.filter(([one, next]) => one.event === next.event && one.segment >= next.segment);
    expect(disordered).toEqual([]);
  }
  const lost = stage.sent.flatMap(({ sure }, serial) => (sure && !found.has(serial) ? [serial] : []));
  expect(lost).toEqual([]);
  const events = new Map<number, Set<string>>();
  for (const [serial, { event }] of stage.sent.entries()) {
    const entry = found.get(serial);
    if (event === undefined || entry === undefined) continue;
    events.set(event, (events.get(event) ?? new Set()).add(entry.event));
  }
  const parts = [...events.values()].map((ids) => [...ids]);
  expect(parts.filter(({ length }) => length !== 1)).toEqual([]);
  expect(new Set(parts.flat()).size).toBe(parts.length);
}

describe('recorder and archive', () => {
  it.each(Array.from({ length: 8 }, (_, index) => `sequence ${index}`))(
    '%s',
    { timeout: 60_000 },
    async (seed) => {
      const stage = new Stage(seed, Number(seed.at(-1)) % 2 === 0 ? null : 5000);
      await stage.start();
      const steps: string[] = [];
      try {
        for (let step = 0; step < 100; step += 1) steps.push(await stage.step());
        if (stage.trouble !== undefined) await stage.mendDisk();
        for (const source of stage.sources) if (source.publication !== undefined) await stage.send(source);
        await stage.recorder.stop();
        expect([stage.recorder.active, stage.recorder.waitingBytes, stage.archive.openCount]).toEqual([
          [],
          0,
          0,
        ]);
        expect(stage.clock.timers).toBe(0);
        await check(stage);
      } catch (error) {
        throw new Error(`after ${steps.join(', ')}`, { cause: error });
      }
    },
  );
});
