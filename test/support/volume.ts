// Volumes of the test's own, mounted where a stream is recorded: small ones, and ones that turn read-only. Mounting
// needs root, or sudo without a password.
import { mkdirSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { runReal } from './real-process.ts';

/** Mounts an empty tmpfs of so many KiB. */
export async function mountMemory(folder: string, kibibytes: number): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await asRoot('mount', '-t', 'tmpfs', '-o', `size=${kibibytes}k,mode=0700`, 'tmpfs', folder);
  onTestFinished(() => unmount(folder));
}

/** Mounts a file system of 8 MiB in the file `image`, which turns read-only at the first error. */
export async function mountImage(folder: string, image: string): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await asRoot('truncate', '-s', '8M', image);
  await asRoot('mkfs.ext4', '-q', image);
  await mountAgain(folder, image);
  onTestFinished(() => unmount(folder));
}

export async function mountAgain(folder: string, image: string): Promise<void> {
  await asRoot('mount', '-o', 'loop,errors=remount-ro', image, folder);
}

/** What a controller that fails does: the kernel takes the file system out of use for writing at once. */
export async function breakVolume(folder: string): Promise<void> {
  const device = (await asRoot('findmnt', '-n', '-o', 'SOURCE', folder)).trim().replace('/dev/', '');
  await asRoot('sh', '-c', `echo test > /sys/fs/ext4/${device}/trigger_fs_error`);
}

/** Whatever still uses it; nothing happens when it is not mounted. */
export async function unmount(folder: string): Promise<void> {
  await asRoot('umount', '-l', folder).catch(() => undefined);
}

async function asRoot(...command: [string, ...string[]]): Promise<string> {
  const [program, ...args]: [string, ...string[]] =
    process.getuid?.() === 0 ? command : ['sudo', '-n', ...command];
  const { code, stdout, stderr } = await runReal(program, args, {
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  });
  if (code !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
  return stdout;
}
