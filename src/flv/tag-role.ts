// What a tag means, from the first bytes of its body: legacy FLV and Enhanced RTMP v1 and v2. It never throws;
// a body that is empty or of a codec nobody knows is an inter frame or plain audio.
// FLV 10.1 E.4.2.1, E.4.3.1; E-RTMP v2 "Enhanced Audio", "Enhanced Video". pure.
import {
  AudioPacketType,
  VideoPacketType,
  audioPacketType,
  isEnhancedAudio,
  isEnhancedVideo,
  isVideoCommand,
  onlyTrackOf,
  videoPacketType,
} from './enhanced-header.ts';
import { TagType, type TagRole } from './tag.ts';

/** FLV E.4.3.1 CodecID and E.4.2.1 SoundFormat of the codecs whose bodies have a packet type byte. */
const avc = 7;
const aac = 10;
/** practice: before Enhanced RTMP, HEVC and AV1 were sent as CodecID 12 and 13 with an AVC packet type. */
const hevcBeforeEnhanced = 12;
const av1BeforeEnhanced = 13;

const keyFrame = 1;
const generatedKeyFrame = 4;
const commandFrame = 5;

export function roleOf(type: TagType, body: Uint8Array): TagRole {
  if (type === TagType.Video) return isEnhancedVideo(body) ? enhancedVideoRole(body) : videoRole(body);
  if (type === TagType.Audio) return isEnhancedAudio(body) ? enhancedAudioRole(body) : audioRole(body);
  return 'metadata';
}

function videoRole(body: Uint8Array): TagRole {
  const first = body[0] ?? 0;
  const frameType = first >> 4;
  const codec = first & 0x0f;
  if (frameType === commandFrame) return 'inter-frame'; // FLV E.4.3.1: a command byte in place of a payload
  if (codec === avc || codec === hevcBeforeEnhanced || codec === av1BeforeEnhanced) {
    const packetType = body[1]; // FLV E.4.3.1 AVCPacketType
    if (packetType === 0) return 'sequence-start';
    if (packetType === 2) return 'sequence-end';
  }
  return frameRole(frameType);
}

function enhancedVideoRole(body: Uint8Array): TagRole {
  if (isVideoCommand(body)) return 'inter-frame';
  const frameType = ((body[0] ?? 0) >> 4) & 0x07;
  switch (videoPacketType(body)) {
    case VideoPacketType.Metadata:
      return 'metadata';
    case VideoPacketType.SequenceStart:
    case VideoPacketType.Mpeg2TsSequenceStart:
      return 'sequence-start';
    case VideoPacketType.SequenceEnd:
      return 'sequence-end';
    case VideoPacketType.CodedFrames:
    case VideoPacketType.CodedFramesX:
      // A picture can only begin where the default track's can. E-RTMP "Multitrack": track 0, recommended
      return onlyTrackOf(body, 'video') === 0 ? frameRole(frameType) : 'inter-frame';
    default:
      return 'inter-frame';
  }
}

function frameRole(frameType: number): TagRole {
  return frameType === keyFrame || frameType === generatedKeyFrame ? 'key-frame' : 'inter-frame';
}

function audioRole(body: Uint8Array): TagRole {
  // FLV E.4.2.2 AACPacketType 0 is the AudioSpecificConfig.
  return (body[0] ?? 0) >> 4 === aac && body[1] === 0 ? 'sequence-start' : 'audio';
}

function enhancedAudioRole(body: Uint8Array): TagRole {
  switch (audioPacketType(body)) {
    case AudioPacketType.SequenceStart:
      return 'sequence-start';
    case AudioPacketType.SequenceEnd:
      return 'sequence-end';
    case AudioPacketType.MultichannelConfig:
      return 'metadata';
    default:
      return 'audio';
  }
}
