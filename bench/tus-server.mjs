// A tus server with its file store. Arguments: where the files go. Prints its port, and ends with its parent.
import { createServer } from 'node:http';
import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';

const server = new Server({
  path: '/files',
  datastore: new FileStore({ directory: process.argv[2] }),
  respectForwardedHeaders: true,
});
const http = createServer((req, res) => void server.handle(req, res));
http.listen(0, '127.0.0.1', () => process.send(http.address().port));
process.on('disconnect', () => process.exit());
