// Process entry: configuration, parts, listening, signals.
import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startGateway } from './compose.js';
import type { Gateway } from './compose.js';
import { ConfigError, loadConfig } from './config.js';
import { createLog } from './system.js';

export interface ServeOptions {
  /** YAML; without it, `LONGSHORE_CONFIG`, `./longshore.yaml`, or the embedded default. */
  readonly configFile?: string;
}

/** Runs the gateway until SIGINT or SIGTERM. Resolves once it has stopped; sets the exit code when it couldn't start. */
export async function serve({ configFile }: ServeOptions = {}): Promise<void> {
  const config = readConfig(configFile);
  if (config === undefined) return;
  const log = createLog(config.logLevel);
  let gateway: Gateway;
  try {
    gateway = await startGateway(config, log);
  } catch (error) {
    log.error({ err: error }, 'could not start');
    process.exitCode = 1;
    return;
  }
  announce(gateway);
  log.info({ url: gateway.url, hosts: config.hosts.map((host) => host.profile.id) }, 'listening');
  const signal = await Promise.race([
    once(process, 'SIGINT').then(() => 'SIGINT'),
    once(process, 'SIGTERM').then(() => 'SIGTERM'),
  ]);
  log.info({ signal }, 'stopping');
  await gateway.close();
  log.info({}, 'stopped');
}

function readConfig(configFile: string | undefined) {
  try {
    return loadConfig(configFile === undefined ? {} : { configFile });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`longshore: ${error.message}\n`);
    process.exitCode = 1;
    return undefined;
  }
}

/** What a person at the terminal wants to know; the log has it too. */
function announce({ url, embeddedHosts }: Gateway): void {
  const lines = [
    `Longshore is at ${url}`,
    `  GraphiQL  ${url}/graphql`,
    `  upload    npx longshore put FILE local:/inbox/FILE`,
  ];
  for (const { port, username, privateKeyFile } of embeddedHosts) {
    lines.push(`  look      sftp -P ${port} -i ${privateKeyFile} ${username}@127.0.0.1`);
  }
  if (process.stdout.isTTY) process.stdout.write(`${lines.join('\n')}\n`);
}

function isEntry(): boolean {
  const entry = process.argv[1];
  return entry !== undefined && realpathSync(entry) === fileURLToPath(import.meta.url);
}

if (isEntry()) await serve();
