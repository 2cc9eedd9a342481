// Whether anything secret comes out anywhere: each secret is a value that is nowhere else, and after good and bad traffic it is looked
// for, as it is and in other spellings, in all that the gateway has said and kept.
import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { OutsideClient } from '../support/outside-client.js';
import { freePort } from '../support/port.js';
import type { RedisServer } from '../support/redis-server.js';
import { startRedisServer } from '../support/redis-server.js';
import type { Sshd } from '../support/sshd.js';
import { startSshd } from '../support/sshd.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const CHUNK = 65_536;

const canary = (name: string) => `canary-${name}-${randomBytes(18).toString('hex')}`;
const SECRETS = {
  password: canary('password'),
  passphrase: canary('passphrase'),
  redis: canary('redis'),
  jwt: canary('jwt'),
  ticket: canary('ticket'),
  metrics: canary('metrics'),
};

let directory: string;
let sshd: Sshd;
let redis: RedisServer;
/** What was said, and where. */
const said: { readonly where: string; readonly text: string }[] = [];
/** Further secrets, found or made on the way. */
const found = new Map<string, string>(Object.entries(SECRETS));

beforeAll(async () => {
  directory = fs.mkdtempSync(join(tmpdir(), 'longshore-canary-'));
  sshd = await startSshd();
  redis = await startRedisServer({ password: SECRETS.redis });
  execFileSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', SECRETS.passphrase, '-f', sshd.privateKeyFile]);
  const lines = fs.readFileSync(sshd.privateKeyFile, 'utf8').split('\n').slice(1, -2);
  for (const [at, line] of lines.entries()) if (line.length >= 40) found.set(`key line ${at}`, line);
  const fetchPlain = fetch;
  vi.stubGlobal('fetch', async (...args: Parameters<typeof fetch>) => {
    const response = await fetchPlain(...args);
    const text = await response.clone().text();
    said.push({ where: 'answer', text: `${JSON.stringify([...response.headers])}\n${text}` });
    return response;
  });
});
afterAll(async () => {
  vi.unstubAllGlobals();
  await redis.stop();
  await sshd.stop();
  fs.rmSync(directory, { recursive: true });
});

/** Each secret comes from the environment, where a configuration file that is shown to somebody hasn't it. */
const ENVIRONMENT = {
  PATH: process.env['PATH'] ?? '',
  LOG_LEVEL: 'debug',
  HOST_PASSWORD: SECRETS.password,
  KEY_PASSPHRASE: SECRETS.passphrase,
  REDIS_PASSWORD: SECRETS.redis,
  JWT_SECRET: SECRETS.jwt,
  TICKET_SECRET: SECRETS.ticket,
  METRICS_TOKEN: SECRETS.metrics,
};

async function configuration(): Promise<string> {
  const login = { address: sshd.address, port: sshd.port, username: sshd.username };
  const key = { privateKeyFile: sshd.privateKeyFile, passphrase: '${KEY_PASSPHRASE}' };
  const known = { hostKeys: [sshd.hostKeyFingerprint], roots: [sshd.root] };
  return JSON.stringify({
    listen: { address: '127.0.0.1', port: 0 },
    redis: `redis://:\${REDIS_PASSWORD}@127.0.0.1:${redis.port}`,
    auth: { mode: 'jwt', jwt: { secret: '${JWT_SECRET}' }, ticketSecret: '${TICKET_SECRET}' },
    metrics: { token: '${METRICS_TOKEN}' },
    hosts: [
      { id: 'good', ...login, ...key, ...known },
      { id: 'wrong-password', ...login, password: '${HOST_PASSWORD}', ...known },
      { id: 'wrong-key', ...login, ...key, hostKeys: [`SHA256:${'A'.repeat(43)}`], roots: [sshd.root] },
      { id: 'down', ...login, port: await freePort(), password: '${HOST_PASSWORD}', ...known },
    ],
  });
}

interface Running {
  readonly url: string;
  readonly child: ChildProcess;
  readonly exited: Promise<unknown>;
}

async function start(): Promise<Running> {
  const config = join(directory, 'longshore.yaml');
  fs.writeFileSync(config, await configuration());
  const child = spawn(process.execPath, [MAIN], { cwd: directory, env: ENVIRONMENT, stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  createInterface({ input: child.stdout }).on('line', (text) => said.push({ where: 'standard output', text }));
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (text) => {
      said.push({ where: 'log', text });
      const at = /"url":"(http:[^"]+)".*"msg":"listening"/.exec(text)?.[1];
      if (at !== undefined) resolve(at);
    });
    exited.then(() => reject(new Error(said.map(({ text }) => text).join('\n'))), reject);
  });
  return { url, child, exited };
}

async function tokenOf(person: string, { secret = SECRETS.jwt, end = '5m' } = {}): Promise<string> {
  const token = await new SignJWT({ groups: ['editors'] })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(person)
    .setExpirationTime(end)
    .sign(new TextEncoder().encode(secret));
  found.set(`token of ${person}`, token);
  found.set(`signature for ${person}`, token.split('.')[2] ?? '');
  return token;
}

const ref = (hostId: string, name: string) => ({ hostId, fullPath: `${sshd.root}/${name}`, hashCode: name });
/** Refused or not, it was said. */
const tried = (...calls: readonly Promise<unknown>[]) => Promise.allSettled(calls);

async function goodTraffic(url: string): Promise<void> {
  const ann = new OutsideClient({ url }, { token: await tokenOf('ann') });
  const bytes = randomBytes(CHUNK + 1);
  await ann.hosts();
  await ann.status(ref('good', 'film'), bytes.length, { chunkSize: CHUNK });
  await ann.dirInfo(ref('good', 'film'));
  await ann.chunk(ref('good', 'film'), 1, bytes.subarray(0, CHUNK));
  await ann.chunk(ref('good', 'film'), 2, bytes.subarray(CHUNK));
  await ann.merge(ref('good', 'film'), 2);
  const states = await ann.watch(ref('good', 'film'));
  expect(states.at(-1)).toMatchObject({ phase: 'DONE' });
  said.push({ where: 'answer', text: JSON.stringify(states) });
  // A failed merge, and one that is given up.
  await ann.status(ref('good', 'failing'), 5, { chunkSize: CHUNK });
  await ann.chunk(ref('good', 'failing'), 1, Buffer.from('12345'));
  await tried(ann.merge(ref('good', 'failing'), 1, { digest: `sha256:${'0'.repeat(64)}` }), ann.watch(ref('good', 'failing')));
  await ann.status(ref('good', 'given-up'), 5);
  await ann.abort(ref('good', 'given-up'));
}

async function badTraffic(url: string): Promise<void> {
  const ann = new OutsideClient({ url }, { token: await tokenOf('ann-again') });
  for (const hostId of ['wrong-password', 'wrong-key', 'down', 'nowhere']) {
    await tried(ann.status(ref(hostId, 'film'), 5), ann.dirInfo(ref(hostId, 'film')), ann.uploads());
  }
  await ann.hosts();
  const strangers = [
    await tokenOf('expired', { end: '-5m' }),
    await tokenOf('forger', { secret: canary('forged') }),
    canary('no-token'),
  ];
  for (const token of strangers) {
    found.set(`token ${found.size}`, token);
    const stranger = new OutsideClient({ url }, { token });
    await tried(stranger.hosts(), stranger.status(ref('good', 'x'), 1), stranger.chunk(ref('good', 'x'), 1, Buffer.from('x')));
    await tried(stranger.watch(ref('good', 'x')));
  }
  const token = await tokenOf('malformed');
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  for (const body of [
    '{',
    '{"query":"{ nothing }"}',
    '{"query":"query { hosts { id "}',
    '[]',
    '{"query":5}',
    `{"query":"${'{a'.repeat(3_000)}"}`,
  ]) {
    await tried(fetch(`${url}/graphql`, { method: 'POST', headers, body }));
  }
  await tried(fetch(`${url}/graphql?query={hosts{id}}`, { headers: { authorization: `Bearer ${token}` } }));
  const metrics = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${SECRETS.metrics}` } });
  expect(await metrics.text()).toContain('longshore_problems_total{');
  await tried(fetch(`${url}/metrics`), fetch(`${url}/ready`), fetch(`${url}/health`), fetch(`${url}/nothing`));
  const broken = { ...headers, 'content-type': 'multipart/form-data; boundary=x', 'apollo-require-preflight': '1' };
  await tried(fetch(`${url}/graphql`, { method: 'POST', headers: broken, body: '--x\r\n\r\n' }));
  await redis.kill();
  await tried(ann.status(ref('good', 'away'), 5), ann.dirInfo(ref('good', 'away')), fetch(`${url}/ready`));
  await redis.restart();
  await vi.waitFor(async () => expect((await fetch(`${url}/ready`)).status).toBe(200), { timeout: 10_000 });
}

/** A ticket is for the one who is told it: in that answer it belongs, and nowhere else. */
async function ticketTraffic(url: string): Promise<void> {
  const token = await tokenOf('with-ticket');
  const query = 'query ($file: FileRef!) { uploadStatus(file: $file, size: 5) { ... on UploadReady { ticket } } }';
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ query, variables: { file: ref('good', 'by-ticket') } });
  const response = await fetch(`${url}/graphql`, { method: 'POST', headers, body });
  const ticket = /"ticket":"([^"]+)"/.exec(await response.text())?.[1] ?? '';
  expect(ticket).not.toBe('');
  said.pop();
  found.set('ticket', ticket);
  const holder = new OutsideClient({ url }, { token: ticket });
  await holder.chunk(ref('good', 'by-ticket'), 1, Buffer.from('12345'));
  await tried(holder.merge(ref('good', 'by-ticket'), 1), holder.dirInfo(ref('good', 'other')), holder.hosts());
}

async function lookIntoRedis(): Promise<void> {
  const client = new Redis(redis.url);
  const readers: Readonly<Record<string, (key: string) => Promise<unknown>>> = {
    string: (key) => client.get(key),
    hash: (key) => client.hgetall(key),
    list: (key) => client.lrange(key, '0', '-1'),
    set: (key) => client.smembers(key),
    zset: (key) => client.zrange(key, '0', '-1'),
    stream: (key) => client.xrange(key, '-', '+'),
  };
  const keys = await client.keys('*');
  for (const key of keys) {
    const read = readers[await client.type(key)];
    said.push({ where: `Redis ${key}`, text: JSON.stringify([key, await read?.(key)]) });
  }
  await client.quit();
}

function lookAtDisk(): void {
  const everything = execFileSync('grep', ['-r', '-a', '', sshd.root], { encoding: 'latin1', maxBuffer: 2 ** 26 });
  said.push({ where: 'host', text: everything });
}

/** Configurations with a mistake beside each secret, or in it. */
async function mistakes(): Promise<void> {
  const host = { id: 'h', address: 'x', username: 'u', hostKeys: [`SHA256:${'A'.repeat(43)}`], roots: ['/srv'] };
  const configurations: readonly unknown[] = [
    { hosts: [{ ...host, password: '${HOST_PASSWORD}', passwrod: '${HOST_PASSWORD}' }] },
    { hosts: [{ ...host, password: ['${HOST_PASSWORD}'] }] },
    { hosts: [{ ...host, privateKeyFile: '${HOST_PASSWORD}' }] },
    { hosts: [{ ...host, privateKeyFile: sshd.privateKeyFile, passphrase: '${HOST_PASSWORD}' }] },
    { hosts: [{ ...host, password: '${HOST_PASSWORD}', port: 'x' }] },
    { redis: 'rediss:/${REDIS_PASSWORD}' },
    { redis: 'http://:${REDIS_PASSWORD}@127.0.0.1' },
    { auth: { mode: 'jwt', jwt: { secret: ['${JWT_SECRET}'] } } },
    { auth: { mode: 'jwt', jwt: { secret: '${JWT_SECRET}', publicKey: '${JWT_SECRET}' } } },
    { auth: { mode: 'jwt', jwt: { publicKeyFile: '${JWT_SECRET}' } } },
    { auth: { mode: 'jwt', jwt: { publicKey: '${JWT_SECRET}' } } },
    { auth: { mode: 'none', ticketSecret: { a: '${TICKET_SECRET}' } } },
    { auth: { mode: '${JWT_SECRET}' } },
    { metrics: { token: ['${METRICS_TOKEN}'], port: 'x' } },
  ];
  await Promise.all(
    configurations.map(async (each, at) => {
      const name = `mistake-${at}.yaml`;
      fs.writeFileSync(join(directory, name), JSON.stringify({ listen: { port: 0 }, ...(each as object) }));
      const env = { ...ENVIRONMENT, LONGSHORE_CONFIG: name, PORT: '0' };
      const child = spawn(process.execPath, [MAIN], { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: 6_000 });
      const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
      said.push({ where: `configuration ${at}`, text: out + err });
    }),
  );
}

/** As it is, and as it may be spelled by what it went through. */
function spellings(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  const escaped = JSON.stringify(secret).slice(1, -1);
  return [
    secret,
    escaped,
    encodeURIComponent(secret),
    bytes.toString('hex'),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
  ];
}

it('no secret is in any log, answer, configuration error, Redis value, file on the host or command line', async () => {
  const { url, child, exited } = await start();
  try {
    await goodTraffic(url);
    await ticketTraffic(url);
    await lookIntoRedis();
    expect(said.filter(({ where }) => where.startsWith('Redis')).length).toBeGreaterThan(0);
    await badTraffic(url);
    said.push({ where: 'command line', text: fs.readFileSync(`/proc/${child.pid}/cmdline`, 'latin1') });
    lookAtDisk();
    await lookIntoRedis();
  } finally {
    child.kill('SIGTERM');
    // What it says when it stops is said by then; how it stops is for other tests.
    const late = setTimeout(() => child.kill('SIGKILL'), 8_000);
    await exited;
    clearTimeout(late);
  }
  await mistakes();
  // What it looks for would be seen: what is no secret is there.
  for (const where of ['log', 'answer', 'command line']) expect(said.some((each) => each.where === where)).toBe(true);
  expect(said.some(({ where, text }) => where === 'log' && text.includes('wrong-password'))).toBe(true);
  const leaks = [...found].flatMap(([name, secret]) =>
    said
      .filter(({ text }) => spellings(secret).some((spelling) => text.includes(spelling)))
      .map(({ where, text }) => `${name} in ${where}: ${text.slice(0, 400)}`),
  );
  expect([...new Set(leaks)]).toEqual([]);
}, 60_000);
