// What the kernel knows about a server: CPU time and memory of its whole process tree, and the files it holds
// open. Linux only.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface Usage {
  /** User and system time of every process of the tree since it began, those that ended included. */
  readonly cpuSeconds: number;
  /** Resident memory. */
  readonly memoryBytes: number;
}

/** Ticks per second in /proc, whatever the kernel's own are (proc_pid_stat(5)). */
const ticksPerSecond = 100;

export function usageOf(root: number): Usage {
  let ticks = 0;
  let memoryBytes = 0;
  for (const pid of processTree(root)) {
    const fields = statOf(pid);
    // utime, stime, and cutime, cstime of children that ended and were waited for.
    for (const field of [14, 15, 16, 17]) ticks += Number(fields[field] ?? 0);
    const resident = /^VmRSS:\s*(\d+) kB$/m.exec(textOf(`/proc/${pid}/status`))?.[1];
    memoryBytes += Number(resident ?? 0) * 1024;
  }
  return { cpuSeconds: ticks / ticksPerSecond, memoryBytes };
}

/** The process and all below it. */
export function processTree(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (pid > 0) parents.set(pid, Number(statOf(pid)[4] ?? 0));
  }
  const tree = [root];
  for (const above of tree) {
    for (const [pid, parent] of parents) if (parent === above) tree.push(pid);
  }
  return tree;
}

/** Files below a folder that the tree of a process holds open for writing. */
export function writtenFilesBelow(root: number, folder: string): string[] {
  return processTree(root).flatMap((pid) => {
    try {
      return readdirSync(`/proc/${pid}/fd`)
        .filter((descriptor) => mayWrite(textOf(`/proc/${pid}/fdinfo/${descriptor}`)))
        .map((descriptor) => linkOf(`/proc/${pid}/fd/${descriptor}`))
        .filter((target) => target.startsWith(`${folder}/`));
    } catch {
      return []; // it has ended
    }
  });
}

/** proc_pid_fdinfo(5): flags in octal, as open(2) takes them; the last two bits are the access mode. */
function mayWrite(info: string): boolean {
  const flags = /^flags:\s*([0-7]+)$/m.exec(info)?.[1];
  return flags !== undefined && (Number.parseInt(flags, 8) & 3) !== 0;
}

/** Fields by their number in proc_pid_stat(5); none when there is no such process. */
function statOf(pid: number): readonly string[] {
  const text = textOf(`/proc/${pid}/stat`);
  // Field 2 is a name in parentheses, which may hold anything.
  const behindName = text.slice(text.lastIndexOf(')') + 2);
  return behindName === '' ? [] : ['', '', '', ...behindName.trim().split(' ')];
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
