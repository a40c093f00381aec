// What the key allows, seen from a session: guessers wait for their answer, limits end it in words, and a withdrawn
// secret ends only those that used it.
import { describe, expect, it } from 'vitest';
import { TagType } from '../../src/flv/tag.ts';
import { refusalDescription } from '../../src/keys/key-gate.ts';
import type { Verdict } from '../../src/keys/key-rule.ts';
import type { KeyId, StreamName } from '../../src/ops/names.ts';
import { openStage, secretOf } from '../support/session-stage.ts';
import { fromHex } from '../support/vectors.ts';

const keyFrame = fromHex('17 01 000000 65');
const aacFrame = fromHex('af 01 21');

const granted = (limits: object, stream = 'live/one'): Verdict => ({
  granted: true,
  keyId: 'key-one' as KeyId,
  stream: stream as StreamName,
  generation: 1,
  ...limits,
});

describe('a guesser', () => {
  it('waits for its answer, and nothing more is read from it', async () => {
    const { connect, gate, clock, log, over } = openStage();
    gate.verdicts.set(secretOf('guess'), { granted: false, reason: 'unknown-key', delay: 2000 });
    const { encoder, session, transport } = connect(secretOf('guess'));
    await encoder.talk();
    clock.advance(1999);
    session.tick();
    await encoder.talk();
    expect([encoder.told, transport.paused]).toEqual([[], true]);
    expect(log.of('publish.refused')).toMatchObject([{ reason: 'unknown-key' }]); // the operator need not wait
    clock.advance(1);
    session.tick();
    await encoder.talk();
    expect(encoder.told).toEqual(['NetStream.Publish.BadName']);
    expect(encoder.lastWords).toBe(refusalDescription);
    expect(over).toEqual([session]); // and nothing of it is left
  });
});

describe('the limits of a key', () => {
  it('end a session that lasts too long', async () => {
    const { publish, gate, clock, log } = openStage();
    gate.verdicts.set(secretOf('one'), granted({ maxSession: 20_000 }));
    const { encoder, session, take } = await publish();
    clock.advance(19_999);
    session.tick();
    await encoder.talk();
    expect(encoder.told).toEqual(['published']);
    clock.advance(1);
    session.tick();
    await encoder.talk();
    expect(encoder.lastWords).toMatch(/as long as its stream key allows \(20 s\)/);
    expect(take.reason).toBe('limited');
    expect(log.of('session.refused')).toMatchObject([{ code: 'SESSION_TOO_LONG' }]);
  });

  it('end a session that sends too much, by the bytes of its media', async () => {
    const { publish, gate, clock, take } = await stageWith({ maxBitrate: 8000 });
    expect(gate.requests).toHaveLength(1);
    const { encoder, session } = publish;
    encoder.client.sendTag(TagType.Video, 0, Buffer.concat([keyFrame, Buffer.alloc(9000)]));
    await encoder.talk();
    clock.advance(500);
    session.tick();
    expect(take.reason).toBeUndefined();
    encoder.client.sendTag(TagType.Video, 40, Buffer.concat([keyFrame, Buffer.alloc(2000)]));
    await encoder.talk();
    clock.advance(500);
    session.tick();
    await encoder.talk();
    expect(take.reason).toBe('limited');
    expect(encoder.lastWords).toMatch(/higher than this stream key allows \(8 kbit\/s/);
  });

  it('keep a codec out that is not allowed, and what is not known to be', async () => {
    for (const [type, payload, words] of [
      [TagType.Audio, aacFrame, /codec aac is not allowed/],
      [TagType.Video, fromHex('1c 01 000000'), /codec hevc is not allowed/],
      [TagType.Video, fromHex('90 78787878'), /^The codec of this stream is not allowed/],
    ] as const) {
      const { publish, take } = await stageWith({ codecs: ['h264'] });
      const { encoder } = publish;
      encoder.client.sendTag(TagType.Video, 0, keyFrame);
      encoder.client.sendTag(type, 5, payload);
      encoder.client.sendTag(TagType.Video, 40, keyFrame);
      await encoder.talk();
      expect(encoder.lastWords).toMatch(words);
      expect([take.reason, take.tags]).toEqual(['limited', ['9@0: 170100000065']]);
    }
  });
});

describe('a withdrawn secret', () => {
  it('ends the sessions that it or an older one opened, and no other of the key', async () => {
    const { publish, gate } = openStage();
    gate.verdicts.set(secretOf('one'), granted({}));
    gate.verdicts.set(secretOf('two'), granted({ generation: 2 }, 'live/two'));
    const [old, fresh] = [await publish(secretOf('one')), await publish(secretOf('two'))];
    for (const listener of gate.listeners) listener('key-one' as KeyId, 'rotated', 1);
    await old.encoder.talk();
    await fresh.encoder.talk();
    expect(old.encoder.lastWords).toMatch(/has expired: it was replaced by a new one/);
    expect([old.take.reason, fresh.take.reason]).toEqual(['revoked', undefined]);
  });
});

/** A live session of a key with these limits. */
async function stageWith(limits: object) {
  const stage = openStage();
  stage.gate.verdicts.set(secretOf('one'), granted(limits));
  const publish = await stage.publish();
  return { ...stage, publish, take: publish.take };
}
