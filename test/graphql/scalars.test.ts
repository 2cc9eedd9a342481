import { parseValue as parseLiteral } from 'graphql';
import { describe, expect, it } from 'vitest';
import { scalars } from '../../src/graphql/scalars.js';

const { ByteCount, DateTime } = scalars;
const badInput = expect.objectContaining({ extensions: { code: 'BAD_USER_INPUT' } });

describe('ByteCount', () => {
  it.each([0, 1, 2 ** 31, Number.MAX_SAFE_INTEGER])('takes and gives %d', (bytes) => {
    expect(ByteCount.parseValue(bytes)).toBe(bytes);
    expect(ByteCount.parseLiteral(parseLiteral(String(bytes)))).toBe(bytes);
    expect(ByteCount.serialize(bytes)).toBe(bytes);
  });

  it.each([-1, 0.5, 2 ** 53, NaN, Infinity, '1', null, true, {}, [1]])('refuses %j', (value) => {
    expect(() => ByteCount.parseValue(value)).toThrow(badInput);
  });

  it.each(['-1', '0.5', '9007199254740992', '"1"', 'true', '{}'])('refuses the literal %s', (literal) => {
    expect(() => ByteCount.parseLiteral(parseLiteral(literal))).toThrow(badInput);
  });

  it('treats a wrong number of ours as a fault, not as bad input', () => {
    expect(() => ByteCount.serialize(-1)).toThrow(TypeError);
  });
});

describe('DateTime', () => {
  it('is ISO 8601 outside and epoch milliseconds inside', () => {
    expect(DateTime.serialize(0)).toBe('1970-01-01T00:00:00.000Z');
    expect(DateTime.parseValue('1970-01-01T00:00:01Z')).toBe(1000);
    expect(DateTime.parseLiteral(parseLiteral('"1970-01-01T01:00:00.5+01:00"'))).toBe(500);
  });

  it.each(['1970', '1970-01-01', '1970-13-01T00:00:00Z', 'yesterday', 0])('refuses %j', (value) => {
    expect(() => DateTime.parseValue(value)).toThrow(badInput);
  });
});
