// Who is on the air, as another process sees it; servers that crash or sleep included.
import { describe, expect, it, onTestFinished } from 'vitest';
import type { StreamName } from '../../src/ops/names.ts';
import { openLiveSessionStore } from '../../src/store/live-session-store.ts';
import { openStore } from '../../src/store/store.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { settled } from '../support/settled.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

async function openServers() {
  const folder = temporaryFolder();
  const log = new RecordedLog();
  const open = async (serverId: string, clock: FakeClock) => {
    const store = await openStore({ folder, clock, log });
    onTestFinished(() => store.close());
    return openLiveSessionStore({ store, clock, log, serverId });
  };
  const clock = new FakeClock();
  return { open, clock, server: await open('one', clock), command: await open('', clock) };
}

const session = (sessionId: string, clock: FakeClock) => ({
  sessionId,
  stream: 'live/camera-1' as StreamName,
  door: 'rtmps',
  remote: '203.0.113.7:50122',
  encoder: 'FMLE/3.0 (compatible; FMSc/1.0)',
  since: clock.now(),
});

const recorded = { recording: 'recording', recordingError: undefined } as const;
const failed = { recording: 'failed', recordingError: 'DISK_FULL' } as const;

describe('live session store', () => {
  it('lists a session in the shape of `stream list --json`, first without and then with its figures', async () => {
    const { clock, server, command } = await openServers();
    await server.begin(session('k3f9', clock));
    const entry = {
      stream: 'live/camera-1',
      sessionId: 'k3f9',
      door: 'rtmps',
      remote: '203.0.113.7:50122',
      encoder: 'FMLE/3.0 (compatible; FMSc/1.0)',
      since: '2026-11-22T13:05:09.000Z',
    };
    const unknown = {
      videoCodec: null,
      audioCodec: null,
      bitrate: null,
      recording: null,
      recordingError: null,
    };
    expect(await command.list()).toEqual([{ ...entry, ...unknown }]);
    server.update('k3f9', { videoCodec: 'avc1', bitrate: 2_500_000.4, ...recorded });
    server.update('k3f9', { audioCodec: 'mp4a', encoder: 'Lavf59.27.100', ...failed });
    clock.advance(2000); // the next heartbeat
    await settled();
    expect(await command.list()).toEqual([
      {
        ...entry,
        encoder: 'Lavf59.27.100',
        videoCodec: 'avc1',
        audioCodec: 'mp4a',
        bitrate: 2_500_000,
        ...failed,
      },
    ]);
    await server.end('k3f9');
    server.update('k3f9', { bitrate: 1, ...recorded });
    expect(await command.list()).toEqual([]);
  });

  it('does not list a session that ended while it was being written', async () => {
    const { clock, server, command } = await openServers();
    const begun = server.begin(session('a', clock));
    const ended = server.end('a');
    clock.advance(200);
    await Promise.all([begun, ended]);
    expect(await command.list()).toEqual([]);
  });

  it('goes on listing sessions of a living server', async () => {
    const { clock, server, command } = await openServers();
    await server.begin(session('a', clock));
    for (let minute = 0; minute < 30; minute++) {
      clock.advance(2000);
      await settled();
    }
    expect(await command.list()).toHaveLength(1);
  });

  it('stops listing 10 s after a crash, and the next session sweeps the row away', async () => {
    const { open, clock, command } = await openServers();
    const crashedClock = new FakeClock(clock.now());
    const crashed = await open('crashed', crashedClock); // its hands stand still: no heartbeats
    await crashed.begin(session('a', clock));
    clock.advance(10_000);
    expect(await command.list()).toHaveLength(1);
    clock.advance(1);
    expect(await command.list()).toEqual([]);
    const server = await open('two', clock);
    await server.begin(session('b', clock));
    crashedClock.setNow(clock.now());
    expect((await crashed.list()).map(({ sessionId }) => sessionId)).toEqual(['b']);
  });

  it('lists a server again that was only asleep', async () => {
    const { open, clock, server, command } = await openServers();
    const sleeperClock = new FakeClock(clock.now());
    const sleeper = await open('sleeper', sleeperClock);
    await sleeper.begin(session('a', clock));
    clock.advance(60_000);
    await server.begin(session('b', clock));
    sleeperClock.setNow(clock.now());
    sleeperClock.advance(2000);
    await settled();
    expect((await command.list()).map(({ sessionId }) => sessionId)).toEqual(['a', 'b']);
  });

  it('lists living servers after the wall clock was set back an hour, and not the dead', async () => {
    const { open, clock, server, command } = await openServers();
    const dead = await open('dead', new FakeClock(clock.now()));
    await dead.begin(session('a', clock));
    await server.begin(session('b', clock));
    clock.setNow(clock.now() - 3_600_000);
    clock.advance(2000);
    await settled();
    expect((await command.list()).map(({ sessionId }) => sessionId)).toEqual(['b']);
  });

  it('ends only its own sessions when it closes, and leaves no heartbeat behind', async () => {
    const { open, clock, server, command } = await openServers();
    const other = await open('two', clock);
    await server.begin(session('a', clock));
    await other.begin(session('b', clock));
    const timers = clock.timers;
    await server.close();
    await server.close();
    expect(clock.timers).toBe(timers - 1);
    expect((await command.list()).map(({ sessionId }) => sessionId)).toEqual(['b']);
  });

  it('writes a bunch of beginnings and ends at once, for thousands of sessions', async () => {
    const { clock, server, command } = await openServers();
    const all = Array.from({ length: 2100 }, (_, count) => server.begin(session(`s${count}`, clock)));
    clock.advance(200);
    await Promise.all(all);
    expect(await command.list()).toHaveLength(2100);
    const ends = Array.from({ length: 100 }, (_, count) => server.end(`s${count}`));
    clock.advance(200);
    await Promise.all(ends);
    clock.advance(12_000);
    await settled();
    expect(await command.list()).toHaveLength(2000);
  });

  it('lets nobody wait for a write that its end has taken back', async () => {
    const { clock, server, command } = await openServers();
    await server.begin(session('a', clock));
    const timers = clock.timers;
    const late = server.begin(session('b', clock));
    await server.close();
    await late;
    expect(clock.timers).toBe(timers - 1); // the heartbeat
    clock.advance(1000);
    expect(await command.list()).toEqual([]);
  });
});
