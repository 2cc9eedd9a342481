// Between sshd and an SFTP server, to hold or to refuse what it is asked to copy by itself (PROTOCOL of OpenSSH, 4.10 copy-data).
// Arguments: the server, and a directory: while it has a file `copy-data`, only the first copies of a session are passed on; while it has
// `no copy-data`, the server is asked for something that it doesn't know. Each copy that is passed on adds a line to `copied`.
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const EXTENDED = 200;
const NAME_AT = 13;
const PASSED_WHILE_HELD = 5;
const LOOK_MS = 10;

const [server, directory] = process.argv.slice(2);
const sshd = process.ppid;
const child = spawn(server, { stdio: ['pipe', 'inherit', 'inherit'] });
child.on('exit', (code) => process.exit(code ?? 1));
let copies = 0;

async function pass(packet) {
  if (packet[4] === EXTENDED && packet.subarray(NAME_AT, NAME_AT + 9).toString() === 'copy-data') await onCopy(packet);
  child.stdin.write(packet);
}

async function onCopy(packet) {
  if (existsSync(join(directory, 'no copy-data'))) return void packet.write('copy-none', NAME_AT);
  while (copies >= PASSED_WHILE_HELD && existsSync(join(directory, 'copy-data'))) {
    // The session is over: what it still asked for is not done.
    if (process.ppid !== sshd) process.exit(1);
    await sleep(LOOK_MS);
  }
  copies += 1;
  appendFileSync(join(directory, 'copied'), '\n');
}

let rest = Buffer.alloc(0);
for await (const piece of process.stdin) {
  rest = Buffer.concat([rest, piece]);
  let at = 0;
  for (let end; rest.length >= at + 4 && rest.length >= (end = at + 4 + rest.readUInt32BE(at)); at = end) {
    await pass(rest.subarray(at, end));
  }
  rest = rest.subarray(at);
}
child.stdin.end();
