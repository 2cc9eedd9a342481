#!/usr/bin/env node
// Room: the `longshore` command. Turns arguments into calls of the SDK and what happens into words, bars, or JSON. Called by people and
// scripts; its options, output lines and exit codes are its interface. May import client, commander, log-update and ws; `serve` and
// `worker` also load the gateway's process entry. Each command loads what it needs when it runs, so that all start fast.

import { readFileSync } from 'node:fs';
import { Command, CommanderError, Help, Option } from 'commander';
import { linesFor, SCRIPTS, SHELLS, type Shell } from './completion-scripts.js';
import { EXIT, EXIT_CODES_HELP, exitCodeOf } from './exit-codes.js';
import { withGatewayOptions, type GatewayOptions } from './gateway-options.js';
import type { PutOptions } from './put.js';
import { textOf } from './report.js';
import { processTerminal, type Terminal } from './terminal.js';
import type { AbortOptions, StatusOptions } from './uploads.js';

const json = () => new Option('--json', 'one JSON object per line, for programs').default(false, '');

function createProgram(terminal: Terminal): Command {
  const program = new Command('longshore')
    .description('Takes huge files, in chunks, and lands them whole and verified on remote SSH hosts.')
    .version(versionOfPackage(), '--version', 'the version')
    .exitOverride()
    .configureHelp({ optionDescription: describeOption, subcommandTerm: (command) => command.name() })
    .showHelpAfterError('(--help says more)')
    .addHelpText(
      'after',
      `
Examples:
  longshore serve                         start a gateway with a host "local"
  longshore put film.mov local:/inbox/    send a file, or go on where it stopped
  longshore put -r photos local:/inbox/   send a directory
  longshore status                        what is unfinished
  source <(longshore completion bash)     complete with TAB; also zsh and others
${EXIT_CODES_HELP}`,
    );
  addPut(program, terminal);
  addStatus(program, terminal);
  addAbort(program, terminal);
  addHosts(program, terminal);
  addServe(program);
  addWorker(program);
  addCompletion(program, terminal);
  return program;
}

/** This file lies as deep in `src` as in `dist`. */
function versionOfPackage(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  return version;
}

/** As commander does, in fewer words; that a switch is off by default goes without saying. */
function describeOption(option: Option): string {
  const text = new Help().optionDescription(option).replace(/ \(default: false\)$/, '');
  return text.replace(/\([^()]*\)$/, (facts) =>
    facts.replace('choices: ', '').replace(', default', '; default').replaceAll('"', ''),
  );
}

function addPut(program: Command, terminal: Terminal): void {
  withGatewayOptions(
    program
      .command('put')
      .summary('send files or directories, or go on where it stopped')
      .description(
        'Sends files and directories to a path on a host. Each file appears there whole and verified, or not at all. Whatever breaks ' +
          'an upload off: the same command goes on where it stopped, and sends only what is missing.',
      )
      .usage('[options] FILE… HOST:/PATH')
      .argument('<paths...>')
      .option('-r, --recursive', 'send directories, with all that is in them', false)
      .addOption(
        new Option('--if-exists <what>', 'when a file is there').choices(['ask', 'replace', 'skip'] as const).default('ask'),
      )
      .option('--limit-rate <rate>', 'bytes per second, of all files together: 20MiB, 500K')
      .option('--parallel <n>', 'chunks on the way at once, at most', '32')
      .option('--chunk-size <size>', 'such as 10MiB; a wish, fixed once an upload has begun')
      .option('--take-over', 'take the path over from another upload of yours', false)
      .addOption(json()),
  )
    .addHelpText('after', `\n${PUT_HELP}\n${EXIT_CODES_HELP}`)
    .action(async (paths: string[], options: PutOptions) => {
      const { put } = await import('./put.js');
      process.exitCode = await put(paths, options, terminal);
    });
}

const PUT_HELP = `Where files go:
  put FILE HOST:/PATH        becomes PATH; PATH/FILE where PATH is a directory
  put FILE HOST:/PATH/       becomes PATH/FILE
  put FILE FILE… HOST:/PATH  each goes into PATH
  put -r DIR HOST:/PATH      becomes PATH; if that is a directory, adds to it,
                             so that the same command goes on
  put -r DIR HOST:/PATH/     becomes PATH/DIR; a slash after DIR changes nothing
  put -r DIR/. HOST:/PATH    what is in DIR goes into PATH
Missing directories are made, empty ones are not. A link that is named is
followed. In directories links and special files (devices, pipes, sockets) are
left out, with a word; hidden files are sent.

Examples:
  longshore put film.mov media-1:/srv/media/
  longshore put -r photos media-1:/srv/media/ --if-exists skip
  longshore put *.tar backup:/srv/backup --limit-rate 20MiB --json > log.jsonl

--if-exists ask asks on a terminal, and fails where there is none; skip leaves
what is there, and that counts as done. Ctrl-C stops at once and leaves
everything resumable; a second one ends without another word.

Results are lines on standard output, one per file: path, size, SHA-256,
whether the host has proved it, time, mean rate, what was there already. The
rest goes to standard error: bars on a terminal, now and then a line elsewhere.`;

function addStatus(program: Command, terminal: Terminal): void {
  withGatewayOptions(
    program
      .command('status')
      .summary('your unfinished uploads, or how far one is')
      .description(
        'Lists your unfinished uploads, begun on any device. With FILE and HOST:/PATH tells how far that one is; this reads parts of ' +
          'the file, sends nothing of it, and changes nothing.',
      )
      .usage('[options] [FILE HOST:/PATH]')
      .argument('[file]', 'a local file')
      .argument('[destination]', 'where it goes: HOST:/PATH')
      .option('--host <id>', 'only on this host')
      .addOption(json()),
  )
    .addHelpText(
      'after',
      `
Examples:
  longshore status
  longshore status film.mov media-1:/srv/media/film.mov
  longshore status --json | jq -r 'select(.phase == "RECEIVING") | .fullPath'
${EXIT_CODES_HELP}`,
    )
    .action(async (file: string | undefined, destination: string | undefined, options: StatusOptions) => {
      const args = [file, destination].filter((arg) => arg !== undefined);
      const { status } = await import('./uploads.js');
      process.exitCode = await status(args, options, terminal);
    });
}

function addAbort(program: Command, terminal: Terminal): void {
  withGatewayOptions(
    program
      .command('abort')
      .summary('give up unfinished uploads and remove their chunks')
      .description(
        'Gives up your unfinished uploads to these paths and removes their chunks from the host, without asking: what was sent is ' +
          'lost. A finished file is never touched.',
      )
      .usage('[options] HOST:/PATH…')
      .argument('<destinations...>', 'where they were going: HOST:/PATH')
      .option('--hash <code>', 'only the content with this hash code, as "status --json" shows it')
      .addOption(json()),
  )
    .addHelpText('after', `\nExample:\n  longshore abort media-1:/srv/media/film.mov\n${EXIT_CODES_HELP}`)
    .action(async (destinations: string[], options: AbortOptions) => {
      const { abort } = await import('./uploads.js');
      process.exitCode = await abort(destinations, options, terminal);
    });
}

function addHosts(program: Command, terminal: Terminal): void {
  withGatewayOptions(
    program
      .command('hosts')
      .summary('the hosts you may use')
      .description(
        'Lists the hosts you may use: whether they can be reached, their free space, how files are assembled there, and the ' +
          'directories below which files may be put.',
      )
      .addOption(json()),
  )
    .addHelpText('after', EXIT_CODES_HELP)
    .action(async (options: GatewayOptions & { json: boolean }) => {
      const { hosts } = await import('./hosts.js');
      process.exitCode = await hosts(options, terminal);
    });
}

function addServe(program: Command): void {
  addServer(program, 'serve')
    .summary('run the gateway')
    .description(
      'Runs the gateway until it is told to end. Without a configuration: loopback only, with a host "local" over ./data.',
    )
    .action(async ({ config }: { config?: string }) => {
      const { serve } = await import('../main.js');
      await serve(config === undefined ? {} : { configFile: config });
    });
}

function addWorker(program: Command): void {
  addServer(program, 'worker')
    .summary('run merges for gateways that share a Redis')
    .description(
      'Runs merges beside the gateways until it is told to end, and takes no calls. It takes the configuration of its gateways, ' +
        'and needs "redis" in it. An embedded host is its gateway\'s: a worker leaves it out.',
    )
    .action(async ({ config }: { config?: string }) => {
      const { work } = await import('../main.js');
      await work(config === undefined ? {} : { configFile: config });
    });
}

function addServer(program: Command, name: string): Command {
  return program
    .command(name)
    .option('--config <file>', 'configuration; default: LONGSHORE_CONFIG, then longshore.yaml when it is there')
    .addHelpText('after', SERVERS_HELP);
}

const SERVERS_HELP = `
PORT, HOST, REDIS_URL and LOG_LEVEL in the environment override the
configuration. The log is JSON lines on standard error. SIGTERM and Ctrl-C end
it: what is under way has 5 seconds, and goes on later.`;

function addCompletion(program: Command, terminal: Terminal): void {
  program
    .command('completion')
    .summary('completion with the TAB key')
    .description(
      'Prints a script that completes commands, options, files, hosts of the gateway, and for abort the paths of unfinished uploads.',
    )
    .addArgument(program.createArgument('<shell>', 'your shell').choices(SHELLS))
    .addHelpText(
      'after',
      `
For each new shell, a line in
  ~/.bashrc                     source <(longshore completion bash)
  ~/.zshrc, after compinit      source <(longshore completion zsh)
  ~/.config/fish/config.fish    longshore completion fish | source
  $PROFILE of PowerShell
      longshore completion powershell | Out-String | Invoke-Expression

The gateway is the one of the line that is completed: its --url, or
LONGSHORE_URL. It has a second to answer.`,
    )
    .action((shell: Shell) => terminal.print(SCRIPTS[shell]));

  program
    .command('complete', { hidden: true })
    .addArgument(program.createArgument('<shell>').choices(SHELLS))
    .argument('<line>', 'up to the cursor')
    .action(async (shell: Shell, line: string) => {
      const { complete, wordsOf } = await import('./completion.js');
      const words = wordsOf(line);
      const current = words.at(-1) ?? { raw: '', text: '' };
      for (const text of linesFor(shell, await complete(program, words), current)) terminal.print(text);
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
    terminal.say(`longshore: ${textOf(error)}`);
    process.exitCode = exitCodeOf(error);
  }
}
