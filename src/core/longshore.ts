// The rules of Longshore, free of IO. Secret: what an upload goes through from the first question to the published file.
// Built by compose, called by the edges through `Longshore`; imports nothing but itself. Parts of the world are ports (ports.ts).
import type { Longshore } from './answers.js';
import { audited } from './audit.js';
import { ChunkService } from './chunk-service.js';
import { DirectoryService } from './directory-service.js';
import { MergeService } from './merge-service.js';
import type { Services } from './services.js';
import { UploadService } from './upload-service.js';

/** Joins the services and sets the merge queue to work. */
export function createLongshore(services: Services): Longshore {
  const merges = takeMerges(services);
  const chunks = new ChunkService(services);
  const uploads = new UploadService(services, { merges, chunks });
  const directory = new DirectoryService(services);
  const longshore: Longshore = {
    hosts: (caller) => directory.hosts(caller),
    uploads: (caller, input) => directory.uploads(caller, input),
    uploadStatus: (caller, input) => uploads.status(caller, input),
    dirInfo: (caller, file) => uploads.dirInfo(caller, file),
    uploadChunk: (caller, input) => chunks.put(caller, input),
    abortUpload: (caller, file) => uploads.abort(caller, file),
    mergeFile: (caller, input) => merges.request(caller, input),
    mergeProgress: (caller, file) => merges.watch(caller, file),
  };
  return audited(longshore, services.audit);
}

/** Sets the merge queue to work; of a process that runs merges and takes no calls that is all. */
export function takeMerges(services: Services): MergeService {
  const merges = new MergeService(services);
  services.queue.process(
    (job, signal) => merges.run(job, signal),
    (job, signal) => merges.giveUp(job, signal),
  );
  return merges;
}
