import { describe, expect, it } from 'vitest';
import { AmfObject, type AmfValue } from '../../src/amf/amf-value.ts';
import { readPlay, readPublish } from '../../src/command/publish-command.ts';
import { refusalOf } from '../support/refusal-of.ts';

const place = { app: 'live', tcUrl: 'rtmps://h/live' };
const publish = (...args: AmfValue[]) =>
  readPublish(place, { name: 'publish', transactionId: 5, commandObject: null, args });
const play = (...args: AmfValue[]) =>
  readPlay(place, { name: 'play', transactionId: 4, commandObject: null, args });

describe('publish', () => {
  it.each(['live', 'record', 'append'])('takes publish type %s', (publishType) => {
    expect(publish('camera-1', publishType).publishType).toBe(publishType);
  });

  it('without a type is live', () => {
    const { address, publishType } = publish('camera-1?key=k');
    expect(publishType).toBe('live');
    expect([address.app, address.name.reveal(), address.key?.reveal()]).toEqual(['live', 'camera-1', 'k']);
  });

  it.each([['LIVE'], [''], [null], [1], [new AmfObject([])]])('refuses publish type %j', (publishType) => {
    expect(refusalOf(() => publish('camera-1', publishType))).toBe('COMMAND_INVALID');
  });
});

// SECURITY 0: each of these killed a server or was taken.
describe.each([
  ['publish', publish],
  ['play', play],
])('%s', (_, read) => {
  it.each([
    ['no name', []],
    ['null', [null]],
    ['a number', [7]],
    ['a boolean', [false]],
    ['an object', [new AmfObject([['name', 'camera-1']])]],
    ['an array', [['camera-1']]],
    ['an empty name', ['']],
  ] as [string, AmfValue[]][])('refuses %s', (_, args) => {
    expect(refusalOf(() => read(...args))).toBe('STREAM_NAME_INVALID');
  });
});

describe('play', () => {
  it('reads the name and leaves start, duration and reset aside', () => {
    expect(play('camera-1', -2000, -1, true).name.reveal()).toBe('camera-1');
  });
});
