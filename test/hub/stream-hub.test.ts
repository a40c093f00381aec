import { describe, expect, it } from 'vitest';
import type { Tag } from '../../src/flv/tag.ts';
import type { Publication, Subscriber, Subscription } from '../../src/hub/publication.ts';
import { createStreamHub } from '../../src/hub/stream-hub.ts';
import type { KeyId, StreamName } from '../../src/ops/names.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { avcTag } from '../support/media-tags.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { testOrigin } from '../support/test-origin.ts';
import { settled } from '../support/settled.ts';

const stream = 'live/a' as StreamName;

function setUp() {
  const log = new RecordedLog();
  return { hub: createStreamHub({ clock: new FakeClock(1000), log }), log };
}

/** A publisher that notes what it is told. */
function publisher(keyId = 'key00001') {
  const told: string[] = [];
  return {
    told,
    label: 's1',
    keyId: keyId as KeyId,
    origin: testOrigin,
    pause: () => void told.push('pause'),
    resume: () => void told.push('resume'),
    evict: (reason: string) => void told.push(`evict ${reason}`),
    tell: ({ code }: { readonly code: string }) => void told.push(`tell ${code}`),
  };
}

function subscriber(told: string[] = [], label = 'sub'): Subscriber & { told: string[] } {
  return {
    told,
    label,
    write: (tag) => void told.push(`${label} ${tag.timestamp}`),
    end: (reason) => void told.push(`${label} end ${reason}`),
  };
}

const tag = (timestamp: number): Tag => avcTag('inter', timestamp);

describe('the hub', () => {
  it('hands each tag to every subscriber, in order, until it ends', async () => {
    const { hub } = setUp();
    const told: string[] = [];
    hub.onPublish((publication) => void publication.subscribe(subscriber(told, 'a')));
    const publication = await hub.publish(stream, publisher());
    expect(publication).toMatchObject({ stream, keyId: 'key00001', startedAt: 1000, ended: undefined });
    publication.write(tag(1));
    const late = publication.subscribe(subscriber(told, 'b'));
    publication.write(tag(2));
    late.cancel();
    publication.write(tag(3));
    await publication.end('unpublished');
    publication.write(tag(4));
    expect(told).toEqual(['a 1', 'a 2', 'b 2', 'a 3', 'a end unpublished']);
    expect(hub.publications).toEqual([]);
  });

  it('resolves publish and end only when the listeners and subscribers have finished', async () => {
    const { hub } = setUp();
    const steps: string[] = [];
    let open = () => {};
    let seal = () => {};
    hub.onPublish(async (publication) => {
      await new Promise<void>((resolve) => (open = resolve));
      publication.subscribe({
        ...subscriber(steps),
        end: () => new Promise<void>((resolve) => (seal = resolve)),
      });
    });
    const publishing = hub.publish(stream, publisher()).then((publication) => {
      steps.push('published');
      return publication;
    });
    await settled();
    expect([steps, hub.publications.length]).toEqual([[], 1]);
    open();
    const publication = await publishing;
    const ends = [publication.end('shutdown'), publication.end('kicked')];
    const ending = Promise.all(ends).then(() => steps.push('ended'));
    await settled();
    expect(steps).toEqual(['published']);
    expect(publication.ended).toBe('shutdown');
    seal();
    await ending;
    expect(steps).toEqual(['published', 'ended']);
  });

  it('rejects with what a listener throws, and leaves the stream free and subscribers ended', async () => {
    const { hub } = setUp();
    const told: string[] = [];
    hub.onPublish((publication) => void publication.subscribe(subscriber(told)));
    const stop = hub.onPublish(() => Promise.reject(new Error('no disk')));
    await expect(hub.publish(stream, publisher())).rejects.toThrow('no disk');
    expect([hub.publications, told]).toEqual([[], ['sub end unpublished']]);
    stop();
    await expect(hub.publish(stream, publisher())).resolves.toBeDefined();
  });
});

describe('taking over', () => {
  it('is for the same key: the newer wins at once, the older is told', async () => {
    const { hub } = setUp();
    const [older, newer] = [publisher(), publisher()];
    const first = await hub.publish(stream, older);
    const told: string[] = [];
    let seal = () => {};
    first.subscribe({
      ...subscriber(told),
      end: (reason) => {
        told.push(reason);
        return new Promise<void>((resolve) => (seal = resolve));
      },
    });
    // the older recording is still being sealed (a slow disk), and nobody waits for it
    const second = await hub.publish(stream, newer);
    expect([told, older.told, newer.told]).toEqual([['replaced'], ['evict replaced'], []]);
    expect(hub.publications).toEqual([second]);
    seal();
    await first.end('publisher-lost'); // which the evicted session says
    expect([first.ended, second.ended, hub.publications]).toEqual(['replaced', undefined, [second]]);
  });

  it('is refused to everybody where no takeover is wanted, until the stream is free', async () => {
    const hub = createStreamHub({
      clock: new FakeClock(),
      log: new RecordedLog(),
      duplicatePublisher: 'refuse',
    });
    const older = publisher();
    const first = await hub.publish(stream, older);
    await expect(hub.publish(stream, publisher())).rejects.toMatchObject({ code: 'STREAM_BUSY' });
    expect([older.told, first.ended]).toEqual([[], undefined]);
    await first.end('publisher-lost');
    await expect(hub.publish(stream, publisher())).resolves.toBeDefined();
  });

  it('is refused to another key, until the stream is free', async () => {
    const { hub } = setUp();
    const first = await hub.publish(stream, publisher('key00001'));
    const other = publisher('key00002');
    await expect(hub.publish(stream, other)).rejects.toMatchObject({ code: 'STREAM_BUSY' });
    await first.end('unpublished');
    await expect(hub.publish(stream, other)).resolves.toBeDefined();
  });

  it.each([
    ['the same key', () => 'key00001', 'STREAM_TAKEN_OVER'],
    ['different keys', (at: number) => `key000${10 + at}`, 'STREAM_BUSY'],
  ])('lets exactly one of 20 win that come at once with %s', async (_, keyOf, code) => {
    const { hub } = setUp();
    const subscribers: string[][] = [];
    hub.onPublish(async (publication) => {
      await settled();
      const told: string[] = [];
      subscribers.push(told);
      publication.subscribe(subscriber(told));
    });
    const publishers = Array.from({ length: 20 }, (_, at) => publisher(keyOf(at)));
    const results = await Promise.allSettled(publishers.map((one) => hub.publish(stream, one)));
    const winners = results.filter((result) => result.status === 'fulfilled');
    const losers = results.filter((result) => result.status === 'rejected');
    expect(losers.map(({ reason }) => reason.code)).toEqual(Array<string>(19).fill(code));
    expect(hub.publications).toEqual(winners.map(({ value }) => value));
    winners[0]!.value.write(tag(7));
    expect(subscribers.filter((told) => told.includes('sub 7'))).toHaveLength(1);
    expect(subscribers.filter((told) => told.includes('sub end replaced'))).toHaveLength(
      subscribers.length - 1,
    );
    expect(publishers.flatMap(({ told }) => told)).toEqual([]);
  });
});

describe('back pressure', () => {
  async function two() {
    const { hub } = setUp();
    const source = publisher();
    const publication = await hub.publish(stream, source);
    const a = publication.subscribe(subscriber());
    const b = publication.subscribe(subscriber());
    return { source, publication, a, b };
  }

  it('pauses the publisher while anybody holds', async () => {
    const { source, a, b } = await two();
    a.hold();
    a.hold();
    b.hold();
    a.release();
    a.release();
    expect(source.told).toEqual(['pause']);
    b.release();
    expect(source.told).toEqual(['pause', 'resume']);
    b.hold();
    expect(source.told).toEqual(['pause', 'resume', 'pause']);
  });

  it('lets go when the holder leaves or the publication ends', async () => {
    const { source, publication, a, b } = await two();
    a.hold();
    a.cancel();
    a.hold();
    expect(source.told).toEqual(['pause', 'resume']);
    b.hold();
    await publication.end('unpublished');
    b.release();
    expect(source.told).toEqual(['pause', 'resume', 'pause', 'resume']);
  });
});

describe('a subscriber that throws', () => {
  it('is ended, dropped, counted and logged, and nobody else notices', async () => {
    const { hub, log } = setUp();
    const publication = await hub.publish(stream, publisher());
    const told: string[] = [];
    publication.subscribe({
      ...subscriber(told, 'bad'),
      write: () => {
        throw new Error('ouch');
      },
    });
    publication.subscribe(subscriber(told, 'good'));
    publication.write(tag(1));
    publication.write(tag(2));
    await publication.end('unpublished');
    expect(told).toEqual(['bad end subscriber-failed', 'good 1', 'good 2', 'good end unpublished']);
    expect(hub.failedSubscribers).toBe(1);
    expect(log.of('subscriber.failed')).toMatchObject([{ stream, subscriber: 'bad', bug: true }]);
  });

  it('may do so in its end: the end of the publication still comes', async () => {
    const { hub, log } = setUp();
    const publication = await hub.publish(stream, publisher());
    publication.subscribe({ ...subscriber(), end: () => Promise.reject(new Error('ouch')) });
    await publication.end('unpublished');
    expect(log.events).toEqual(['subscriber.failed']);
  });

  it('may cancel itself or another in the middle of a tag', async () => {
    const { hub } = setUp();
    const publication: Publication = await hub.publish(stream, publisher());
    const told: string[] = [];
    const seats: Subscription[] = [];
    seats.push(
      publication.subscribe({
        ...subscriber(told, 'a'),
        write: () => seats.forEach((seat) => seat.cancel()),
      }),
      publication.subscribe(subscriber(told, 'b')),
    );
    publication.write(tag(1));
    publication.write(tag(2));
    await publication.end('unpublished');
    expect(told).toEqual([]);
  });
});
