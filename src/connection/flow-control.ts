// Windows and acknowledgements of one server connection, and signs of life. RTMP 5.4.3-5.4.5, 7.1.7. pure.
import { type Message, MessageType } from '../chunk/message.ts';
import {
  peerBandwidthPayload,
  readControlMessage,
  uint32Payload,
  UserControlEvent,
} from '../command/control-message.ts';
import type { MessageOutput } from './message-output.ts';

/** Announced to every client: FFmpeg copies it, which cuts its chunk count by 500. WIRE 5. */
const announcedChunkSize = 65_536;
/** Bytes a peer may send before it must hear an Acknowledgement from us, and the other way round. */
const acknowledgementWindow = 2_500_000;
/** A window of a few bytes would buy an answer to every read; real ones are larger than this. */
const smallestPeerWindow = 65_536;

export class FlowControl {
  readonly #output: MessageOutput;
  #acknowledged = 0;
  #peerWindow = acknowledgementWindow;

  constructor(output: MessageOutput) {
    this.#output = output;
  }

  /** The server's side, in the order of the message flow of connect. RTMP 7.2.1.1. */
  announce(): void {
    this.#output.control(MessageType.WindowAcknowledgementSize, uint32Payload(acknowledgementWindow));
    this.#output.control(MessageType.SetPeerBandwidth, peerBandwidthPayload(acknowledgementWindow));
    this.#output.setChunkSize(announcedChunkSize);
  }

  /** Takes a control message of type 3 to 6. @throws ProtocolError CONTROL_MESSAGE_INVALID */
  receive({ type, payload }: Message): void {
    const control = readControlMessage(type, payload);
    if (control.type === 'window-acknowledgement-size') {
      this.#peerWindow = Math.max(control.size, smallestPeerWindow);
    } else if (control.type === 'user-control' && control.event === UserControlEvent.PingRequest) {
      this.#output.userControl(UserControlEvent.PingResponse, control.value);
    }
  }

  /** Some clients stall without these. WIRE 5. `received`: bytes in all. */
  acknowledge(received: number): void {
    if (received - this.#acknowledged < this.#peerWindow) return;
    this.#acknowledged = received;
    this.#output.control(MessageType.Acknowledgement, uint32Payload(received >>> 0));
  }

  /** Asks for a sign of life. RTMP 7.1.7 PingRequest. `time` in milliseconds. */
  ping(time: number): void {
    this.#output.userControl(UserControlEvent.PingRequest, time >>> 0);
  }
}
