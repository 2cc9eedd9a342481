// Process entry: configuration, parts, listening, signals.
import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { startGateway, startWorker } from './compose.js';
import type { Gateway } from './compose.js';
import type { Config } from './config.js';
import { ConfigError, loadConfig } from './config.js';
import type { Audit, Log } from './core/ports.js';
import { createAudit, createLog } from './system.js';

export interface ServeOptions {
  /** YAML; without it, `LONGSHORE_CONFIG`, `./longshore.yaml`, or the embedded default. */
  readonly configFile?: string;
}

/** Runs the gateway until SIGINT or SIGTERM. Resolves once it has stopped; sets the exit code when it couldn't start. */
export function serve(options: ServeOptions = {}): Promise<void> {
  return run(options, async (config, log, audit) => {
    const gateway = await startGateway(config, log, audit, { ofProcess: true });
    announce(gateway);
    const { url, monitoringUrl } = gateway;
    const hosts = config.hosts.map((host) => host.profile.id);
    log.info({ url, ...(monitoringUrl !== undefined && { monitoringUrl }), hosts }, 'listening');
    return gateway;
  });
}

/** As `serve`, for a worker: it runs the merges of gateways with the same Redis, and listens to nobody but monitoring. */
export function work(options: ServeOptions = {}): Promise<void> {
  return run(options, async (config, log, audit) => {
    const worker = await startWorker(config, log, audit, { ofProcess: true });
    const { hosts, monitoringUrl } = worker;
    log.info({ hosts, ...(monitoringUrl !== undefined && { monitoringUrl }) }, 'working');
    return worker;
  });
}

/** For what has still to be written. */
const LAST_MS = 500;

type Start = (config: Config, log: Log, audit: Audit) => Promise<{ close(): Promise<void> }>;

async function run({ configFile }: ServeOptions, start: Start): Promise<void> {
  const config = readConfig(configFile);
  if (config === undefined) return;
  const log = createLog(config.logLevel);
  let running: { close(): Promise<void> };
  try {
    running = await start(config, log, createAudit(config.logLevel));
  } catch (error) {
    if (error instanceof ConfigError) return refuse(error.message);
    if (isPortTaken(error)) {
      const key = error.port === config.metrics.listen?.port ? 'metrics.port' : 'PORT or listen.port';
      return refuse(`port ${error.port} is taken: set ${key}`);
    }
    log.error({ err: error }, 'could not start');
    process.exitCode = 1;
    return;
  }
  const signal = await Promise.race([
    once(process, 'SIGINT').then(() => 'SIGINT'),
    once(process, 'SIGTERM').then(() => 'SIGTERM'),
  ]);
  log.info({ signal }, 'stopping');
  await running.close();
  log.info({}, 'stopped');
  // All is closed. A library's timer must not hold the process (BullMQ's for locks goes on where Redis came back while it closed).
  setTimeout(() => process.exit(), LAST_MS).unref();
}

function readConfig(configFile: string | undefined) {
  try {
    return loadConfig(configFile === undefined ? {} : { configFile });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    refuse(error.message);
    return undefined;
  }
}

function refuse(message: string): void {
  process.stderr.write(`longshore: ${message}\n`);
  process.exitCode = 1;
}

/** The gateway's own, or that of monitoring. */
function isPortTaken(error: unknown): error is NodeJS.ErrnoException & { readonly port: number } {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE' && 'port' in error;
}

/** What a person at the terminal wants to know; the log has it too. */
function announce({ url, embeddedHosts }: Gateway): void {
  const lines = [
    `Longshore is at ${url}`,
    `  page      ${url}/`,
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
