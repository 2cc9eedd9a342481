// What was begun on whatever device: goes on with FILE, or gives up.
//   node --import tsx examples/sdk/node/unfinished.ts list | continue FILE | abort
import { FileSource, Uploader } from 'longshore/client';

const [what, file = ''] = process.argv.slice(2);
const endpoint = `${process.env['LONGSHORE_URL'] ?? 'http://127.0.0.1:4000'}/graphql`;
const uploader = new Uploader({ endpoint });

const { items, problems } = await uploader.unfinished();
for (const { code, message } of problems) console.log(`${code}: ${message}`);

for (const begun of items) {
  const { hostId, fullPath, uploadedBytes, size } = begun;
  console.log(`${hostId}:${fullPath} ${uploadedBytes} of ${size} bytes`);

  if (what === 'continue') {
    // The same bytes, wherever they come from: a copy, another device.
    const { digest } = await uploader.continue(begun, await FileSource.open(file)).done;
    console.log(digest);
  }
  if (what === 'abort') await uploader.abort(begun);
}
