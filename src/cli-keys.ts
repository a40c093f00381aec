// Binds the verbs of keys, tokens and the audit log.
import { gather, keyContext, onGround, program, reading, tokenContext, writeOut } from './cli-ground.ts';
import { systemClock } from './ops/clock.ts';

interface KeyOptions {
  readonly role: string;
  readonly expires?: string;
  readonly notBefore?: string;
  readonly allow?: string[];
  readonly require: string;
  readonly maxBitrate?: string;
  readonly maxSession?: string;
  readonly codecs?: string[];
  readonly note?: string;
  readonly qr?: boolean;
}

export function addKeyCommands(): void {
  const key = program.command('key').description('stream keys');
  reading(
    key
      .command('create <stream>')
      .description('make a key for a stream such as live/camera-1; it is shown once'),
  )
    .option('--role <role>', 'publish or play', 'publish')
    .option('--expires <when>', 'a duration such as 30d, or an ISO date')
    .option('--not-before <date>', 'ISO date from which the key works')
    .option('--allow <cidr>', 'address or block that may use it; repeatable', gather)
    .option('--require <door>', 'any, or tls to refuse it outside TLS', 'any')
    .option('--max-bitrate <rate>', 'such as 12M')
    .option('--max-session <duration>', 'such as 8h')
    .option('--codecs <list>', 'the only codecs that may be sent, such as h264,aac', gather)
    .option('--note <text>', 'a note for people')
    .option('--qr', 'show a QR code of the publish URL, for a phone')
    .action(async (stream: string, { qr, ...options }: KeyOptions) =>
      onGround(async (ground, config) => {
        const { createKey } = await import('./keys/key-cli.ts');
        const { drawQrCode } = await import('./qr-code.ts');
        const colours = process.stdout.isTTY ? process.stdout.hasColors(256) : false; // a pipe has neither
        const draw = qr === true ? (url: string) => drawQrCode(url, colours) : undefined;
        return createKey({ ...options, stream, qr: draw }, await keyContext(ground, config));
      }),
    );
  reading(key.command('list').description('all keys, without their secrets')).action(async () =>
    onGround(async (ground, config) =>
      (await import('./keys/key-cli.ts')).listKeys(await keyContext(ground, config)),
    ),
  );
  reading(key.command('show <id>').description('one key, without its secret')).action(async (id: string) =>
    onGround(async (ground, config) =>
      (await import('./keys/key-cli.ts')).showKey(id, await keyContext(ground, config)),
    ),
  );
  reading(key.command('rotate <id>').description('give a key a new secret; the old one works on for a while'))
    .option('--grace <duration>', 'how long the old secret works; 0 for not at all', '24h')
    .action(async (id: string, options: { grace: string }) =>
      onGround(async (ground, config) =>
        (await import('./keys/key-cli.ts')).rotateKey(id, options, await keyContext(ground, config)),
      ),
    );
  for (const [verb, words] of [
    ['disable', 'stop a key until it is enabled again; its live session ends'],
    ['enable', 'let a disabled key work again'],
    ['revoke', 'end a key for good; its live session ends'],
  ] as const) {
    reading(key.command(`${verb} <id>`).description(words)).action(async (id: string) =>
      onGround(async (ground, config) =>
        (await import('./keys/key-cli.ts')).setKeyState(id, verb, await keyContext(ground, config)),
      ),
    );
  }

  const token = program.command('token').description('tokens for the HTTP API');
  reading(token.command('create').description('make a token; it is shown once'))
    .option(
      '--scope <scopes>',
      'comma-separated, such as recordings:read,keys:write (default: all that read)',
      gather,
    )
    .option('--expires <when>', 'a duration such as 90d, or an ISO date')
    .option('--note <text>', 'a note for people')
    .action(async (options: { scope?: string[]; expires?: string; note?: string }) =>
      onGround(async (ground) =>
        (await import('./tokens/token-cli.ts')).createToken(options, tokenContext(ground)),
      ),
    );
  reading(token.command('list').description('all tokens, without their secrets')).action(async () =>
    onGround(async (ground) => (await import('./tokens/token-cli.ts')).listTokens(tokenContext(ground))),
  );
  reading(token.command('revoke <id>').description('end a token for good')).action(async (id: string) =>
    onGround(async (ground) => (await import('./tokens/token-cli.ts')).revokeToken(id, tokenContext(ground))),
  );

  const audit = program.command('audit').description('who did what with keys, tokens and recordings');
  reading(audit.command('list').description('the newest lines, or all since a moment'))
    .option('--since <when>', 'ISO date, or a duration before now such as 24h')
    .action(async (options: { since?: string }) =>
      onGround(async (ground) =>
        (await import('./store/audit-cli.ts')).listAudit(ground.audit, options, systemClock.now()),
      ),
    );
  audit
    .command('export')
    .description('every line as JSON Lines on standard output')
    .action(async () =>
      onGround(async (ground) => (await import('./store/audit-cli.ts')).exportAudit(ground.audit, writeOut)),
    );
}
