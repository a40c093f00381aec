import { describe, expect, it } from 'vitest';
import { limitsAfterAuth } from '../../src/chunk/chunk-limits.ts';
import { ChunkReader } from '../../src/chunk/chunk-reader.ts';
import { MessageType } from '../../src/chunk/message.ts';
import { uint32Payload, userControlPayload } from '../../src/command/control-message.ts';
import { FlowControl } from '../../src/connection/flow-control.ts';
import { MessageOutput } from '../../src/connection/message-output.ts';

function open() {
  const output = new MessageOutput();
  const flow = new FlowControl(output);
  const said: string[] = [];
  const reader = new ChunkReader(limitsAfterAuth, ({ type, payload }) =>
    said.push(`${type} ${Buffer.from(payload).toString('hex')}`),
  );
  const take = () => {
    for (const bytes of output.take()) reader.read(bytes);
    return said.splice(0);
  };
  const control = (type: number, payload: Uint8Array) =>
    flow.receive({ type, payload, timestamp: 0, streamId: 0 });
  return { flow, take, control };
}

describe('flow control', () => {
  it('acknowledges each window of ours once while the peer names none', () => {
    const { flow, take } = open();
    flow.acknowledge(2_499_999);
    expect(take()).toEqual([]);
    flow.acknowledge(2_500_000);
    flow.acknowledge(2_500_001);
    expect(take()).toEqual(['3 002625a0']);
    flow.acknowledge(5_000_000);
    expect(take()).toEqual(['3 004c4b40']);
  });

  it('follows the window of the peer, but not down to every read', () => {
    const { flow, take, control } = open();
    control(MessageType.WindowAcknowledgementSize, uint32Payload(1));
    flow.acknowledge(65_535);
    expect(take()).toEqual([]);
    flow.acknowledge(65_536);
    expect(take()).toEqual(['3 00010000']);
  });

  it('counts in 32 bits', () => {
    const { flow, take } = open();
    flow.acknowledge(2 ** 32 + 16);
    expect(take()).toEqual(['3 00000010']);
  });

  it('answers a ping with its own value, and no other event', () => {
    const { take, control } = open();
    control(MessageType.UserControl, userControlPayload(6, 0x01020304));
    control(MessageType.UserControl, userControlPayload(7, 0x01020304));
    expect(take()).toEqual(['4 000701020304']);
  });
});
