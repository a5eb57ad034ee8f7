import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram, runProgram } from '../../../services/berth/src/install/run-program.ts';

const BUILD_TIMEOUT_MS = 120_000;
/** The reverse proxy of Go's standard library with connections kept and every write passed at once. Arguments: pairs of port and upstream port. */
const SOURCE = `package main

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

func main() {
	for at := 1; at+1 < len(os.Args); at += 2 {
		target, _ := url.Parse("http://127.0.0.1:" + os.Args[at+1])
		proxy := httputil.NewSingleHostReverseProxy(target)
		proxy.FlushInterval = -1
		proxy.Transport = &http.Transport{MaxIdleConns: 8192, MaxIdleConnsPerHost: 8192, DisableCompression: true}
		go func(port string) { panic(http.ListenAndServe("127.0.0.1:"+port, proxy)) }(os.Args[at])
	}
	select {}
}
`;

/** Builds the proxy into `directory`; path of the program, or why there is none. */
export async function buildGoProxy(
  directory: string,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly program: string } | { readonly missing: string }> {
  const go = findProgram(['go'], env);
  if (go === null) return { missing: 'there is no `go` on this machine' };
  const [source, program] = [join(directory, 'proxy.go'), join(directory, 'go-proxy')];
  await writeFile(source, SOURCE);
  const { exitCode, output } = await runProgram(go, ['build', '-o', program, source], { env, timeoutMs: BUILD_TIMEOUT_MS });
  return exitCode === 0 ? { program } : { missing: `it could not be built: ${output}` };
}
