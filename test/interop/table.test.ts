// docs/interop.md is what was seen: every client at every door with every form of key, and the table that comes of it
// compared with the one that is published. UPDATE_INTEROP=1 writes it instead.
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import {
  type Door,
  doors,
  formatTable,
  type Outcome,
  type Row,
  type Target,
} from '../support/interop-table.ts';
import { readTags } from '../support/media-tags.ts';
import { syntheticFrames } from '../support/media.ts';
import { ObsEncoder } from '../support/obs-encoder.ts';
import { obsSignIn } from '../support/obs-sign-in.ts';
import { makeSample, publishWithFfmpeg, publishWithGStreamer } from '../support/real-clients.ts';
import { ServerProcess } from '../support/server-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const page = fileURLToPath(new URL('../../docs/interop.md', import.meta.url));
const [begin, end] = ['<!-- what follows is written by test/interop/table.test.ts -->', '<!-- so far -->'];
const atOnce = 4;

const folder = temporaryFolder(afterAll);
const server = new ServerProcess({
  folder,
  settings: {
    listeners: [{ address: '127.0.0.1:0', accept: [...doors, 'https'] }],
    'signIn.apps': ['studio'],
    'tls.clientAuth': 'optional',
  },
});
let [sample, token, ca] = ['', '', ''];

beforeAll(async () => {
  sample = await makeSample(folder, 'h264 and aac', 1);
  await server.start();
  ({ token } = await server.createToken('keys:write'));
  ca = readFileSync(server.caFile, 'utf8');
});
afterAll(() => server.discard());

/** As `penstock key create`, without a process for each of them. */
async function createKey(stream: string): Promise<{ id: string; key: string }> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const where = { host: '127.0.0.1', port: server.port, path: '/api/v1/keys', method: 'POST', ca, headers };
  return new Promise((resolve, reject) => {
    const sent = request(where, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (more: string) => (text += more));
      answer.on('end', () => resolve(JSON.parse(text) as { id: string; key: string }));
    });
    sent.on('error', reject).end(JSON.stringify({ stream }));
  });
}

type Place = (target: Target) => string;
const inField: Place = ({ door, host, app, key }) => `${door}://${host}/${app}/${key}`;
const inQuery: Place = ({ door, host, app, name, key }) => `${door}://${host}/${app}/${name}?key=${key}`;
const named: Place = ({ door, host, app, name }) => `${door}://${host}/${app}/${name}`;
const withUser: Place = ({ door, host, app, name, key }) => `${door}://${name}:${key}@${host}/${app}/${name}`;
const limelight: Place = (target) => withUser({ ...target, app: `${target.app}?authmod=llnw` });

// Through a tunnel at live pace: it never sends what its buffer still holds at the end.
const ffmpeg = (place: Place) => (target: Target) =>
  publishWithFfmpeg(sample, place(target), { live: target.door.startsWith('rtmpt') });
const rtmp2sink = (place: Place) => (target: Target) => {
  const trust = target.door === 'rtmps' ? ['tls-validation-flags=0'] : [];
  return gstreamer('rtmp2sink', target, [`location=${place(target)}`, ...trust]);
};
// At live pace: what is on its way through a tunnel at the end is lost.
const rtmpsink = (place: Place) => (target: Target) =>
  gstreamer('rtmpsink', target, ['sync=true', `location=${place(target)}`]);

function gstreamer(element: string, { app, name }: Target, properties: readonly string[]) {
  return publishWithGStreamer(sample, [element, ...properties], join(folder, `${app}-${name}.flv`));
}

async function withCertificate(target: Target) {
  const { files } = await server.json<{ files: { certificate: string; key: string } }>(
    'cert',
    'client',
    target.name,
    '--key-id',
    ids.get(target.name) ?? '',
    '-o',
    join(folder, 'clients'),
  );
  const shown = ['-f', 'flv', '-cert_file', files.certificate, '-key_file', files.key];
  const { code } = await publishWithFfmpeg(sample, named(target), { output: shown }).finish();
  if (code !== 0) throw new Error('the encoder failed');
}

const obs = (server: Place, field: Place) => async (target: Target) => {
  const app = server(target);
  const [port, key] = [Number(target.host.split(':')[1]), field(target)];
  const options = { port, key, app, ca: caFor(target) };
  const encoder = new ObsEncoder(options);
  await obsStreams(encoder);
};

async function obsStreams(encoder: ObsEncoder) {
  onTestFinished(() => void encoder.socket.destroy());
  await encoder.published;
  await encoder.stream(syntheticFrames('obs', 1));
  await encoder.stop();
}

const caFor = ({ door }: Target) => (door === 'rtmps' ? Buffer.from(ca) : undefined);

async function obsSignsIn(target: Target) {
  const { host, app, name, key } = target;
  const port = Number(host.split(':')[1]);
  const options = { port, app, key: '', ca: caFor(target), user: name, password: key };
  await obsStreams((await obsSignIn(options)).encoder);
}

const noTls: Row['without'] = { rtmpts: 'e', rtmp: 'd', rtmpe: 'd', rtmpt: 'd', rtmpte: 'd' };
const ffmpegLacks: Row['without'] = { rtmpe: 'b', rtmpte: 'b' };
const onlyPlain: Row['without'] = { rtmpe: 'a', rtmpts: 'a', rtmpt: 'a', rtmpte: 'a' };
const obsLacks: Row['without'] = { rtmpe: 'a', rtmpts: 'f', rtmpt: 'f', rtmpte: 'a' };
const crashes: Row['without'] = Object.fromEntries(doors.map((door) => [door, 'c']));
const live = 'live';
const studio = 'studio';

const rows: readonly Row[] = [
  { client: 'ffmpeg', form: 'stream key', app: live, publish: ffmpeg(inField), without: ffmpegLacks },
  { client: 'ffmpeg', form: '`?key=`', app: live, publish: ffmpeg(inQuery), without: ffmpegLacks },
  {
    client: 'ffmpeg',
    form: 'user and password',
    app: studio,
    publish: ffmpeg(withUser),
    without: ffmpegLacks,
  },
  {
    client: 'ffmpeg',
    form: "the same, Limelight's way",
    app: live,
    publish: ffmpeg(limelight),
    without: ffmpegLacks,
  },
  { client: 'ffmpeg', form: 'client certificate', app: live, publish: withCertificate, without: noTls },
  {
    client: 'GStreamer `rtmp2sink`',
    form: 'stream key',
    app: live,
    publish: rtmp2sink(inField),
    without: onlyPlain,
  },
  {
    client: 'GStreamer `rtmp2sink`',
    form: '`?key=`',
    app: live,
    publish: rtmp2sink(inQuery),
    without: onlyPlain,
  },
  {
    client: 'GStreamer `rtmp2sink`',
    form: 'user and password',
    app: studio,
    publish: rtmp2sink(withUser),
    without: onlyPlain,
  },
  { client: 'GStreamer `rtmpsink`', form: 'stream key', app: live, publish: rtmpsink(inField), without: {} },
  { client: 'GStreamer `rtmpsink`', form: '`?key=`', app: live, publish: rtmpsink(inQuery), without: {} },
  {
    client: 'GStreamer `rtmpsink`',
    form: 'user and password',
    app: studio,
    publish: rtmpsink((target) => `${named(target)} pubUser=${target.name} pubPasswd=${target.key}`),
    without: crashes,
  },
  {
    client: 'OBS, as a script',
    form: 'stream key',
    app: live,
    publish: obs(
      ({ app }) => app,
      ({ key }) => key,
    ),
    without: obsLacks,
  },
  {
    client: 'OBS, as a script',
    form: '`?key=`',
    app: live,
    publish: obs(
      ({ app }) => app,
      ({ name, key }) => `${name}?key=${key}`,
    ),
    without: obsLacks,
  },
  {
    client: 'OBS, as a script',
    form: 'user and password',
    app: studio,
    publish: obsSignsIn,
    without: obsLacks,
  },
];

const ids = new Map<string, string>();
const cells = rows.flatMap((row, index) =>
  doors.map((door) => ({ row, door, name: `row-${index + 1}-${door}` })),
);
/** The others cannot be started, or write into memory that is not theirs and end as chance has it. */
const notesThatAreTried = new Set(['b', 'e']);

async function attempt({ row, door, name }: (typeof cells)[number]): Promise<boolean> {
  const { id, key } = await createKey(`${row.app}/${name}`);
  ids.set(name, id);
  const host = `127.0.0.1:${server.port}`;
  try {
    const client = await row.publish({ door, host, app: row.app, name, key });
    if (client === undefined) return true;
    return (await client.finish(10_000)).code === 0;
  } catch {
    return false;
  }
}

it('every client works at every door as docs/interop.md says', { timeout: 120_000 }, async () => {
  const ran = new Map<string, boolean>();
  const waiting = cells.filter(({ row, door }) => {
    const note = row.without[door];
    return note === undefined || notesThatAreTried.has(note);
  });
  const work = async () => {
    for (let cell = waiting.shift(); cell !== undefined; cell = waiting.shift())
      ran.set(cell.name, await attempt(cell));
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  // A tunnel whose client hangs up without a word is given some seconds.
  const recordings = await server.settledRecordings();
  const works = ({ name, row }: (typeof cells)[number]) => {
    const made = recordings.find(({ stream }) => stream === `${row.app}/${name}`);
    if (ran.get(name) !== true || made?.state !== 'complete') return false;
    return readTags(readFileSync(made.path)).tags.length > 40; // one second of picture and sound, nearly all of it
  };
  const outcome = (row: Row, door: Door): Outcome => {
    const cell = cells.find((one) => one.row === row && one.door === door);
    return cell !== undefined && works(cell) ? 'works' : (row.without[door] ?? 'FAILS');
  };
  const table = formatTable(rows, outcome);
  const text = readFileSync(page, 'utf8');
  const [from, to] = [text.indexOf(begin) + begin.length, text.indexOf(end)];
  const update = process.env['UPDATE_INTEROP'] === '1';
  if (update) writeFileSync(page, `${text.slice(0, from)}\n\n${table}\n\n${text.slice(to)}`);
  expect(update ? '' : table).toBe(update ? '' : text.slice(from, to).trim());
  expect(table).not.toContain('FAILS');
});
