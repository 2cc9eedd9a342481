// Directories: a thousand small files, and fifty at once to one host and to four. Until all are published.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeFiles } from './content.js';
import type { Contender } from './contest.js';
import { contest } from './contest.js';
import type { Peer } from './peers.js';
import { DIRECTORY_PEERS, longshorePut, rclone, run, takeAway, target } from './peers.js';
import { filesOf, mibOf } from './settings.js';
import type { Row, Stage } from './stage.js';
import { setStage } from './stage.js';

const KIB = 1_024;
const MIB = 2 ** 20;
const HOSTS = 4;

export async function small(): Promise<readonly Row[]> {
  const content = { files: filesOf(1_000), fileBytes: 100 * KIB };
  const stage = await setStage();
  try {
    const contenders = DIRECTORY_PEERS.map((peer) => contender(peer, stage, content));
    const rows = await contest(stage, { contenders, amount: content.files, unit: 'files/s' });
    return rows.map((row) => ({ ...row, files: content.files, KiB: content.fileBytes / KIB }));
  } finally {
    await stage.stop();
  }
}

/** Each of the fifty goes at once when fifty persons send them; of one directory the command sends a few at a time. */
export async function many(): Promise<readonly Row[]> {
  const content = { files: filesOf(50), fileBytes: mibOf(64) * MIB };
  const stage = await setStage({ hosts: HOSTS });
  try {
    const peers: readonly Peer[] = [
      rclone('rclone copy --transfers 8', 'copy', ['--transfers', '8']),
      { name: 'longshore put -r, 1 host', isOurs: true, put: (from) => command(from, stage, 1) },
      { name: 'longshore put -r, 4 hosts', isOurs: true, put: (from) => command(from, stage, HOSTS) },
      { name: 'longshore, a person each, 1 host', isOurs: true, put: (from) => persons(from, stage, 1) },
      { name: 'longshore, a person each, 4 hosts', isOurs: true, put: (from) => persons(from, stage, HOSTS) },
    ];
    const contenders = peers.map((peer) => contender(peer, stage, content));
    const rows = await contest(stage, { contenders, amount: (content.files * content.fileBytes) / 1e6, unit: 'MB/s' });
    return rows.map((row) => ({ ...row, files: content.files, MiB: content.fileBytes / MIB }));
  } finally {
    await stage.stop();
  }
}

function contender(peer: Peer, stage: Stage, { files, fileBytes }: Readonly<Record<'files' | 'fileBytes', number>>): Contender {
  const from = join(stage.directory, 'files');
  if (!existsSync(from)) makeFiles(from, files, { bytes: fileBytes, subdirectories: HOSTS });
  return {
    ...peer,
    async run() {
      const there = await peer.put(from, stage);
      return () => takeAway(there, { files, bytes: files * fileBytes });
    },
  };
}

/** For more than one host a command each, with a subdirectory each. */
async function command(from: string, stage: Stage, hosts: 1 | typeof HOSTS): Promise<string> {
  const to = target(stage);
  const parts = readdirSync(from);
  const puts = parts.map((part, at) => ['-r', join(from, part), `${hostId(at, hosts)}:${join(to, part)}`]);
  await Promise.all((hosts === 1 ? [['-r', from, `sshd:${to}`]] : puts).map((args) => longshorePut(args, stage)));
  return to;
}

const PERSONS = fileURLToPath(new URL('persons.mjs', import.meta.url));

/** One program with an uploader for each file: as many browsers would be the machine's whole work. */
async function persons(from: string, stage: Stage, hosts: 1 | typeof HOSTS): Promise<string> {
  const to = target(stage);
  const files = readdirSync(from).flatMap((part) => readdirSync(join(from, part)).map((name) => join(part, name)));
  const puts = files.map((name, at) => `${join(from, name)} ${hostId(at, hosts)} ${join(to, name)}`);
  await run(process.execPath, [PERSONS, `${stage.gateway.url}/graphql`], puts.join('\n'));
  return to;
}

const hostId = (at: number, hosts: number) => (at % hosts === 0 ? 'sshd' : `sshd${(at % hosts) + 1}`);
