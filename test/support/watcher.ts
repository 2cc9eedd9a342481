// Somebody on the host who looks at a file again and again while it is replaced, and remembers everything he ever saw there.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

export interface HostWatcher {
  /** Stops looking. `seen`: 'absent' or the SHA-256 of the whole file, in hex, each once, in the order of their first look. */
  stop(): Promise<{ readonly looks: number; readonly seen: readonly string[] }>;
}

export function watchFile(path: string): HostWatcher {
  const seen = new Set<string>();
  let looks = 0;
  const over = new AbortController();
  const looking = (async () => {
    while (!over.signal.aborted) {
      seen.add(await look(path));
      looks += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  return {
    async stop() {
      over.abort();
      await looking;
      return { looks, seen: [...seen] };
    },
  };
}

async function look(path: string): Promise<string> {
  try {
    return createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'absent';
    throw error;
  }
}
