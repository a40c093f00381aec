// One data folder opened twice, as by a running server and by the command line beside it, with keys to make.
import { onTestFinished } from 'vitest';
import { createKey, type NewKeyArguments } from '../../src/keys/key-cli.ts';
import { SecretHasher } from '../../src/keys/secret-hasher.ts';
import type { KeyId } from '../../src/ops/names.ts';
import { systemRandom } from '../../src/ops/random.ts';
import { openStore } from '../../src/store/store.ts';
import { FakeClock } from './fake-clock.ts';
import { RecordedAudit } from './recorded-audit.ts';
import { RecordedLog } from './recorded-log.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface MadeKey {
  readonly id: KeyId;
  readonly key: string;
}

export async function openKeyRoom() {
  const folder = temporaryFolder();
  const clock = new FakeClock();
  const log = new RecordedLog();
  const hasher = new SecretHasher(new Uint8Array(32).fill(42));
  const open = async () => {
    const store = await openStore({ folder, clock, log });
    onTestFinished(() => store.close());
    return store;
  };
  const [server, command] = [await open(), await open()];
  const serverUrls = { rtmps: 'rtmps://ingest.example.com:1935', rtmpe: 'rtmpe://ingest.example.com' };
  const audit = new RecordedAudit();
  const context = { store: command, hasher, random: systemRandom, clock, serverUrls, audit, source: 'cli' };
  const makeKey = async (given: Partial<NewKeyArguments> = {}): Promise<MadeKey> => {
    const { json } = await createKey({ stream: 'live/camera-1', ...given }, context);
    return json as MadeKey;
  };
  return { folder, clock, log, audit, hasher, server, command, context, makeKey };
}
