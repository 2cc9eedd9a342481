// Jobs on a host that outlive their session, under each shell and tool set that hosts have.
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FollowOptions, HostJob } from '../../src/assembly/host-job.js';
import { endJobs, followJob, jobName, jobsAmong } from '../../src/assembly/host-job.js';
import type { Host, HostRepository } from '../../src/core/ports.js';
import type { RemotePath } from '../../src/core/remote-path.js';
import { createHostRepository } from '../../src/sftp/host-repository.js';
import { keptLog, realClock } from '../support/roles.js';
import { SHELLS, pathOf } from '../support/shells.js';
import { startSshd } from '../support/sshd.js';
import type { Sshd } from '../support/sshd.js';
import { sshdHostOptions } from '../support/sshd-host.js';

const WAITS = 'echo begun; until [ -e "$1" ]; do sleep 0.1 || sleep 1; done; echo "ended as $0"';

describe.each(SHELLS)('under %s', (shell) => {
  let sshd: Sshd;
  let hosts: HostRepository;
  const directory = () => join(sshd.root, 'jobs') as RemotePath;
  const local = (name: string) => join(directory(), name);
  beforeAll(async () => {
    const programs = fs.mkdtempSync('/tmp/longshore-shells-');
    fs.chmodSync(programs, 0o755);
    sshd = await startSshd({ config: [pathOf(shell, programs)] });
    return () => fs.rmSync(programs, { recursive: true });
  });
  afterAll(() => sshd.stop());
  beforeEach(async () => {
    hosts = createHostRepository({ hosts: [sshdHostOptions(sshd)], clock: realClock, log: keptLog() });
    await use((host) => host.makeDirectory(directory()));
  });
  afterEach(async () => {
    await use(async (host) => endJobs(host, directory(), jobsAmong(await host.list(directory()))));
    await hosts.close();
    fs.rmSync(directory(), { recursive: true });
  });

  const use = <T>(work: (host: Host) => Promise<T>) => hosts.use('sshd', work);
  const job = (script: string, ...args: readonly string[]): HostJob => {
    return { directory: directory(), kind: 'join', key: '0123456789abcdef', script, args };
  };
  const follow = async (wanted: HostJob, options: Partial<FollowOptions> & { onLine?: (line: string) => unknown } = {}) => {
    const lines: string[] = [];
    const outcome = await use((host) =>
      followJob(
        host,
        wanted,
        (line) => {
          lines.push(line);
          options.onLine?.(line);
        },
        { may: 'start', after: 'keep', signal: new AbortController().signal, ...options },
      ),
    );
    return { outcome, lines };
  };
  const processes = () =>
    fs
      .readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => commandLine(pid).includes(directory()));

  it('tells what a job prints, hands its arguments over as they are, and says how it ended', async () => {
    const odd = `it's "$(odd)" \\ ${'x'.repeat(3)}\t`;
    const ended = await follow(job('echo "$1"; echo; echo "$2" >&2; exit 3', odd, '-n'));
    expect(ended.lines).toContain(odd);
    expect(ended.outcome).toEqual({ kind: 'ended', exitCode: 3, said: expect.any(String) as string });
  });

  it('goes on when the session ends, and is found again with all that it said', async () => {
    const waiting = job(WAITS, local('go-on'));
    const broken = follow(waiting, { onLine: () => sshd.children('sshd').forEach(tryKill) });
    await expect(broken).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
    const found = follow(waiting, { may: 'find', onLine: () => fs.writeFileSync(local('go-on'), '') });
    expect(await found).toEqual({
      outcome: { kind: 'ended', exitCode: 0, said: `ended as ${jobName(waiting)}` },
      lines: ['begun', `ended as ${jobName(waiting)}`],
    });
    expect((await follow(waiting, { may: 'find' })).lines).toHaveLength(2);
  });

  it('goes on when its follower no longer wants to listen', async () => {
    const waiting = job(WAITS, local('go-on'));
    const stop = new AbortController();
    const left = follow(waiting, { signal: stop.signal, onLine: () => stop.abort(new Error('enough')) });
    await expect(left).rejects.toThrow('enough');
    fs.writeFileSync(local('go-on'), '');
    expect(await follow(waiting, { may: 'find' })).toMatchObject({ outcome: { exitCode: 0 }, lines: { length: 2 } });
  });

  it('runs once, however many start it at once', async () => {
    const counting = job('echo run >>runs; sleep 1; echo over');
    const followers = await Promise.all([1, 2, 3, 4].map(() => follow(counting)));
    for (const follower of followers) expect(follower).toMatchObject({ outcome: { exitCode: 0 }, lines: ['over'] });
    expect(fs.readFileSync(local('runs'), 'utf8')).toBe('run\n');
  });

  it('is gone when it was killed, and goes on from what it said when it is started anew', async () => {
    const two = job('cat "$0.log" >before; echo begun; until [ -e "$1" ]; do sleep 0.1 || sleep 1; done', local('go-on'));
    const killed = follow(two, {
      onLine: () => {
        const pid = Number(fs.readFileSync(local(`${jobName(two)}.1`), 'utf8'));
        for (const each of [pid, ...processes().map(Number)]) tryKill(each);
      },
    });
    expect((await killed).outcome).toEqual({ kind: 'gone' });
    expect((await follow(two, { may: 'find' })).outcome).toEqual({ kind: 'gone' });
    fs.writeFileSync(local('go-on'), '');
    expect((await follow(two)).outcome).toMatchObject({ kind: 'ended', exitCode: 0 });
    expect(fs.readFileSync(local('before'), 'utf8')).toContain('begun');
    expect(fs.existsSync(local(`${jobName(two)}.2`))).toBe(true);
  });

  it('is not mistaken for another process that has its id by now', async () => {
    const quick = job('echo done');
    fs.writeFileSync(local(`${jobName(quick)}.1`), `${process.pid}\n`);
    expect((await follow(quick, { may: 'find' })).outcome).toEqual({ kind: 'gone' });
    expect(await follow(quick)).toMatchObject({ outcome: { exitCode: 0 }, lines: ['done'] });
  });

  it('is forgotten after its end by whoever wants that', async () => {
    expect(await follow(job('echo once'), { after: 'forget' })).toMatchObject({ lines: ['once'] });
    expect(fs.readdirSync(directory())).toEqual([]);
  });

  it('is nowhere to be found when nobody started it', async () => {
    expect((await follow(job('echo never'), { may: 'find' })).outcome).toEqual({ kind: 'gone' });
    expect(fs.readdirSync(directory())).toEqual([]);
  });

  it('ends with all that it started, and leaves nothing', async () => {
    const endless = job('trap "exit 1" TERM; echo begun; while :; do sleep 1; done', directory());
    let ending: Promise<void> | undefined;
    const onLine = () => (ending ??= use((host) => endJobs(host, directory(), [jobName(endless)])));
    await follow(endless, { onLine }).catch(() => undefined); // Its log may go while it is read.
    await ending;
    await expect.poll(processes, { timeout: 5_000 }).toEqual([]);
    expect(fs.readdirSync(directory())).toEqual([]);
  });
});

function commandLine(pid: string): string {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // It has ended meanwhile.
  }
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
