// Takes all that comes on a connection, and closes it when it was all. Prints its port, and ends with its parent.
import { createServer } from 'node:net';

const server = createServer((from) => from.on('error', () => undefined).resume());
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
process.on('disconnect', () => process.exit());
