import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/errors.ts';
import type { ClientHandshakeOptions } from '../../src/handshake/client-handshake.ts';
import { ClientHandshake } from '../../src/handshake/client-handshake.ts';
import { ServerHandshake } from '../../src/handshake/server-handshake.ts';
import { seededRandom } from '../support/seeded-random.ts';

type Kind = Omit<ClientHandshakeOptions, 'random' | 'time'>;

const kinds: readonly Kind[] = [
  { version: 3 },
  { version: 3, kind: 'digest' },
  { version: 3, kind: 'digest', layout: 'DK' },
  ...([6, 8, 9] as const).flatMap((version): Kind[] => [
    { version },
    { version, layout: 'DK' },
    { version, c2: 'echo' },
  ]),
];

function pair(kind: Kind): { client: ClientHandshake; server: ServerHandshake } {
  const random = seededRandom(JSON.stringify(kind));
  return {
    client: new ClientHandshake({ random, time: 5000, ...kind }),
    server: new ServerHandshake({ random, time: 6000 }),
  };
}

/** Everything the server answers to C0 C1, in one array. */
function answerTo(client: ClientHandshake, server: ServerHandshake): Buffer {
  server.receive(Buffer.concat(client.takeOutput()));
  return Buffer.concat(server.takeOutput());
}

function codeOf(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
}

describe('ClientHandshake and ServerHandshake', () => {
  it.each(kinds)('shake hands, and understand each other afterwards: %j', (kind) => {
    const { client, server } = pair(kind);
    const answer = answerTo(client, server);
    const trailing = Buffer.from('first bytes of the server');
    expect(client.receive(Buffer.concat([answer, trailing]))).toBe(3073);
    expect(server.receive(Buffer.concat([...client.takeOutput(), trailing]))).toBe(1536);

    const encrypted = kind.version !== 3;
    const digest = encrypted || kind.kind === 'digest';
    for (const { result } of [client, server]) {
      expect(result).toMatchObject({ version: kind.version, digest, encrypted });
      expect([result?.decipher !== undefined, result?.encipher !== undefined]).toEqual([
        encrypted,
        encrypted,
      ]);
    }
    for (const [from, to] of [
      [client.result?.encipher, server.result?.decipher],
      [server.result?.encipher, client.result?.decipher],
    ]) {
      const wire = Buffer.from('connect, as it is on the wire');
      from?.apply(wire, wire);
      expect(wire.includes('connect')).toBe(!encrypted);
      to?.apply(wire, wire);
      expect(wire.toString()).toBe('connect, as it is on the wire');
    }
  });

  it.each(kinds)('come to the same wherever the answer is cut: %j', (kind) => {
    for (const cut of [0, 1, 2, 700, 1536, 1537, 1538, 3000, 3072]) {
      const { client, server } = pair(kind);
      const answer = answerTo(client, server);
      expect(client.receive(answer.subarray(0, cut))).toBe(cut);
      expect(client.result).toBeUndefined();
      // C2 is ready as soon as S1 is: some servers wait for it before they send S2.
      expect(client.takeOutput().length).toBe(cut >= 1537 ? 1 : 0);
      expect(client.receive(answer.subarray(cut))).toBe(3073 - cut);
      expect(client.result?.version).toBe(kind.version);
    }
  });
});

describe('ClientHandshake', () => {
  it('echoes S1 byte for byte when told, and with its time otherwise', () => {
    for (const c2 of ['signed', 'echo'] as const) {
      const { client, server } = pair({ version: 3, c2 });
      const answer = answerTo(client, server);
      client.receive(answer);
      const expected = Buffer.from(answer.subarray(1, 1537));
      if (c2 === 'signed') expected.writeUInt32BE(5000, 4);
      expect(client.takeOutput()).toEqual([Uint8Array.from(expected)]);
    }
  });

  it('refuses an RTMPE server that is not what it says', () => {
    for (const version of [6, 8, 9] as const) {
      for (const [at, code] of [
        [1, 'HANDSHAKE_DIGEST_MISMATCH'],
        [1536, 'HANDSHAKE_DIGEST_MISMATCH'],
        [1537, 'HANDSHAKE_SIGNATURE_MISMATCH'],
        [3072, 'HANDSHAKE_SIGNATURE_MISMATCH'],
      ] as const) {
        const { client, server } = pair({ version });
        const answer = answerTo(client, server);
        answer[at] = (answer[at] as number) ^ 4;
        expect(codeOf(() => client.receive(answer))).toBe(code);
        expect(client.result).toBeUndefined();
      }
    }
  });

  it('goes along with another type of RTMPE, as servers choose it, and masks as that type does', () => {
    for (const version of [6, 8, 9] as const) {
      const { client, server } = pair({ version: 6 });
      const [c0, c1] = client.takeOutput();
      expect(c0).toEqual(Uint8Array.of(6));
      server.receive(Uint8Array.of(version));
      server.receive(c1!);
      client.receive(Buffer.concat(server.takeOutput()));
      server.receive(Buffer.concat(client.takeOutput()));
      expect([client.result?.version, server.result?.version]).toEqual([version, version]);
    }
  });

  it('neither falls back to plain nor is lifted to RTMPE', () => {
    for (const [asked, answered] of [
      [6, 3],
      [8, 3],
      [9, 3],
      [3, 6],
      [3, 0],
      [6, 7],
    ] as const) {
      const { client } = pair({ version: asked });
      expect(codeOf(() => client.receive(Uint8Array.of(answered)))).toBe('HANDSHAKE_VERSION_UNSUPPORTED');
    }
  });

  it('shakes hands simply with a plain server that ignores its digest', () => {
    const { client } = pair({ version: 3, kind: 'digest' });
    expect(client.receive(Buffer.concat([Uint8Array.of(3), Buffer.alloc(3072)]))).toBe(3073);
    expect(client.result).toEqual({ version: 3, digest: false, encrypted: false });
  });
});
