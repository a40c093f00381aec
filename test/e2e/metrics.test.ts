// GET /metrics and /readyz of a whole appliance, over TLS, while somebody publishes and somebody is refused.
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { readFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TagType } from '../../src/flv/tag.ts';
import { TestAppliance } from '../support/appliance.ts';
import { Encoder } from '../support/encoder.ts';
import { parseExposition } from '../support/exposition.ts';

describe('a running appliance', () => {
  it('tells who publishes, what is written, and who was refused', async () => {
    const appliance = await TestAppliance.start();
    onTestFinished(() => appliance.stop());
    const token = await appliance.createToken('metrics:read');
    const get = async (path: string): Promise<{ status: number; body: string }> => {
      const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
      const options = {
        port: appliance.port,
        host: '127.0.0.1',
        path,
        ca: readFileSync(appliance.caFile),
        headers: { authorization: `Bearer ${token}` },
      };
      request(options, (response) => {
        text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
      })
        .on('error', reject)
        .end();
      return promise;
    };
    const read = async () => {
      const families = parseExposition((await get('/metrics')).body);
      return (name: string, label = '') =>
        families
          .get(`penstock_${name}`)
          ?.samples.find(({ labels }) => label === '' || Object.values(labels).includes(label))?.value;
    };

    const { key } = await appliance.createKey('live/watched');
    const encoder = new Encoder({ port: appliance.port, name: key, tls: { rejectUnauthorized: false } });
    await encoder.published;
    for (let frame = 0; frame < 250; frame += 1) {
      await encoder.send(TagType.Audio, frame * 20, Buffer.from('af0121001004', 'hex'));
    }
    await appliance.recorded('live/watched', 1000);
    await new Encoder({ port: appliance.port, name: key.replace(/.$/, key.endsWith('0') ? '1' : '0') }).ended;

    const live = await read();
    expect(live('publications')).toBe(1);
    expect(live('sessions', 'rtmps')).toBe(1);
    expect(live('stream_received_bytes_total', 'live/watched')).toBe(1500);
    expect(live('recordings')).toBe(1);
    expect(live('recording_written_bytes_total')).toBeGreaterThan(1000);
    expect(live('key_refusals_total', 'mistyped')).toBe(1);
    expect(live('certificate_development')).toBe(1);
    expect(live('connections')).toBeGreaterThanOrEqual(2);
    expect(JSON.parse((await get('/readyz')).body)).toEqual({
      status: 'ready',
      recording: 'ok',
      certificate: 'development',
    });

    await encoder.finish();
    const { entry } = await appliance.finishedRecording('live/watched');
    const after = await read();
    expect(after('publications')).toBe(0);
    expect(after('received_bytes_total')).toBe(1500);
    expect(after('stream_received_bytes_total', 'live/watched')).toBeUndefined();
    expect(after('recording_written_bytes_total')).toBe(entry.bytes);
    expect((await get('/metrics')).body).not.toContain(key);
  });
});
