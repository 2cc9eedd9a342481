// Between sshd and an SFTP server: keeps every request, less the bytes of files. Arguments: the server, and the file that requests are added to.
import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';

const WRITE = 6;
const LONGEST_KEPT = 16_384;

const [server, file] = process.argv.slice(2);
const child = spawn(server, { stdio: ['pipe', 'inherit', 'inherit'] });
child.on('exit', (code) => process.exit(code ?? 1));

let rest = Buffer.alloc(0);
for await (const piece of process.stdin) {
  rest = Buffer.concat([rest, piece]);
  let at = 0;
  const kept = [];
  for (let end; rest.length >= at + 4 && rest.length >= (end = at + 4 + rest.readUInt32BE(at)); at = end) {
    if (rest[at + 4] !== WRITE && end - at <= LONGEST_KEPT) kept.push(rest.subarray(at, end));
  }
  // One write: other sessions add to it, too.
  if (kept.length > 0) appendFileSync(file, Buffer.concat(kept));
  if (at > 0) child.stdin.write(rest.subarray(0, at));
  rest = rest.subarray(at);
}
child.stdin.end();
