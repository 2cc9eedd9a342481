// GraphQL documents that cost an unguarded server far more than they cost who sends them, and the worst that the limits let through.

export interface Bomb {
  readonly query: string;
  readonly variables?: object;
}

const times = (count: number, one: (n: number) => string): string => Array.from({ length: count }, (_, n) => one(n)).join(' ');
const nested = (depth: number, open: string, inside: string, close: string): string =>
  `${open.repeat(depth)}${inside}${close.repeat(depth)}`;

/** Each is beyond what a document may ask for. */
export const BOMBS: Readonly<Record<string, Bomb>> = {
  'variables 2 000 deep': { query: 'query($file: FileRef!) { dirInfo(file: $file) { __typename } }', variables: deep(2_000) },
  'variables of 20 000 fields': {
    query: 'query($file: FileRef!) { dirInfo(file: $file) { __typename } }',
    variables: { file: Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`a${n}`, 1])) },
  },
  'twenty calls for a path of 85 000 bidirectional overrides': manyTimes('\u202e'.repeat(85_000)),
  'a name in the variables of 80 000 letters': {
    query: 'query($file: FileRef!) { dirInfo(file: $file) { __typename } }',
    variables: { file: { ['x'.repeat(80_000)]: 1 } },
  },
  'a query 2 000 fields deep': { query: nested(2_000, '{a', '', '}') },
  'a query 50 fields deep': { query: nested(50, '{a', '', '}') },
  'a query 100 000 brackets deep': { query: '{'.repeat(100_000) },
  'a literal list 200 000 deep': { query: `{ uploads(after: ${'['.repeat(200_000)}` },
  'a literal object 900 deep': { query: `{ uploads(after: ${nested(900, '{a:', '1', '}')}) { nextAfter } }` },
  'a literal list of 100 000 numbers': { query: `{ uploads(after: [${'1 '.repeat(100_000)}]) { nextAfter } }` },
  'a type 900 lists deep': { query: `query($a: ${nested(900, '[', 'Int', ']')}) { hosts { id } }` },
  '400 aliases of one field': { query: `{ ${times(400, (n) => `a${n}: hosts { id }`)} }` },
  '10 000 aliases': { query: `{ ${times(10_000, (n) => `a${n}: hosts { id }`)} }` },
  'a flood of __typename': { query: `{ ${'__typename '.repeat(1_900)} }` },
  'a longer flood of __typename': { query: `{ ${'__typename '.repeat(20_000)} }` },
  'the same field 450 times': { query: `{ ${'hosts{id} '.repeat(450)} }` },
  'the same leaf 1 900 times': { query: `{ hosts { ${'id '.repeat(1_900)} } }` },
  'the same fields in 150 inline fragments': { query: `{ ${'... on Query { hosts { id } } '.repeat(150)} }` },
  'fields that double at each of eight levels': { query: doubled(8) },
  '900 directives': { query: `{ hosts { id ${'@a '.repeat(900)} } }` },
  '300 operations': { query: times(300, (n) => `query q${n} { hosts { id } }`) },
  'thirty operations': { query: times(30, (n) => `query q${n} { hosts { id } }`) },
  'a hundred uses of one fragment': {
    query: `{ ${times(20, (n) => `a${n}: hosts { ${'...f '.repeat(5)} }`)} } fragment f on Host { id }`,
  },
  'fragments that double 40 times': { query: fragmentBomb(39) },
  'many fragments': { query: `{ ...f0 } ${times(45, (n) => `fragment f${n} on Query { ...f${(n + 1) % 45} }`)}` },
  'fragments with the same fields, spread together': {
    query: `{ ${times(35, (n) => `...f${n}`)} } ${times(35, (n) => `fragment f${n} on Query { hosts { id } uploads { nextAfter } }`)}`,
  },
  'introspection that multiplies by aliases': {
    query: `{ __schema { types { ${times(50, (n) => `a${n}: fields { type { ${times(5, (m) => `b${m}: fields { name }`)} } }`)} } } }`,
  },
  'introspection that multiplies by few aliases': {
    query: `{ __schema { types { a: fields { type { b: fields { name } c: fields { name } } } } } }`,
  },
  'a long comment': { query: `{ hosts { id } } #${'x'.repeat(200_000)}` },
  'many commas': { query: `{ hosts { id } ${','.repeat(200_000)} }` },
  'a long string': { query: `{ uploads(after: "${'x'.repeat(200_000)}") { nextAfter } }` },
  'sixty calls at once': { query: `{ ${times(60, (n) => `a${n}: hosts { id }`)} }` },
};

/** Within the limits, or caught by GraphQL's own rules; each as bad as we could make it. */
export const HARD_NUTS: Readonly<Record<string, Bomb>> = {
  'twenty calls for a path of 65 000 bidirectional overrides': manyTimes('\u202e'.repeat(65_000)),
  'introspection in circles': { query: `{ __schema { types { ${nested(20, 'fields { type { ', 'name', ' } }')} } } }` },
  'all of introspection, as wide as it may be': {
    query: `{ __schema { types { name kind description fields(includeDeprecated: true) { name args { name type { name ofType { name ofType { name } } } } type { name kind fields { name description type { name kind } } ofType { name } } } interfaces { name } possibleTypes { name } enumValues { name } inputFields { name type { name } } } } }`,
  },
  'a circle of fragments': { query: `{ ...f0 } ${times(30, (n) => `fragment f${n} on Query { ...f${(n + 1) % 30} }`)}` },
  'unknown fields with names like ours': { query: `{ hosts { ${times(900, (n) => `capabilitiez${n}`)} } }` },
  'twenty repeated selections of ninety fields': {
    query: `{ ${times(20, () => `hosts { ${times(45, (n) => `f${n}`)} }`)} }`,
  },
  'the same leaf thirty times in many places': {
    query: `{ ${times(15, (n) => `h${n}: hosts { ${'id '.repeat(30)} ${'name '.repeat(30)} }`)} }`,
  },
  'forty fragments, each spread where all are known': {
    query: `{ hosts { ${times(20, (n) => `...f${n}`)} } } ${times(39, (n) => `fragment f${n} on Host { ${n < 19 ? `...f${n + 20}` : ''} ${times(17, (m) => `x${n}y${m}`)} }`)}`,
  },
  'twenty operations of many fields': {
    query: times(20, (n) => `query q${n}($a: Int) { ${times(12, (m) => `x${m}(a: $a)`)} }`),
  },
  'six hundred arguments': { query: `{ uploads(${times(600, (n) => `a${n}: 1`)}) { nextAfter } }` },
  'six hundred input fields': { query: `{ dirInfo(file: { ${times(600, (n) => `a${n}: 1`)} }) { __typename } }` },
  'four hundred variables': { query: `query(${times(400, (n) => `$v${n}: Int`)}) { hosts { id } }` },
  'an escape in every letter': { query: `{ uploads(after: "${'\\u0041'.repeat(5_000)}") { nextAfter } }` },
  'a block string of many lines': { query: `{ uploads(after: """${'\n x'.repeat(10_000)}""") { nextAfter } }` },
};

function manyTimes(fullPath: string): Bomb {
  return {
    query: `query($file: FileRef!) { ${times(20, (n) => `a${n}: dirInfo(file: $file) { __typename }`)} }`,
    variables: { file: { hostId: 'h', fullPath, hashCode: 'c' } },
  };
}

function doubled(levels: number): string {
  const level = (n: number): string => (n === 0 ? 'z' : `x { ${level(n - 1)} } x { ${level(n - 1)} }`);
  return `{ ${level(levels)} }`;
}

function fragmentBomb(levels: number): string {
  const fragments = times(levels, (n) => `fragment f${n} on Query { a: x { ...f${n + 1} } b: x { ...f${n + 1} } }`);
  return `{ ...f0 } ${fragments} fragment f${levels} on Query { hosts { id } }`;
}

function deep(levels: number): object {
  let value: object = [];
  for (let n = 0; n < levels; n += 1) value = [value];
  return { file: value };
}
