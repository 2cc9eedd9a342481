// What page and worker say to each other. Messages to the worker are taken up in order; each with an `id` is answered once.

import type { ChunkSpan } from '../chunks.js';

export type HashRequest =
  | { readonly kind: 'digest'; readonly id: number; readonly blob: Blob; readonly spans: readonly ChunkSpan[] }
  | { readonly kind: 'begin'; readonly pass: number; readonly blob: Blob }
  | { readonly kind: 'chunk'; readonly id: number; readonly pass: number; readonly span: ChunkSpan }
  | { readonly kind: 'whole'; readonly id: number; readonly pass: number }
  /** What belongs to the pass, or the digest with this id, isn't wanted any more. */
  | { readonly kind: 'end'; readonly pass: number };

export type HashReply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'digest'; readonly id: number; readonly digest: string }
  | { readonly kind: 'failure'; readonly id: number; readonly sourceChanged: boolean; readonly message: string };
