// The pages that the build made: the upload page and GraphiQL. Both are sent from dist/ as files, need nothing from any other host, and
// work under a content policy that allows nothing more.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendFile } from './static-files.js';

/** Three levels up from here as source and as built. */
const DIST = new URL('../../../dist/', import.meta.url);

/** What the build gives a part: a hash of its content before the ending. */
const HASHED = /-[\w-]{8,}\.\w+$/;

interface Page {
  readonly index: URL;
  readonly contentSecurityPolicy: string;
  /** Origins whose pages may embed it. */
  readonly embeddedBy: readonly string[];
  /** Of its scripts, styles and pictures, whose names change with their content: their path, and where they are. */
  readonly parts: { readonly path: string; readonly directory: URL };
}

export interface Pages {
  sendUploadPage(req: IncomingMessage, res: ServerResponse): Promise<void>;
  sendGraphiql(req: IncomingMessage, res: ServerResponse): Promise<void>;
  /** A script, a style or a picture of a page. Resolves with false, nothing sent, when there is none at the path. */
  sendPart(req: IncomingMessage, res: ServerResponse, path: string): Promise<boolean>;
}

/** `origins`: of sites whose pages may embed the upload page. */
export function createPages(origins: readonly string[]): Pages {
  const upload: Page = {
    index: new URL('web/', DIST),
    contentSecurityPolicy: policyOf({
      // WebAssembly hashes three times as fast as JavaScript.
      script: "'self' 'wasm-unsafe-eval'",
      style: "'self'",
      font: "'self'",
    }),
    embeddedBy: origins,
    parts: { path: '/assets/', directory: new URL('web/assets/', DIST) },
  };
  const graphiql: Page = {
    index: new URL('graphiql/', DIST),
    contentSecurityPolicy: policyOf({
      script: "'self'",
      // Its editor writes style elements and attributes of its own.
      style: "'self' 'unsafe-inline'",
      font: 'data:',
    }),
    embeddedBy: [],
    parts: { path: '/graphiql/', directory: new URL('graphiql/', DIST) },
  };
  return {
    sendUploadPage: (req, res) => sendPage(req, res, upload),
    sendGraphiql: (req, res) => sendPage(req, res, graphiql),
    async sendPart(req, res, path) {
      const parts = [upload.parts, graphiql.parts].find((each) => path.startsWith(each.path));
      if (parts === undefined) return false;
      const name = path.slice(parts.path.length);
      if (!HASHED.test(name)) return false;
      return await sendFile(req, res, { directory: parts.directory, name, caching: 'immutable' });
    },
  };
}

async function sendPage(req: IncomingMessage, res: ServerResponse, page: Page): Promise<void> {
  const frames = page.embeddedBy.length === 0 ? "'none'" : page.embeddedBy.join(' ');
  res.setHeader('content-security-policy', `${page.contentSecurityPolicy}; frame-ancestors ${frames}`);
  // It knows no lists, and where both are there some browsers heed it alone.
  if (page.embeddedBy.length > 0) res.removeHeader('x-frame-options');
  if (await sendFile(req, res, { directory: page.index, name: 'index.html', caching: 'no-store' })) return;
  res.writeHead(503, { 'content-type': 'text/plain; charset=utf-8' }).end('The page is not there: `npm run build` makes it.\n');
}

interface Sources {
  readonly script: string;
  readonly style: string;
  readonly font: string;
}

function policyOf({ script, style, font }: Sources): string {
  return [
    `default-src 'none'; script-src ${script}; worker-src 'self'; style-src ${style}; img-src 'self' data:; font-src ${font}`,
    "connect-src 'self'; base-uri 'none'; form-action 'none'",
  ].join('; ');
}
