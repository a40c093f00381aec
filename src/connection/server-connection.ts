// One RTMP NetConnection from the server's side, sans-IO: bytes in; events, tags and bytes out. Joins
// handshake, chunk, amf and command. Leaves out media (incoming-media.ts) and shared objects. pure.
import type { AmfValue } from '../amf/amf-value.ts';
import { type Message, MessageType } from '../chunk/message.ts';
import { commandLimits } from '../command/command-limits.ts';
import { type Command, readCommand } from '../command/command-message.ts';
import { type ConnectCommand, connectResult, readConnect } from '../command/connect-command.ts';
import { readSignIn } from '../command/access-manager.ts';
import { UserControlEvent } from '../command/control-message.ts';
import { readPlay, readPublish } from '../command/publish-command.ts';
import { type StatusCode, statusObject } from '../command/status.ts';
import { appOf, placeKey } from '../command/stream-address.ts';
import { ProtocolError } from '../errors.ts';
import type { Tag } from '../flv/tag.ts';
import { ServerHandshake } from '../handshake/server-handshake.ts';
import type { ConnectionEvent } from './connection-event.ts';
import { type ConnectionState, checkAllowed, lastWords, step } from './connection-state.ts';
import { FlowControl } from './flow-control.ts';
import { IncomingMedia } from './incoming-media.ts';
import { MessageInput } from './message-input.ts';
import { MessageOutput } from './message-output.ts';
import { RateBucket } from './rate-bucket.ts';

export interface ServerConnectionOptions {
  /** So many bytes that nobody can guess. */
  readonly random: (length: number) => Uint8Array;
  /** Milliseconds since anything, for the time field of S1. */
  readonly time: number;
  /** Largest message of an accepted publisher, in bytes; strangers have less. */
  readonly messageSize: number;
  /** Media and data of an accepted publication, at once. The tag and its body are BORROWED. */
  readonly onTag: (streamId: number, tag: Tag) => void;
}

interface PendingRequest {
  readonly id: number;
  readonly command: 'connect' | 'publish' | 'play';
  readonly transactionId: number;
  readonly streamId: number;
}

export class ServerConnection {
  readonly #media: IncomingMedia;
  readonly #input: MessageInput;
  readonly #output = new MessageOutput();
  readonly #flow = new FlowControl(this.#output);
  /** Message streams that were created. */
  readonly #streams = new Set<number>();
  readonly #commandRate = new RateBucket(commandLimits.commandsPerSecond);
  readonly #controlRate = new RateBucket(commandLimits.controlsPerSecond);
  /** Of messages that come to nothing: an empty one is a single byte, and costs as much as any. */
  readonly #unheardRate = new RateBucket(commandLimits.unheardPerSecond);
  #handshake: ServerHandshake | undefined;
  #state: ConnectionState = 'handshaking';
  #events: ConnectionEvent[] = [];
  #client: ConnectCommand = {
    app: '',
    tcUrl: '',
    flashVer: '',
    objectEncoding: 0,
    enhanced: undefined,
  };
  #pending: PendingRequest | undefined;
  #lastRequest = 0;
  #now = 0;

  constructor(options: ServerConnectionOptions) {
    this.#media = new IncomingMedia({
      onTag: options.onTag,
      onMetadata: (streamId, properties) => this.#events.push({ type: 'metadata', streamId, properties }),
      countData: () => this.#limitRate(this.#commandRate),
      countUnheard: () => this.#limitRate(this.#unheardRate),
    });
    this.#handshake = new ServerHandshake({ random: options.random, time: options.time });
    this.#input = new MessageInput(options.messageSize, (message) => this.#receiveMessage(message));
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /**
   * Takes bytes from the peer. `now` is in milliseconds that never step back.
   * @throws ProtocolError; the connection is then dead, but its output (an answer in words) is worth sending.
   */
  receive(borrowed: Uint8Array, now: number): void {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    this.#now = now;
    try {
      const rest = this.#handshake === undefined ? borrowed : this.#shakeHands(borrowed, this.#handshake);
      if (rest.length > 0) this.#input.receive(rest);
      if (this.#state === 'open') this.#flow.acknowledge(this.#input.received);
    } catch (error) {
      this.#state = 'closed';
      throw error;
    }
  }

  /** The next event, oldest first. Drain after every receive() and accept(). */
  nextEvent(): ConnectionEvent | undefined {
    return this.#events.shift();
  }

  /** What is to be sent, oldest first. Drain after every call that may answer. */
  takeOutput(): readonly Uint8Array[] {
    return this.#output.take();
  }

  /**
   * Answers a request with yes and reads on with what had to wait, so tags may arrive during this call.
   * @throws ProtocolError from what had to wait.
   */
  accept(request: number): void {
    const pending = this.#takePending(request);
    if (pending.command === 'connect') {
      this.#state = step(this.#state, 'open');
      this.#answerConnect(pending.transactionId);
    } else {
      this.#startPublication(pending.streamId);
    }
    try {
      this.#input.proceed();
    } catch (error) {
      this.#state = 'closed';
      throw error;
    }
  }

  /** Answers a request with no, in words. The caller closes the connection once the output is sent. */
  refuse(request: number, code: StatusCode, description: string): void {
    const pending = this.#takePending(request);
    if (pending.command === 'connect') {
      this.#output.command(0, '_error', pending.transactionId, null, statusObject(code, description));
    } else {
      this.#output.status(pending.streamId, code, description);
    }
    this.#state = lastWords(this.#state);
  }

  /** Tells an accepted publisher something that its publication survives. */
  notify(streamId: number, code: StatusCode, description: string): void {
    if (this.#state === 'open') this.#output.status(streamId, code, description);
  }

  /** Tells an accepted publisher why its publication ends. The caller closes the connection. */
  dismiss(streamId: number, code: StatusCode, description: string): void {
    this.#output.status(streamId, code, description);
    this.#state = lastWords(this.#state);
  }

  /**
   * Asks the client to connect again, which it does at its next key frame, and says so if it can. The caller goes
   * on taking what it sends meanwhile. E-RTMP v2 "Reconnect Request".
   */
  requestReconnect(description: string): boolean {
    if (this.#state !== 'open' || this.#client.enhanced?.reconnect !== true) return false;
    this.#output.status(0, 'NetConnection.Connect.ReconnectRequest', description);
    return true;
  }

  /** Asks for a sign of life. RTMP 7.1.7 PingRequest. `time` in milliseconds. */
  ping(time: number): void {
    this.#flow.ping(time);
  }

  /** Takes no more input. */
  close(): void {
    this.#state = 'closed';
  }

  #shakeHands(borrowed: Uint8Array, handshake: ServerHandshake): Uint8Array {
    let consumed: number;
    try {
      consumed = handshake.receive(borrowed);
    } finally {
      this.#output.raw(handshake.takeOutput()); // C1 is answered also when a bad C2 came with it
    }
    const { result } = handshake;
    if (result !== undefined) {
      this.#handshake = undefined;
      this.#input.decipher = result.decipher;
      this.#output.encipher = result.encipher;
      this.#state = step(this.#state, 'connecting');
      this.#events.push({ type: 'handshaken', encrypted: result.encrypted, digest: result.digest });
    }
    return borrowed.subarray(consumed);
  }

  #receiveMessage(message: Message): void {
    switch (message.type) {
      case MessageType.Audio:
      case MessageType.Video:
      case MessageType.DataAmf0:
      case MessageType.DataAmf3:
      case MessageType.Aggregate:
        this.#media.receive(message);
        return;
      case MessageType.CommandAmf0:
      case MessageType.CommandAmf3:
        this.#limitRate(this.#commandRate);
        this.#receiveCommand(message.streamId, readCommand(message.type, message.payload));
        return;
      case MessageType.Acknowledgement:
      case MessageType.UserControl:
      case MessageType.WindowAcknowledgementSize:
      case MessageType.SetPeerBandwidth:
        this.#limitRate(this.#controlRate);
        this.#flow.receive(message);
        return;
      default: // Shared objects and types nobody has named are not ours to judge. RTMP 7.1.
        this.#limitRate(this.#unheardRate);
    }
  }

  #receiveCommand(streamId: number, command: Command): void {
    checkAllowed(command.name, this.#state);
    switch (command.name) {
      case 'connect':
        return this.#connect(command);
      case 'createStream':
        return this.#createStream(command.transactionId);
      case 'publish':
        return this.#publish(streamId, command);
      case 'play':
        return this.#play(streamId, command);
      case 'closeStream':
        return this.#closeStream(streamId);
      case 'deleteStream':
        return this.#deleteStream(command.args[0]);
      case 'FCUnpublish':
        this.#announceEnd();
        return this.#answerLeftover(command.transactionId);
      case 'releaseStream':
      case 'FCPublish':
        return this.#answerLeftover(command.transactionId);
      default:
        if (command.transactionId > 0 && !isAnswer(command.name)) {
          const status = statusObject('NetConnection.Call.Failed', 'There is no such procedure here.');
          this.#output.command(0, '_error', command.transactionId, null, status);
        }
    }
  }

  /** Leftovers of Flash Media Server that every encoder sends and none waits for. WIRE 4. */
  #answerLeftover(transactionId: number): void {
    if (transactionId > 0) this.#output.command(0, '_result', transactionId, null, undefined);
  }

  #connect(command: Command): void {
    const connect = readConnect(command);
    this.#client = connect;
    const request = this.#request('connect', command.transactionId, 0);
    const signIn = readSignIn(connect);
    this.#events.push({
      type: 'connect',
      request,
      app: appOf(connect),
      flashVer: connect.flashVer,
      signIn,
      bare: signIn === undefined && placeKey(connect) === undefined,
    });
  }

  // RTMP 7.2.1.1, the server's side in the order of its message flow.
  #answerConnect(transactionId: number): void {
    this.#flow.announce();
    this.#output.userControl(UserControlEvent.StreamBegin, 0);
    this.#output.command(0, '_result', transactionId, ...connectResult(this.#client));
    this.#output.amf3 = this.#client.objectEncoding === 3; // practice: as Flash servers do, from the next one on
  }

  #createStream(transactionId: number): void {
    if (this.#streams.size >= commandLimits.streams) {
      throw new ProtocolError(
        'TOO_MANY_STREAMS',
        `more than ${commandLimits.streams} streams on one connection`,
      );
    }
    let streamId = 1; // 0 is the NetConnection, and GStreamer takes it for a failure. WIRE 4
    while (this.#streams.has(streamId)) streamId++;
    this.#streams.add(streamId);
    this.#output.command(0, '_result', transactionId, null, streamId);
  }

  #publish(streamId: number, command: Command): void {
    this.#denyOnError(streamId, () => {
      this.#checkCreated(streamId);
      if (this.#media.isPublishing(streamId)) throw outOfState('this stream is being published already');
      const { address, publishType } = readPublish(this.#client, command);
      const request = this.#request('publish', command.transactionId, streamId);
      this.#events.push({ type: 'publish', request, streamId, address, publishType });
    });
  }

  #play(streamId: number, command: Command): void {
    this.#denyOnError(streamId, () => {
      this.#checkCreated(streamId);
      const address = readPlay(this.#client, command);
      const request = this.#request('play', command.transactionId, streamId);
      this.#events.push({ type: 'play', request, streamId, address });
    });
  }

  #checkCreated(streamId: number): void {
    if (!this.#streams.has(streamId))
      throw outOfState('the command names a message stream that was not created');
  }

  /** A person may be looking at the encoder: a malformed request is told why before it is closed. */
  #denyOnError(streamId: number, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (error instanceof ProtocolError)
        this.#output.status(streamId, 'NetStream.Publish.BadName', `${error.message}.`);
      throw error;
    }
  }

  #startPublication(streamId: number): void {
    this.#media.start(streamId);
    this.#input.trust();
    this.#output.userControl(UserControlEvent.StreamBegin, streamId);
    this.#output.status(streamId, 'NetStream.Publish.Start', 'Publishing.');
  }

  #closeStream(streamId: number): void {
    if (!this.#media.stop(streamId)) return;
    this.#output.status(streamId, 'NetStream.Unpublish.Success', 'The publication has ended.');
    this.#events.push({ type: 'stream-closed', streamId });
  }

  /** FCUnpublish gives a name and no stream, but encoders publish one stream per connection. */
  #announceEnd(): void {
    const [streamId, another] = this.#media.publishing;
    if (streamId === undefined || another !== undefined) return;
    this.#events.push({ type: 'unpublish-announced', streamId });
  }

  #deleteStream(streamId: AmfValue): void {
    // practice: GStreamer's rtmp2sink gives the publishing name where the stream ID belongs; it has one stream.
    const named = typeof streamId === 'number' ? [streamId] : [...this.#streams];
    for (const id of named) {
      this.#closeStream(id);
      this.#streams.delete(id);
    }
  }

  #request(command: PendingRequest['command'], transactionId: number, streamId: number): number {
    this.#pending = { id: ++this.#lastRequest, command, transactionId, streamId };
    this.#input.halt(); // what follows may depend on the answer
    return this.#pending.id;
  }

  #takePending(request: number): PendingRequest {
    const pending = this.#pending;
    if (pending?.id !== request) throw new Error('the request is not open');
    this.#pending = undefined;
    return pending;
  }

  #limitRate(bucket: RateBucket): void {
    if (!bucket.take(this.#now))
      throw new ProtocolError(
        'TOO_MANY_COMMANDS',
        'commands, control messages or messages to nobody come too fast',
      );
  }
}

/** Answers are never answered, or two servers would talk for ever. */
function isAnswer(name: string): boolean {
  return name === '_result' || name === '_error' || name === 'onStatus';
}

function outOfState(message: string): ProtocolError {
  return new ProtocolError('COMMAND_OUT_OF_STATE', message, { clause: 'RTMP 7.2.2' });
}
