#!/usr/bin/env node
// Room: the `longshore` command. Turns arguments into calls of the SDK and what happens into words, a bar, or JSON. Called by
// people and scripts; its options, output lines and exit codes are its interface. May import client, commander, cli-progress
// and ws; `serve` also loads the gateway's process entry, and only then, so that client commands start fast.

import { Command, CommanderError, Option } from 'commander';
import { describeError } from '../client/index.js';
import { EXIT, EXIT_CODES_HELP, exitCodeOf } from './exit-codes.js';
import { withGatewayOptions, type GatewayOptions } from './gateway-options.js';
import { hosts } from './hosts.js';
import { put, type PutOptions } from './put.js';
import { processTerminal, type Terminal } from './terminal.js';
import { abort, status, type AbortOptions, type StatusOptions } from './uploads.js';

const json = () => new Option('--json', 'one JSON object per line, for programs').default(false, '');

function createProgram(terminal: Terminal): Command {
  const program = new Command('longshore')
    .description('Takes huge files, in chunks, and lands them whole and verified on remote SSH hosts.')
    .exitOverride()
    .showHelpAfterError('(--help says more)')
    .addHelpText(
      'after',
      `
Examples:
  longshore serve                                start a gateway with its own host "local"
  longshore put film.mov local:/inbox/film.mov   send a file, or go on where it stopped
  longshore put *.mov media-1:/srv/media/        several files into a directory
  longshore status                               what is unfinished
${EXIT_CODES_HELP}`,
    );
  addPut(program, terminal);
  addListings(program, terminal);
  addServers(program);
  return program;
}

function addPut(program: Command, terminal: Terminal): void {
  withGatewayOptions(program.command('put'))
    .summary('send files to a path on a host, or go on where it stopped')
    .description(
      `Sends files to a path on a host. Several files, or a path that ends with /, mean a directory; missing directories are made.
The file appears at its path whole and verified, or not at all. Whatever breaks the upload off: the same command goes on.`,
    )
    .usage('[options] FILE… HOST:/PATH')
    .argument('<paths...>', 'the files, and where they go')
    .addOption(
      new Option('--if-exists <what>', 'when a file is at the path')
        .choices(['ask', 'replace', 'skip'] as const)
        .default('ask'),
    )
    .option('--take-over', 'take the path over from another upload of yours', false)
    .option('--parallel <n>', 'chunks on the way at the same time', '4')
    .option('--chunk-size <size>', 'size of a chunk, such as 10MiB; a wish, and fixed once an upload has begun')
    .addOption(json())
    .addHelpText(
      'after',
      `
Examples:
  longshore put film.mov media-1:/srv/media/film.mov
  longshore put film.mov media-1:/srv/media/ --if-exists replace
  longshore put *.tar backup:/srv/backup/ --parallel 8 --json > log.jsonl

The result is one line on standard output: path, size, SHA-256, whether the host has proved it, time, mean rate, and what was
there already. Ctrl-C stops at once and leaves the upload resumable. "ask" fails where there is no terminal to ask on.
${EXIT_CODES_HELP}`,
    )
    .action(async (paths: string[], options: PutOptions) => {
      process.exitCode = await put(paths, options, terminal);
    });
}

function addListings(program: Command, terminal: Terminal): void {
  withGatewayOptions(program.command('status'))
    .summary('your unfinished uploads, or how far one is')
    .description('Lists your unfinished uploads, begun on any device; with FILE and HOST:/PATH tells how far that one is.')
    .usage('[options] [FILE HOST:/PATH]')
    .argument('[file]', 'a local file')
    .argument('[destination]', 'where it goes: HOST:/PATH')
    .option('--host <id>', 'only on this host')
    .addOption(json())
    .action(async (file: string | undefined, destination: string | undefined, options: StatusOptions) => {
      const args = [file, destination].filter((arg) => arg !== undefined);
      process.exitCode = await status(args, options, terminal);
    });

  withGatewayOptions(program.command('abort'))
    .summary('give up unfinished uploads and remove their chunks')
    .description('Gives up your unfinished uploads to these paths and removes their chunks. A finished file is never touched.')
    .usage('[options] HOST:/PATH…')
    .argument('<destinations...>', 'where they were going: HOST:/PATH')
    .option('--hash <code>', 'only the content with this hash code, as "status --json" shows it')
    .addOption(json())
    .action(async (destinations: string[], options: AbortOptions) => {
      process.exitCode = await abort(destinations, options, terminal);
    });

  withGatewayOptions(program.command('hosts'))
    .summary('the hosts you may use')
    .description('Lists the hosts you may use, with their free space and how files are assembled there.')
    .addOption(json())
    .action(async (options: GatewayOptions & { json: boolean }) => {
      process.exitCode = await hosts(options, terminal);
    });
}

function addServers(program: Command): void {
  program
    .command('serve')
    .summary('run the gateway')
    .description(
      'Runs the gateway until it is told to end. Without a configuration: loopback only, with a host "local" over ./data.',
    )
    .option('--config <file>', 'configuration; default: LONGSHORE_CONFIG, then longshore.yaml when it is there')
    .action(async ({ config }: { config?: string }) => {
      const { serve } = await import('../main.js');
      await serve(config === undefined ? {} : { configFile: config });
    });

  program
    .command('worker')
    .summary('run merges for gateways that share a Redis')
    .description(
      `Runs merges beside the gateways until it is told to end, and listens to nobody. It takes the configuration of its gateways, and
needs "redis" in it. An embedded host is its gateway's: a worker leaves it out.`,
    )
    .option('--config <file>', 'configuration; default: LONGSHORE_CONFIG, then longshore.yaml when it is there')
    .action(async ({ config }: { config?: string }) => {
      const { work } = await import('../main.js');
      await work(config === undefined ? {} : { configFile: config });
    });
}

const terminal = processTerminal();
try {
  await createProgram(terminal).parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has said what is wrong; its own codes for help and version are 0.
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  } else {
    terminal.say(`longshore: ${describeError(error)}`);
    process.exitCode = exitCodeOf(error);
  }
}
