// The verbs of `penstock token`: shapes for scripts, sentences for people, the token shown once.
import { describe, expect, it } from 'vitest';
import { createToken, listTokens, revokeToken } from '../../src/tokens/token-cli.ts';
import { openKeyRoom } from '../support/key-room.ts';

type Created = { readonly id: string; readonly token: string };

describe('penstock token', () => {
  it('creates one in the documented shape and shows the token this once', async () => {
    const { context } = await openKeyRoom();
    const report = await createToken({ scope: 'recordings:read,keys:write', expires: '90d' }, context);
    const { id, token } = report.json as Created;
    expect(report.json).toEqual({
      id: expect.stringMatching(/^[0-9a-z]{8}$/),
      token: expect.stringMatching(/^ptk_[0-9a-z]{8}_[0-9a-z]{30}$/),
      scopes: ['keys:write', 'recordings:read'],
      expiresAt: '2027-02-20T13:05:09.000Z',
    });
    expect(report.text.split(token)).toHaveLength(2);

    const { digest } = await context.store.db
      .selectFrom('api_tokens')
      .select('digest')
      .executeTakeFirstOrThrow();
    const later = JSON.stringify([await listTokens(context), await revokeToken(id, context)]);
    for (const secret of [token, token.slice(13), digest]) expect(later).not.toContain(secret);
  });

  it('may read everything and change nothing when no scope is given', async () => {
    const { context } = await openKeyRoom();
    const { json } = await createToken({}, context);
    expect(json).toMatchObject({
      scopes: ['keys:read', 'streams:read', 'recordings:read', 'tokens:read', 'metrics:read'],
      expiresAt: null,
    });
  });

  it.each([
    [{ scope: 'keys:write,everything' }, 'everything'],
    [{ scope: '' }, ''],
    [{ expires: 'soon' }, 'soon'],
    [{ expires: '2020-01-01' }, '2020-01-01'],
    [{ note: 'ptk_secret' }, 'ptk_secret'],
  ])('refuses %j in words', async (given, found) => {
    const { context } = await openKeyRoom();
    await expect(createToken(given, context)).rejects.toMatchObject({
      code: 'ARGUMENT_INVALID',
      message: expect.stringContaining(`"${found}"`),
      hint: expect.stringMatching(/^Give /),
    });
    expect((await listTokens(context)).json).toEqual([]);
  });

  it('lists tokens with their state', async () => {
    const { context, clock } = await openKeyRoom();
    expect(await listTokens(context)).toEqual({
      json: [],
      text: expect.stringContaining('penstock token create'),
    });
    const { id: revoked } = (await createToken({ scope: 'keys:read', note: 'old' }, context)).json as Created;
    clock.advance(1);
    await createToken({ scope: ['keys:write', 'streams:read'], expires: '1h' }, context);
    clock.advance(1);
    await createToken({ scope: 'keys:read', expires: '1d' }, context);
    await revokeToken(revoked, context);
    clock.setNow(clock.now() + 7_200_000);
    const { json, text } = await listTokens(context);
    expect(json).toMatchObject([
      { state: 'revoked', note: 'old' },
      { state: 'expired' },
      { state: 'active' },
    ]);
    expect(text.replaceAll(/^[0-9a-z]{8}(?= )/gm, 'xxxxxxxx').split('\n')).toEqual([
      'ID        STATE    EXPIRES  LAST USED  SCOPES                   NOTE',
      'xxxxxxxx  revoked  never    never      keys:read                old',
      'xxxxxxxx  expired  1h ago   never      keys:write,streams:read  -',
      'xxxxxxxx  active   in 22h   never      keys:read                -',
    ]);
  });

  it('says that a token does not exist, without repeating one given in place of its id', async () => {
    const { context } = await openKeyRoom();
    await expect(revokeToken('00000000', context)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const { token } = (await createToken({}, context)).json as Created;
    const refused = revokeToken(token, context);
    await expect(refused).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' });
    await expect(refused).rejects.not.toThrow(token.slice(13));
  });
});
