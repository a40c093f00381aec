// Debian's nginx with the rtmp module, recording the same streams: what Penstock is measured against. RTMPS goes
// through nginx's own TLS proxy, which needs the stream module. Recordings go to a folder of the run.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Load } from './bench-loads.ts';
import { type BenchServer, freePorts, type ServerOptions, startServer } from './bench-server.ts';

const command = '/usr/sbin/nginx';
const modules = '/usr/lib/nginx/modules';
const rtmpModule = join(modules, 'ngx_rtmp_module.so');
const streamModule = join(modules, 'ngx_stream_module.so');

/** Which package is missing for a door; undefined when nginx can serve it. */
export function missingPackage(door: Load['door']): string | undefined {
  if (!existsSync(command) || !existsSync(rtmpModule)) return 'nginx libnginx-mod-rtmp';
  return door === 'rtmps' && !existsSync(streamModule) ? 'libnginx-mod-stream' : undefined;
}

export function nginxVersion(): string | undefined {
  if (missingPackage('rtmp') !== undefined) return undefined;
  return /nginx\/(\S+)/.exec(spawnSync(command, ['-v'], { encoding: 'utf8' }).stderr)?.[1];
}

export async function startNginx(options: ServerOptions): Promise<BenchServer> {
  const { folder, streams } = options;
  const recordings = join(folder, 'recordings');
  mkdirSync(recordings);
  const [rtmp = 0, rtmps = 0] = await freePorts(2);
  const hasTls = missingPackage('rtmps') === undefined;
  writeFileSync(join(folder, 'nginx.conf'), configuration(options, { rtmp, rtmps }, recordings, hasTls));
  const server = await startServer({
    command,
    args: ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')],
    folder,
    ports: hasTls ? [rtmp, rtmps] : [rtmp],
  });
  return {
    ...server,
    ports: { rtmp, rtmps },
    app: 'live',
    publishingNames: Array.from({ length: streams }, (_, stream) => `bench-${stream}`),
    recordings,
  };
}

function configuration(
  { folder, certificate }: ServerOptions,
  ports: BenchServer['ports'],
  recordings: string,
  hasTls: boolean,
): string {
  // Without "user root" Debian's worker runs as www-data, which may not write into a folder of root: it then
  // records nothing, says so only in its log, and looks four times as fast.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const tlsProxy = `
stream {
  server {
    listen 127.0.0.1:${ports.rtmps} ssl;
    ssl_certificate ${certificate.cert};
    ssl_certificate_key ${certificate.key};
    ssl_protocols TLSv1.2 TLSv1.3;
    proxy_pass 127.0.0.1:${ports.rtmp};
  }
}`;
  return `load_module ${rtmpModule};
${hasTls ? `load_module ${streamModule};` : ''}
${user}
daemon off;
master_process on;
worker_processes 1;
worker_rlimit_nofile 8192;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log warn;
events { worker_connections 4096; }
rtmp {
  access_log off;
  server {
    listen 127.0.0.1:${ports.rtmp};
    application live {
      live on;
      record all;
      record_path ${recordings};
      record_suffix .flv;
    }
  }
}
${hasTls ? tlsProxy : ''}
`;
}
