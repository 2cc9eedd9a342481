// Puts a link in the place of a directory and takes it away again, as fast as it can or with pauses of random length, until it is told
// to end; then the directory is what it was. Arguments: the directory, where the link leads, and the longest pauses, ms, while the directory
// is there and while the link is.
import { renameSync, symlinkSync, unlinkSync } from 'node:fs';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';

const [directory, outside, ...longestMs] = process.argv.slice(2);
const aside = `${directory}.aside`;
const link = `${directory}.link`;
let isOver = false;
process.on('SIGTERM', () => (isOver = true));
process.on('disconnect', () => (isOver = true));
let swaps = 0;
let made = 0;

/** While nothing is there the gateway may make the directory anew: that is kept elsewhere. */
function put(from) {
  for (;;) {
    try {
      return renameSync(from, directory);
    } catch (error) {
      if (!['EISDIR', 'ENOTEMPTY', 'EEXIST'].includes(error.code)) throw error;
      renameSync(directory, `${directory}.made.${(made += 1)}`);
    }
  }
}

const pause = (which) => (Number(longestMs[which]) === 0 ? undefined : sleep(Math.random() * Number(longestMs[which])));

symlinkSync(outside, link);
process.send?.('swapping');
while (!isOver) {
  for (let burst = 0; burst < 100 && !isOver; burst += 1) {
    renameSync(directory, aside);
    put(link);
    await pause(1);
    renameSync(directory, link);
    put(aside);
    swaps += 1;
    await pause(0);
  }
  await setImmediate();
}
unlinkSync(link);
process.send?.(swaps, () => process.disconnect?.());
