import { describe, expect, it } from 'vitest';
import type { StreamName } from '../../src/ops/names.ts';
import type { LiveSessionStore } from '../../src/store/live-session-store.ts';
import { TagType } from '../../src/flv/tag.ts';
import { SessionRegistry } from '../../src/session/session-registry.ts';
import { kickTopic } from '../../src/session/stream-cli.ts';
import { ClientScript } from '../support/client-script.ts';
import { MemoryTransport, type MemoryTransportOptions } from '../support/memory-transport.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { openStage, secretOf, StageEncoder, stageLimits } from '../support/session-stage.ts';
import { settled } from '../support/settled.ts';
import { fromHex } from '../support/vectors.ts';

type NewLiveSession = Parameters<LiveSessionStore['begin']>[0];
type LiveSessionFigures = Parameters<LiveSessionStore['update']>[1];

/** The list, as other processes would see it, and all that was written to it. */
class FakeLiveSessions implements LiveSessionStore {
  readonly listed = new Map<string, NewLiveSession>();
  readonly updates: { readonly id: string; readonly figures: LiveSessionFigures }[] = [];
  failure: Error | undefined;

  async begin(session: NewLiveSession): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.listed.set(session.sessionId, session);
  }

  update(id: string, figures: LiveSessionFigures): void {
    this.updates.push({ id, figures });
  }

  async end(sessionId: string): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.listed.delete(sessionId);
  }

  async list(): Promise<never[]> {
    return [];
  }

  async close(): Promise<void> {}
}

async function openRegistry() {
  const stage = openStage();
  const { clock, log, gate, hub, recorder } = stage;
  const liveSessions = new FakeLiveSessions();
  const kicks = new Set<(subject: string) => void>();
  const registry = new SessionRegistry({
    clock,
    random: { bytes: seededRandom('registry') },
    log,
    limits: stageLimits,
    gate,
    hub,
    signIn: { apps: [] },
    liveSessions,
    recordings: () => [{ stream: 'live/one' as StreamName, state: 'failed', trouble: 'DISK_FULL' }],
    changes: {
      on: (topic, listener) => {
        expect(topic).toBe(kickTopic);
        kicks.add(listener);
        return () => void kicks.delete(listener);
      },
    },
  });
  await registry.start();
  const connect = (name = secretOf('one'), options: MemoryTransportOptions = {}) => {
    const transport = new MemoryTransport({ acceptedAt: clock.monotonic(), ...options });
    registry.open(transport);
    return { transport, encoder: new StageEncoder(transport, name) };
  };
  const publish = async (name = secretOf('one'), options: MemoryTransportOptions = {}) => {
    const connected = connect(name, options);
    await connected.encoder.talk();
    expect(connected.encoder.told).toEqual(['published']);
    return { ...connected, take: recorder.takes.at(-1)! };
  };
  const kick = (stream: string) => {
    for (const listener of kicks) listener(stream);
  };
  return { ...stage, registry, liveSessions, connect, publish, kick, kicks };
}

const onDisk = { recording: 'failed', recordingError: 'DISK_FULL' };

describe('the list of live sessions', () => {
  it('shows a publication from its start to its end, and nothing else', async () => {
    const { connect, publish, liveSessions, clock, registry } = await openRegistry();
    connect();
    await settled();
    expect([registry.size, liveSessions.listed.size]).toEqual([1, 0]);
    const { transport } = await publish(secretOf('two'), {
      door: 'rtmps',
      peer: { address: '2001:db8::7', port: 4000 },
    });
    const [[id, session] = ['', undefined]] = liveSessions.listed;
    expect(session).toEqual({
      sessionId: id,
      stream: 'live/two',
      door: 'rtmps',
      remote: '[2001:db8::7]:4000',
      encoder: 'FMLE/3.0 (compatible; Penstock)',
      since: clock.now(),
    });
    transport.hangUp();
    await settled();
    expect([registry.size, liveSessions.listed.size]).toEqual([1, 0]);
  });

  it('names every session differently, as the log does', async () => {
    const { connect, registry, log } = await openRegistry();
    for (let count = 0; count < 40; count += 1) connect();
    const ids = log.of('session.opened').map(({ session }) => String(session));
    expect(new Set(ids).size).toBe(40);
    expect(ids.every((id) => /^s[0-9a-z]{1,4}[0-9a-f]{6}$/.test(id))).toBe(true);
    expect(registry.size).toBe(40);
  });

  it('tells bit rate, codecs and encoder every two seconds', async () => {
    const { publish, liveSessions, clock } = await openRegistry();
    const { encoder } = await publish();
    const id = [...liveSessions.listed.keys()][0];
    encoder.client.sendTag(TagType.Video, 0, new Uint8Array(250_000).fill(0x17));
    await encoder.talk();
    clock.advance(2000);
    clock.advance(2000);
    const encoderName = 'FMLE/3.0 (compatible; Penstock)';
    expect(liveSessions.updates).toEqual([
      {
        id,
        figures: {
          encoder: encoderName,
          videoCodec: 'h264',
          audioCodec: undefined,
          bitrate: 1_000_000,
          ...onDisk,
        },
      },
      {
        id,
        figures: { encoder: encoderName, videoCodec: 'h264', audioCodec: undefined, bitrate: 0, ...onDisk },
      },
    ]);
  });

  it('has a line for each of two streams on one connection', async () => {
    const { publish, liveSessions, clock } = await openRegistry();
    const { transport } = await publish();
    const script = new ClientScript().chunkSize(4096);
    transport.send(script.createStream(20).publish(2, secretOf('two')).take());
    await settled();
    const streams = () => [...liveSessions.listed.values()].map(({ stream }) => stream);
    expect(streams()).toEqual(['live/one', 'live/two']);
    clock.advance(2000);
    expect(liveSessions.updates.map(({ id }) => id)).toEqual([...liveSessions.listed.keys()]);
    transport.send(script.command(3, 0, undefined, 'deleteStream', 0, null, 1).take());
    await settled();
    expect(streams()).toEqual(['live/two']);
    transport.hangUp();
    await settled();
    expect(streams()).toEqual([]);
  });

  it('that cannot be written costs no stream', async () => {
    const { publish, liveSessions, log } = await openRegistry();
    liveSessions.failure = new Error('disk I/O error');
    const { encoder, take, transport } = await publish();
    encoder.client.sendTag(TagType.Audio, 0, fromHex('af01'));
    await encoder.talk();
    transport.hangUp();
    await settled();
    expect(take.tags).toHaveLength(1);
    expect(log.of('stream-list.failed')).toEqual([
      { reason: 'disk I/O error' },
      { reason: 'disk I/O error' },
    ]);
  });
});

describe('what ends sessions', () => {
  it('a key that is withdrawn, and only its own', async () => {
    const { publish, gate, registry } = await openRegistry();
    const one = await publish();
    const two = await publish(secretOf('two'));
    gate.withdraw('key-one', 'disabled');
    await settled();
    expect([one.take.reason, two.take.reason, registry.size]).toEqual(['revoked', undefined, 1]);
  });

  it('an operator who kicks the stream', async () => {
    const { publish, kick, registry } = await openRegistry();
    const one = await publish();
    const two = await publish(secretOf('two'));
    kick('live/nobody');
    kick('live/one');
    one.encoder.listen();
    await settled();
    expect(one.encoder.lastWords).toBe('An operator ended this session.');
    expect([one.take.reason, two.take.reason, registry.size]).toEqual(['kicked', undefined, 1]);
  });

  it('a deadline, within half a second', async () => {
    const { connect, clock, registry, log } = await openRegistry();
    const { transport } = connect();
    clock.advance(9_999);
    expect(transport.state).toBe('open');
    clock.advance(500);
    await settled();
    expect([transport.state, registry.size]).toEqual(['ended', 0]);
    expect(log.of('session.ended')).toMatchObject([{ code: 'HANDSHAKE_TIMEOUT' }]);
  });
});

describe('stop', () => {
  it('tells everybody, and waits for the last file and the last connection', async () => {
    const { publish, connect, registry, recorder, clock, gate, kicks } = await openRegistry();
    const one = await publish();
    const rude = await publish(secretOf('two'), { polite: false });
    gate.latch.shut();
    const asking = connect(secretOf('three'));
    await asking.encoder.talk();
    const stranger = connect();
    recorder.sealing.shut();

    let stopped = false;
    const stop = registry.stop().then(() => (stopped = true));
    for (const { encoder } of [one, rude, asking]) {
      encoder.listen();
      expect(encoder.told.at(-1)).toBe('NetStream.Failed');
      expect(encoder.lastWords).toMatch(/shutting down/);
    }
    expect(stranger.transport.state).toBe('closed');
    expect(one.take.reason).toBe('shutdown');

    await settled();
    expect([stopped, registry.size]).toEqual([false, 3]);
    recorder.sealing.open();
    await settled();
    expect([stopped, registry.size]).toEqual([false, 2]); // one at the gate, one that does not hang up
    gate.latch.open();
    await settled();
    expect([stopped, registry.size]).toEqual([false, 1]);
    rude.transport.hangUp();
    await stop;
    expect(recorder.takes.every(({ sealed }) => sealed)).toBe(true);
    expect([clock.timers, kicks.size, gate.listeners.size]).toEqual([0, 0, 0]);
  });

  it('may be asked for twice, and both wait', async () => {
    const { publish, registry, recorder } = await openRegistry();
    await publish();
    recorder.sealing.shut();
    const both = Promise.all([registry.stop(), registry.stop()]);
    await settled();
    recorder.sealing.open();
    await both;
    await registry.stop();
    expect(registry.size).toBe(0);
  });

  it('lets nobody in any more', async () => {
    const { connect, registry } = await openRegistry();
    await registry.stop();
    const { transport } = connect();
    expect(transport.state).toBe('destroyed');
    expect(registry.size).toBe(0);
  });
});
