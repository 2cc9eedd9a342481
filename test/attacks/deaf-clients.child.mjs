// Opens WebSockets to 127.0.0.1:PORT, COUNT of them, and greets. Then for each line on standard input: subscribes, and never reads again.
// A process of its own, so that what it holds isn't taken for the server's.
import { connect } from 'node:net';

const [port, count] = process.argv.slice(2).map(Number);
const frame = (message) => {
  const payload = Buffer.from(JSON.stringify(message));
  const head = Buffer.from([0x81, 0x80 | 126, payload.length >> 8, payload.length & 255, 0, 0, 0, 0]);
  return Buffer.concat([head, payload]);
};
const UPGRADE = `GET /graphql HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r
sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n`;
const query = 'subscription($file: FileRef!) { mergeProgress(file: $file) { phase problem { message } } }';
const variables = { file: { hostId: 'local', fullPath: '/film.mov', hashCode: 'a-film' } };

const greeted = (socket) =>
  new Promise((resolve) => {
    let heard = '';
    socket.on('data', (piece) => {
      heard += piece.toString('latin1');
      if (!heard.includes('connection_ack')) return;
      socket.pause();
      resolve(socket);
    });
    socket.write(UPGRADE);
    socket.write(frame({ type: 'connection_init' }));
  });
const sockets = await Promise.all(Array.from({ length: count }, () => greeted(connect(port, '127.0.0.1'))));
process.stdout.write('greeted\n');
process.stdin.once('data', () => {
  for (const socket of sockets) socket.write(frame({ id: '1', type: 'subscribe', payload: { query, variables } }));
});
