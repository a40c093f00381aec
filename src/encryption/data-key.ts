// The key that recordings are encrypted with: 32 bytes from a file, or from the answer of a command (a key management
// system, a secret store). Read once at start; never from the environment or an argument, which others can see.
import { execFile } from 'node:child_process';
import { createSecretKey, type KeyObject } from 'node:crypto';
import { open } from 'node:fs/promises';
import { SetupError } from '../errors.ts';
import { encryptionLimits } from './encryption-limits.ts';

/** A file of mode 0600 or 0400, or a program and its arguments, run without a shell. */
export type DataKeySource = { readonly keyFile: string } | { readonly keyCommand: readonly string[] };

/**
 * The key: 64 hex digits, or base64 of 32 bytes; space around it is ignored.
 * Throws SetupError ENCRYPTION_KEY_UNUSABLE, which says why and never what was read.
 */
export async function loadDataKey(source: DataKeySource): Promise<KeyObject> {
  const text =
    'keyFile' in source ? await readKeyFile(source.keyFile) : await runKeyCommand(source.keyCommand);
  const key = parseDataKey(text);
  if (key !== undefined) return key;
  throw unusable(`${nameOf(source)} holds no key`, 'Make one with: openssl rand -hex 32');
}

/** Undefined for a text that is no key. */
export function parseDataKey(text: string): KeyObject | undefined {
  const trimmed = text.trim();
  const isHex = /^[0-9a-f]{64}$/i.test(trimmed);
  const isBase64 = /^[A-Za-z0-9+/]{43}=?$/.test(trimmed);
  if (!isHex && !isBase64) return undefined;
  return createSecretKey(Buffer.from(trimmed, isHex ? 'hex' : 'base64'));
}

async function readKeyFile(path: string): Promise<string> {
  try {
    const file = await open(path);
    try {
      const { mode, size } = await file.stat();
      if ((mode & 0o077) !== 0) {
        throw unusable(
          `${path} has mode ${(mode & 0o777).toString(8)}: others than its owner may use it`,
          `If nobody can have read it, run: chmod 600 ${path}`,
        );
      }
      if (size > encryptionLimits.keyLength) throw unusable(`${path} is too long for a key`);
      return await file.readFile('latin1');
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof SetupError) throw error;
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw unusable(`${path} cannot be read: ${reason}`);
  }
}

function runKeyCommand(command: readonly string[]): Promise<string> {
  const [program = '', ...args] = command;
  const options = {
    timeout: encryptionLimits.commandTimeout,
    maxBuffer: encryptionLimits.keyLength,
    encoding: 'latin1',
  } as const;
  return new Promise((resolve, reject) => {
    execFile(program, args, options, (error, stdout) => {
      if (error === null) resolve(stdout);
      else if (error.killed === true) reject(unusable(`${program} did not answer in time`));
      else reject(unusable(`${program} failed: ${String(error.code ?? error.signal)}`));
    });
  });
}

function nameOf(source: DataKeySource): string {
  return 'keyFile' in source ? source.keyFile : `the answer of ${source.keyCommand[0] ?? ''}`;
}

function unusable(what: string, hint = 'Check recorder.encryption in the configuration.'): SetupError {
  return new SetupError('ENCRYPTION_KEY_UNUSABLE', `the key of the recordings: ${what}`, { hint });
}
