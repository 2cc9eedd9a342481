// Loaded into a gateway's process with --import. Writes what would end the process into the file WATCH_FILE names; on SIGUSR2 it writes
// whether the built-ins are still what they were at the first such signal.
import { appendFileSync } from 'node:fs';

const CONSTRUCTORS = [
  Object,
  Function,
  Array,
  String,
  Number,
  Boolean,
  Symbol,
  BigInt,
  Promise,
  Map,
  Set,
  WeakMap,
  WeakSet,
  Date,
  RegExp,
  Error,
  ArrayBuffer,
  Uint8Array,
  Buffer,
  URL,
  AbortSignal,
  AbortController,
];
const NAMESPACES = [globalThis, JSON, Math, Reflect, Atomics, Intl, process, console];

function properties(holder) {
  return new Map(Reflect.ownKeys(holder).map((key) => [key, Object.getOwnPropertyDescriptor(holder, key)]));
}

/** Every property of every built-in: by identity where it is an object, since what is inside is looked at by itself. */
function snapshot() {
  const holders = [...CONSTRUCTORS.flatMap((each) => [each, each.prototype]), ...NAMESPACES];
  return holders.map((holder) => ({ holder, own: properties(holder), prototype: Object.getPrototypeOf(holder) }));
}

/** Changes with time and not by anybody's doing. */
const LIVELY = new Set(['_events', '_eventsCount', 'lastIndex', 'exitCode']);

function changes(before) {
  const found = [];
  for (const { holder, own, prototype } of before) {
    const now = properties(holder);
    const name = holder.name ?? holder.constructor?.name ?? String(holder);
    if (Object.getPrototypeOf(holder) !== prototype) found.push(`${name}: prototype`);
    for (const key of new Set([...own.keys(), ...now.keys()])) {
      const [was, is] = [own.get(key), now.get(key)];
      if (LIVELY.has(key) || (was !== undefined && is !== undefined && isSame(was, is))) continue;
      found.push(`${name}.${String(key)}`);
    }
  }
  return found;
}

function isSame(was, is) {
  return ['value', 'get', 'set', 'writable', 'enumerable', 'configurable'].every((part) => Object.is(was[part], is[part]));
}

const tell = (line) => appendFileSync(process.env.WATCH_FILE, `${JSON.stringify(line)}\n`);
process.on('uncaughtExceptionMonitor', (error, origin) => tell({ origin, error: String(error?.stack ?? error) }));
process.on('warning', (warning) => tell({ origin: 'warning', error: String(warning) }));

let before;
process.on('SIGUSR2', () => {
  const changed = before === undefined ? [] : changes(before);
  before ??= snapshot();
  globalThis.gc?.();
  tell({ changed, uptimeS: process.uptime(), pid: process.pid, heapBytes: process.memoryUsage().heapUsed });
});
