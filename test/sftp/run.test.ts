import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HostRepository, RunOptions } from '../../src/core/ports.js';
import { createHostRepository } from '../../src/sftp/host-repository.js';
import { keptLog, realClock } from '../support/roles.js';
import { type Sshd, startSshd } from '../support/sshd.js';
import { sshdHostOptions } from '../support/sshd-host.js';

const NASTY = [
  '',
  ' ',
  "it's",
  '"quoted"',
  '$HOME',
  '$(touch /tmp/pwned)',
  '`id`',
  '; exit 3',
  '-n',
  '--',
  '*',
  '\\',
  '!!',
  '%s%n',
  '& true',
  '🚢 文件',
  '#',
];

describe('running commands', () => {
  let sshd: Sshd;
  let repository: HostRepository;

  beforeAll(async () => {
    sshd = await startSshd();
    repository = createHostRepository({ hosts: [sshdHostOptions(sshd)], clock: realClock, log: keptLog() });
  });
  afterAll(async () => {
    await repository.close();
    await sshd.stop();
  });

  function run(script: string, args: readonly string[] = [], options: RunOptions = {}): Promise<readonly string[]> {
    return repository.use('sshd', async (host) => {
      const lines: string[] = [];
      for await (const line of host.run(script, args, options)) lines.push(line);
      return lines;
    });
  }

  it('passes arguments on byte for byte', async () => {
    expect(await run('for arg; do printf "%s\\n" "[$arg]"; done', NASTY)).toEqual(NASTY.map((arg) => `[${arg}]`));
    expect(existsSync('/tmp/pwned')).toBe(false);
  });

  it('takes more arguments than a command line could hold', async () => {
    const args = Array.from({ length: 20_000 }, (_, index) => `c.${index}.10485760.${'f'.repeat(64)}`);
    expect(await run('echo $#; shift 19999; echo "$1"', args)).toEqual(['20000', args[19_999]]);
  });

  it('yields lines as they come, empty ones and an unended last one included', async () => {
    expect(await run('echo one; echo; printf "a  b\\tc\\n"; printf end')).toEqual(['one', '', 'a  b\tc', 'end']);
    expect(await run(':')).toEqual([]);
  });

  it('yields each line before the command goes on', async () => {
    const file = join(sshd.root, 'go-on');
    const script = 'echo waiting; until [ -e "$1" ]; do sleep 0.01; done; echo done';
    await repository.use('sshd', async (host) => {
      const lines = host.run(script, [file])[Symbol.asyncIterator]();
      expect(await lines.next()).toEqual({ value: 'waiting', done: false });
      writeFileSync(file, '');
      expect(await lines.next()).toEqual({ value: 'done', done: false });
      expect((await lines.next()).done).toBe(true);
    });
  });

  it('survives megabytes of output', async () => {
    const lines = await run(
      'i=0; while [ $i -lt 20000 ]; do echo "$i 0123456789012345678901234567890123456789"; i=$((i+1)); done',
    );
    expect(lines).toHaveLength(20_000);
    expect(lines[19_999]?.startsWith('19999 ')).toBe(true);
  });

  it('gives the script an empty input', async () => {
    expect(await run('cat; echo after')).toEqual(['after']);
  });

  it('fails with what the command said when it exits with another code than 0', async () => {
    await expect(run('echo out; echo "no such thing" >&2; exit 3')).rejects.toMatchObject({
      code: 'FAILURE',
      message: expect.stringMatching(/exit code 3.*no such thing/) as string,
    });
    await expect(run('kill -9 $$')).rejects.toMatchObject({ code: 'FAILURE' });
    await expect(run('if then')).rejects.toMatchObject({ name: 'Fault' });
  });

  it('gives up a command that is silent too long', async () => {
    await expect(run('echo first; sleep 60', [], { idleTimeoutMs: 300 })).rejects.toMatchObject({
      code: 'FAILURE',
      message: expect.stringContaining('silent') as string,
    });
  });

  it('gives up a line without end', async () => {
    await expect(run('while :; do printf 0123456789; done')).rejects.toMatchObject({ code: 'FAILURE' });
  });

  it('stops at an abort', async () => {
    const aborter = new AbortController();
    const reason = new Error('enough');
    const running = repository.use('sshd', async (host) => {
      for await (const line of host.run('echo first; sleep 60', [], { signal: aborter.signal }))
        if (line === 'first') aborter.abort(reason);
    });
    await expect(running).rejects.toBe(reason);
    await expect(run('echo', [], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('ends the command when the reader stops early', async () => {
    let ended: Promise<readonly string[]> | undefined;
    await repository.use('sshd', async (host) => {
      // It never writes again, so the end of its session alone would not end it.
      for await (const pid of host.run('echo $$; exec sleep 600', [])) {
        expect(await run('kill -0 "$1" && echo alive', [pid])).toEqual(['alive']);
        ended = run('while kill -0 "$1" 2>/dev/null; do sleep 0.01; done; echo gone', [pid]);
        break;
      }
    });
    expect(await ended).toEqual(['gone']);
  });

  it('frees the session of each command', async () => {
    // More than MaxSessions, one after the other and some stopped early.
    for (let count = 0; count < 15; count += 1) {
      await repository.use('sshd', async (host) => {
        for await (const line of host.run('echo a; echo b', [])) if (count % 2 === 0 && line === 'a') break;
      });
    }
    expect(await run('echo still')).toEqual(['still']);
  });

  it('is unsupported where the server runs no commands, and files still work there', async () => {
    const sftpOnly = await startSshd({ sftpOnly: true });
    const own = createHostRepository({ hosts: [sshdHostOptions(sftpOnly)], clock: realClock, log: keptLog() });
    await own.use('sshd', async (host) => {
      const running = (async () => {
        for await (const line of host.run('echo hello', [])) throw new Error(`a line came: ${line}`);
      })();
      await expect(running).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED' });
      expect((await host.lstat(host.profile.roots[0] ?? ('/' as never)))?.kind).toBe('directory');
    });
    await own.close();
    await sftpOnly.stop();
  });

  it('passes over what a login shell says first, and needs no POSIX login shell', async () => {
    const wrapper = join(sshd.directory, 'shell');
    // Stands for csh, fish and others: it says something, understands words, and nothing of POSIX quoting.
    const words =
      'case "$SSH_ORIGINAL_COMMAND" in *sftp-server*) ;; *) echo "Welcome!";; esac; set -f; exec $SSH_ORIGINAL_COMMAND';
    writeFileSync(wrapper, `#!/bin/sh\n${words}\n`, { mode: 0o755 });
    const talkative = await startSshd({ config: [`ForceCommand ${wrapper}`] });
    const own = createHostRepository({ hosts: [sshdHostOptions(talkative)], clock: realClock, log: keptLog() });
    await own.use('sshd', async (host) => {
      const lines: string[] = [];
      for await (const line of host.run('echo "$1"', ["it's me"])) lines.push(line);
      expect(lines).toEqual(["it's me"]);
    });
    await own.close();
    await talkative.stop();
  });
});
