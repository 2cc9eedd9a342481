// Completion as shells meet it: the scripts as they are printed, in a real bash, with a real gateway behind the hosts.
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { linesFor, SCRIPTS, SHELLS } from '../../src/cli/completion-scripts.js';
import { endpointOf } from '../../src/cli/gateway-options.js';
import { connectGateway } from '../../src/client/index.js';
import { startBlackHole } from '../support/black-hole.js';
import { startTestGateway, type TestGateway } from '../support/gateway.js';
import { inTerminal, LONGSHORE } from './pseudo-terminal.js';

/** Ctrl-U. */
const CLEAR_LINE = '\x15';

let gateway: TestGateway;
let dir: string;
let root: string;

beforeAll(async () => {
  gateway = await startTestGateway();
  root = gateway.hosts.sshd.root;
  dir = mkdtempSync(join(tmpdir(), 'longshore-completion-'));
  mkdirSync(join(dir, 'bin'));
  writeFileSync(join(dir, 'bin/longshore'), `#!/bin/sh\nexec ${LONGSHORE.join(' ')} "$@"\n`);
  chmodSync(join(dir, 'bin/longshore'), 0o755);
  writeFileSync(join(dir, 'completion.bash'), SCRIPTS.bash);
  for (const name of ['film.mov', 'loose', 'two words']) writeFileSync(join(dir, name), '');
  mkdirSync(join(dir, 'lobby'));
  // Something unfinished, with a name that needs quoting.
  const file = { hostId: 'local', fullPath: '/in box/f$(x)', hashCode: 'h' };
  const { signal } = new AbortController();
  const client = connectGateway({ endpoint: endpointOf(gateway.url) });
  await client.uploadStatus(file, { size: 10, ifExists: 'ASK', takeOver: false }, signal);
  await client.dirInfo(file, { first: 1, after: 0 }, signal);
});
afterAll(async () => {
  await gateway.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** What bash offers at the end of the line, and with which of `default` and `nospace`. Sets the variables that bash itself would. */
async function offered(line: string, url = gateway.url): Promise<{ values: string[]; options: string[] }> {
  const program = `
source ./completion.bash
compopt() { printf 'option %s\\n' "$2"; }
COMP_LINE=$LINE; COMP_POINT=\${#LINE}
# As readline splits: at blanks, and at : and = as words of their own.
mapfile -t COMP_WORDS < <(printf '%s' "$LINE" | sed -E 's/([:=])/ \\1 /g' | tr -s ' ' '\\n'); [[ $LINE == *[\\ :=] ]] && COMP_WORDS+=('')
[[ $LINE == *[:=] ]] && COMP_WORDS=("\${COMP_WORDS[@]:0:\${#COMP_WORDS[@]}-1}")
COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
_longshore
for value in "\${COMPREPLY[@]}"; do printf 'value %s\\n' "$value"; done`;
  const env = { ...process.env, PATH: `${dir}/bin:${process.env['PATH'] ?? ''}`, LINE: line, LONGSHORE_URL: url };
  const { stdout } = await promisify(execFile)('bash', ['--norc', '-c', program], { cwd: dir, env });
  const lines = stdout.split('\n');
  const of = (kind: string) => lines.filter((text) => text.startsWith(`${kind} `)).map((text) => text.slice(kind.length + 1));
  return { values: of('value'), options: of('option') };
}

describe('in bash', () => {
  it('commands are completed, without hidden ones', async () => {
    expect((await offered('longshore ')).values).toEqual([
      'put',
      'status',
      'abort',
      'hosts',
      'serve',
      'worker',
      'completion',
      'help',
    ]);
    expect((await offered('longshore st')).values).toEqual(['status']);
  });

  it('options and their choices are completed, also behind an equals sign', async () => {
    expect((await offered('longshore put --li')).values).toEqual(['--limit-rate']);
    expect((await offered('longshore put a --if-exists ')).values).toEqual(['ask', 'replace', 'skip']);
    expect((await offered('longshore put --if-exists=r')).values).toEqual(['replace']);
    expect((await offered('longshore status --host l')).values).toEqual(['local']);
    expect((await offered('longshore completion f')).values).toEqual(['fish']);
  });

  it('hosts are completed beside files, and their roots behind the colon', async () => {
    expect(await offered('longshore put film.mov lo')).toEqual({ values: ['local:', 'lobby/', 'loose'], options: ['nospace'] });
    expect(await offered('longshore put film.mov sshd:')).toEqual({ values: [`${root}/`], options: ['nospace'] });
  });

  it('the gateway and the person are those that the line names', async () => {
    const [wrong, right] = [`http://127.0.0.1:9`, gateway.url];
    expect((await offered(`longshore put --url=${right} film.mov loc`, wrong)).values).toContain('local:');
    expect((await offered(`longshore put --url ${right} film.mov loc`, wrong)).values).toContain('local:');
    expect((await offered(`longshore put --url=${wrong} --url=${right} film.mov loc`, wrong)).values).toContain('local:');
    expect((await offered('longshore abort --person=somebody ')).values).toEqual([]);
  });

  it('files are left to bash where nothing else fits', async () => {
    expect(await offered('longshore put fi')).toEqual({ values: [], options: ['default'] });
    expect(await offered('longshore serve --config ')).toEqual({ values: [], options: ['default'] });
    expect(await offered('longshore put --chunk-size ')).toEqual({ values: [], options: [] });
  });

  it('paths of unfinished uploads are completed, quoted', async () => {
    expect((await offered('longshore abort ')).values).toEqual([String.raw`local:/in\ box/f\$\(x\)`]);
    expect((await offered('longshore abort local:/i')).values).toEqual([String.raw`/in\ box/f\$\(x\)`]);
  });

  it('a person goes from key to key', async () => {
    const shell = inTerminal(['bash', '--norc', '-i'], {
      cwd: dir,
      columns: 200,
      env: { PATH: `${dir}/bin:${process.env['PATH'] ?? ''}`, LONGSHORE_URL: gateway.url, PS1: '> ' },
    });
    shell.type('source ./completion.bash; echo rea""dy\n');
    await shell.until(/^ready/m);
    shell.type('longshore pu\t');
    await shell.until(/longshore put /);
    shell.type('two\t');
    await shell.until(/two\\ words /);
    shell.type('ss\t');
    await shell.until(/sshd:/);
    shell.type('\t');
    await shell.until(new RegExp(`${root}/`));
    shell.type(' --if-exists=re\t');
    await shell.until(/--if-exists=replace /);
    shell.type(CLEAR_LINE);
    shell.type('longshore abort loc\t');
    await shell.until(/abort local:\/in\\ box\/f\\\$\\\(x\\\) /);
    shell.type(CLEAR_LINE);
    shell.type('exit\n');
    await shell.ended;
  });

  it('nothing of the line is run', async () => {
    await offered('longshore put $(touch ran) `touch ran` ;touch ran; ');
    expect(execFileSync('ls', [dir], { encoding: 'utf8' })).not.toContain('ran');
  });

  it('a gateway that does not answer is given up after a second, in silence', async () => {
    const hole = await startBlackHole();
    const beganAt = performance.now();
    expect(await offered('longshore put film.mov l', `http://127.0.0.1:${hole.port}`)).toEqual({
      values: [],
      options: ['default'],
    });
    // One for the gateway; the rest is two starts on a busy machine.
    expect(performance.now() - beganAt).toBeLessThan(8_000);
    await hole.stop();
  });
});

it.each(SHELLS)('the script for %s asks with its own name, and evaluates nothing', (shell) => {
  expect(SCRIPTS[shell]).toContain(`longshore complete ${shell} `);
  expect(SCRIPTS[shell].replaceAll(/^#.*$/gm, '')).not.toMatch(/\beval\b|Invoke-Expression/);
});

it('other shells get whole words with what they are about', () => {
  const completion = { values: [{ value: 'local:/a b', about: 'unfinished' }], withFiles: true };
  expect(linesFor('fish', completion, { raw: '', text: '' })).toEqual(['local:/a b\tunfinished', ':files']);
});
