// What a server connection tells its session. Media does not travel as events: it goes to onTag at once,
// borrowed. pure.
import type { AmfObject } from '../amf/amf-value.ts';
import type { SignInStep } from '../command/access-manager.ts';
import type { PublishType } from '../command/publish-command.ts';
import type { StreamAddress } from '../command/stream-address.ts';

/** A request waits for accept() or refuse(); until then the connection reads no further. */
export type ConnectionRequest =
  | {
      readonly type: 'connect';
      readonly request: number;
      /** Application name as in StreamAddress. Untrusted text: not for logs. */
      readonly app: string;
      /** The encoder, in its own words. Untrusted text. */
      readonly flashVer: string;
      readonly signIn: SignInStep | undefined;
      /** It carries neither a key nor a word of signing in. */
      readonly bare: boolean;
    }
  | {
      readonly type: 'publish';
      readonly request: number;
      readonly streamId: number;
      readonly address: StreamAddress;
      readonly publishType: PublishType;
    }
  | {
      readonly type: 'play';
      readonly request: number;
      readonly streamId: number;
      readonly address: StreamAddress;
    };

export type ConnectionEvent =
  | { readonly type: 'handshaken'; readonly encrypted: boolean; readonly digest: boolean }
  | ConnectionRequest
  | { readonly type: 'metadata'; readonly streamId: number; readonly properties: AmfObject }
  /** The publisher says that it is about to end; some then hang up without another word. FCUnpublish, WIRE 4. */
  | { readonly type: 'unpublish-announced'; readonly streamId: number }
  /** The publisher ended the publication in words: closeStream or deleteStream. */
  | { readonly type: 'stream-closed'; readonly streamId: number };
