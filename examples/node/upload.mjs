// Puts a file on a host, with what Node has: fetch, FormData and server-sent events. Run it again after any break: it goes on.
//   node examples/node/upload.mjs film.mov local:/inbox/film.mov
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const API = `${process.env.LONGSHORE_URL ?? 'http://127.0.0.1:4000'}/graphql`;
const TOKEN = process.env.LONGSHORE_TOKEN;
const HEADERS = { 'apollo-require-preflight': '1', ...(TOKEN && { authorization: `Bearer ${TOKEN}` }) };
const ATTEMPTS = 8;

const PROBLEM = '__typename ... on Problem { code message } ... on TryAgainLater { retryAfterMs }';
const STATUS = `query ($file: FileRef!, $size: ByteCount!) { uploadStatus(file: $file, size: $size) { ${PROBLEM} } }`;
const DIR_INFO = `query ($file: FileRef!) { dirInfo(file: $file) {
  ${PROBLEM} ... on DirInfo { chunkSize chunkCount uploadedCount missing { first last } } } }`;
const CHUNK = `mutation ($file: FileRef!, $index: Int!, $digest: String, $chunk: Upload!) {
  uploadChunk(file: $file, index: $index, digest: $digest, chunk: $chunk) { ${PROBLEM} } }`;
const MERGE = `mutation ($file: FileRef!, $chunkCount: Int!) { mergeFile(file: $file, chunkCount: $chunkCount) { ${PROBLEM} } }`;
const PROGRESS = 'subscription ($file: FileRef!) { mergeProgress(file: $file) { phase percent problem { code message } } }';

const [path, target] = process.argv.slice(2);
const [, hostId, fullPath] = /^([^:]+):(\/.+)$/.exec(target ?? '') ?? [];
if (fullPath === undefined) {
  console.error('usage: node upload.mjs FILE HOST:/PATH');
  process.exit(2);
}
try {
  await upload();
} catch (error) {
  console.error(`upload: ${error.message}${error.cause ? ` (${error.cause.message})` : ''}`);
  process.exitCode = 1;
}

async function upload() {
  const source = await open(path);
  try {
    const { size } = await source.stat();
    // Proved on the host before the file appears at its path.
    const file = { hostId, fullPath, hashCode: `sha256:${await sha256(createReadStream(path))}` };
    await call('uploadStatus', STATUS, { file, size });
    const { __typename, chunkSize, chunkCount, uploadedCount, missing } = await call('dirInfo', DIR_INFO, { file });
    if (__typename === 'DirInfo') {
      console.log(`${uploadedCount} of ${chunkCount} chunks are there`);
      for (const index of numbersIn(missing)) {
        const { buffer, bytesRead } = await source.read(Buffer.alloc(chunkSize), 0, chunkSize, (index - 1) * chunkSize);
        const chunk = buffer.subarray(0, bytesRead);
        await call('uploadChunk', CHUNK, { file, index, digest: await sha256([chunk]), chunk: null }, new Blob([chunk]));
        console.log(`chunk ${index} of ${chunkCount}`);
      }
      await call('mergeFile', MERGE, { file, chunkCount });
      await watchMerge(file);
    }
    console.log(`${target} ${file.hashCode}`);
  } finally {
    await source.close();
  }
}

function* numbersIn(ranges) {
  for (const { first, last } of ranges) for (let index = first; index <= last; index += 1) yield index;
}

async function sha256(pieces) {
  const hash = createHash('sha256');
  for await (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}

/** Calls until the answer isn't to try again later: every call may be repeated. Throws what a person has to read. */
async function call(field, query, variables, chunk) {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await ask(field, { query, variables }, chunk).catch((error) => {
      // What fetch throws without a connection.
      if (error instanceof TypeError && attempt < ATTEMPTS) return { retryAfterMs: 250 * 2 ** attempt };
      throw error;
    });
    if (answer.retryAfterMs !== undefined && attempt < ATTEMPTS) await sleep(answer.retryAfterMs);
    else if (answer.code !== undefined) throw new Error(`${answer.code}: ${answer.message}`);
    else return answer;
  }
}

async function ask(field, operation, chunk) {
  const response = await (chunk === undefined ? postJson(operation, 'application/json') : postForm(operation, chunk));
  const { data, errors } = await response.json();
  if (errors !== undefined) throw new Error(errors[0].message);
  return data[field];
}

function postJson(operation, accept) {
  const headers = { ...HEADERS, accept, 'content-type': 'application/json' };
  return fetch(API, { method: 'POST', headers, body: JSON.stringify(operation) });
}

/** A GraphQL multipart request, in which the order of the parts matters. */
function postForm(operation, chunk) {
  const form = new FormData();
  form.append('operations', JSON.stringify(operation));
  form.append('map', '{ "0": ["variables.chunk"] }');
  form.append('0', chunk);
  return fetch(API, { method: 'POST', headers: HEADERS, body: form });
}

async function watchMerge(file) {
  const events = await postJson({ query: PROGRESS, variables: { file } }, 'text/event-stream');
  let unread = '';
  for await (const text of events.body.pipeThrough(new TextDecoderStream())) {
    const lines = (unread + text).split('\n');
    unread = lines.pop();
    for (const line of lines.filter((each) => each.startsWith('data: {'))) {
      const { phase, percent, problem } = JSON.parse(line.slice('data: '.length)).data.mergeProgress;
      console.log(`${phase} ${Math.floor(percent)} %`);
      if (problem) throw new Error(`${problem.code}: ${problem.message}`);
      if (phase === 'DONE') return;
    }
  }
  throw new Error('the connection was lost during the merge, which goes on; run this again to see its end');
}
