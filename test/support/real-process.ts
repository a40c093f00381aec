// A real program beside the tests: what it says is collected, waiting for a word of it is bounded, and nothing
// that was started outlives the test process.
import { type ChildProcess, spawn } from 'node:child_process';

export interface ProcessOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Milliseconds: longer than anything that is waited for takes on a loaded machine. */
const patience = 30_000;
const alive = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

export class RealProcess {
  readonly child: ChildProcess;
  /** Resolves when it has ended and everything it said was read. */
  readonly ended: Promise<Finished>;
  stdout = '';
  stderr = '';
  readonly #command: string;
  readonly #listeners = new Set<() => void>();

  constructor(command: string, args: readonly string[], { cwd, env }: ProcessOptions = {}) {
    this.#command = command;
    this.child = spawn(command, args, { cwd, env: { ...plainEnvironment(), ...env }, stdio: 'pipe' });
    alive.add(this.child);
    const { stdin, stdout, stderr } = this.child;
    stdin?.on('error', () => undefined).end();
    stdout?.setEncoding('utf8').on('data', (text: string) => this.#heard((this.stdout += text)));
    stderr?.setEncoding('utf8').on('data', (text: string) => this.#heard((this.stderr += text)));
    const { promise, resolve, reject } = Promise.withResolvers<Finished>();
    this.ended = promise;
    this.child.once('error', reject);
    this.child.once('close', (code, signal) => {
      alive.delete(this.child);
      resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      this.#heard();
    });
    promise.catch(() => undefined);
  }

  get running(): boolean {
    return alive.has(this.child);
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.child.kill(signal);
  }

  /** Ends it without mercy, and waits until it is gone. */
  async discard(): Promise<void> {
    if (!this.running) return;
    this.kill();
    await this.ended;
  }

  /** Resolves once `seen` answers something; it is asked again after each output. */
  async until<Result>(what: string, seen: () => Result | undefined): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const fail = (why: string) =>
      reject(
        new Error(
          `${this.#command}: ${why}: ${what}\n${this.stdout.slice(-2000)}${this.stderr.slice(-4000)}`,
        ),
      );
    const look = () => {
      const result = seen();
      if (result !== undefined) resolve(result);
      else if (!this.running) fail('ended without');
    };
    const timer = setTimeout(() => fail('waited too long for'), patience);
    this.#listeners.add(look);
    look();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#listeners.delete(look);
    }
  }

  /** Waits for the end, but not for ever: then it is killed and the wait fails. `limit` in milliseconds. */
  async finish(limit = patience): Promise<Finished> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.kill();
    }, limit);
    const finished = await this.ended.finally(() => clearTimeout(timer));
    if (late) throw new Error(`${this.#command} did not end in ${limit} ms\n${finished.stderr.slice(-4000)}`);
    return finished;
  }

  #heard(_text?: string): void {
    for (const listener of this.#listeners) listener();
  }
}

/** Runs a program to its end. */
export async function runReal(
  command: string,
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<Finished> {
  return new RealProcess(command, args, options).finish();
}

/** Nothing of the test runner, and no setting of the person who runs it, reaches a real program. */
function plainEnvironment(): Record<string, string> {
  const { PATH = '/usr/bin:/bin', HOME = '/', TMPDIR } = process.env;
  return { PATH, HOME, LC_ALL: 'C', ...(TMPDIR === undefined ? {} : { TMPDIR }) };
}
