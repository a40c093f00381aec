import { describe, expect, it } from 'vitest';
import { encodeAmf0 } from '../../src/amf/amf0-encoder.ts';
import { AmfObject } from '../../src/amf/amf-value.ts';
import { ResourceError, TransportError } from '../../src/errors.ts';
import { TagType } from '../../src/flv/tag.ts';
import { refusalDescription } from '../../src/keys/key-gate.ts';
import type { KeyId } from '../../src/ops/names.ts';
import { ClientScript } from '../support/client-script.ts';
import { openStage, secretOf } from '../support/session-stage.ts';
import { settled } from '../support/settled.ts';
import { testOrigin } from '../support/test-origin.ts';
import { fromHex } from '../support/vectors.ts';

const keyFrame = fromHex('17 01 000000 65');
const interFrame = fromHex('27 01 000000 41');
const aacFrame = fromHex('af 01 21');
const metadata = (encoder: string) =>
  encodeAmf0('@setDataFrame', 'onMetaData', new AmfObject([['encoder', encoder]], 'ecma-array'));

describe('publish', () => {
  it('is live when the gate has granted and the recording is open, and not a moment before', async () => {
    const { connect, gate, recorder, hub, log, secretsIn } = openStage();
    gate.latch.shut();
    recorder.opening.shut();
    const { transport, encoder } = connect();
    await encoder.talk();
    expect([encoder.told, transport.paused, hub.publications.length]).toEqual([[], true, 0]);

    encoder.client.sendTag(TagType.Video, 0, keyFrame); // some do not wait
    encoder.client.sendTag(TagType.Audio, 5, aacFrame);
    transport.sendUnderWay(Buffer.concat(encoder.client.takeOutput()));
    gate.latch.open();
    await encoder.talk();
    expect([encoder.told, transport.paused, transport.calls.admit]).toEqual([[], true, 0]);
    expect(hub.publications.map(({ stream }) => stream)).toEqual(['live/one']); // but nobody else may have it

    recorder.opening.open();
    await encoder.talk();
    expect([encoder.told, transport.paused, transport.calls.admit]).toEqual([['published'], false, 1]);
    encoder.client.sendTag(TagType.Video, 40, interFrame);
    await encoder.talk();
    expect(recorder.takes[0]!.tags).toEqual(['9@0: 170100000065', '8@5: af0121', '9@40: 270100000041']);
    expect(log.events).toEqual(['session.opened', 'publish.started']);
    expect(log.of('publish.started')).toEqual([
      { session: 's1', peer: '192.0.2.7', door: 'rtmps', stream: 'live/one', key: 'key-one' },
    ]);
    expect(secretsIn(encoder)).toEqual([]);
  });

  it('asks the gate with everything it wants to know', async () => {
    const { connect, gate } = openStage();
    gate.grant('k', 'live/camera-1', 'key-1');
    const { encoder } = connect('camera-1?key=k', {
      app: 'live/_definst_',
      door: 'rtmpe',
      version: 8,
      peer: { address: '2001:db8::7', port: 1 },
    });
    await encoder.talk();
    const [request] = gate.requests;
    expect(request).toMatchObject({
      right: 'publish',
      app: 'live',
      address: '2001:db8::7',
      tls: false,
      door: 'rtmpe',
      encoder: 'FMLE/3.0 (compatible; Penstock)',
    });
    expect([request?.name.reveal(), request?.key?.reveal()]).toEqual(['camera-1', 'k']);
    expect(encoder.told).toEqual(['published']);
  });

  it('ends cleanly when the encoder says so, and the connection may publish again', async () => {
    const { publish, recorder, unpublished } = openStage();
    const { encoder, take, transport } = await publish();
    encoder.client.sendMessage(4, {
      type: 20,
      timestamp: 0,
      streamId: 1,
      payload: encodeAmf0('closeStream', 0, null),
    });
    await encoder.talk();
    expect([take.reason, take.sealed, unpublished.length]).toEqual(['unpublished', true, 1]);
    const again = encodeAmf0('publish', 9, null, secretOf('two'), 'live');
    encoder.client.sendMessage(4, { type: 20, timestamp: 0, streamId: 1, payload: again });
    await encoder.talk();
    expect(recorder.takes.map(({ publication }) => publication.stream)).toEqual(['live/one', 'live/two']);
    expect(encoder.told).toEqual(['published', 'NetStream.Unpublish.Success', 'published']);
    encoder.client.unpublish();
    await encoder.talk();
    expect([recorder.takes[1]!.reason, transport.state]).toEqual(['unpublished', 'open']);
  });

  it('keeps the figures that operators see', async () => {
    const { publish, published, clock } = openStage();
    const { encoder } = await publish();
    clock.advance(3000);
    encoder.client.sendTag(TagType.Video, 0, keyFrame);
    encoder.client.sendTag(TagType.Audio, 0, aacFrame);
    await encoder.talk();
    expect(published[0]).toMatchObject({
      stream: 'live/one',
      keyId: 'key-one',
      since: clock.now() - 3000,
      encoder: 'FMLE/3.0 (compatible; Penstock)',
      videoCodec: 'h264',
      audioCodec: 'aac',
      bytes: keyFrame.length + aacFrame.length,
    });
    encoder.client.sendTag(TagType.ScriptData, 0, metadata('obs'.repeat(10_000)));
    await encoder.talk();
    expect(published[0]?.encoder).toBe('obs'.repeat(100).slice(0, 64));
  });
});

describe('a publication', () => {
  it('says where it came from', async () => {
    const { publish } = openStage();
    const peer = { address: '2001:db8::7', port: 50_123 };
    const { take, session } = await publish(secretOf('one'), { peer, door: 'rtmps' });
    expect(take.publication.origin).toEqual({ ...testOrigin, session: session.id, address: '2001:db8::7' });
    const { take: clear } = await publish(secretOf('two'), { door: 'rtmpe' });
    expect(clear.publication.origin).toMatchObject({ door: 'rtmpe', tls: undefined });
  });

  it('tells its encoder at once what it survives, and nothing behind its end', async () => {
    const { publish } = openStage();
    const { take, encoder, transport } = await publish();
    const notice = { code: 'NetStream.Record.Failed', description: 'The disk is full.' } as const;
    take.publication.tell(notice);
    encoder.listen();
    expect(encoder.events.at(-1)).toEqual({ type: 'status', level: 'warning', ...notice });
    encoder.client.sendTag(TagType.Video, 40, keyFrame);
    await encoder.talk();
    expect([take.tags.length, transport.state]).toEqual([1, 'open']);
    encoder.client.unpublish();
    await encoder.talk();
    take.publication.tell(notice);
    encoder.listen();
    expect(encoder.told.filter((code) => code === notice.code).length).toBe(1);
  });
});

describe('refused', () => {
  it.each(['unknown-key', 'wrong-secret', 'expired', 'encryption-required', 'too-many-attempts'] as const)(
    '%s: one wording for every reason, and the true one in the log',
    async (reason) => {
      const { connect, gate, hub, log, secretsIn } = openStage();
      gate.verdicts.set(secretOf('one'), { granted: false, reason, keyId: '7h2kq9d4' as KeyId });
      const { transport, encoder } = connect();
      await encoder.talk();
      expect(encoder.events).toEqual([
        {
          type: 'status',
          level: 'error',
          code: 'NetStream.Publish.BadName',
          description: refusalDescription,
        },
      ]);
      expect([transport.state, transport.calls.admit, hub.publications]).toEqual(['ended', 0, []]);
      expect(log.of('publish.refused')).toMatchObject([{ reason, key: '7h2kq9d4' }]);
      const said = log.lines.filter(({ event }) => event.endsWith('.refused'));
      expect(said).toMatchObject([{ level: 'warn' }, { level: 'debug', fields: { code: 'KEY_REFUSED' } }]); // one is enough
      expect(secretsIn(encoder)).toEqual([]);
    },
  );

  it('because another key has the stream, which goes on', async () => {
    const { publish, connect, gate } = openStage();
    const first = await publish();
    gate.grant(secretOf('other'), 'live/one', 'key-other');
    const second = connect(secretOf('other'));
    await second.encoder.talk();
    expect(second.encoder.told).toEqual(['NetStream.Publish.BadName']);
    expect(second.encoder.lastWords).toMatch(/another encoder/);
    first.encoder.client.sendTag(TagType.Video, 0, keyFrame);
    await first.encoder.talk();
    expect([first.take.tags.length, first.transport.state]).toEqual([1, 'open']);
  });

  it('at connect, where the door is switched off, before any key is looked at', async () => {
    const { connect, gate } = openStage();
    const refusal = 'clear-text RTMP is switched off here; use rtmps://ingest.example.com/live';
    const { transport, encoder } = connect(undefined, { door: 'rtmp', refusal });
    await encoder.talk();
    expect(encoder.events).toEqual([
      { type: 'status', level: 'error', code: 'NetConnection.Connect.Rejected', description: refusal },
    ]);
    expect([transport.state, gate.requests]).toEqual(['ended', []]);
  });

  it('to play, in words', async () => {
    const { connect, gate, log } = openStage();
    const { transport, encoder } = connect();
    const script = new ClientScript().handshake().connect().createStream();
    transport.send(script.command(8, 1, 0, 'play', 5, null, secretOf('one'), -2000).take());
    await settled();
    encoder.listen();
    expect(encoder.told).toContain('NetStream.Play.Failed');
    expect([transport.state, gate.requests]).toEqual(['ended', []]);
    expect(log.of('session.refused')).toMatchObject([{ code: 'PLAYING_UNSUPPORTED' }]);
  });

  it('without a line for each of many strangers; who published has its own', async () => {
    const { connect, log } = openStage();
    const publisher = connect();
    await publisher.encoder.talk();
    const hole = Uint8Array.of(0xc3); // a chunk without a header, of a chunk stream that never had one (RTMP 5.3.1.2.4)
    for (let count = 0; count < 5; count += 1)
      connect().transport.send(Buffer.concat([new ClientScript().handshake().take(), hole]));
    const loud = () =>
      log.lines.filter(({ event, level }) => event === 'session.ended' && level === 'info').length;
    const strangers = loud();
    publisher.transport.send(Uint8Array.of(0xff));
    expect([strangers, loud()]).toEqual([3, 4]);
  });

  it('when the recording cannot be opened, and the stream is free again', async () => {
    const { connect, recorder, hub, log } = openStage();
    recorder.failure = new ResourceError('DISK_FULL', 'no space left', { hint: 'free some' });
    const { transport, encoder } = connect();
    await encoder.talk();
    expect(encoder.told).toEqual(['NetStream.Publish.Failed']);
    expect([transport.state, hub.publications]).toEqual(['ended', []]);
    expect(log.of('session.failed')).toMatchObject([{ code: 'DISK_FULL', hint: 'free some' }]);
  });
});

describe('a key that is withdrawn', () => {
  it.each([
    ['revoked', 'The stream key of this session was revoked.'],
    ['disabled', 'The stream key of this session was disabled.'],
    ['expired', 'The stream key of this session has expired.'],
  ] as const)('%s: the session is told and over at once, others are not', async (why, words) => {
    const { publish, gate, over } = openStage();
    const bystander = await publish(secretOf('two'));
    const { session, encoder, take, transport } = await publish();
    gate.withdraw('key-one', why);
    encoder.listen();
    expect(encoder.events.at(-1)).toEqual({
      type: 'status',
      level: 'error',
      code: 'NetStream.Publish.BadName',
      description: words,
    });
    expect(transport.state).toBe('closed');
    await settled();
    expect([take.reason, take.sealed, over]).toEqual(['revoked', true, [session]]);
    expect([bystander.transport.state, bystander.take.reason]).toEqual(['open', undefined]);
  });

  it.each(['gate', 'recorder'] as const)('while the %s is asked never goes live', async (who) => {
    const { connect, gate, recorder, log } = openStage();
    const latch = who === 'gate' ? gate.latch : recorder.opening;
    latch.shut();
    const { encoder, transport } = connect();
    await encoder.talk();
    gate.withdraw('key-two', 'expired'); // somebody else's
    gate.withdraw('key-one', 'revoked'); // after the gate had looked at it
    latch.open();
    await encoder.talk();
    expect(encoder.told).toEqual(['NetStream.Publish.BadName']);
    expect(encoder.lastWords).toBe('The stream key of this session was revoked.');
    expect([transport.state, recorder.takes[0]?.reason, recorder.takes[0]?.sealed]).toEqual([
      'ended',
      'revoked',
      true,
    ]);
    expect(log.events).not.toContain('publish.started');
  });

  it('that is somebody else’s changes nothing while the gate is asked', async () => {
    const { connect, gate } = openStage();
    gate.latch.shut();
    const { encoder } = connect();
    await encoder.talk();
    gate.withdraw('key-two', 'revoked');
    gate.latch.open();
    await encoder.talk();
    expect(encoder.told).toEqual(['published']);
  });
});

describe('a newer session with the same key', () => {
  it('takes the stream over at once, and the older one hears why', async () => {
    const { publish, recorder } = openStage();
    const older = await publish();
    const newer = await publish();
    older.encoder.listen();
    expect(older.encoder.told).toEqual(['published', 'NetStream.Failed']);
    expect(older.encoder.lastWords).toMatch(/newer session/);
    expect([older.take.reason, older.take.sealed]).toEqual(['replaced', true]);
    newer.encoder.client.sendTag(TagType.Video, 0, keyFrame);
    await newer.encoder.talk();
    expect(recorder.takes.map(({ tags }) => tags.length)).toEqual([0, 1]);
  });

  it('takes it also from one that is still opening, which never starts', async () => {
    const { connect, recorder } = openStage();
    recorder.opening.shut();
    const older = connect();
    await older.encoder.talk();
    const newer = connect();
    await newer.encoder.talk();
    recorder.opening.open();
    await older.encoder.talk();
    await newer.encoder.talk();
    expect([older.encoder.told, newer.encoder.told]).toEqual([['NetStream.Failed'], ['published']]);
    expect(older.transport.state).toBe('ended');
  });
});

describe('deadlines', () => {
  it('of the handshake run from the accept, TLS included, whatever comes', async () => {
    const { connect, clock, log } = openStage();
    clock.advance(20_000);
    const { session, transport } = connect(undefined, { acceptedAt: 14_000 });
    transport.send(Uint8Array.of(3));
    clock.advance(3_999);
    transport.send(new Uint8Array(1500));
    session.tick();
    expect(transport.state).toBe('open');
    clock.advance(1);
    session.tick();
    await settled();
    expect(transport.state).toBe('ended');
    expect(log.of('session.ended')).toMatchObject([{ code: 'HANDSHAKE_TIMEOUT' }]);
  });

  it('of the publish command run from the handshake, whatever else comes', async () => {
    const { connect, clock, log, encoderLess } = { ...openStage(), encoderLess: new ClientScript() };
    const { session, transport } = connect();
    transport.send(encoderLess.handshake().take());
    for (let second = 0; second < 15; second += 1) {
      session.tick();
      expect(transport.state).toBe('open');
      clock.advance(1000);
      transport.send(
        (second === 0
          ? encoderLess.connect()
          : encoderLess.createStream().command(3, 0, undefined, 'deleteStream', 0, null, 1)
        ).take(),
      );
    }
    session.tick();
    await settled();
    expect(transport.state).toBe('ended');
    expect(log.of('session.ended')).toMatchObject([{ code: 'COMMAND_TIMEOUT' }]);
  });

  it('of the next publish run from the end of the last', async () => {
    const { publish, clock, log } = openStage();
    const { session, encoder, transport } = await publish();
    clock.advance(20_000);
    encoder.client.unpublish();
    await encoder.talk();
    clock.advance(14_999);
    session.tick();
    expect(transport.state).toBe('open');
    clock.advance(1);
    session.tick();
    await settled();
    expect(log.of('session.ended')).toMatchObject([{ code: 'COMMAND_TIMEOUT' }]);
  });

  it('of silence count media alone', async () => {
    const { publish, clock, log } = openStage();
    const { session, encoder, transport, take } = await publish();
    const pass = async (milliseconds: number, send: () => void) => {
      clock.advance(milliseconds);
      send();
      await encoder.talk();
      session.tick();
    };
    await pass(29_000, () => encoder.client.sendTag(TagType.Audio, 0, aacFrame));
    await pass(29_000, () => encoder.client.sendTag(TagType.Video, 0, keyFrame));
    await pass(29_000, () => encoder.client.sendTag(TagType.ScriptData, 0, metadata('x')));
    expect(transport.state).toBe('open');
    const ping = { type: 4, timestamp: 0, streamId: 0, payload: fromHex('0006 00000001') };
    await pass(999, () => encoder.client.sendMessage(2, ping));
    expect(transport.state).toBe('open');
    await pass(1, () => encoder.client.sendMessage(2, ping));
    await settled();
    expect([transport.state, take.reason]).toEqual(['ended', 'publisher-lost']);
    expect(log.of('session.ended')).toMatchObject([{ code: 'IDLE_TIMEOUT' }]);
  });

  it('of silence do not count while it is we who do not read', async () => {
    const { publish, clock } = openStage();
    const { session, transport, take } = await publish();
    take.subscription.hold();
    for (let tick = 0; tick < 200; tick += 1) {
      clock.advance(500);
      session.tick();
    }
    expect([transport.state, transport.paused]).toEqual(['open', true]);
    take.subscription.release();
    clock.advance(29_999);
    session.tick();
    expect(transport.state).toBe('open');
    clock.advance(1);
    session.tick();
    await settled();
    expect(transport.state).toBe('ended');
  });
});

describe('back pressure', () => {
  it('pauses the transport while any subscriber holds', async () => {
    const { publish, recorder, hub } = openStage();
    const { transport, take, encoder } = await publish();
    const second = hub.publications[0]!.subscribe({
      label: 'other',
      write: () => undefined,
      end: () => undefined,
    });
    const before = { ...transport.calls };
    take.subscription.hold();
    second.hold();
    encoder.client.sendTag(TagType.Video, 0, keyFrame);
    await encoder.talk();
    take.subscription.release();
    expect([transport.paused, recorder.takes[0]!.tags.length]).toEqual([true, 0]);
    second.release();
    expect([transport.paused, recorder.takes[0]!.tags.length]).toEqual([false, 1]);
    expect([transport.calls.pause - before.pause, transport.calls.resume - before.resume]).toEqual([1, 1]);
  });

  it('goes on when a gate’s answer for a second stream comes in the middle', async () => {
    const { publish, gate } = openStage();
    const { transport, take } = await publish();
    gate.latch.shut();
    const script = new ClientScript();
    transport.send(script.chunkSize(4096).createStream(20).publish(2, secretOf('two')).take());
    await settled();
    take.subscription.hold();
    gate.latch.open();
    await settled();
    expect(transport.paused).toBe(true);
    take.subscription.release();
    expect(transport.paused).toBe(false);
  });

  it('of a session that ends does not stop it from ending', async () => {
    const { publish, gate, over } = openStage();
    const { transport, take } = await publish();
    take.subscription.hold();
    gate.withdraw('key-one', 'revoked');
    expect(transport.paused).toBe(false); // the transport reads on by itself, to hear the end
    await settled();
    expect(over).toHaveLength(1);
  });
});

describe('the end of the connection', () => {
  it.each([
    ['without a word', undefined, 'session.closed'],
    ['by a break', new TransportError('PEER_GONE', 'ECONNRESET'), 'session.broken'],
  ])('%s loses the publisher, and the session is over when the file is sealed', async (_, error, event) => {
    const { publish, recorder, over, log, unpublished } = openStage();
    const { session, transport, take } = await publish();
    recorder.sealing.shut();
    transport.hangUp(error);
    await settled();
    expect([take.reason, take.sealed, over, unpublished.length]).toEqual(['publisher-lost', false, [], 0]);
    recorder.sealing.open();
    await settled();
    expect([take.sealed, over, unpublished.length]).toEqual([true, [session], 1]);
    expect(log.events).toContain(event);
    expect(log.lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
    session.end(new Error('too late'));
    expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('of a tunnel is clean when the encoder has closed it, and a loss when it broke', async () => {
    const { publish } = openStage();
    const { transport, take } = await publish(secretOf('one'), { door: 'rtmpts' });
    transport.hangUp();
    const broken = await publish(secretOf('two'), { door: 'rtmpt' });
    broken.transport.hangUp(new TransportError('PEER_GONE', 'ECONNRESET'));
    await settled();
    expect([take.reason, broken.take.reason]).toEqual(['unpublished', 'publisher-lost']);
  });

  it('while the gate is asked leaves nothing behind, and takes no stream over', async () => {
    const { connect, publish, gate, recorder, hub, over } = openStage();
    const live = await publish();
    gate.latch.shut();
    const { session, transport, encoder } = connect();
    await encoder.talk();
    transport.hangUp();
    await settled();
    expect(over).toEqual([]);
    gate.latch.open();
    await settled();
    expect(over).toEqual([session]);
    expect([recorder.takes.length, hub.publications.length, live.take.reason]).toEqual([1, 1, undefined]);
  });

  it('while the recording is opened ends it, and waits for that', async () => {
    const { connect, recorder, hub, over, log } = openStage();
    recorder.opening.shut();
    recorder.sealing.shut();
    const { session, transport, encoder } = connect();
    await encoder.talk();
    transport.hangUp();
    recorder.opening.open();
    await settled();
    expect([recorder.takes[0]?.reason, over, hub.publications]).toEqual(['publisher-lost', [], []]);
    recorder.sealing.open();
    await settled();
    expect([recorder.takes[0]?.sealed, over]).toEqual([true, [session]]);
    expect(log.events).not.toContain('publish.started');
  });
});

describe('a mistake', () => {
  it('of the peer ends its session with the clause in the log', async () => {
    const { publish, log, over } = openStage();
    const { transport, take } = await publish();
    transport.send(new ClientScript().control(1, fromHex('00000000')).take());
    await settled();
    expect([take.reason, over.length]).toEqual(['publisher-lost', 1]);
    expect(log.of('session.ended')).toMatchObject([{ code: 'CHUNK_SIZE_INVALID', clause: 'RTMP 5.4.1' }]);
  });

  it('of ours at the gate ends that session alone, told and logged as what it is', async () => {
    const { connect, publish, gate, log, over, secretsIn } = openStage();
    const bystander = await publish(secretOf('two'));
    gate.verdicts.set(secretOf('one'), new TypeError('x is not a function'));
    const { session, encoder } = connect();
    await encoder.talk();
    expect(encoder.events).toEqual([
      {
        type: 'status',
        level: 'error',
        code: 'NetStream.Failed',
        description: 'The server failed; ask its operator.',
      },
    ]);
    expect(log.of('session.failed')).toMatchObject([{ session: session.id, bug: true }]);
    expect(over).toEqual([session]);
    expect(bystander.transport.state).toBe('open');
    expect(secretsIn(encoder)).toEqual([]);
  });

  it('of a subscriber costs that subscriber, not the session', async () => {
    const { publish, recorder, log } = openStage();
    const { encoder, transport, take } = await publish();
    recorder.bug = new TypeError('x is not a function');
    encoder.client.sendTag(TagType.Video, 0, keyFrame);
    await encoder.talk();
    expect([take.reason, transport.state]).toEqual(['subscriber-failed', 'open']);
    expect(log.of('subscriber.failed')).toMatchObject([{ bug: true }]);
  });
});

describe('two streams on one connection', () => {
  /** A session that publishes live/one on message stream 1, and a script that goes on as its encoder. */
  const both = async (stage: ReturnType<typeof openStage>) => {
    const connected = await stage.publish();
    const script = new ClientScript().chunkSize(4096);
    const send = async () => {
      connected.transport.send(script.take());
      await settled();
      connected.encoder.listen();
    };
    script.createStream(20).publish(2, secretOf('two'));
    await send();
    return { ...connected, script, send };
  };
  const video = (streamId: number) => ({ type: TagType.Video, timestamp: 0, streamId, payload: keyFrame });

  it('are recorded apart, and end apart', async () => {
    const stage = openStage();
    const { script, send, session, transport } = await both(stage);
    script.message(6, video(1)).message(7, video(2)).message(7, video(2));
    await send();
    script.command(3, 0, undefined, 'deleteStream', 0, null, 1);
    await send();
    expect(stage.recorder.takes.map(({ tags, reason }) => [tags.length, reason])).toEqual([
      [1, 'unpublished'],
      [2, undefined],
    ]);
    stage.clock.advance(20_000); // longer than an idle connection may wait for its next publish
    script.message(7, video(2));
    await send();
    session.tick();
    expect([transport.state, stage.recorder.takes[1]!.tags.length]).toEqual(['open', 3]);
    transport.hangUp();
    await settled();
    expect(stage.recorder.takes[1]!.reason).toBe('publisher-lost');
    expect(stage.over).toEqual([session]);
  });

  it('are both told when one request is refused, and the session is over', async () => {
    const stage = openStage();
    const { script, send, encoder, transport, session } = await both(stage);
    script.createStream(21).publish(3, secretOf('nobody'));
    await send();
    expect(encoder.told.slice(2)).toEqual(Array.from({ length: 3 }, () => 'NetStream.Publish.BadName'));
    expect(transport.state).toBe('ended');
    expect(stage.recorder.takes.map(({ sealed }) => sealed)).toEqual([true, true]);
    expect(stage.over).toEqual([session]);
    expect(stage.log.events).not.toContain('session.failed');
  });

  it('are both told when the client asks to play', async () => {
    const stage = openStage();
    const { script, send, encoder, transport } = await both(stage);
    script.createStream(21).command(8, 3, 0, 'play', 22, null, 'x');
    await send();
    expect(encoder.told.slice(2)).toEqual(Array.from({ length: 3 }, () => 'NetStream.Play.Failed'));
    expect(transport.state).toBe('ended');
  });

  it('are answered each, also when the second request came with the first', async () => {
    const stage = openStage();
    const { transport, encoder } = stage.connect();
    const script = new ClientScript().hasty(secretOf('one')).createStream(8);
    transport.send(script.publish(2, secretOf('nobody')).take());
    await settled();
    await settled();
    encoder.listen();
    expect(encoder.told).toEqual(['published', 'NetStream.Publish.BadName', 'NetStream.Publish.BadName']);
    expect(transport.state).toBe('ended');
  });
});

describe('end', () => {
  it('is told to who waits for an answer', async () => {
    const { connect, gate, over } = openStage();
    gate.latch.shut();
    const { session, encoder, transport } = connect();
    await encoder.talk();
    session.end(new TransportError('COMMAND_TIMEOUT', 'x'));
    expect([transport.state, encoder.told]).toEqual(['closed', []]); // nobody tells of time that ran out
    gate.latch.open();
    await settled();
    expect(over).toEqual([session]);
  });

  it('closes once, and happens once', async () => {
    const { publish, over, log, unpublished } = openStage();
    const { session, transport } = await publish();
    session.end(new TransportError('IDLE_TIMEOUT', 'x'));
    session.end(new TransportError('IDLE_TIMEOUT', 'y'));
    transport.hangUp(new TransportError('PEER_GONE', 'z'));
    await settled();
    expect([over.length, unpublished.length]).toEqual([1, 1]);
    expect(log.events.filter((event) => event.startsWith('session.'))).toEqual([
      'session.opened',
      'session.ended',
      'session.closed',
    ]);
  });
});
