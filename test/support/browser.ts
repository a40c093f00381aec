// Chromium with mpegts.js, the player that people put into pages. The page is served by nobody: requests for it are
// answered inside the browser, on the origin of the appliance, and the recording itself comes from the appliance.
import { fileURLToPath } from 'node:url';
import { type Browser, chromium } from 'playwright-core';

const library = fileURLToPath(new URL('../../node_modules/mpegts.js/dist/mpegts.js', import.meta.url));
const page = `<!doctype html><meta charset="utf-8"><title>player</title>
<video muted width="320"></video><script src="/player/mpegts.js"></script>`;

/** What came of it when a recording was opened, played, and sought in. */
export interface Playback {
  /** Seconds, as the player found out. */
  readonly duration: number;
  /** Seconds of a moment that was playing after the start. */
  readonly played: number;
  /** Seconds of a moment that was playing after the jump. */
  readonly playedAfterSeek: number;
  readonly decodedFrames: number;
  readonly errors: readonly string[];
}

export interface PlaybackOptions {
  readonly origin: string;
  /** Of the recording, below the origin. */
  readonly path: string;
  readonly token: string;
  /** Seconds. */
  readonly seekTo: number;
}

export async function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--autoplay-policy=no-user-gesture-required', '--disable-gpu'],
  });
}

export async function play(browser: Browser, options: PlaybackOptions): Promise<Playback> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  try {
    const tab = await context.newPage();
    await tab.route('**/player/', (route) => route.fulfill({ contentType: 'text/html', body: page }));
    await tab.route('**/player/mpegts.js', (route) => route.fulfill({ path: library }));
    await tab.goto(`${options.origin}/player/`);
    return await tab.evaluate(playInPage, options);
  } finally {
    await context.close();
  }
}

/** Runs in the page: knows nothing of this file. */
async function playInPage({ origin, path, token, seekTo }: PlaybackOptions): Promise<Playback> {
  interface Player {
    attachMediaElement(element: unknown): void;
    load(): void;
    on(event: string, listener: (...details: unknown[]) => void): void;
  }
  interface Video {
    currentTime: number;
    readonly duration: number;
    readonly error: { readonly message: string } | null;
    play(): Promise<void>;
    getVideoPlaybackQuality(): { readonly totalVideoFrames: number };
  }
  const browser = globalThis as unknown as {
    mpegts: {
      createPlayer(source: object, config: object): Player;
      readonly Events: { readonly ERROR: string };
      readonly LoggingControl: { enableAll: boolean };
    };
    document: { querySelector(selector: string): Video };
  };
  const { mpegts, document } = browser;
  const video = document.querySelector('video');
  const errors: string[] = [];
  const player = mpegts.createPlayer(
    { type: 'flv', url: origin + path },
    { headers: { Authorization: `Bearer ${token}` }, lazyLoad: false, accurateSeek: true },
  );
  player.on(mpegts.Events.ERROR, (...details) =>
    errors.push(details.map((detail) => JSON.stringify(detail)).join(' ')),
  );
  const until = async (reached: () => boolean) => {
    const deadline = Date.now() + 15_000;
    while (!reached() && errors.length === 0 && video.error === null && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  player.attachMediaElement(video);
  player.load();
  await video.play().catch((error: unknown) => errors.push(String(error)));
  await until(() => video.currentTime > 0.3);
  const played = video.currentTime;
  video.currentTime = seekTo;
  await until(() => video.currentTime > seekTo + 0.3);
  if (video.error !== null) errors.push(video.error.message);
  return {
    duration: video.duration,
    played,
    playedAfterSeek: video.currentTime,
    decodedFrames: video.getVideoPlaybackQuality().totalVideoFrames,
    errors: [...new Set(errors)],
  };
}
