// A recorder on a stage: a hub, a fake clock, and disks in memory that can be full, slow or gone.
import type { InterruptedRecording, RecordingRequest } from '../../src/archive/open-recording.ts';
import type { Tag } from '../../src/flv/tag.ts';
import type { Notice, Publication } from '../../src/hub/publication.ts';
import { createStreamHub } from '../../src/hub/stream-hub.ts';
import type { KeyId, StreamName } from '../../src/ops/names.ts';
import { createRecorder, type RecorderOptions } from '../../src/recorder/recorder.ts';
import { FakeClock } from './fake-clock.ts';
import { streamTags, type ReadTag } from './media-tags.ts';
import { MemoryRecording } from './memory-recording.ts';
import { RecordedLog } from './recorded-log.ts';
import { settled } from './settled.ts';
import { testOrigin } from './test-origin.ts';

export class TakeStage {
  readonly clock = new FakeClock();
  readonly log = new RecordedLog();
  readonly hub = createStreamHub({ clock: this.clock, log: this.log });
  /** Every file that was made. */
  readonly files: MemoryRecording[] = [];
  readonly requests: RecordingRequest[] = [];
  /** What publishers were told, and when they were paused. */
  readonly notices: Notice[] = [];
  readonly paused: boolean[] = [];
  /** What happens to files that are made from now on; may wait or throw. */
  onCreate: (file: MemoryRecording) => Promise<void> | void = () => undefined;
  /** What an earlier server left. */
  interrupted: InterruptedRecording | undefined;
  spaceState: 'ample' | 'low' | 'stop' = 'ample';
  readonly recorder;

  constructor(options: Partial<RecorderOptions> = {}) {
    const space = () => this.spaceState;
    this.recorder = createRecorder({
      hub: this.hub,
      archive: {
        create: (request) => this.#create(request),
        findInterrupted: async (_stream, _keyId, since) =>
          this.interrupted !== undefined && this.interrupted.endedAt >= since ? this.interrupted : undefined,
        get spaceState() {
          return space();
        },
      },
      clock: this.clock,
      log: this.log,
      flushInterval: 250,
      syncInterval: 5000,
      reconnectWindow: 30_000,
      segment: { maxDuration: null, maxSize: null },
      ...options,
    });
    void this.recorder.start();
  }

  publish(stream = 'live/a', keyId = 'key00001'): Promise<Publication> {
    return this.hub.publish(stream as StreamName, {
      label: 's1',
      keyId: keyId as KeyId,
      origin: testOrigin,
      pause: () => void this.paused.push(true),
      resume: () => void this.paused.push(false),
      evict: () => undefined,
      tell: (notice) => void this.notices.push(notice),
    });
  }

  /** Lets time pass in ticks, and the disks do what they do. */
  async pass(milliseconds: number): Promise<void> {
    for (let left = milliseconds; left > 0; left -= 50) {
      this.clock.advance(Math.min(50, left));
      await settled();
    }
  }

  /** Tags of a file of the stage, without those of its head. */
  tags(file: number): ReadTag[] {
    return streamTags(this.files[file]?.file ?? new Uint8Array());
  }

  async #create(request: RecordingRequest): Promise<MemoryRecording> {
    this.requests.push(request);
    const before = request.continues?.slice(0, 16);
    const segment = this.requests.filter(({ continues }) => continues?.slice(0, 16) === before).length + 1;
    const id = before === undefined ? String(this.files.length).padStart(16, '0') : `${before}-${segment}`;
    const file = new MemoryRecording(id, request.stream);
    this.files.push(file);
    await this.onCreate(file);
    return file;
  }
}

/** What is left of tags when their times are. */
export function plain(tags: readonly Tag[]): { type: number; body: Uint8Array }[] {
  return tags.map(({ type, body }) => ({ type, body: Uint8Array.from(body) }));
}
