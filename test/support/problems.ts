import type { Problem } from '../../src/core/problems.js';
import { ProblemError } from '../../src/core/problems.js';

/** What `work` is refused with. Throws when it isn't. */
export function problemOf(work: () => unknown): Problem {
  try {
    work();
  } catch (error) {
    if (error instanceof ProblemError) return error.problem;
    throw error;
  }
  throw new Error('nothing was refused');
}
