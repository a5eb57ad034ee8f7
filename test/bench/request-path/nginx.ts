/** Connections that nginx keeps open to its upstream, so that none of them has to be opened under load. */
const KEPT = 1024;
const COMPLETION = JSON.stringify({
  id: 'chatcmpl-0123456789abcdef0123456789abcdef',
  object: 'chat.completion',
  created: 1_760_000_000,
  model: 'bench-json',
  choices: [{ index: 0, message: { role: 'assistant', content: 'y'.repeat(250), refusal: null, tool_calls: [] }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 211, total_tokens: 275, completion_tokens: 64 },
});

/** nginx as an engine that answers everything at once with a completion of some 500 bytes. `port` may be a placeholder. */
export function nginxUpstream(directory: string, port: string): string {
  return configuration(directory, 'upstream', [
    `server { listen 127.0.0.1:${port} backlog=8192; location / { default_type application/json; return 200 '${COMPLETION}'; } }`,
  ]);
}

/** nginx as a reverse proxy, set up for what an engine sends: streams are passed at once, connections to the upstream are kept. */
export function nginxProxy(directory: string, ports: readonly { readonly port: number; readonly upstreamPort: number }[]): string {
  return configuration(
    directory,
    'proxy',
    ports.flatMap(({ port, upstreamPort }) => [
      `upstream engine_${port} { server 127.0.0.1:${upstreamPort}; keepalive ${KEPT}; keepalive_requests 100000000; }`,
      `server { listen 127.0.0.1:${port} backlog=8192; location / {`,
      `  proxy_pass http://engine_${port}; proxy_http_version 1.1; proxy_set_header Connection "";`,
      '  proxy_buffering off; proxy_request_buffering off; proxy_read_timeout 1h; proxy_send_timeout 1h;',
      '} }',
    ]),
  );
}

function configuration(directory: string, name: string, servers: readonly string[]): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${directory}/${name}-${kind};`);
  return [
    'worker_processes 1; worker_rlimit_nofile 20000; daemon off;',
    `pid ${directory}/${name}.pid; error_log ${directory}/${name}.err error;`,
    'events { worker_connections 16384; multi_accept on; }',
    'http {',
    'access_log off; server_tokens off; tcp_nodelay on; keepalive_requests 100000000; client_max_body_size 64m; client_body_buffer_size 1m;',
    ...temporary,
    ...servers,
    '}',
    '',
  ].join('\n');
}
