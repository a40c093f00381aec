// The tag is the currency of the house: an RTMP audio, video or data message and an FLV tag share the body,
// so recording is copying. FLV 10.1 Annex E.4.1. pure.

export const TagType = { Audio: 8, Video: 9, ScriptData: 18 } as const;
export type TagType = (typeof TagType)[keyof typeof TagType];

/** What a tag means to who decides by it: where a player may join, what a file must begin with. */
export type TagRole = 'sequence-start' | 'key-frame' | 'inter-frame' | 'audio' | 'metadata' | 'sequence-end';

export interface Tag {
  readonly type: TagType;
  /** Milliseconds since the first frame of the publication; does not wrap; below 0 when the encoder's clock was set back. */
  readonly timestamp: number;
  /** AUDIODATA | VIDEODATA | SCRIPTDATA, byte for byte as on the wire. BORROWED: valid during the call. */
  readonly body: Uint8Array;
  readonly role: TagRole;
}

export interface TagSink {
  /** Synchronous; who keeps bytes copies them. */
  write(tag: Tag): void;
}
