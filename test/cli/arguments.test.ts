import { describe, expect, it } from 'vitest';
import {
  GatewayError,
  GaveUpError,
  NetworkError,
  ProblemError,
  SourceChangedError,
  StoppedError,
} from '../../src/client/index.js';
import { parseDestination, targetsOf } from '../../src/cli/destination.js';
import { exitCodeOf, UsageError } from '../../src/cli/exit-codes.js';
import { formatBytes, formatDuration, formatSeconds, formatTable, parseSize } from '../../src/cli/format.js';
import { endpointOf } from '../../src/cli/gateway-options.js';

describe('a destination', () => {
  it('is a host and an absolute path, which may have any further colon', () => {
    expect(parseDestination('media-1:/a/b:c %41')).toEqual({ host: 'media-1', path: '/a/b:c %41' });
  });

  it('is refused without host, colon or leading slash', () => {
    for (const text of ['/a/b', 'local', ':/a', 'local:', 'local:a']) expect(() => parseDestination(text)).toThrow(UsageError);
  });

  it('is the file itself, or after a trailing slash its directory', () => {
    expect(targetsOf(['x/film.mov'], { host: 'h', path: '/in/f' })).toEqual([{ file: 'x/film.mov', path: '/in/f' }]);
    expect(targetsOf(['x/film.mov'], { host: 'h', path: '/in/' })).toEqual([{ file: 'x/film.mov', path: '/in/film.mov' }]);
  });

  it('must be a directory for several files, and never one path for two', () => {
    expect(targetsOf(['a', 'x/b'], { host: 'h', path: '/' }).map(({ path }) => path)).toEqual(['/a', '/b']);
    expect(() => targetsOf(['a', 'b'], { host: 'h', path: '/in' })).toThrow('several files need a directory: h:/in/');
    expect(() => targetsOf(['x/a', 'y/a'], { host: 'h', path: '/in/' })).toThrow('x/a and y/a would both become h:/in/a');
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

  it('are read as sizes in the units of the configuration', () => {
    expect(['10MiB', '64 KiB', '1.5gib', '7', '7B'].map(parseSize)).toEqual([10_485_760, 65_536, 1_610_612_736, 7, 7]);
    expect(['', '0', '-1', '1MB', '1.5B', 'x'].map(parseSize)).toEqual(Array(6).fill(undefined));
  });

  it('are times', () => {
    expect([0, 9.4, 59.6, 760, 11_275].map(formatSeconds)).toEqual(['0:00', '0:09', '1:00', '12:40', '3:07:55']);
    expect([0.04, 3.81, 9.96].map(formatDuration)).toEqual(['0.0 s', '3.8 s', '0:10']);
  });

  it('stand in columns', () => {
    expect(
      formatTable([
        ['A', 'LONG'],
        ['bbb', 'c'],
      ]),
    ).toBe('A    LONG\nbbb  c');
  });
});
