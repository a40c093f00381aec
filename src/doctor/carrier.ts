// What carries the RTMP bytes of an examination: the connection itself, or the requests of a tunnel (RTMPE 4), one
// after the other. Written for the doctor: one short conversation, no speed.
import { Agent, request } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../ops/clock.ts';
import { doctorLimits } from './doctor-limits.ts';
import { codeOf } from './network.ts';

export interface CarrierReceiver {
  bytes(borrowed: Uint8Array): void;
  /** Called once: the conversation is over; why, in words, where that is known. */
  end(why?: string): void;
}

export interface Carrier {
  /** Call it once, before send(). */
  start(receiver: CarrierReceiver): void;
  send(pieces: readonly Uint8Array[]): void;
  /** Says no more; what is under way still arrives. The receiver hears of the end. */
  finish(): void;
  destroy(): void;
}

export class SocketCarrier implements Carrier {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  start(receiver: CarrierReceiver): void {
    this.#socket.on('data', (bytes: Buffer) => receiver.bytes(bytes));
    let why: string | undefined;
    this.#socket.on('error', (error) => (why ??= codeOf(error)));
    this.#socket.once('close', () => receiver.end(why));
  }

  send(pieces: readonly Uint8Array[]): void {
    if (!this.#socket.writable) return;
    for (const bytes of pieces) this.#socket.write(bytes);
  }

  finish(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

export interface TunnelCarrierOptions {
  /** The connection for the first requests. */
  readonly socket: Socket;
  /** For the header `Host`. */
  readonly host: string;
  readonly clock: Clock;
}

/** Milliseconds between two requests that ask for news. */
const pollTime = 100;

export class TunnelCarrier implements Carrier {
  readonly #options: TunnelCarrierOptions;
  readonly #agent: Agent;
  #receiver: CarrierReceiver | undefined;
  #waiting: Uint8Array[] = [];
  #finishing = false;
  #over = false;

  constructor(options: TunnelCarrierOptions) {
    this.#options = options;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1 });
    // One connection for all of them, as encoders have it; when it is gone, so is the conversation.
    this.#agent.createConnection = () => options.socket;
  }

  start(receiver: CarrierReceiver): void {
    this.#receiver = receiver;
    this.#options.socket.once('close', () => this.#end());
    void this.#run();
  }

  send(pieces: readonly Uint8Array[]): void {
    this.#waiting.push(...pieces);
  }

  finish(): void {
    this.#finishing = true;
  }

  destroy(): void {
    this.#over = true;
    this.#agent.destroy();
    this.#options.socket.destroy();
  }

  async #run(): Promise<void> {
    try {
      const id = (await this.#post('/open/1', Buffer.of(0))).toString('latin1').trim();
      if (!/^[\w-]{1,64}$/.test(id)) throw new Error('the answer to /open/1 is no tunnel');
      for (let sequence = 0; !this.#over; sequence += 1) {
        const body = Buffer.concat(this.#waiting);
        this.#waiting = [];
        const verb = body.length > 0 ? 'send' : this.#finishing ? 'close' : 'idle';
        const answer = await this.#post(`/${verb}/${id}/${sequence}`, body.length > 0 ? body : Buffer.of(0));
        if (verb === 'close') break;
        if (answer.length > 1) this.#receiver?.bytes(answer.subarray(1)); // the first byte is the polling interval
        if (this.#waiting.length === 0) await this.#pause();
      }
      this.#end();
    } catch (error) {
      this.#end(error instanceof Error ? error.message : String(error));
    }
    this.destroy();
  }

  #end(why?: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#receiver?.end(why);
  }

  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => this.#options.clock.after(pollTime, resolve));
  }

  #post(path: string, body: Buffer): Promise<Buffer> {
    const answered = Promise.withResolvers<Buffer>();
    const { host } = this.#options;
    const headers = {
      Host: host,
      'Content-Type': 'application/x-fcs',
      'Content-Length': body.length,
      'User-Agent': 'Shockwave Flash',
    };
    const sent = request({ method: 'POST', path, headers, agent: this.#agent }, (response) => {
      const pieces: Buffer[] = [];
      let length = 0;
      response.on('data', (bytes: Buffer) => {
        pieces.push(bytes);
        length += bytes.length;
        if (length > doctorLimits.tunnelAnswer) response.destroy(new Error('an answer is too large'));
      });
      response.on('error', answered.reject);
      response.on('end', () => {
        const content = Buffer.concat(pieces);
        if (response.statusCode === 200) answered.resolve(content);
        else answered.reject(new Error(refusal(response.statusCode ?? 0, content)));
      });
    });
    sent.on('error', answered.reject);
    sent.end(body);
    return answered.promise;
  }
}

function refusal(status: number, content: Buffer): string {
  const words = content.toString('utf8').trim();
  // A web server's page is nothing to show.
  return words === '' || words.includes('<') ? `HTTP ${status}` : `HTTP ${status}: ${words.slice(0, 300)}`;
}
