// Names that somebody gives a file so that the host, or we, take them for something else; and a host that keeps what it is asked.
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect } from 'vitest';
import type { TestServices } from '../assembly/support.js';
import { startServices, TestUpload } from '../assembly/support.js';
import { mayBeNamed } from '../core/path-oracle.js';
import { hostileNames } from '../core/path-strings.js';
import type { Sshd } from '../support/sshd.js';
import { startSshd } from '../support/sshd.js';
import { sshdHostOptions } from '../support/sshd-host.js';
import { recordedPaths } from './recorded-paths.js';

const RECORDER = fileURLToPath(new URL('sftp-recorder.mjs', import.meta.url));
const SFTP_SERVER = '/usr/lib/openssh/sftp-server';
const NAMES = hostileNames(7, 2_000);
const WORKERS = 8;

let directory: string;
let record: string;
let sshd: Sshd;
let services: TestServices;

/** To be called once for a file. */
export function useRecordedHost(): void {
  beforeAll(start);
  afterAll(stop);
}

async function start(): Promise<void> {
  directory = fs.mkdtempSync(join(tmpdir(), 'longshore-names-'));
  fs.chmodSync(directory, 0o755);
  record = join(directory, 'requests');
  fs.writeFileSync(record, '');
  fs.chmodSync(record, 0o666);
  sshd = await startSshd({ sftpCommand: `${process.execPath} ${RECORDER} ${SFTP_SERVER} ${record}` });
  services = await startServices(sshdHostOptions(sshd));
}

async function stop(): Promise<void> {
  await services.close();
  await sshd.stop();
  fs.rmSync(directory, { recursive: true });
}

const bytesOf = (at: number) => Buffer.from(`content ${at}`);

/** The code of what refused it, or DONE; of one that need not land, what the first call says. */
async function send(at: number, mayLand: boolean): Promise<string> {
  const { longshore } = services;
  const film = new TestUpload({ hostId: 'sshd', root: sshd.root }, `${at}/${NAMES[at]}`, bytesOf(at));
  const status = await film.status(longshore);
  if (status.kind !== 'UploadReady') return 'code' in status ? status.code : status.kind;
  if (!mayLand) return 'UploadReady';
  await film.putAll(longshore);
  return (await film.mergeToEnd(longshore))?.phase ?? 'nothing';
}

/** Everything below, as the disk has it: paths in latin1, so that each byte is a character. */
function onDisk(path: Buffer, below = ''): ReadonlyMap<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (const entry of fs.readdirSync(path, { encoding: 'buffer', withFileTypes: true })) {
    const inner = Buffer.concat([path, Buffer.from('/'), entry.name]);
    const name = `${below}/${entry.name.toString('latin1')}`;
    if (entry.isDirectory()) for (const [each, content] of onDisk(inner, name)) files.set(each, content);
    else files.set(name, fs.readFileSync(inner));
  }
  return files;
}

const inLatin1 = (text: string) => Buffer.from(text).toString('latin1');

/** Asks for all of the names, and uploads to those that `lands` says. */
export async function checkNames(lands: (at: number) => boolean): Promise<{ readonly landed: number }> {
  const answers: string[] = [];
  const queue = NAMES.keys();
  const work = async () => {
    for (const at of queue) answers[at] = await send(at, lands(at));
  };
  await Promise.all(Array.from({ length: WORKERS }, work));

  const isPath = (at: number) => mayBeNamed(`${sshd.root}/${at}/${NAMES[at]}`);
  const all = [...NAMES.keys()];
  const named = all.filter(isPath);
  const expectedAnswer = (at: number) => (!isPath(at) ? 'INVALID_PATH' : lands(at) ? 'DONE' : 'UploadReady');
  expect(all.filter((at) => answers[at] !== expectedAnswer(at)).map((at) => [NAMES[at], answers[at]])).toEqual([]);
  // Enough of both to say something.
  expect(named.length).toBeGreaterThan(800);
  expect(named.length).toBeLessThan(1_800);

  const onHost = (at: number) => inLatin1(`/${at}/${NAMES[at]}`);
  const expected = new Map(named.filter(lands).map((at) => [onHost(at), bytesOf(at)]));
  const present = onDisk(Buffer.from(sshd.root));
  expect([...present.keys()].filter((path) => !expected.has(path))).toEqual([]);
  expect([...expected].filter(([path, content]) => present.get(path)?.equals(content) !== true)).toEqual([]);
  const beside = ['authorized_keys', 'client', 'client.pub', 'host', 'host.pub', 'root', 'sshd.pid', 'sshd_config'];
  expect(fs.readdirSync(sshd.directory).sort()).toEqual(beside);
  expectAsked(named.map((at) => inLatin1(sshd.root) + onHost(at)));
  // The sessions they came through live on: there were never more connections than may be at once.
  expect(sshd.log().match(/Accepted publickey/g)?.length).toBeLessThanOrEqual(4);
  return { landed: expected.size };
}

/** The server was asked about paths that were taken, byte for byte, what lies above them, and our own names; about nothing else. */
function expectAsked(paths: readonly string[]): void {
  const root = inLatin1(sshd.root);
  // `.` is asked for to see whether the server lives.
  const known = new Set(['.', '/']);
  for (const path of paths) for (let up = path; up !== ''; up = up.slice(0, up.lastIndexOf('/'))) known.add(up);
  const own = new RegExp(String.raw`^${root}(?:/\d+)?/(?:\.longshore(?:/|$)|\.longshore-probe\.[0-9a-f]{16}$)`);
  const asked = recordedPaths(fs.readFileSync(record));
  expect([...asked].filter((path) => !known.has(path) && !own.test(path))).toEqual([]);
  expect(paths.filter((path) => !asked.has(path))).toEqual([]);
}
