// What a publisher is told in mid-stream and survives: ffmpeg, which stops at any onStatus of level error, goes on.
import { expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { buildDoor } from '../support/open-door.ts';
import { makeSample, publishWithFfmpeg } from '../support/real-clients.ts';
import { openStage, secretOf } from '../support/session-stage.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

it('ffmpeg goes on when it hears that recording has failed', async () => {
  const { serve, recorder } = openStage();
  const { door } = buildDoor({ onTransport: (transport) => void serve(transport) });
  await door.start();
  const sample = await makeSample(temporaryFolder(), 'h264 and aac', 2);
  const url = `rtmp://127.0.0.1:${door.addresses[0]?.port}/live/${secretOf('one')}`;
  const encoder = publishWithFfmpeg(sample, url, { live: true });
  const take = await eventually('a recording', async () => recorder.takes[0]);
  await eventually('media', async () => (take.tags.length > 20 ? true : undefined));
  for (const code of ['NetStream.Record.Failed', 'NetStream.Record.Start'] as const)
    take.publication.tell({ code, description: 'Something that the stream survives.' });
  const { code, stderr } = await encoder.finish();
  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.not.stringContaining('rror') as string });
  expect(take.tags.length).toBeGreaterThan(140);
  await eventually('the end', async () => take.reason);
  expect(take.reason).toBe('unpublished');
});
