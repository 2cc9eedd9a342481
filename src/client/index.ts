// Room: the SDK. Brings a content to a path on a host through a gateway, whole or not at all, and goes on where it stopped.
// Knows only the GraphQL schema. Called by the command, the page and other people's programs. May import its own files,
// graphql-ws and the platform's APIs. `node/` and `browser/` have what only those can, `react/` a hook; the rest runs
// anywhere. This file is the surface for Node, `browser/index.ts` the one for browsers: `longshore/client` is either.

export * from './surface.js';
export { Uploader, connectGateway, type NodeUploaderOptions as UploaderOptions } from './node/uploader.js';
export { FileSource, type FileSourceOptions } from './node/file-source.js';
export { nodePlatform, type NodePlatformOptions } from './node/platform.js';
