// The store as rooms see it: one folder, several processes, nothing left behind.
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../src/store/store.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { runInProcesses } from '../support/run-in-processes.ts';
import { settled } from '../support/settled.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('openStore', () => {
  it('leaves no timer and no open file behind, and closes twice without complaint', async () => {
    const [folder, clock, log] = [temporaryFolder(), new FakeClock(), new RecordedLog()];
    const [server, command] = [
      await openStore({ folder, clock, log }),
      await openStore({ folder, clock, log }),
    ];
    await command.changes.change((_, announce) => announce('key', 'a'));
    clock.advance(250); // a look at the changes is under way
    await Promise.all([server.close(), server.close(), command.close()]);
    await server.close();
    await settled();
    expect(clock.timers).toBe(0);
    expect(readdirSync(folder)).toEqual(['penstock.sqlite']);
    expect(log.lines).toEqual([]);
  });

  it('lets processes change one store at the same time', async () => {
    const [folder, clock, log] = [temporaryFolder(), new FakeClock(), new RecordedLog()];
    const server = await openStore({ folder, clock, log });
    const heard: string[] = [];
    server.changes.on('key', (subject) => heard.push(subject));
    await runInProcesses(
      3,
      `import { openStore } from './src/store/store.ts';
       import { systemClock as clock } from './src/ops/clock.ts';
       import { silentLog as log } from './src/ops/log.ts';
       const store = await openStore({ folder: ${JSON.stringify(folder)}, clock, log });
       for (let count = 0; count < 50; count++) {
         await store.changes.change((_, announce) => announce('key', process.pid + '/' + count));
       }
       await store.close();`,
    );
    await server.changes.catchUp();
    expect(new Set(heard).size).toBe(150);
    expect(heard).toHaveLength(150);
    await server.close();
  });
});
