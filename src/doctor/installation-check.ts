// What can be wrong on this machine before anybody connects: folders, space, clock, keys, certificate files, names
// and ports. Reads and probes; changes nothing, and makes nothing that stays.
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rmdir, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { namesOfCertificate } from '../certificates/certificate-name.ts';
import type { StreamKey } from '../keys/key-rule.ts';
import type { Clock } from '../ops/clock.ts';
import { formatInstant, formatSize } from '../ops/quantities.ts';
import { carriesName, type DevelopmentAuthorityFile, judgeChain } from './certificate-check.ts';
import type { Finding } from './finding.ts';
import { codeOf, type Network } from './network.ts';

/** Bytes of an hour at 6 Mbit/s, which is much for one camera. */
const hourOfMedia = 2.7e9;
/** This software was not there before. */
const earliestNow = Date.UTC(2026, 0, 1);
/** Milliseconds by which a clock may have been set back without harm. */
const clockSlack = 300_000;

/** Something is to be written there; the folder itself may be made later. */
export async function checkFolder(check: string, folder: string): Promise<Finding> {
  try {
    const place = await nearest(folder);
    const probe = await mkdtemp(join(place, '.doctor-'));
    await rmdir(probe);
    const says = place === folder ? `${folder} can be written to` : `${folder} is made at the first start`;
    return { check, state: 'ok', says };
  } catch (error) {
    const hint = 'let the user that runs the server own the folder, or choose another one';
    return { check, state: 'failed', says: `${folder} cannot be written to (${codeOf(error)})`, hint };
  }
}

/** `minFreeSpace` in bytes: where recording stops. */
export async function checkSpace(folder: string, minFreeSpace: number): Promise<Finding> {
  const check = 'space';
  try {
    const { bavail, bsize } = await statfs(await nearest(folder));
    const free = bavail * bsize;
    const hours = Math.floor((free - minFreeSpace) / hourOfMedia);
    const says = `${formatSize(free)} free for recordings`;
    if (hours >= 10) return { check, state: 'ok', says: `${says}: about ${hours} hours at 6 Mbit/s` };
    const hint = `free some space on the volume of ${folder}, or choose another one with recorder.directory`;
    return free <= minFreeSpace
      ? {
          check,
          state: 'failed',
          says: `${says}; nothing is recorded below ${formatSize(minFreeSpace)} (recorder.minFreeSpace)`,
          hint,
        }
      : { check, state: 'warning', says: `${says}: about ${hours} hours at 6 Mbit/s`, hint };
  } catch (error) {
    const says = `the free space of ${folder} is unknown (${codeOf(error)})`;
    return { check, state: 'warning', says };
  }
}

/** A clock that is wrong makes certificates and keys expire at the wrong time. `file`: written now and then. */
export async function checkClock(clock: Clock, file: string): Promise<Finding> {
  const now = clock.now();
  const failed = {
    check: 'clock',
    state: 'failed',
    hint: 'set the clock of this machine, and let NTP keep it (timedatectl set-ntp true)',
  } as const;
  if (now < earliestNow)
    return { ...failed, says: `the clock says ${formatInstant(now)}: that is long over` };
  const changed = await stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );
  if (changed !== undefined && changed > now + clockSlack) {
    const says = `the clock says ${formatInstant(now)}, but ${file} was written at ${formatInstant(changed)}`;
    return { ...failed, says };
  }
  return { check: 'clock', state: 'ok', says: `the clock says ${formatInstant(now)}` };
}

/** Can anybody publish? `now` in milliseconds since the epoch. */
export function checkKeys(keys: readonly StreamKey[], now: number): Finding {
  const publishing = keys.filter(({ role }) => role === 'publish');
  const usable = publishing.filter(
    ({ state, notBefore = 0, expiresAt = Infinity }) =>
      state === 'active' && notBefore <= now && now < expiresAt,
  );
  const streams = [...new Set(usable.map(({ stream }) => stream))];
  if (usable.length > 0) {
    const shown = streams.slice(0, 3).join(', ') + (streams.length > 3 ? ', …' : '');
    return {
      check: 'keys',
      state: 'ok',
      says: `${usable.length} of ${keys.length} keys can publish: ${shown}`,
    };
  }
  const says =
    publishing.length === 0
      ? 'there is no stream key'
      : `none of ${publishing.length} stream keys works now: disabled, revoked, expired, or not yet valid`;
  const hint = 'make one: penstock key create live/camera-1';
  return { check: 'keys', state: 'failed', says, hint };
}

/** A certificate file: can it be read, is it in its time, does it carry the public names? */
export async function checkCertificateFile(
  file: string,
  hosts: readonly string[],
  now: number,
): Promise<readonly Finding[]> {
  const check = 'certificate';
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(await readFile(file));
  } catch (error) {
    const hint = 'look at tls.certificate in the configuration, and at the rights of the file';
    return [{ check, state: 'failed', says: `${file} cannot be used (${codeOf(error)})`, hint }];
  }
  // Trust is judged where it matters, at the door; here only what the file alone tells.
  const judged = judgeChain({ leaf, chainLength: 1, problem: undefined }, now, undefined);
  const names = namesOfCertificate(leaf.subjectAltName);
  const missing = hosts.filter((host) => !carriesName(names, host));
  const findings: Finding[] = [{ ...judged, says: `${file}: ${judged.says}` }];
  if (missing.length > 0) {
    const says = `${file} is for ${names.join(', ')}, and not for ${missing.join(', ')} of "hosts"`;
    const hint = 'get a certificate with these names, or take them out of "hosts"';
    findings.push({ check: 'certificate-name', state: 'failed', says, hint });
  }
  return findings;
}

/** What is known of the certificate from ACME. */
export interface AcmeSituation {
  readonly issued: boolean;
  /** Why the last attempt to get or renew it failed, and what to do. */
  readonly failure?: { readonly reason: string; readonly hint: string } | undefined;
}

export function checkAcme({ issued, failure }: AcmeSituation): Finding {
  const check = 'certificate';
  if (issued && failure === undefined) return { check, state: 'ok', says: 'there is one from ACME' };
  if (failure === undefined) {
    const hint = 'it takes seconds once the server runs: penstock cert status says how far it is';
    return { check, state: 'warning', says: 'there is none from ACME yet', hint };
  }
  const { reason, hint } = failure;
  return issued
    ? { check, state: 'warning', says: `the one from ACME could not be renewed yet: ${reason}`, hint }
    : { check, state: 'failed', says: `there is none from ACME yet: ${reason}`, hint };
}

/** Whether a listener's port is ours or free. `running`: the server of this data folder is up. */
export async function checkListener(
  { host, port }: { readonly host: string; readonly port: number },
  running: boolean,
  network: Pick<Network, 'whyNotListen'>,
): Promise<Finding> {
  const check = 'listener';
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  if (port === 0) return { check, state: 'not-tried', says: `${place}: the system chooses the port` };
  const code = await network.whyNotListen(host, port);
  if (running) {
    if (code === 'EADDRINUSE') return { check, state: 'ok', says: `${place} is listened on` };
    const says = `${place} is not listened on, though the server runs`;
    const hint = 'restart the server: its configuration was changed since it started, or its start failed';
    return { check, state: 'failed', says, hint };
  }
  if (code === undefined) {
    const says = `${place} is free: the server is not running`;
    return { check, state: 'warning', says, hint: 'start it: scripts/penstock serve' };
  }
  const hints: Readonly<Record<string, string>> = {
    EADDRINUSE: `find the other process (ss -ltnp 'sport = :${port}') and stop it, or choose another port`,
    EACCES: 'ports below 1024 need a right: AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit',
    EADDRNOTAVAIL: 'this machine has no such address (ip addr); 0.0.0.0 stands for all of them',
  };
  const says =
    code === 'EADDRINUSE'
      ? `${place} is taken by another process, and the server is not running`
      : `${place} cannot be listened on (${code})`;
  return { check, state: 'failed', says, hint: hints[code] ?? 'look at "listeners" in the configuration' };
}

/** The development authority of a certificates folder, if it has made one. */
export async function readDevelopmentAuthority(
  certsDir: string,
): Promise<DevelopmentAuthorityFile | undefined> {
  const file = join(certsDir, 'development', 'ca.pem');
  try {
    return { certificate: new X509Certificate(await readFile(file)), file };
  } catch {
    return undefined;
  }
}

async function nearest(folder: string): Promise<string> {
  for (let place = folder; ; place = dirname(place)) {
    const found = await stat(place).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT' && dirname(place) !== place) return undefined;
      throw error;
    });
    if (found?.isDirectory() === true) return place;
    if (found !== undefined) throw Object.assign(new Error('no folder'), { code: 'ENOTDIR' });
  }
}
