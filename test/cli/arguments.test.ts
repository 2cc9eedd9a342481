import { describe, expect, it } from 'vitest';
import {
  GatewayError,
  GaveUpError,
  NetworkError,
  ProblemError,
  SourceChangedError,
  StoppedError,
  type MergeProgress,
  type UploadProgress,
} from '../../src/client/index.js';
import { parseDestination, targetsOf } from '../../src/cli/destination.js';
import { exitCodeOf, UsageError } from '../../src/cli/exit-codes.js';
import { formatBytes, formatDate, formatDuration, formatSeconds, formatTable, parseSize } from '../../src/cli/format.js';
import { wordsOf } from '../../src/cli/completion.js';
import { widthOf } from '../../src/cli/letters.js';
import { progressLine, progressText, totalLine } from '../../src/cli/progress-line.js';
import { progress as mergeProgress } from '../client/stub-gateway.js';
import { MIB } from '../support/bytes.js';
import { endpointOf } from '../../src/cli/gateway-options.js';

describe('a destination', () => {
  it('is a host and an absolute path, which may have any further colon', () => {
    expect(parseDestination('media-1:/a/b:c %41')).toEqual({ host: 'media-1', path: '/a/b:c %41' });
  });

  it('is refused without host, colon or leading slash', () => {
    for (const text of ['/a/b', 'local', ':/a', 'local:', 'local:a']) expect(() => parseDestination(text)).toThrow(UsageError);
  });

  const paths = (sources: readonly string[], path: string) =>
    targetsOf(sources, { host: 'h', path }).map((naming) => naming.path);

  it('is the new name of one source, or after a trailing slash its directory', () => {
    expect(paths(['x/film.mov'], '/in/f')).toEqual(['/in/f']);
    expect(paths(['x/film.mov'], '/in/')).toEqual(['/in/film.mov']);
    expect(paths(['x/film.mov'], '/')).toEqual(['/film.mov']);
    expect(paths(['x/dir/'], '/in/')).toEqual(['/in/dir']);
  });

  it('is the directory of several, and never one path for two', () => {
    expect(paths(['a', 'x/b'], '/')).toEqual(['/a', '/b']);
    expect(paths(['a', 'x/b'], '/in')).toEqual(['/in/a', '/in/b']);
    expect(() => paths(['x/a', 'y/a'], '/in/')).toThrow('x/a and y/a would both become h:/in/a');
  });

  it('is the directory itself for what is in a directory', () => {
    for (const source of ['.', '..', 'x/.', './']) expect(paths([source], '/in')).toEqual(['/in']);
    expect(paths(['x/.', 'y'], '/in/')).toEqual(['/in', '/in/y']);
    expect(paths(['x/.'], '/')).toEqual(['']);
  });
});

describe('the gateway', () => {
  it('is found by its endpoint or its base URL', () => {
    expect(endpointOf('http://h:4000')).toBe('http://h:4000/graphql');
    expect(endpointOf('https://h/up/')).toBe('https://h/up/graphql');
    expect(endpointOf('https://h/up/graphql')).toBe('https://h/up/graphql');
  });

  it('is refused when it is no web address', () => {
    for (const url of ['localhost:4000', 'ftp://h', '']) expect(() => endpointOf(url)).toThrow(UsageError);
  });
});

describe('the exit code', () => {
  const problem = (code: string) => new ProblemError({ __typename: 'Refused', code, message: '', retryable: false });

  it('tells usage, refusal, absence, interruption and failure apart', () => {
    expect(exitCodeOf(new UsageError('x'))).toBe(2);
    expect(['FILE_EXISTS', 'UPLOAD_LOCKED', 'PERMISSION_DENIED'].map((code) => exitCodeOf(problem(code)))).toEqual([3, 3, 3]);
    expect(exitCodeOf(new GatewayError('UNAUTHENTICATED', '', { retryable: false }))).toBe(3);
    expect(exitCodeOf(new NetworkError('x'))).toBe(4);
    expect(exitCodeOf(new GaveUpError('x', { unreachable: true, cause: undefined }))).toBe(4);
    expect(exitCodeOf(new GaveUpError('x', { unreachable: false, cause: undefined }))).toBe(1);
    expect(exitCodeOf(new StoppedError())).toBe(130);
    expect([problem('CONTENT_MISMATCH'), new SourceChangedError('x'), new Error('x')].map(exitCodeOf)).toEqual([1, 1, 1]);
  });
});

describe('numbers', () => {
  it('have three figures and a unit', () => {
    expect([0, 999, 1_000, 1024, 10_485_760, 1_073_741_824, 1_048_575].map(formatBytes)).toEqual([
      '0 B',
      '999 B',
      '0.98 KiB',
      '1.00 KiB',
      '10.0 MiB',
      '1.00 GiB',
      '1.00 MiB',
    ]);
  });

  it('are read as sizes in the units of the configuration, or as curl has them', () => {
    expect(['10MiB', '64 KiB', '1.5gib', '7', '7B'].map(parseSize)).toEqual([10_485_760, 65_536, 1_610_612_736, 7, 7]);
    expect(['500k', '20M', '1T'].map(parseSize)).toEqual([512_000, 20_971_520, 1024 ** 4]);
    expect(['', '0', '-1', '1MB', '1B5', 'x', 'MiB'].map(parseSize)).toEqual(Array(7).fill(undefined));
  });

  it('are times', () => {
    expect([0, 9.4, 59.6, 760, 11_275].map(formatSeconds)).toEqual(['0:00', '0:09', '1:00', '12:40', '3:07:55']);
    expect([0.04, 3.81, 9.96].map(formatDuration)).toEqual(['0.0 s', '3.8 s', '0:10']);
  });

  it('are dates of the local time', () => {
    expect(formatDate(new Date(2026, 10, 3, 0, 4, 59).getTime())).toBe('2026-11-03 00:04');
  });
});

describe('a table', () => {
  const head = ['HOST', 'NAME', 'FREE'];
  const row = ['media-1', 'Media server', '1.2 TiB'];

  it('has columns as wide as their longest cell', () => {
    expect(formatTable(head, [row, ['b', '', '']], 80)).toBe('HOST     NAME          FREE\nmedia-1  Media server  1.2 TiB\nb');
  });

  it('has straight columns, whatever the letters', () => {
    const rows = [
      ['映画', 'x'],
      ['a', 'y'],
    ];
    expect(formatTable(['HOST', 'NAME'], rows)).toBe('HOST  NAME\n映画  x\na     y');
  });

  it('has a block for each row where its columns are too wide, with nothing cut off', () => {
    expect(formatTable(head, [row], 24)).toBe('media-1\n  name: Media server\n  free: 1.2 TiB');
    expect(formatTable(head, [['a', 'b', 'c'.repeat(30)]], 30)).toBe(`a\n  name: b\n  free: ${'c'.repeat(30)}`);
    expect(formatTable(['A', 'B', 'C', 'D'], [['a', 'b', 'c', 'd'.repeat(20)]], 25)).toBe(
      `a\n  b: b  c: c\n  d: ${'d'.repeat(20)}`,
    );
  });
});

describe('a line on a terminal', () => {
  const progress: UploadProgress = {
    phase: 'sending',
    totalBytes: 100 * MIB,
    resumedBytes: 10 * MIB,
    sentBytes: 31 * MIB,
    wireBytes: 31 * MIB,
    hashedBytes: 41 * MIB,
    chunksDone: 3,
    chunkCount: 10,
    bytesPerSecond: 2 * MIB,
    etaSeconds: 29,
    merge: undefined,
  };
  const upload = (name: string) => ({ name, progress });
  const mergeState = (phase: string, facts: Record<string, unknown>) => mergeProgress(phase, facts) as unknown as MergeProgress;

  it('tells all where there is room', () => {
    expect(progressLine(upload('film.mov'), undefined, 119)).toBe(
      'film.mov  █████████░░░░░░░░░░░░░░░  41 %  41.0 MiB of 100 MiB  2.00 MiB/s  0:29 left  chunks 3/10',
    );
  });

  it('never says that nothing is left while something is', () => {
    const ending = { ...progress, etaSeconds: 0.2 };
    expect(progressLine({ name: 'film.mov', progress: ending }, undefined, 119)).toContain('0:01 left');
    const total = { files: 2, isComplete: true, totalBytes: MIB, filesOver: 1, bytesOver: MIB - 1, bytesPerSecond: MIB };
    expect(totalLine(total, 119)).toContain('0:01 left');
  });

  it('has neither rate nor time while nothing moves', () => {
    const still = { ...progress, bytesPerSecond: 0, etaSeconds: undefined };
    expect(progressLine({ name: 'film.mov', progress: still }, undefined, 119)).toMatch(/MiB of 100 MiB {2}chunks 3\/10$/);
  });

  it('never goes back after all is sent: what the host does has a percentage of its own, in words', () => {
    const sent = { ...progress, phase: 'merging', sentBytes: 90 * MIB } as const;
    const lineAt = (phase: string, percent: number) =>
      progressLine({ name: 'film.mov', progress: { ...sent, merge: mergeState(phase, { percent }) } }, undefined, 119);
    const full = 'film.mov  ████████████████████████  ';
    expect(progressLine({ name: 'film.mov', progress: sent }, undefined, 119)).toBe(`${full}sent; asking for the merge`);
    expect(lineAt('QUEUED', 0)).toBe(`${full}sent; queued on the gateway`);
    expect(lineAt('VERIFYING', 57.9)).toMatch(/^film\.mov {2}█{24} {2}sent; verifying on the host 57 %/);
    expect(lineAt('PUBLISHING', 0)).toBe(`${full}sent; publishing`);
    expect(progressText({ ...sent, merge: mergeState('PUBLISHING', { percent: 0 }) })).toBe('sent; publishing');
  });

  it('fits, whatever the room and the name', () => {
    const names = [
      'a',
      'a name that is much longer than what is there to tell it in, and goes on.mov',
      '映画'.repeat(40),
      '👩‍👩‍👧'.repeat(40),
    ];
    for (const columns of [30, 39, 40, 60, 79, 100, 200])
      for (const name of names)
        expect(widthOf(progressLine(upload(name), undefined, columns)), `${columns} ${name}`).toBeLessThanOrEqual(columns);
    expect(progressLine(upload('a long name of a film.mov'), undefined, 39)).toBe('a long n…ilm.mov   41 %');
  });

  it('shows no controls that are in a name', () => {
    expect(progressLine(upload('a\x1b[2Jb\n'), undefined, 79)).toMatch(/^a�\[2Jb� {2}█/);
  });

  it('counts all files, and says when more are being found', () => {
    const total = { files: 340, isComplete: true, totalBytes: 10 * MIB, filesOver: 3, bytesOver: 5 * MIB, bytesPerSecond: MIB };
    expect(totalLine(total, 79)).toBe('3 of 340 files  █████░░░░░  50 %  5.00 MiB of 10.0 MiB  1.00 MiB/s  0:05 left');
    expect(totalLine({ ...total, isComplete: false }, 79)).toBe(
      '3 of 340+ files  █████░░░░░  50 %  5.00 MiB of 10.0 MiB  1.00 MiB/s',
    );
  });
});

describe('the words of a line', () => {
  const words = (line: string) => wordsOf(line).map(({ text }) => text);

  it('are parted by blanks that are not quoted', () => {
    expect(words(`longshore put my\\ file 'a b' "c \\"d" e'f g'h`)).toEqual([
      'longshore',
      'put',
      'my file',
      'a b',
      'c \\"d',
      'ef gh',
    ]);
  });

  it('end with the one at the cursor', () => {
    expect(words('longshore put ')).toEqual(['longshore', 'put', '']);
    expect(words('longshore put my\\ ')).toEqual(['longshore', 'put', 'my ']);
    expect(words("longshore put 'my fi")).toEqual(['longshore', 'put', 'my fi']);
    expect(words('')).toEqual(['']);
  });
});
