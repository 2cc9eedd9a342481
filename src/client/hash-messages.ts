// What a thread and its hashing worker say to each other. Messages to the worker are taken up in order; each with an `id` is answered
// once. `Content` is what the worker can read a source by: a Blob in browsers, a file's path and facts on Node.

import type { ChunkSpan } from './chunks.js';

export type HashRequest<Content> =
  | { readonly kind: 'digest'; readonly id: number; readonly content: Content; readonly spans: readonly ChunkSpan[] }
  | { readonly kind: 'begin'; readonly pass: number; readonly content: Content }
  | { readonly kind: 'chunk'; readonly id: number; readonly pass: number; readonly span: ChunkSpan }
  | { readonly kind: 'whole'; readonly id: number; readonly pass: number }
  /** What belongs to the pass, or the digest with this id, isn't wanted any more. */
  | { readonly kind: 'end'; readonly pass: number };

export type HashReply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'digest'; readonly id: number; readonly digest: string }
  | {
      readonly kind: 'failure';
      readonly id: number;
      readonly sourceChanged: boolean;
      readonly message: string;
      /** Of the system, such as `EIO`, where it was one of its errors. */
      readonly code: string | undefined;
    };
