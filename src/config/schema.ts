// The definition of the configuration file: keys, types, units, bounds and defaults, each in this one place. The JSON Schema for
// editors and the table in docs/configuration.md are made from it (scripts/config-docs.mjs).
import { isIP } from 'node:net';
import { z } from 'zod';
import { parseRoot, pathFlaw } from '../core/remote-path.js';
import { isLoopbackName } from './loopback.js';
import { DURATION, INTEGER, SIZE } from './units.js';
import type { Unit } from './units.js';

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const SECOND_MS = 1_000;
const DAY_MS = 86_400_000;
/** RFC 4253 section 4.1. */
export const SSH_PORT = 22;
/** Most chunks a file is cut in; the schema's `chunkSize` says so. */
export const MAX_CHUNKS = 100_000;

/** A map that refuses keys it doesn't know, and says which it knows. */
function section<Shape extends z.ZodRawShape>(shape: Shape) {
  const known = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? `unknown key; known here: ${known}` : missingOr(issue, 'a map of keys'),
  });
}

function missingOr(issue: { readonly input?: unknown }, what: string): string {
  return issue.input === undefined ? 'is required' : `must be ${what}`;
}

function text(description: string) {
  const schema = z.string({ error: (issue) => missingOr(issue, 'text; put it in quotes') });
  return schema.min(1, 'must not be empty').meta({ description });
}

function list<Item extends z.ZodType>(item: Item) {
  return z.array(item, { error: (issue) => missingOr(issue, 'a list') });
}

function choice<const Values extends readonly [string, ...string[]]>(values: Values, description: string) {
  return z
    .enum(values, { error: `must be one of ${values.join(', ')}` })
    .prefault(values[0])
    .meta({ description });
}

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly description: string;
}

/** A number with a unit. Out: the number in the unit's smallest, within the bounds. */
function bounded(unit: Unit, { min, max, description }: Bounds) {
  return within(unit, min, max).meta({ description: described(unit, { min, max, description }) });
}

/** A number with a unit and a default. */
function quantity(unit: Unit, { fallback, ...bounds }: Bounds & { readonly fallback: number }) {
  return within(unit, bounds.min, bounds.max)
    .prefault(unit === INTEGER ? fallback : unit.format(fallback))
    .meta({ description: described(unit, bounds) });
}

function described(unit: Unit, { min, max, description }: Bounds): string {
  return `${description} (${unit.format(min)} to ${unit.format(max)}).`;
}

function within(unit: Unit, min: number, max: number) {
  const message = `must be ${unit.example}, from ${unit.format(min)} to ${unit.format(max)}`;
  const written = z.string({ error: message }).regex(unit.pattern, message);
  const number = z.int({ error: message }).min(min, message).max(max, message);
  const forms: z.ZodType<number | string, number | string> =
    unit === DURATION ? written : z.union([number, written], { error: message });
  return forms.transform((input, context) => {
    const value = typeof input === 'number' ? input : unit.parse(input);
    if (value !== undefined && value >= min && value <= max) return value;
    context.issues.push({ code: 'custom', message, input });
    return z.NEVER;
  });
}

const root = z.string({ error: 'must be text' }).transform((input, context) => {
  const path = parseRoot(input);
  if (path !== undefined) return path;
  context.issues.push({
    code: 'custom',
    message: `must be a directory's path on the host; it ${toSentence(pathFlaw(input))}`,
    input,
  });
  return z.NEVER;
});

const ODD_PERSON = 'has {person} twice, or as a part of a segment';

/** `not absolute` → `is not absolute`; flaws that begin with a verb stay as they are. */
function toSentence(flaw: string | undefined): string {
  return flaw?.startsWith('not ') === true || flaw?.startsWith('too ') === true ? `is ${flaw}` : (flaw ?? ODD_PERSON);
}

const origin = z
  .string({ error: 'must be text' })
  .refine(isOrigin, 'must be an origin as browsers send it: scheme, name and port alone, such as https://files.example.com');

const addressRange = z
  .string({ error: 'must be text' })
  .refine(isAddressRange, 'must be an address or a range such as 10.0.0.0/8');

function isRedisUrl(input: string): boolean {
  return /^rediss?:\/\/./.test(input) && URL.canParse(input);
}

function isKeySetUrl(input: string): boolean {
  if (!URL.canParse(input)) return false;
  const { protocol, hostname } = new URL(input);
  return protocol === 'https:' || (protocol === 'http:' && isLoopbackName(hostname));
}

/** An address of version 4 or 6, or a range of them in CIDR notation. */
function isAddressRange(input: string): boolean {
  const [address = '', bits, ...more] = input.split('/');
  const most = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  return most > 0 && more.length === 0 && (bits === undefined || (/^[0-9]{1,3}$/.test(bits) && Number(bits) <= most));
}

function isOrigin(input: string): boolean {
  return /^https?:/.test(input) && URL.canParse(input) && new URL(input).origin === input;
}

const listen = section({
  address: text('Address or name of this machine to listen on. Loopback, unless callers have to authenticate.').prefault(
    '127.0.0.1',
  ),
  port: quantity(INTEGER, { min: 0, max: 65_535, fallback: 4_000, description: 'TCP port; 0 takes any free one' }),
  origins: list(origin).prefault([]).meta({
    description:
      'Origins of other sites whose pages may call the gateway, and show its upload page in a frame. Its own pages always may.',
  }),
  trustedProxies: list(addressRange).prefault([]).meta({
    description:
      'Addresses or ranges (`10.0.0.0/8`) of proxies in front: what they say in `X-Forwarded-For` is believed. Of all others it is not.',
  }),
  tls: section({
    certificateFile: text("PEM file with the certificate, the intermediates' after it."),
    privateKeyFile: text("PEM file with the certificate's private key."),
  })
    .meta({ description: 'Speaks HTTPS by itself. Without it a proxy in front has to.' })
    .optional(),
});

const JWT_ALGORITHMS = ['HS256', 'RS256', 'ES256', 'EdDSA'] as const;

const jwt = section({
  secret: text(
    'Shared secret of HS256, at least 32 bytes. One of this, `publicKey`, `publicKeyFile` and `jwksUrl` is needed.',
  ).optional(),
  publicKey: text("PEM of the issuer's public key: RSA, P-256 or Ed25519.").optional(),
  publicKeyFile: text('File with that PEM.').optional(),
  jwksUrl: text("HTTPS URL of the issuer's keys (JWK Set). They are fetched anew when a token names an unknown one.")
    .refine(isKeySetUrl, 'must be an https URL; http is taken for loopback alone')
    .optional(),
  algorithms: list(z.enum(JWT_ALGORITHMS, { error: `must be one of ${JWT_ALGORITHMS.join(', ')}` }))
    .min(1, 'must name at least one algorithm')
    .meta({
      description:
        'Algorithms that tokens may be signed with. Default: HS256 for a secret, for a public key the one it is for, for a `jwksUrl` all others.',
    })
    .optional(),
  issuer: text('What `iss` must be. Required with `jwksUrl`.').optional(),
  audience: text('What `aud` must be, or have. Required with `jwksUrl`.').optional(),
  personClaim: text('Claim that has the id of the person.').prefault('sub'),
  groupsClaim: text(
    'Claim that has the groups: a list of texts, or one text. Dots lead into a claim: `realm_access.roles`.',
  ).prefault('groups'),
  clockTolerance: quantity(DURATION, {
    min: 0,
    max: 300 * SECOND_MS,
    fallback: 5 * SECOND_MS,
    description: "How far the issuer's clock may be off",
  }),
});

const auth = section({
  mode: choice(['none', 'jwt'], 'Who callers are: none takes their word for it, on loopback alone; jwt wants a token.'),
  jwt: jwt.meta({ description: 'Whose tokens are believed. Required with `mode: jwt`.' }).optional(),
  ticketSecret: text(
    'Secret that upload tickets are signed with, at least 32 bytes, the same for all gateways. Default: derived from `jwt.secret`, else a new one at each start; required with `redis` where there is no `jwt.secret`.',
  ).optional(),
  ticketTtl: quantity(DURATION, {
    min: 60 * SECOND_MS,
    max: 365 * DAY_MS,
    fallback: 7 * DAY_MS,
    description: 'How long an upload ticket is good for',
  }),
});

const graphql = section({
  introspection: choice(
    ['auto', 'on', 'off'],
    'Whether clients may ask for the schema. auto: as long as nobody has to log in.',
  ),
});

const metrics = section({
  token: text(
    'Secret of at least 32 bytes that readers of `/metrics` send as a bearer token. Without it and without `port` there is no such page where callers have to log in.',
  ).optional(),
  port: bounded(INTEGER, {
    min: 0,
    max: 65_535,
    description: 'TCP port for `/metrics`, `/health` and `/ready` alone, of gateways and workers; 0 takes any free one',
  }).optional(),
  address: text('Address or name of this machine where that port is.').prefault('127.0.0.1'),
});

const allow = section({
  groups: list(text('Name of a group.')).prefault([]).meta({ description: 'Groups whose members may use the host.' }),
  persons: list(text('Id of a person.')).prefault([]).meta({ description: 'Persons who may use the host.' }),
});

const embedded = section({
  directory: text("Local directory that is the host's `/`; made when it is missing.").prefault('./data'),
  port: quantity(INTEGER, {
    min: 0,
    max: 65_535,
    fallback: 2_022,
    description: 'TCP port of its SSH server; 0 takes any free one',
  }),
  stateDirectory: text('Local directory for its keys, outside `directory`; made when it is missing.').prefault('./.longshore'),
});

const host = section({
  id: text('Name of the host in requests: letters, digits, `.`, `_`, `-`, at most 63.').regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    'must be letters, digits, ".", "_" or "-", beginning with a letter or digit, at most 63',
  ),
  name: text('Name of the host for people. Default: its id.').optional(),
  address: text("Name or address of the host's SSH server.").optional(),
  port: bounded(INTEGER, {
    min: 1,
    max: 65_535,
    description: `TCP port of the host's SSH server. Default: ${SSH_PORT}`,
  }).optional(),
  username: text('Account on the host.').optional(),
  privateKeyFile: text('File with the private key to log in with. One of this, `password` and `agent` is needed.').optional(),
  passphrase: text('Passphrase of the private key.').optional(),
  password: text('Password to log in with.').optional(),
  agent: text('Socket of an SSH agent that has the key, such as `${SSH_AUTH_SOCK}`.').optional(),
  hostKeys: list(
    z
      .string({ error: 'must be text' })
      .regex(/^SHA256:[A-Za-z0-9+/]{43}$/, 'must be a fingerprint as ssh-keygen -l prints it: SHA256:…'),
  )
    .min(1, 'must name at least one fingerprint')
    .meta({
      description: "Fingerprints of the host's keys: no other is talked to. One of this and `knownHostsFile` is needed.",
    })
    .optional(),
  knownHostsFile: text("File in the format of OpenSSH's known_hosts that has the host's key.").optional(),
  embedded: embedded
    .meta({
      description:
        'Makes this an SSH server inside the gateway; the keys about address, login and host keys have no place then.',
    })
    .optional(),
  roots: list(root)
    .min(1, 'must name at least one directory')
    .meta({
      description:
        'Directories on the host; nothing outside them is reachable. A segment `{person}` stands for the id of whoever calls: a home for each. Default for an embedded host: `/`.',
    })
    .optional(),
  allow: allow.meta({ description: 'Who may use the host. Default: everybody who may call.' }).optional(),
  strategy: choice(
    ['auto', 'in-place', 'copy-data', 'command', 'relay'],
    'How chunks become the file; auto takes the best the host can. Of the last three, each falls to the next where the host lacks what it needs.',
  ),
  durability: choice(
    ['normal', 'strict'],
    'normal: a file is on disk when it is published. strict: a chunk is on disk when it is acknowledged, too.',
  ),
  keepFree: quantity(SIZE, {
    min: 0,
    max: 1024 * 2 ** 40,
    fallback: 0,
    description: "Space on the host's file systems that uploads leave free",
  }),
  verify: choice(
    ['host', 'read-back'],
    'How content is proved: host asks the host to hash where it can; read-back reads all back where it can not.',
  ),
});

/** For editors alone what `rules.ts` says in words. */
const HOST_FORMS = [
  { required: ['embedded'] },
  {
    required: ['address', 'username', 'roots'],
    oneOf: [{ required: ['privateKeyFile'] }, { required: ['password'] }, { required: ['agent'] }],
    anyOf: [{ required: ['hostKeys'] }, { required: ['knownHostsFile'] }],
  },
];

const limits = section({
  chunkBytes: quantity(SIZE, {
    min: 64 * KIB,
    max: GIB,
    fallback: 10 * MIB,
    description: 'Chunk size for clients that ask for none',
  }),
  maxChunkBytes: quantity(SIZE, { min: 64 * KIB, max: GIB, fallback: 64 * MIB, description: 'Largest chunk' }),
  maxFileBytes: quantity(SIZE, {
    min: 1,
    max: MAX_CHUNKS * GIB,
    fallback: 5 * 2 ** 40,
    description: `Largest file; at most ${MAX_CHUNKS} × maxChunkBytes`,
  }),
  chunksInFlightPerPerson: quantity(INTEGER, {
    min: 1,
    max: 1_000,
    fallback: 64,
    description: 'Chunks one person may be sending at once, through each gateway',
  }),
  uploadsPerPerson: quantity(INTEGER, {
    min: 1,
    max: 1_000_000,
    fallback: 10_000,
    description: 'Unfinished uploads one person may have, on all hosts together',
  }),
  bytesPerPerson: quantity(SIZE, {
    min: 1,
    max: MAX_CHUNKS * GIB * 64,
    fallback: 50 * 2 ** 40,
    description: "Sum of the sizes of a person's unfinished uploads, on all hosts together",
  }),
  claimsPerPerson: quantity(INTEGER, {
    min: 1,
    max: 1_000_000,
    fallback: 1_000,
    description: 'Targets one person may hold a claim on before anything has been sent',
  }),
  callsPerSecondPerPerson: quantity(INTEGER, {
    min: 1,
    max: 1_000_000,
    fallback: 500,
    description: 'Calls one person may make in a second, through each gateway; ten times as many at once',
  }),
  callsPerSecondPerAddress: quantity(INTEGER, {
    min: 1,
    max: 1_000_000,
    fallback: 1_000,
    description: 'Requests that may come from one address in a second, to each gateway; ten times as many at once',
  }),
  claimTtl: quantity(DURATION, {
    min: 30 * SECOND_MS,
    max: DAY_MS,
    fallback: 15 * 60 * SECOND_MS,
    description: 'How long a target stays claimed after the last call about it',
  }),
  stagingTtl: quantity(DURATION, {
    min: 60 * SECOND_MS,
    max: 365 * DAY_MS,
    fallback: 7 * DAY_MS,
    description: 'How long an upload stays on its host after it was last touched, and a finished one is remembered',
  }),
});

/** The keys and types of the file; what holds between keys is in `rules.ts`. */
export const fileSchema = section({
  listen: listen.prefault({}).meta({ description: 'Where the gateway listens.' }),
  logLevel: choice(['info', 'debug', 'warn', 'error', 'silent'], 'Least important level that is logged.'),
  redis: text(
    'URL of the Redis server that gateways share: claims, progress, merges. Without it all of that is in memory, for one process.',
  )
    .refine(isRedisUrl, 'must be a URL such as redis://127.0.0.1:6379 or rediss://user:password@redis.example.com/0')
    .optional(),
  auth: auth.prefault({}).meta({ description: 'Who callers are.' }),
  graphql: graphql.prefault({}).meta({ description: 'The schema.' }),
  metrics: metrics.prefault({}).meta({ description: 'What monitoring may read.' }),
  hosts: list(host.meta({ oneOf: HOST_FORMS }))
    .min(1, 'must have at least one host')
    .prefault([{ id: 'local', name: 'This machine', embedded: {} }])
    .meta({ description: 'The hosts that files go to. Default: one embedded host, `local`, over `./data`.' }),
  limits: limits.prefault({}).meta({ description: 'Bounds on what callers may ask.' }),
});

export type FileContent = z.output<typeof fileSchema>;
export type HostContent = FileContent['hosts'][number];
