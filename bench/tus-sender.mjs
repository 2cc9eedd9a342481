// Sends a file with tus-js-client, and prints the name that the server gave it. Arguments: the file, the server's URL.
import { createReadStream } from 'node:fs';
import { Upload } from 'tus-js-client';

const [file, endpoint] = process.argv.slice(2);
await new Promise((resolve, reject) => {
  const upload = new Upload(createReadStream(file), {
    endpoint,
    // In one request, which is what it is quickest with.
    chunkSize: Infinity,
    retryDelays: [],
    onError: reject,
    onSuccess: () => {
      console.log(upload.url.slice(upload.url.lastIndexOf('/') + 1));
      resolve();
    },
  });
  upload.start();
});
