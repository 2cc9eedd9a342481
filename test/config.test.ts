import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, loadConfig } from '../src/config.js';
import type { Config } from '../src/config.js';

const FINGERPRINT = `SHA256:${'A'.repeat(43)}`;
const PRIVATE_KEY = '-----BEGIN OPENSSH PRIVATE KEY-----\nnot really\n-----END OPENSSH PRIVATE KEY-----\n';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'longshore-config-'));
  writeFileSync(join(directory, 'key'), PRIVATE_KEY);
  writeFileSync(join(directory, 'key.pub'), 'ssh-ed25519 AAAA me');
  writeFileSync(join(directory, 'known_hosts'), 'media ssh-ed25519 AAAA\n');
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

function load(yaml: string, env: Readonly<Record<string, string>> = {}): Config {
  writeFileSync(join(directory, 'case.yaml'), yaml);
  return loadConfig({ configFile: 'case.yaml', env, cwd: directory });
}

/** The problems as people read them: `key: message`. */
function problemsOf(attempt: () => Config): readonly string[] {
  try {
    attempt();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ key, message }) => `${key}: ${message}`);
    throw error;
  }
  return [];
}

const PROFILE = { strategy: 'auto', durability: 'normal', verify: 'host', keepFreeBytes: 0 };

/** A host that is right, with keys added or, by undefined, taken away. */
function sshHost(changes: Readonly<Record<string, unknown>> = {}): string {
  const host = {
    id: 'media',
    address: 'h',
    username: 'u',
    password: 'p',
    hostKeys: [FINGERPRINT],
    roots: ['/srv'],
    ...changes,
  };
  return JSON.stringify({ hosts: [host] });
}

describe('configuration', () => {
  it('without a file is an embedded host on loopback', () => {
    const empty = mkdtempSync(join(directory, 'empty-'));
    expect(loadConfig({ env: {}, cwd: empty })).toEqual({
      listen: { address: '127.0.0.1', port: 4000, origins: [], trustedProxies: [] },
      logLevel: 'info',
      auth: { mode: 'none' },
      introspection: true,
      metrics: {},
      hosts: [
        {
          kind: 'embedded',
          profile: { ...PROFILE, id: 'local', name: 'This machine', roots: ['/'] },
          directory: join(empty, 'data'),
          port: 2022,
          stateDirectory: join(empty, '.longshore'),
        },
      ],
      limits: {
        chunkBytes: 10 * 2 ** 20,
        maxChunkBytes: 64 * 2 ** 20,
        maxFileBytes: 5 * 2 ** 40,
        chunksInFlightPerPerson: 64,
        uploadsPerPerson: 10_000,
        bytesPerPerson: 50 * 2 ** 40,
        claimsPerPerson: 1_000,
        callsPerSecondPerPerson: 500,
        callsPerSecondPerAddress: 1_000,
        claimTtlMs: 15 * 60_000,
        stagingTtlMs: 7 * 86_400_000,
      },
    });
  });

  it('can not be changed', () => {
    const { hosts, listen } = load('');
    expect([hosts, hosts[0], hosts[0]?.profile, hosts[0]?.profile.roots, listen].every(Object.isFrozen)).toBe(true);
  });

  it('is found by LONGSHORE_CONFIG and by its name in the working directory', () => {
    writeFileSync(join(directory, 'other.yaml'), 'listen: { port: 1 }');
    const home = mkdtempSync(join(directory, 'home-'));
    writeFileSync(join(home, 'longshore.yaml'), 'listen: { port: 2 }');
    expect(loadConfig({ env: { LONGSHORE_CONFIG: 'other.yaml' }, cwd: directory }).listen.port).toBe(1);
    expect(loadConfig({ env: {}, cwd: home }).listen.port).toBe(2);
  });

  it('refuses to start without a file that was named', () => {
    expect(problemsOf(() => loadConfig({ configFile: 'none.yaml', env: {}, cwd: directory }))).toEqual([
      '--config: can\'t be read, ENOENT (is "none.yaml")',
    ]);
    expect(problemsOf(() => loadConfig({ env: { LONGSHORE_CONFIG: 'none.yaml' }, cwd: directory }))).toEqual([
      'LONGSHORE_CONFIG: can\'t be read, ENOENT (is "none.yaml")',
    ]);
  });

  it('tells where its YAML is broken, and no secret of that line', () => {
    expect(problemsOf(() => load('listen: { port: 1 }\nauth: "x" pa55word'))).toEqual([
      'case.yaml:2:11: Unexpected scalar at node end',
    ]);
    expect(problemsOf(() => load('hosts: } pa55word')).join()).not.toContain('pa55word');
  });

  it('tells all problems at once, each with its key', () => {
    const yaml = 'listen: { port: 70000, prot: 1 }\nlogLevel: loud\nhosts: [{ id: a, roots: [srv] }]\nlimits: { claimTtl: 5 }';
    expect(problemsOf(() => load(yaml)).map((problem) => problem.split(': ')[0])).toEqual([
      'listen.port',
      'listen.prot',
      'logLevel',
      'hosts[0].roots[0]',
      'limits.claimTtl',
      'hosts[0].address',
      'hosts[0].username',
      'hosts[0]',
      'hosts[0]',
    ]);
  });

  it('is read as the example in the documentation is written', () => {
    const configFile = fileURLToPath(new URL('../examples/longshore.yaml', import.meta.url));
    const config = loadConfig({ configFile, env: { MEDIA_HOST: '10.0.0.5', SSH_AUTH_SOCK: '/run/agent' } });
    expect(config.hosts.map(({ kind, profile }) => [kind, profile.id])).toEqual([
      ['ssh', 'media-1'],
      ['embedded', 'local'],
    ]);
  });
});

describe('environment', () => {
  it('goes before the file', () => {
    const config = load('listen: { address: ::1, port: 1, origins: ["https://a.example"] }', {
      PORT: '2',
      HOST: 'localhost',
      LOG_LEVEL: 'warn',
    });
    expect(config.listen).toMatchObject({ address: 'localhost', port: 2, origins: ['https://a.example'] });
    expect(config.logLevel).toBe('warn');
  });

  it('is named in problems it has', () => {
    expect(problemsOf(() => load('', { PORT: 'http' }))).toEqual(['PORT: must be an integer, from 0 to 65535 (is "http")']);
  });

  it('counts an empty variable as absent', () => {
    expect(load('', { PORT: '', HOST: '', REDIS_URL: '', LONGSHORE_CONFIG: '' }).listen.port).toBe(4000);
  });

  it('fills references inside texts', () => {
    const yaml = sshHost({ address: '${NAME}.example', password: '$${NAME} ${EMPTY}x', port: '${NUMBER}' });
    expect(load(yaml, { NAME: 'media', EMPTY: '', NUMBER: '2200' }).hosts[0]).toMatchObject({
      address: 'media.example',
      port: 2200,
      authentication: { kind: 'password', password: '${NAME} x' },
    });
  });

  it('that misses a variable is told by key and variable', () => {
    expect(problemsOf(() => load(sshHost({ port: '${NUMBER}', name: '${a-b}' })))).toEqual([
      'hosts[0].port: environment variable NUMBER is not set',
      'hosts[0].name: ${a-b} is no environment variable',
    ]);
  });

  it('is shown by name, not by value, where its value is wrong', () => {
    expect(problemsOf(() => load(sshHost({ port: '${TOKEN}' }), { TOKEN: 'pa55word' }))).toEqual([
      'hosts[0].port: must be an integer, from 1 to 65535 (is "${TOKEN}")',
    ]);
  });
});

describe('logging in', () => {
  const withAuth = (auth: unknown, own: object = {}) => JSON.stringify({ auth, ...own });
  const SECRET = 'pa55word'.repeat(4);
  const KEY_SET = { jwksUrl: 'https://id.example/keys', issuer: 'https://id.example', audience: 'longshore' };
  const pemOf = (type: 'rsa' | 'ec' | 'ed25519') => {
    const pair =
      type === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : type === 'ec'
          ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
          : generateKeyPairSync('ed25519');
    return pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  };

  it('by a shared secret', () => {
    expect(load(withAuth({ mode: 'jwt', jwt: { secret: '${JWT_SECRET}' } }), { JWT_SECRET: SECRET }).auth).toEqual({
      mode: 'jwt',
      jwt: { key: { kind: 'secret', secret: SECRET }, personClaim: 'sub', groupsClaim: 'groups', clockToleranceMs: 5_000 },
      ticketTtlMs: 7 * 86_400_000,
    });
  });

  it.each(['rsa', 'ec', 'ed25519'] as const)('by a public key, %s, also in a file', (type) => {
    const pem = pemOf(type);
    writeFileSync(join(directory, 'jwt.pem'), pem);
    const key = { kind: 'public-key', pem };
    expect(load(withAuth({ mode: 'jwt', jwt: { publicKey: pem } })).auth).toMatchObject({ jwt: { key } });
    expect(load(withAuth({ mode: 'jwt', jwt: { publicKeyFile: 'jwt.pem' } })).auth).toMatchObject({ jwt: { key } });
  });

  it("by the issuer's key set", () => {
    const { auth } = load(withAuth({ mode: 'jwt', jwt: { ...KEY_SET, algorithms: ['ES256'], groupsClaim: 'roles' } }));
    expect(auth).toMatchObject({
      jwt: { key: { kind: 'jwks', url: KEY_SET.jwksUrl }, algorithms: ['ES256'], audience: 'longshore', groupsClaim: 'roles' },
    });
  });

  it('lets the gateway listen on any address, and keeps the schema to itself', () => {
    const config = load(withAuth({ mode: 'jwt', jwt: { secret: SECRET } }, { listen: { address: '0.0.0.0' } }));
    expect(config.listen.address).toBe('0.0.0.0');
    expect(config.introspection).toBe(false);
    const asked = { graphql: { introspection: 'on' } };
    expect(load(withAuth({ mode: 'jwt', jwt: { secret: SECRET } }, asked)).introspection).toBe(true);
  });

  it.each([
    ['no settings', { mode: 'jwt' }, {}, 'auth.jwt: is required with auth.mode jwt'],
    ['settings nobody heeds', { jwt: { secret: SECRET } }, {}, 'auth.jwt: has no place with auth.mode none'],
    ['no key', { mode: 'jwt', jwt: {} }, {}, 'auth.jwt: must have exactly one of secret, publicKey'],
    ['two keys', { mode: 'jwt', jwt: { ...KEY_SET, secret: SECRET } }, {}, 'auth.jwt: must have exactly one of secret'],
    [
      'a secret that can be guessed',
      { mode: 'jwt', jwt: { secret: 'pa55word' } },
      {},
      'auth.jwt.secret: must have at least 32',
    ],
    [
      'no audience',
      { mode: 'jwt', jwt: { ...KEY_SET, audience: undefined } },
      {},
      'auth.jwt.audience: is required with jwksUrl',
    ],
    [
      'keys over plain HTTP',
      { mode: 'jwt', jwt: { ...KEY_SET, jwksUrl: 'http://id.example/k' } },
      {},
      'auth.jwt.jwksUrl: must be',
    ],
    [
      'a public key that is a secret',
      { mode: 'jwt', jwt: { publicKey: 'pa55word' } },
      {},
      'auth.jwt.publicKey: must be the PEM',
    ],
    [
      'the secret’s algorithm for a key set',
      { mode: 'jwt', jwt: { ...KEY_SET, algorithms: ['RS256', 'HS256'] } },
      {},
      'auth.jwt.algorithms: must not have HS256, which is for a secret',
    ],
    [
      'no algorithm at all',
      { mode: 'jwt', jwt: { ...KEY_SET, algorithms: ['none'] } },
      {},
      'auth.jwt.algorithms[0]: must be one of',
    ],
    [
      'gateways that would not know each other’s tickets',
      { mode: 'jwt', jwt: KEY_SET },
      { redis: 'redis://h' },
      'auth.ticketSecret: is required with redis',
    ],
    [
      'a short ticket secret',
      { mode: 'jwt', jwt: KEY_SET, ticketSecret: 'pa55word' },
      {},
      'auth.ticketSecret: must have at least',
    ],
  ])('is refused with %s', (_, auth, own, expected) => {
    const problems = problemsOf(() => load(withAuth(auth, own)));
    expect(problems).toEqual([expect.stringContaining(expected)]);
    expect(problems[0]).not.toContain('pa55word');
  });

  it('is refused with algorithms that the public key isn’t for', () => {
    const auth = { mode: 'jwt', jwt: { publicKey: pemOf('ed25519'), algorithms: ['RS256', 'ES256'] } };
    expect(problemsOf(() => load(withAuth(auth)))).toEqual([
      'auth.jwt.algorithms: must have EdDSA, which the public key is for',
    ]);
  });

  it('is refused with a key that is too short', () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    expect(problemsOf(() => load(withAuth({ mode: 'jwt', jwt: { publicKey: pem } })))).toEqual([
      expect.stringContaining('auth.jwt.publicKey: must be the PEM of an RSA (2 048 bits)'),
    ]);
  });

  it('by a private key is refused: a verifier has no business with it', () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const problems = problemsOf(() => load(withAuth({ mode: 'jwt', jwt: { publicKey: pem } })));
    expect(problems).toEqual([expect.stringContaining('auth.jwt.publicKey: must be the PEM')]);
    expect(problems[0]).not.toContain('PRIVATE');
  });
});

describe('Redis', () => {
  it('is not used unless it is named', () => {
    expect(load('').redis).toBeUndefined();
  });

  it('is named by the file, or by the environment before it', () => {
    expect(load('redis: redis://127.0.0.1:6379').redis).toBe('redis://127.0.0.1:6379');
    expect(load('redis: redis://a', { REDIS_URL: 'rediss://:pa55word@b/1' }).redis).toBe('rediss://:pa55word@b/1');
  });

  it.each([
    ['redis', 'redis: http://:pa55word@h', {}],
    ['REDIS_URL', '', { REDIS_URL: ':pa55word@h' }],
  ])('has to be a URL of Redis, and is not shown: %s', (key, yaml, env) => {
    const problems = problemsOf(() => load(yaml, env));
    expect(problems).toEqual([expect.stringMatching(new RegExp(`^${key}: must be a URL such as redis:.*value hidden`))]);
    expect(problems[0]).not.toContain('pa55word');
  });
});

describe('listening', () => {
  it.each(['127.0.0.1', '127.8.0.1', '::1', 'localhost'])('is allowed without authentication on %s', (address) => {
    expect(load('', { HOST: address }).listen.address).toBe(address);
  });

  it.each(['0.0.0.0', '::', '10.0.0.5', '127.0.0.1.example.com'])('is refused without authentication on %s', (address) => {
    expect(problemsOf(() => load(JSON.stringify({ listen: { address } })))).toEqual([
      `listen.address: must be loopback (127.0.0.1, ::1 or localhost): with auth.mode none anybody who reaches it may write to the hosts (is "${address}")`,
    ]);
  });

  it.each(['https://a.example/', 'a.example', '*', 'null', 'ftp://a', 'https://a.example/x'])(
    'refuses %s as an origin',
    (origin) => {
      expect(problemsOf(() => load(JSON.stringify({ listen: { origins: [origin] } })))[0]).toContain(
        'listen.origins[0]: must be an origin',
      );
    },
  );
});

describe('a proxy in front', () => {
  it.each(['10.0.0.5', '10.0.0.0/8', '::1', '2001:db8::/32'])('may be %s', (range) => {
    expect(load(JSON.stringify({ listen: { trustedProxies: [range] } })).listen.trustedProxies).toEqual([range]);
  });

  it.each(['10.0.0.0/33', '10.0.0', 'proxy.example', '10.0.0.0/8/8', '::/129', '10.0.0.0/', '*'])('may not be %s', (range) => {
    expect(problemsOf(() => load(JSON.stringify({ listen: { trustedProxies: [range] } })))[0]).toContain(
      'listen.trustedProxies[0]: must be an address or a range',
    );
  });
});

describe('TLS', () => {
  it('brings certificate and key from their files', () => {
    writeFileSync(join(directory, 'cert.pem'), '-----BEGIN CERTIFICATE-----\n');
    const tls = { certificateFile: 'cert.pem', privateKeyFile: 'key' };
    expect(load(JSON.stringify({ listen: { tls } })).listen.tls).toEqual({
      certificate: '-----BEGIN CERTIFICATE-----\n',
      privateKey: PRIVATE_KEY,
    });
  });

  it('needs files that are what they should be', () => {
    const tls = { certificateFile: 'key', privateKeyFile: 'key.pub' };
    expect(problemsOf(() => load(JSON.stringify({ listen: { tls } })))).toEqual([
      'listen.tls.certificateFile: must name a file with a certificate in PEM (is "key")',
      'listen.tls.privateKeyFile: must name a file with a private key (is "key.pub")',
    ]);
  });
});

describe('hosts', () => {
  it('bring what their files have in them', () => {
    const yaml = sshHost({
      password: undefined,
      hostKeys: undefined,
      privateKeyFile: 'key',
      passphrase: 's',
      knownHostsFile: 'known_hosts',
    });
    expect(load(yaml).hosts[0]).toEqual({
      kind: 'ssh',
      profile: { ...PROFILE, id: 'media', name: 'media', roots: ['/srv'] },
      address: 'h',
      port: 22,
      username: 'u',
      authentication: { kind: 'key', privateKey: PRIVATE_KEY, passphrase: 's' },
      knownHosts: 'media ssh-ed25519 AAAA\n',
    });
  });

  it('tell which of their files is missing or wrong', () => {
    const yaml = sshHost({ password: undefined, privateKeyFile: 'key.pub', knownHostsFile: 'nowhere' });
    expect(problemsOf(() => load(yaml))).toEqual([
      'hosts[0].privateKeyFile: must name a file with a private key (is "key.pub")',
      'hosts[0].knownHostsFile: can\'t be read, ENOENT (is "nowhere")',
    ]);
  });

  it('may log in by an agent', () => {
    const yaml = sshHost({ password: undefined, agent: '${SSH_AUTH_SOCK}' });
    expect(load(yaml, { SSH_AUTH_SOCK: '/run/agent' }).hosts[0]).toMatchObject({
      authentication: { kind: 'agent', socket: '/run/agent' },
    });
  });

  it.each<[string, Readonly<Record<string, unknown>>, string]>([
    ['no login', { password: undefined }, 'hosts[0]: needs one of privateKeyFile, password, agent'],
    ['two logins', { agent: '/a' }, 'hosts[0]: must have only one of password, agent'],
    ['a passphrase without a key', { passphrase: 'pa55' }, 'hosts[0].passphrase: belongs to a privateKeyFile (value hidden)'],
    [
      'no host key',
      { hostKeys: undefined },
      'hosts[0]: needs hostKeys or knownHostsFile: without them anybody could pass for the host',
    ],
    [
      'a host key of another form',
      { hostKeys: ['MD5:00'] },
      'hosts[0].hostKeys[0]: must be a fingerprint as ssh-keygen -l prints it: SHA256:… (is "MD5:00")',
    ],
    ['no roots', { roots: undefined }, 'hosts[0].roots: is required'],
    ['empty roots', { roots: [] }, 'hosts[0].roots: must name at least one directory (is a list)'],
    [
      'a relative root',
      { roots: ['srv'] },
      'hosts[0].roots[0]: must be a directory\'s path on the host; it is not absolute (is "srv")',
    ],
    [
      'a root within another',
      { roots: ['/srv', '/srv/a'] },
      'hosts[0].roots[1]: is within roots[0] already; leave it out (is "/srv/a")',
    ],
    [
      'a root that is somebody’s home',
      { roots: ['/home/{person}', '/home/anna/in'] },
      'hosts[0].roots[1]: is within roots[0] already; leave it out (is "/home/anna/in")',
    ],
    [
      'homes in a root',
      { roots: ['/home', '/home/{person}'] },
      'hosts[0].roots[1]: is within roots[0] already; leave it out (is "/home/{person}")',
    ],
    [
      'a home that is half a name',
      { roots: ['/home/x-{person}'] },
      `hosts[0].roots[0]: must be a directory's path on the host; it has {person} twice, or as a part of a segment (is "/home/x-{person}")`,
    ],
    [
      'two persons in one path',
      { roots: ['/{person}/{person}'] },
      `hosts[0].roots[0]: must be a directory's path on the host; it has {person} twice, or as a part of a segment (is "/{person}/{person}")`,
    ],
    ['a password that is a number', { password: 12345 }, 'hosts[0].password: must be text; put it in quotes (value hidden)'],
    ['a password that is empty', { password: '' }, 'hosts[0].password: must not be empty (value hidden)'],
    [
      'an id with a colon',
      { id: 'a:b' },
      'hosts[0].id: must be letters, digits, ".", "_" or "-", beginning with a letter or digit, at most 63 (is "a:b")',
    ],
    ['an allow for nobody', { allow: {} }, 'hosts[0].allow: must name groups or persons; leave it out to allow everybody'],
    [
      'an unknown strategy',
      { strategy: 'fast' },
      'hosts[0].strategy: must be one of auto, in-place, copy-data, command, relay (is "fast")',
    ],
  ])('are refused with %s', (_, changes, problem) => {
    expect(problemsOf(() => load(sshHost(changes)))).toEqual([problem]);
  });

  it('have ids of their own', () => {
    const host = { id: 'a', embedded: {} };
    expect(problemsOf(() => load(JSON.stringify({ hosts: [host, host] })))).toEqual([
      'hosts[1].id: must be unique; hosts[0] has it too (is "a")',
    ]);
  });

  it('may be embedded, over a directory beside the file', () => {
    expect(load('hosts: [{ id: a, embedded: { directory: files, port: 0 }, roots: [/in] }]').hosts[0]).toMatchObject({
      kind: 'embedded',
      directory: join(directory, 'files'),
      port: 0,
      profile: { id: 'a', roots: ['/in'] },
    });
  });

  it('that are embedded take nothing about a connection', () => {
    expect(problemsOf(() => load('hosts: [{ id: a, embedded: {}, address: h, password: pa55 }]'))).toEqual([
      'hosts[0].address: has no place in an embedded host (is "h")',
      'hosts[0].password: has no place in an embedded host (value hidden)',
    ]);
  });

  it('that are embedded keep their keys out of the directory they serve', () => {
    expect(problemsOf(() => load('hosts: [{ id: a, embedded: { directory: . } }]'))[0]).toContain(
      'hosts[0].embedded.stateDirectory: must be outside',
    );
    expect(problemsOf(() => load('hosts: [{ id: a, embedded: { directory: d, stateDirectory: d/..s } }]'))).toHaveLength(1);
    expect(problemsOf(() => load('hosts: [{ id: a, embedded: { directory: d, stateDirectory: d2 } }]'))).toEqual([]);
  });
});

describe('limits', () => {
  it('are read in units and as plain bytes', () => {
    const { limits } = load(
      'limits: { chunkBytes: 1.5MiB, maxChunkBytes: 2097152, maxFileBytes: "3 GiB", claimTtl: 90s, stagingTtl: 36h }',
    );
    expect(limits).toMatchObject({
      chunkBytes: 1_572_864,
      maxChunkBytes: 2_097_152,
      maxFileBytes: 3 * 2 ** 30,
      claimTtlMs: 90_000,
      stagingTtlMs: 129_600_000,
    });
  });

  it.each([
    ['chunkBytes: 10MB', 'limits.chunkBytes: must be a size such as 10MiB, from 64KiB to 1GiB (is "10MB")'],
    ['chunkBytes: 65535', 'limits.chunkBytes: must be a size such as 10MiB, from 64KiB to 1GiB (is 65535)'],
    ['chunkBytes: 65537.5', 'limits.chunkBytes: must be a size such as 10MiB, from 64KiB to 1GiB (is 65537.5)'],
    ['chunkBytes: 65MiB', 'limits.chunkBytes: must not be more than limits.maxChunkBytes, 64MiB (is "65MiB")'],
    [
      'maxFileBytes: 7TiB',
      'limits.maxFileBytes: must not be more than 100000 chunks of limits.maxChunkBytes, 6250GiB (is "7TiB")',
    ],
    ['claimTtl: 900', 'limits.claimTtl: must be a duration such as 15m, from 30s to 1d (is 900)'],
    ['stagingTtl: 5m', 'limits.stagingTtl: must not be shorter than limits.claimTtl (is "5m")'],
    ['chunksInFlightPerPerson: 0', 'limits.chunksInFlightPerPerson: must be an integer, from 1 to 1000 (is 0)'],
  ])('refuse %s', (line, problem) => {
    expect(problemsOf(() => load(`limits: { ${line} }`))).toEqual([problem]);
  });
});
