// Puts a file at a path of the host `local`: node --import tsx examples/sdk/node/put.ts film.mov /inbox/film.mov
import { FileSource, ProblemError, Uploader } from 'longshore/client';

const [file = '', path = ''] = process.argv.slice(2);
const endpoint = `${process.env['LONGSHORE_URL'] ?? 'http://127.0.0.1:4000'}/graphql`;

const uploader = new Uploader({ endpoint, token: () => process.env['LONGSHORE_TOKEN'] });
const upload = uploader.upload(await FileSource.open(file), { host: 'local', path });

upload.on('phase', (phase) => console.log(phase));
upload.on('chunk', ({ index, bytes }) => console.log(`chunk ${index}, ${bytes} bytes`));
upload.on('retry', ({ code, attempt, delayMs }) => console.log(`${code}: attempt ${attempt} again in ${delayMs} ms`));

// Ctrl-C leaves it resumable: the same command goes on.
process.once('SIGINT', () => upload.stop());

try {
  const { digest, resumedBytes, wireBytes } = await upload.done;
  console.log(`${digest} ${resumedBytes} bytes were there, ${wireBytes} sent`);
} catch (error) {
  if (!(error instanceof ProblemError)) throw error;
  console.log(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}
