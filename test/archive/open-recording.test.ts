import { describe, expect, it } from 'vitest';
import { OpenRecording } from '../../src/archive/open-recording.ts';
import type { RecordingFile } from '../../src/archive/recording-file.ts';
import type { KeyId, RecordingId, StreamName } from '../../src/ops/names.ts';

function setUp(fail = false) {
  const steps: string[] = [];
  const step = (name: string) => async () => {
    steps.push(name);
    if (fail && name.startsWith('file')) throw new Error(name);
  };
  const file: RecordingFile = {
    length: 42,
    append: step('file append'),
    patch: step('file patch'),
    truncate: step('file truncate'),
    datasync: step('file datasync'),
    seal: step('file seal'),
    close: step('close file'),
    discard: step('discard file'),
  };
  const recording = new OpenRecording({
    id: '0123456789abcdef' as RecordingId,
    stream: 'live/a' as StreamName,
    keyId: 'key00001' as KeyId,
    startedAt: 1,
    file,
    sealed: async ({ durationMs }, bytes) => void steps.push(`row complete ${durationMs} ${bytes}`),
    discarded: step('row removed'),
    broken: step('repair'),
    closed: () => void steps.push('closed'),
  });
  return { steps, recording };
}

describe('an open recording', () => {
  it('changes its row only after its file, whichever way it ends', async () => {
    const sealed = setUp();
    await sealed.recording.seal({ durationMs: 2400, gaps: [] });
    expect(sealed.steps).toEqual(['file seal', 'closed', 'row complete 2400 42']);
    const discarded = setUp();
    await discarded.recording.discard();
    expect(discarded.steps).toEqual(['discard file', 'closed', 'row removed']);
    const abandoned = setUp();
    await abandoned.recording.abandon();
    expect(abandoned.steps).toEqual(['close file', 'closed', 'repair']);
  });

  it('stays open when its file cannot be sealed', async () => {
    const { steps, recording } = setUp(true);
    await expect(recording.seal({ durationMs: 1, gaps: [] })).rejects.toThrow('file seal');
    expect(steps).toEqual(['file seal']);
  });
});
