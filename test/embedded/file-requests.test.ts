// Which bytes a request claims, so that the order keeps apart what overlaps: on a real disk overlapping writes mostly end in the order
// they began in, so an end-to-end test could pass by luck.
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { closeHandle, readFile, writeFile } from '../../src/embedded/file-requests.js';
import { HandleTable } from '../../src/embedded/handles.js';
import { Jail } from '../../src/embedded/jail.js';
import type { Workplace } from '../../src/embedded/requests.js';
import { FieldReader, string, uint32, uint64 } from '../../src/embedded/wire.js';

let directory: string;
let place: Workplace;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'longshore-requests-'));
  const jail = await Jail.at(directory);
  place = { jail, handles: new HandleTable(), signal: new AbortController().signal, symlinkOrder: 'target-first' };
});
afterEach(async () => {
  await place.handles.closeAll();
  await rm(directory, { recursive: true });
});

async function handle({ appends }: { readonly appends: boolean }): Promise<Buffer> {
  const file = await open(join(directory, 'file'), 'w+');
  return place.handles.add(() => Promise.resolve({ kind: 'file', file, place: Buffer.from('/'), identity: 'f', appends }));
}

const request = (...fields: readonly Buffer[]) => ({ id: 1, fields: new FieldReader(Buffer.concat(fields)), tail: [] });

it('a write claims the bytes it writes', async () => {
  const { span } = writeFile(request(string(await handle({ appends: false })), uint64(5), string('abc')), place);
  expect(span).toEqual({ access: 'write', file: 'f', from: 5, to: 8 });
});

it('a write that appends claims the whole file', async () => {
  const { span } = writeFile(request(string(await handle({ appends: true })), uint64(5), string('abc')), place);
  expect(span).toEqual({ access: 'write', file: 'f', from: 0, to: Infinity });
});

it('a read claims the bytes it can answer at most', async () => {
  const { span } = readFile(request(string(await handle({ appends: false })), uint64(5), uint32(0xffffffff)), place);
  expect(span).toEqual({ access: 'read', file: 'f', from: 5, to: 5 + 261_120 });
});

it('a close, and a write to no handle, run alone', async () => {
  expect(closeHandle(request(string(await handle({ appends: false }))), place).span).toBeUndefined();
  expect(writeFile(request(string('none'), uint64(0), string('x')), place).span).toBeUndefined();
});
