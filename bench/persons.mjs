// Sends many files at once, each as another person. Argument: the gateway's GraphQL URL. Standard input: a line for each file, with the
// file, the host and the path there.
import { text } from 'node:stream/consumers';
import { FileSource, Uploader } from '../dist/client/index.js';

const [endpoint] = process.argv.slice(2);
const lines = (await text(process.stdin)).split('\n');
await Promise.all(
  lines.map(async (line, at) => {
    const [file, host, path] = line.split(' ');
    const uploader = new Uploader({ endpoint, personId: `person-${at}` });
    const { proved } = await uploader.upload(await FileSource.open(file), { host, path }).done;
    if (!proved) throw new Error(`${path} is not proved`);
  }),
);
