import { networkOf } from '../admission/addresses.js';
import type { Line } from './socket-line.js';

/**
 * The connections that haven't said who they are, at most so many. When there are too many, the network that has most of them makes room,
 * so that nobody keeps all others out.
 */
export class Ungreeted {
  readonly #max: number;
  /** Of each network, the oldest first. */
  readonly #lines = new Map<string, Set<Line>>();
  #count = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** False when there are too many, and no network has more of them than this one would have. Else one of those that has is cut off. */
  hasRoomFor(address: string): boolean {
    if (this.#count < this.#max) return true;
    const own = this.#lines.get(networkOf(address))?.size ?? 0;
    let greediest = '';
    let most = 0;
    for (const [network, { size }] of this.#lines) if (size > most) [greediest, most] = [network, size];
    const [oldest] = this.#lines.get(greediest) ?? [];
    if (oldest === undefined || most <= own + 1) return false;
    this.#remove(greediest, oldest);
    oldest.cut();
    return true;
  }

  /** The returned function takes it out again. */
  add(address: string, line: Line): () => void {
    const network = networkOf(address);
    const lines = this.#lines.get(network) ?? new Set();
    this.#lines.set(network, lines.add(line));
    this.#count += 1;
    return () => this.#remove(network, line);
  }

  #remove(network: string, line: Line): void {
    const lines = this.#lines.get(network);
    if (lines?.delete(line) !== true) return;
    this.#count -= 1;
    if (lines.size === 0) this.#lines.delete(network);
  }
}
