// What one step of the doctor found, and what encoders print when they meet the same trouble: OBS shows the sentence
// in a window, ffmpeg at the end of its log. pure.

export type FindingState = 'ok' | 'warning' | 'failed' | 'not-tried';

export interface Finding {
  /** Which step, as in `name`, `port`, `certificate`. */
  readonly check: string;
  readonly state: FindingState;
  /** A sentence without its full stop. May repeat what a stranger sent: make it safe before it is printed. */
  readonly says: string;
  /** What a person would see who publishes there now. */
  readonly encoders?: EncoderWords;
  /** What to do. */
  readonly hint?: string;
}

export interface EncoderWords {
  readonly obs: string;
  readonly ffmpeg: string;
}

/** What was looked at, and everything that was found, in the order of the steps. */
export interface Examination {
  /** A URL, or the installation. */
  readonly subject: string;
  readonly findings: readonly Finding[];
}

const obsFailed = 'Failed to connect to server';
const obsStream =
  'Could not access the specified channel or stream key, please double-check your stream key.';

/** By trouble. As OBS 30 and ffmpeg 5 word it. WIRE 1 and 6 */
export const encoderWords = {
  nameUnknown: {
    obs: 'Hostname not found.',
    ffmpeg: 'Failed to resolve hostname: Name or service not known',
  },
  portClosed: { obs: obsFailed, ffmpeg: 'Connection refused' },
  portSilent: { obs: 'The connection timed out.', ffmpeg: 'Connection timed out' },
  unreachable: { obs: 'Error reaching host.', ffmpeg: 'No route to host' },
  tlsFailed: { obs: obsFailed, ffmpeg: 'Cannot open connection tls://…' },
  certificateRefused: {
    obs: 'The RTMP server sent an invalid SSL certificate.',
    ffmpeg: 'nothing: it does not check certificates unless told to (-tls_verify 1)',
  },
  rtmpFailed: { obs: obsFailed, ffmpeg: 'Cannot read RTMP handshake response' },
  rejected: { obs: obsStream, ffmpeg: 'Server error: (the words of the server)' },
  silent: { obs: 'Connecting…, for ever', ffmpeg: 'nothing: it waits' },
} as const satisfies Record<string, EncoderWords>;

/** The steps that come after one that failed. */
export function notTried(checks: readonly string[], why: string): readonly Finding[] {
  return checks.map((check) => ({ check, state: 'not-tried', says: why }));
}

/** Nothing failed; warnings are no failures. */
export function isHealthy(examinations: readonly Examination[]): boolean {
  return examinations.every(({ findings }) => findings.every(({ state }) => state !== 'failed'));
}
