// The ends of a publication: by the encoder, by an operator, by the appliance itself.
import { describe, expect, it, onTestFinished } from 'vitest';
import { TestAppliance } from '../support/appliance.ts';
import { Encoder } from '../support/encoder.ts';
import { firstDifference, framesIn, syntheticFrames } from '../support/media.ts';

const frames = syntheticFrames('life', 2);

async function live(appliance: TestAppliance, stream: string): Promise<Encoder> {
  const { key } = await appliance.createKey(stream);
  const encoder = new Encoder({ port: appliance.port, name: key });
  await encoder.published;
  for (const { type, timestamp, payload } of frames) await encoder.send(type, timestamp, payload);
  await appliance.recorded(stream, 1980); // the time of the last frame
  return encoder;
}

describe('life', () => {
  it('kick ends the one session, says so, and leaves the key good', async () => {
    const appliance = await TestAppliance.start();
    onTestFinished(() => appliance.stop());
    const [encoder, bystander] = [await live(appliance, 'live/one'), await live(appliance, 'live/two')];
    await appliance.kick('live/one');
    expect(await encoder.ended).toMatchObject({ description: expect.stringContaining('operator') });
    await bystander.finish();
    expect(bystander.events.filter((event) => event.type === 'status' && event.level === 'error')).toEqual(
      [],
    );
    const again = await live(appliance, 'live/one');
    await again.finish();
  });

  it('stopping tells every publisher, seals every file whole, and leaves no connection behind', async () => {
    const appliance = await TestAppliance.start();
    const encoders = [
      await live(appliance, 'live/one'),
      await live(appliance, 'live/two'),
      await live(appliance, 'live/three'),
    ];
    await appliance.stop();
    for (const encoder of encoders) {
      expect(await encoder.ended).toMatchObject({ description: expect.stringContaining('shutting down') });
    }
    await appliance.open();
    onTestFinished(() => appliance.stop());
    const recordings = await appliance.recordings();
    expect(recordings.map(({ state, durationMs }) => ({ state, durationMs }))).toEqual(
      encoders.map(() => ({ state: 'complete', durationMs: 2000 })),
    );
    for (const stream of ['live/one', 'live/two', 'live/three']) {
      expect(
        firstDifference(frames, framesIn((await appliance.finishedRecording(stream)).path)),
      ).toBeUndefined();
    }
  });

  it('an encoder that hangs up without a word loses nothing that it had sent', async () => {
    const appliance = await TestAppliance.start();
    onTestFinished(() => appliance.stop());
    const encoder = await live(appliance, 'live/one');
    encoder.socket.end(); // no FCUnpublish, no deleteStream
    await encoder.ended;
    const { entry, path } = await appliance.finishedRecording('live/one');
    expect(firstDifference(frames, framesIn(path))).toBeUndefined();
    expect(entry.state).toBe('complete');
    expect(appliance.logged('publish.ended')).toMatchObject([{ reason: 'publisher-lost' }]);
  });
});
