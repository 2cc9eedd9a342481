// Makes a server on loopback far away: passes all on, each way after half of the round trip, at any rate. Arguments: the server's port,
// the round trip in ms. Prints its own port, and ends with its parent.
import { connect, createServer } from 'node:net';

const [port, roundTripMs] = process.argv.slice(2).map(Number);
const delayMs = roundTripMs / 2;
/** One timer for all that comes within it. */
const TICK_MS = 1;

const server = createServer((near) => {
  const far = connect({ host: '127.0.0.1', port });
  for (const [from, to] of [
    [near, far],
    [far, near],
  ]) {
    from.setNoDelay(true);
    pass(from, to);
    from.on('error', () => undefined);
    from.once('close', () => to.destroy());
  }
});
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
process.on('disconnect', () => process.exit());

function pass(from, to) {
  const queue = [];
  let timer;
  const deliver = () => {
    timer = undefined;
    const now = performance.now();
    to.cork();
    while (queue.length > 0 && queue[0].at <= now) {
      const { data } = queue.shift();
      if (data === undefined) to.end();
      else to.write(data);
    }
    to.uncork();
    schedule();
  };
  const schedule = () => {
    if (queue.length > 0) timer ??= setTimeout(deliver, Math.max(TICK_MS, queue[0].at - performance.now()));
  };
  const add = (data) => {
    queue.push({ at: performance.now() + delayMs, data });
    schedule();
  };
  from.on('data', add);
  from.once('end', () => add(undefined));
}
