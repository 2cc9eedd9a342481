import { Upload } from 'graphql-upload-minimal';
import { describe, expect, it } from 'vitest';
import { readMap, readOperations } from '../../src/graphql/multipart-fields.js';

const operationsText =
  '{"query":"q","variables":{"chunk":null,"list":[null],"deep":{"chunk":null},"there":1,"__proto__":{"x":null}}}';
const bad = expect.objectContaining({ extensions: expect.objectContaining({ code: 'BAD_MULTIPART' }) as unknown });

describe('operations', () => {
  it.each(['', '{', 'null', '1', '"text"', '[]', '[{"query":"q"}]'])('refuses %j', (text) => {
    expect(() => readOperations(text)).toThrow(bad);
  });
});

describe('map', () => {
  it.each(['variables.chunk', 'variables.list.0', 'variables.deep.chunk'])('puts the file at %s', (path) => {
    const operations = readOperations(operationsText);
    const upload = new Upload();
    readMap(JSON.stringify({ f: [path] }), operations).put(upload);
    const found = path.split('.').reduce<unknown>((holder, name) => Reflect.get(holder as object, name), operations);
    expect(found).toBe(upload);
  });

  it.each([
    'query',
    'variables',
    '',
    'chunk',
    'variables.',
    'variables.nope',
    'variables.there',
    'variables.chunk.deeper',
    'variables.deep',
    'variables.list.length',
    'variables.list.1',
    'variables.toString',
    'variables.__proto__',
    'variables.__proto__.x',
    'variables.constructor',
    'variables.constructor.prototype.x',
    '__proto__.polluted',
    'constructor.prototype.polluted',
    'operations.variables.chunk',
  ])('refuses the path %j', (path) => {
    expect(() => readMap(JSON.stringify({ f: [path] }), readOperations(operationsText))).toThrow(bad);
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
    expect(Reflect.get({}, 'x')).toBeUndefined();
  });

  it.each([
    '{',
    'null',
    '[]',
    '{}',
    '{"a":"variables.chunk"}',
    '{"a":[]}',
    '{"a":[1]}',
    '{"a":["variables.chunk","variables.list.0"]}',
  ])('refuses %s', (text) => {
    expect(() => readMap(text, readOperations(operationsText))).toThrow(bad);
  });

  it('refuses a path to what an object only inherits', () => {
    Object.defineProperty(Object.prototype, 'inherited', { value: null, configurable: true });
    try {
      expect(() => readMap('{"f":["variables.inherited"]}', readOperations(operationsText))).toThrow(bad);
    } finally {
      Reflect.deleteProperty(Object.prototype, 'inherited');
    }
  });

  it('refuses more than one file', () => {
    const text = '{"a":["variables.chunk"],"b":["variables.list.0"]}';
    expect(() => readMap(text, readOperations(operationsText))).toThrow(bad);
  });
});
