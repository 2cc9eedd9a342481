// What can follow on a command line: commands, options and choices as the program itself has them, hosts and paths as the gateway
// knows them. `completion-scripts.ts` has what the shells ask with.

import type { Command, Option } from 'commander';
import { connectGateway } from '../client/index.js';
import type { HostInfo } from '../client/index.js';
import { transportOptions } from './gateway-options.js';

/** What fits at the end of a line. */
export interface Completion {
  readonly values: readonly { readonly value: string; readonly about: string }[];
  /** Whether names of files fit, too; the shell knows those best. */
  readonly withFiles: boolean;
}

/** A word as it was typed, and what the shell will make of it. */
export interface Word {
  readonly raw: string;
  readonly text: string;
}

type Values = Completion['values'];

/** Who presses a key doesn't wait for a gateway. */
const DEADLINE_MS = 1_000;
const NOTHING: Completion = { values: [], withFiles: false };

/** The words of a line up to the cursor, by the rules of quoting that shells share; the last one is where the cursor is, '' after a blank. */
export function wordsOf(line: string): readonly Word[] {
  const raws = line.match(/(?:\\.?|'[^']*'?|"(?:\\.|[^"\\])*"?|[^\s\\'"])+/gs) ?? [];
  const words = raws.map((raw) => ({ raw, text: raw.replace(/\\(.)|'([^']*)'?|"((?:\\.|[^"\\])*)"?/gs, '$1$2$3') }));
  return /^$|(?<!\\)\s$/.test(line) ? [...words, { raw: '', text: '' }] : words;
}

/** Never rejects: a gateway that doesn't answer in time has nothing to add. */
export async function complete(program: Command, words: readonly Word[]): Promise<Completion> {
  const before = words.slice(1, -1).map(({ text }) => text);
  const current = words.at(-1)?.text ?? '';
  const command = program.commands.find((candidate) => candidate.name() === before.find((word) => !word.startsWith('-')));
  const found = command === undefined ? commandsOf(program, current) : await withinCommand(command, before, current);
  // What can't stand in a line can't be typed either.
  const values = found.values.filter(({ value }) => value.startsWith(current) && !/\p{Cc}/u.test(value));
  return { ...found, values };
}

function commandsOf(program: Command, current: string): Completion {
  if (current.startsWith('-')) return { ...NOTHING, values: optionsOf(program) };
  const commands = program.createHelp().visibleCommands(program);
  return { ...NOTHING, values: commands.map((command) => ({ value: command.name(), about: command.summary() })) };
}

async function withinCommand(command: Command, before: readonly string[], current: string): Promise<Completion> {
  const [inline, name = ''] = /^(--[^=]+)=/.exec(current) ?? [];
  const flag = inline === undefined ? before.at(-1) : name;
  const option = command.options.find(({ long, short }) => flag !== undefined && (flag === long || flag === short));
  if (option?.required === true) return await valuesOf(option, inline ?? '', gatewayFor(command, before));
  if (current.startsWith('-')) return { ...NOTHING, values: optionsOf(command) };
  return await argumentsOf(command, current, gatewayFor(command, before));
}

function optionsOf(command: Command): Values {
  const options = command.createHelp().visibleOptions(command);
  return options.map(({ long, short, description }) => ({ value: long ?? short ?? '', about: description }));
}

async function valuesOf({ long, argChoices = [] }: Option, prefix: string, gateway: Asked): Promise<Completion> {
  if (long === '--config') return { ...NOTHING, withFiles: true };
  const hosts = long === '--host' ? (await gateway.hosts()).map(({ id, name }) => ({ value: id, about: name })) : [];
  const choices = [...argChoices.map((choice) => ({ value: choice, about: '' })), ...hosts];
  return { ...NOTHING, values: choices.map(({ value, about }) => ({ value: prefix + value, about })) };
}

async function argumentsOf(command: Command, current: string, gateway: Asked): Promise<Completion> {
  switch (command.name()) {
    case 'put':
    case 'status': {
      const hosts = await gateway.hosts();
      const isRemote = hosts.some(({ id }) => current.startsWith(`${id}:`));
      return {
        values: isRemote ? rootsOf(hosts) : hosts.map(({ id, name }) => ({ value: `${id}:`, about: name })),
        withFiles: !isRemote,
      };
    }
    case 'abort':
      return { ...NOTHING, values: await gateway.unfinished() };
    default: {
      const choices = command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices);
      return { ...NOTHING, values: choices.map((value) => ({ value, about: '' })) };
    }
  }
}

function rootsOf(hosts: readonly HostNames[]): Values {
  return hosts.flatMap(({ id, roots }) =>
    roots.map((root) => ({ value: `${id}:${root.endsWith('/') ? root : `${root}/`}`, about: 'directory' })),
  );
}

type HostNames = Pick<HostInfo, 'id' | 'name' | 'roots'>;

interface Asked {
  readonly hosts: () => Promise<readonly HostNames[]>;
  readonly unfinished: () => Promise<Values>;
}

/** The gateway that the line itself would reach. */
function gatewayFor(command: Command, before: readonly string[]): Asked {
  const typed = (long: string) => {
    const option = command.options.find((candidate) => candidate.long === long);
    const given = before.flatMap((word, at) => {
      if (word === long) return before.slice(at + 1, at + 2);
      return word.startsWith(`${long}=`) ? [word.slice(long.length + 1)] : [];
    });
    return given.at(-1) ?? process.env[option?.envVar ?? ''] ?? (option?.defaultValue as string | undefined);
  };
  const [token, person] = [typed('--token'), typed('--person')];
  const connect = () =>
    connectGateway(
      transportOptions({
        url: typed('--url') ?? '',
        ...(token === undefined ? {} : { token }),
        ...(person === undefined ? {} : { person }),
      }),
    );
  return {
    hosts: () => quietly(async (signal) => await connect().hosts(signal)),
    unfinished: () =>
      quietly(async (signal) => {
        const { items } = await connect().uploads(undefined, signal);
        return items.map(({ hostId, fullPath }) => ({ value: `${hostId}:${fullPath}`, about: 'unfinished' }));
      }),
  };
}

async function quietly<T>(work: (signal: AbortSignal) => Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await work(AbortSignal.timeout(DEADLINE_MS));
  } catch {
    return []; // There is nobody to tell: the person is typing.
  }
}
