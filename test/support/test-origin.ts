// Where the media of a test says it came from.
import type { Origin } from '../../src/ops/origin.ts';

export const testOrigin: Origin = {
  session: 's1',
  address: '192.0.2.7',
  door: 'rtmps',
  tls: { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256' },
  encoder: 'FMLE/3.0 (compatible; Penstock)',
};
