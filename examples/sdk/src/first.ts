import { uploader } from './uploader';

/** Resolves when the whole file is at its path, verified. */
export async function put(file: File): Promise<void> {
  const upload = uploader.upload(file, { host: 'local', path: `/inbox/${file.name}` });
  upload.on('progress', ({ phase, resumedBytes, sentBytes, totalBytes }) => {
    console.log(phase, resumedBytes + sentBytes, 'of', totalBytes, 'bytes');
  });
  const { digest, proved } = await upload.done;
  console.log(file.name, digest, proved ? 'proved by the host' : 'checked chunk by chunk');
}
