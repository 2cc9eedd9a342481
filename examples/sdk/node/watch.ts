// Watches an upload of yours from anywhere: node --import tsx examples/sdk/node/watch.ts FILE /inbox/film.mov
import { FileSource, Uploader } from 'longshore/client';

const [file = '', fullPath = ''] = process.argv.slice(2);
const endpoint = `${process.env['LONGSHORE_URL'] ?? 'http://127.0.0.1:4000'}/graphql`;
const uploader = new Uploader({ endpoint });

const hashCode = await uploader.hashCode(await FileSource.open(file));
const last = await uploader.watch(
  { hostId: 'local', fullPath, hashCode },
  { onProgress: ({ phase, percent }) => console.log(`${phase} ${Math.floor(percent)} %`) },
);
if (last.problem) console.log(last.problem.message);
