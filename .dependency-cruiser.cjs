// The layer rules of docs/architecture.md: imports point inwards. Two rules for each room, made from one table: which other rooms
// it may import, and what from outside src/. test/architecture.test.ts proves that each of them fires.

/** A package as dependency-cruiser names it: its path when it is installed, its bare name when it isn't. */
const package_ = (name) => `(^|node_modules/)(@types/)?${name}(/|$)`;

/**
 * For each room (a directory of src/, or a file of it): the rooms it may import, whether it may use Node's own modules, and its packages.
 * A room may always import itself.
 */
const ROOMS = {
  core: { rooms: [], node: false, packages: [] },
  assembly: { rooms: ['core'], node: false, packages: [] },
  memory: { rooms: ['core'], node: true, packages: [] },
  redis: { rooms: ['core'], node: true, packages: ['ioredis', 'bullmq'] },
  sftp: { rooms: ['core'], node: true, packages: ['ssh2'] },
  embedded: { rooms: ['core'], node: true, packages: ['ssh2'] },
  system: { rooms: ['core'], node: true, packages: ['pino'] },
  config: { rooms: ['core'], node: true, packages: ['yaml', 'zod'] },
  graphql: {
    rooms: ['core'],
    node: true,
    packages: ['graphql', 'graphql-yoga', 'graphql-upload-minimal', 'busboy'],
  },
  http: {
    rooms: ['graphql', 'core'],
    node: true,
    packages: ['graphql', 'graphql-yoga', 'graphql-ws', 'ws', 'jose', 'proxy-addr'],
  },
  metrics: { rooms: ['core'], node: false, packages: ['prom-client'] },
  client: { rooms: [], node: false, packages: ['graphql-ws'] },
  // It has the client by its published name: as any page has it, built for browsers.
  web: { rooms: ['client'], node: false, packages: ['react', 'react-dom', 'idb-keyval', '@fontsource-variable'] },
  cli: { rooms: ['client'], node: true, packages: ['commander', 'log-update', 'ws'] },
};

/** The client's parts for one platform; the rest of it runs on all of them. */
const CLIENT_PARTS = {
  node: { node: true, packages: ['graphql-ws', 'ws'] },
  browser: { node: false, packages: ['hash-wasm'] },
  react: { node: false, packages: ['react'] },
};
/** By the package's own name; only the page, which is built after it, asks for it so. */
const PUBLISHED_CLIENT = '^dist/client/';
const CLIENT_ON_NODE = '^src/client/node/';
const CLIENT_PART = `^src/client/(${Object.keys(CLIENT_PARTS).join('|')})/`;

/** The files at the top of src/ where everything is joined. */
const JOINTS = ['main', 'compose'];

const inRoom = (room) => `^src/${room}(/|\\.ts$)`;
const inRooms = (rooms) => `^src/(${rooms.join('|')})(/|\\.ts$)`;

function rulesOfRoom([room, { rooms, node, packages }]) {
  const list = rooms.length === 0 ? 'no other room' : `only ${rooms.join(', ')}`;
  return [
    {
      name: `${room}-rooms`,
      comment: `${room} imports ${list}.`,
      severity: 'error',
      // `longshore serve` and `longshore worker` are the process entry under another name.
      from: room === 'cli' ? { path: inRoom(room), pathNot: '^src/cli/(main|serve|worker)\\.ts$' } : { path: inRoom(room) },
      to: { path: '^src/', pathNot: inRooms([room, ...rooms]) },
    },
    outsideRule(`${room}-outside`, room === 'client' ? { path: inRoom(room), pathNot: CLIENT_PART } : { path: inRoom(room) }, {
      node,
      packages,
    }),
  ];
}

function outsideRule(name, from, { node, packages }) {
  return {
    name,
    comment: `Uses ${node ? 'Node and ' : ''}${packages.length === 0 ? 'no package' : `only ${packages.join(', ')}`}.`,
    severity: 'error',
    from,
    to: { pathNot: ['^src/', PUBLISHED_CLIENT, ...packages.map(package_)], ...(node ? { dependencyTypesNot: ['core'] } : {}) },
  };
}

module.exports = {
  forbidden: [
    ...Object.entries(ROOMS).flatMap(rulesOfRoom),
    ...Object.entries(CLIENT_PARTS).map(([part, uses]) =>
      outsideRule(`client-${part}-outside`, { path: `^src/client/${part}/` }, uses),
    ),
    {
      name: 'client-anywhere',
      comment: 'What runs anywhere imports nothing of the parts for browsers and React.',
      severity: 'error',
      from: { path: '^src/client/', pathNot: '^src/client/(browser|react)/' },
      to: { path: '^src/client/(browser|react)/' },
    },
    {
      name: 'client-in-browsers',
      comment: 'What runs in browsers imports nothing of the part for Node.',
      severity: 'error',
      // index.ts is the surface for Node; another platform has an entry of its own.
      from: { path: '^src/(client|web)/', pathNot: [CLIENT_ON_NODE, '^src/client/index\\.ts$'] },
      to: { path: CLIENT_ON_NODE },
    },
    {
      name: 'cli-serve-rooms',
      comment: 'The serving commands of cli import the process entry and client, nothing behind them.',
      severity: 'error',
      from: { path: '^src/cli/(main|serve|worker)\\.ts$' },
      to: { path: '^src/', pathNot: inRooms(['cli', 'client', 'main']) },
    },
    {
      name: 'main-rooms',
      comment: 'main joins configuration and composition, and knows no adapter.',
      severity: 'error',
      from: { path: inRoom('main') },
      to: { path: '^src/', pathNot: inRooms(['main', 'config', 'compose', 'system', 'core', 'http']) },
    },
    {
      name: 'known-room',
      comment: 'A new room needs its row in the table above.',
      severity: 'error',
      from: { path: '^src/', pathNot: inRooms([...Object.keys(ROOMS), ...JOINTS]) },
      to: {},
    },
    {
      name: 'ssh2-has-two-rooms',
      comment: 'Only sftp and embedded know ssh2.',
      severity: 'error',
      from: { path: '^src/', pathNot: inRooms(['sftp', 'embedded']) },
      to: { path: package_('ssh2') },
    },
    {
      name: 'redis-has-one-room',
      comment: 'Only redis knows ioredis and bullmq.',
      severity: 'error',
      from: { path: '^src/', pathNot: inRoom('redis') },
      to: { path: package_('(ioredis|bullmq)') },
    },
    {
      name: 'no-circle',
      comment: 'Files that import each other are one file.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-development-package',
      comment:
        'What runs in production is installed there: src/ imports no devDependency. The page is built with what it needs in it.',
      severity: 'error',
      from: { path: '^src/', pathNot: inRoom('web') },
      // React comes with the program that has its hooks.
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm', 'npm-peer', 'type-only'] },
    },
    {
      name: 'published-client-is-for-the-page',
      comment: 'Everything else has the client by its path.',
      severity: 'error',
      from: { path: '^src/', pathNot: inRoom('web') },
      to: { path: PUBLISHED_CLIENT },
    },
    {
      name: 'src-stands-alone',
      comment: 'src/ imports nothing from tests, benchmarks or scripts.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench|scripts|examples|docs)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Types count too: a room that knows a library's types knows the library.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default', 'types'] },
  },
};
