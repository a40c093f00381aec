// Signing in through a session: what the client is told at each step, and what publish then asks of the gate.
import { describe, expect, it } from 'vitest';
import { refusalDescription } from '../../src/keys/key-gate.ts';
import type { KeyId } from '../../src/ops/names.ts';
import { openStage, type StageEncoder } from '../support/session-stage.ts';
import { sessionLimits } from '../../src/session/session-limits.ts';

const wanted = '[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ';
const asking = 'studio?authmod=adobe&user=camera-1';
const answering = (response: string) => `${asking}&challenge=c&response=${response}&opaque=nonce`;
const signedIn = { outcome: 'signed-in', keyId: 'key-one' as KeyId, generation: 3 } as const;

function open() {
  const stage = openStage(); // its application "studio" signs in
  const talk = async (app: string, name = '', options: Parameters<typeof stage.connect>[1] = {}) => {
    const connected = stage.connect(name, { ...options, app });
    await connected.encoder.talk();
    return connected;
  };
  stage.gate.signInVerdicts.set('right', signedIn);
  return { ...stage, talk };
}

const lastWords = ({ encoder }: { encoder: StageEncoder }) => [encoder.told.at(-1), encoder.lastWords];

describe('signing in', () => {
  it('goes by three connections', async () => {
    const { talk, gate, log } = open();
    const rejected = 'NetConnection.Connect.Rejected';
    const first = await talk('studio');
    expect(lastWords(first)).toEqual([rejected, wanted]);
    expect(first.transport.state).toBe('ended');
    expect(lastWords(await talk(asking))).toEqual([
      rejected,
      '[ AccessManager.Reject ] : [ authmod=adobe ] : ' +
        '?reason=needauth&user=camera-1&salt=salt&challenge=nonce&opaque=nonce',
    ]);
    expect(log.lines.filter(({ level }) => level !== 'debug')).toEqual([]); // nothing has failed
    gate.grant('', 'studio/camera-1', 'key-one');
    const third = await talk(answering('right'));
    expect(third.encoder.told).toEqual(['published']);
    expect(gate.signIns.at(-1)).toMatchObject({
      method: 'adobe',
      user: 'camera-1',
      app: 'studio',
      address: '192.0.2.7',
      door: 'rtmps',
      answer: { nonce: 'nonce', clientNonce: 'c', response: 'right' },
    });
    expect(gate.requests.at(-1)).toMatchObject({ signedIn: { keyId: 'key-one', generation: 3 } });
  });

  it('with a wrong password ends at connect, in the words that clients know', async () => {
    const { talk, log } = open();
    const { encoder } = await talk(answering('wrong'));
    expect(encoder.lastWords).toBe('[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=authfailed');
    expect(log.of('sign-in.refused')).toMatchObject([{ reason: 'wrong-secret' }]);
    expect(log.of('session.refused')).toMatchObject([{ code: 'SIGN_IN_FAILED' }]);
    expect(JSON.stringify(log.lines)).not.toContain('camera-1');
  });

  it('after many wrong ones waits for its answer, and reads nothing meanwhile', async () => {
    const { talk, gate, clock } = open();
    const refused = { outcome: 'refused', granted: false, reason: 'wrong-secret', delay: 4000 } as const;
    gate.signInVerdicts.set('wrong', refused);
    const { encoder, session, transport } = await talk(answering('wrong'));
    expect([encoder.told, transport.paused]).toEqual([[], true]);
    clock.advance(4000);
    session.tick();
    await encoder.talk();
    expect(encoder.lastWords).toContain('authfailed');
  });

  it('may begin with a word in the address, in the method that it names', async () => {
    const { talk } = open();
    const { encoder } = await talk('live?authmod=llnw');
    expect(encoder.lastWords).toBe(wanted.replace('adobe', 'llnw'));
  });

  it('for another stream is told so: the password was right', async () => {
    const { talk, gate } = open();
    gate.verdicts.set('camera-2', { granted: false, reason: 'wrong-stream', keyId: 'key-one' as KeyId });
    expect((await talk(answering('right'), 'camera-2')).encoder.lastWords).toMatch(
      /^You signed in for another/,
    );
    expect((await talk('live', 'camera-2')).encoder.lastWords).toBe(refusalDescription);
  });

  it('does not open a door that is shut', async () => {
    const { talk, gate } = open();
    const refusal = 'clear-text RTMP is switched off here; use rtmps://h/live';
    for (const app of ['studio', asking, answering('right')])
      expect((await talk(app, '', { refusal })).encoder.lastWords).toBe(refusal);
    expect(gate.signIns).toEqual([]);
  });

  it('ends with the connection', async () => {
    const { connect, gate, over } = open();
    gate.latch.shut();
    const { encoder, session, transport } = connect('', { app: answering('right') });
    await encoder.talk();
    transport.destroy();
    gate.latch.open();
    await encoder.talk();
    expect(over).toEqual([session]);
    expect(encoder.told).toEqual([]);
  });
});

describe('a connect without key and credentials', () => {
  const told = async ({ talk }: ReturnType<typeof open>, app: string, name = '') =>
    (await talk(app, name)).encoder.lastWords;

  it('is let in, unless it named a stream again and again and had no key', async () => {
    const stage = open();
    stage.gate.verdicts.set('one', { granted: false, reason: 'key-missing' });
    const { signInHints, signInUnanswered } = sessionLimits;
    for (let start = 0; start < signInHints; start++)
      expect(await told(stage, 'live', 'one')).toBe(refusalDescription);
    expect(await told(stage, 'live', 'one')).toBe(wanted);
    expect(await told(stage, 'live?authmod=adobe&user=one')).toContain('needauth'); // so it has credentials
    for (let round = 0; round < signInUnanswered; round++)
      expect(await told(stage, 'live', 'one')).toBe(wanted);
    expect(await told(stage, 'live', 'one')).toBe(refusalDescription);
  });

  it('is never asked where a good key came in the stream key field', async () => {
    const stage = open();
    stage.gate.grant('good', 'live/one', 'key-one');
    stage.gate.verdicts.set('one', { granted: false, reason: 'key-missing' });
    await stage.talk('live', 'good');
    for (let round = 0; round < 5; round++) expect(await told(stage, 'live', 'one')).toBe(refusalDescription);
  });

  it('is asked where the address names the stream; with a key in it, not', async () => {
    const stage = open();
    expect(await told(stage, 'live/camera-1', 'one')).toBe(wanted);
    expect(await told(stage, 'live/camera-1?key=k', 'one')).toBe(refusalDescription);
  });
});
