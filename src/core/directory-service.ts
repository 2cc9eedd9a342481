// What there is: the hosts a caller may use, and the uploads it has begun.
import { decide } from './access.js';
import type { AccessRequest } from './access.js';
import type { Access } from './file-ref.js';
import type { Caller, HostAnswer, UploadPage, UploadSummary, UploadsInput } from './answers.js';
import type { HostProfile } from './ports.js';
import { InputError, isFault } from './problems.js';
import type { ProblemCode } from './problems.js';
import type { MergeProgress } from './progress.js';
import type { Services } from './services.js';
import { answering, problemOf } from './services.js';
import type { StagedSummary } from './staging.js';

const MAX_PAGE = 1_000;
const AWAY: readonly ProblemCode[] = ['HOST_UNREACHABLE', 'HOST_BUSY', 'HOST_KEY_MISMATCH', 'HOST_AUTH_FAILED'];

export class DirectoryService {
  readonly #services: Services;

  constructor(services: Services) {
    this.#services = services;
  }

  /** A host that is away is listed as such. */
  async hosts(caller: Caller): Promise<readonly HostAnswer[]> {
    const accesses = this.#decide(caller, { operation: 'hosts' });
    return Promise.all(accesses.map((access) => this.#describe(access, caller.person)));
  }

  /** Pages by key over all hosts; a host that is away gives a problem. */
  async uploads(caller: Caller, input: UploadsInput): Promise<UploadPage> {
    const { first, after, hostId } = input;
    if (!Number.isInteger(first) || first < 1 || first > MAX_PAGE)
      throw new InputError('first', `first must be 1 … ${MAX_PAGE}`);
    const request: AccessRequest = { operation: 'uploads', ...(hostId !== undefined && { hostId }) };
    const chosen = await answering(async () => ({ accesses: this.#decide(caller, request) }));
    if ('code' in chosen) return { items: [], problems: [chosen] };
    const found = await Promise.all(chosen.accesses.map(({ profile }) => this.#listOn(profile, caller)));
    const problems = found.filter((entry) => 'code' in entry);
    const summaries = found.flatMap((entry) => ('code' in entry ? [] : entry.summaries)).sort(byKey);
    const rest = summaries.filter((summary) => after === undefined || summary.key > after);
    const page = rest.slice(0, first);
    const nextAfter = rest.length > first ? page.at(-1)?.key : undefined;
    const items = await Promise.all(page.map((summary) => this.#summary(summary)));
    return { items, problems, ...(nextAfter !== undefined && { nextAfter }) };
  }

  async #describe({ profile, roots }: Access, person: string): Promise<HostAnswer> {
    const { id, name } = profile;
    const away: HostAnswer = { id, name, roots, reachable: false, capabilities: [] };
    try {
      return await this.#services.hosts.use(id, async (host) => {
        const { capabilities, strategy, freeBytes } = await this.#services.assembly.hostPowers(host, person);
        const known = { ...(strategy && { strategy }), ...(freeBytes !== undefined && { freeBytes }) };
        return { ...away, reachable: true, capabilities, ...known };
      });
    } catch (error) {
      const problem = problemOf(error);
      if (problem === undefined) throw error;
      this.#services.log.warn({ host: id, code: problem.code }, 'host not usable');
      // Where our account may not write, or the root is missing, there is nothing to find out, but the host is there.
      return { ...away, reachable: !AWAY.includes(problem.code) };
    }
  }

  #decide(caller: Caller, request: AccessRequest): readonly Access[] {
    const { hosts, hashing } = this.#services;
    return decide({ profiles: hosts.profiles, hashing }, caller, request);
  }

  #listOn(profile: HostProfile, caller: Caller) {
    const { hosts, assembly } = this.#services;
    return answering(async () => ({ summaries: await hosts.use(profile.id, (host) => assembly.list(host, caller.person)) }));
  }

  async #summary(staged: StagedSummary): Promise<UploadSummary> {
    const { manifest, uploadedBytes, touchedAt, id } = staged;
    const last = await this.#lastState(id);
    const { hostId, path, hashCode, size, beganAt } = manifest;
    return { hostId, fullPath: path, hashCode, size, uploadedBytes, phase: last?.phase ?? staged.phase, beganAt, touchedAt };
  }

  /** While the store is away the host's own word has to do. */
  async #lastState(id: string): Promise<MergeProgress | undefined> {
    try {
      return await this.#services.feed.last(id);
    } catch (error) {
      if (isFault(error, 'COORDINATION_UNAVAILABLE')) return undefined;
      throw error;
    }
  }
}

function byKey(one: StagedSummary, other: StagedSummary): number {
  return one.key < other.key ? -1 : 1;
}
