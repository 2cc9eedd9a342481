// Viewers of one merge, each with a WebSocket of its own. Arguments: the URL, how many, `reading` or `deaf` (they read only that they are
// welcome), the file as JSON. Tells its parent when all have subscribed, and when asked how late each state was so far, in ms.
import { WebSocket } from 'ws';

const [url, count, manner, file] = process.argv.slice(2);
const query = `subscription ($file: FileRef!) { mergeProgress(file: $file) { phase doneBytes totalBytes percent bytesPerSecond updatedAt } }`;
const subscription = JSON.stringify({ id: '1', type: 'subscribe', payload: { query, variables: { file: JSON.parse(file) } } });
/** More handshakes at once would be refused. */
const AT_ONCE = 50;
const lagsMs = [];

for (let begun = 0; begun < Number(count); begun += AT_ONCE) {
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - begun) }, view));
}
process.send('ready');
process.on('disconnect', () => process.exit());
process.on('message', () => process.send(lagsMs));

/** Resolves when it has subscribed: a reading one has the present state then, which is as old as it is. */
function view() {
  const socket = new WebSocket(url, 'graphql-transport-ws');
  return new Promise((resolve, reject) => {
    let states = 0;
    socket.on('error', reject);
    socket.once('open', () => socket.send('{"type":"connection_init","payload":{"personId":"ann"}}'));
    socket.on('message', (data) => {
      const now = Date.now();
      const message = JSON.parse(data);
      if (message.type === 'connection_ack') {
        socket.send(subscription);
        if (manner === 'deaf') {
          socket.pause();
          resolve();
        }
      }
      if (message.type === 'next') {
        states += 1;
        if (states > 1) lagsMs.push(now - Date.parse(message.payload.data.mergeProgress.updatedAt));
        resolve();
      }
    });
  });
}
