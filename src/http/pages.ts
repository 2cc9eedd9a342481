import { createHash } from 'node:crypto';

/** A page, with the content policy under which it works and nothing more does. */
export interface Page {
  readonly html: string;
  readonly contentSecurityPolicy: string;
}

const EXAMPLE = `# Longshore takes huge files in chunks and lands them whole on SSH hosts.
# Every type and field is described: press Ctrl-Space, or open the documentation on the left.

query Hosts {
  hosts {
    id
    name
    roots
    reachable
    strategy
    freeBytes
  }
}

# May I upload this? Asking claims the target for you.
query Status {
  uploadStatus(file: { hostId: "local", fullPath: "/hello.bin", hashCode: "my-first-upload" }, size: 25000000) {
    __typename
    ... on UploadReady { chunkSize chunkCount claimedUntil }
    ... on UploadResumable { uploadedCount chunkCount chunkSize }
    ... on UploadFinished { finishedAt size }
    ... on Problem { code message retryable }
  }
}

# Stays open and shows each state of the merge.
subscription Progress {
  mergeProgress(file: { hostId: "local", fullPath: "/hello.bin", hashCode: "my-first-upload" }) {
    phase
    percent
    problem { code message }
  }
}
`;

/**
 * GraphiQL without a network: everything is in the page. The package costs some 85 MB of memory, so it is loaded when the page is first
 * asked for, and not kept by us.
 */
export async function renderGraphiqlPage(): Promise<Page> {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const html = renderGraphiQL({
    title: 'Longshore – GraphiQL',
    endpoint: '/graphql',
    subscriptionsProtocol: 'WS',
    defaultQuery: EXAMPLE,
    headers: JSON.stringify({ 'x-graphql-yoga-csrf': '1' }, null, 2),
    shouldPersistHeaders: false,
  });
  return {
    html,
    // Its editor writes style elements and starts workers from blobs.
    contentSecurityPolicy: [
      "default-src 'none'",
      "script-src 'unsafe-inline' blob:",
      'worker-src blob:',
      "style-src 'unsafe-inline'",
      'img-src data: blob:',
      'font-src data:',
      "connect-src 'self' blob:",
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ].join('; '),
  };
}

const LANDING_STYLE = `
:root { color-scheme: light dark; --ink: #16242f; --soft: #5a6b78; --paper: #f6f8f9; --card: #fff; --line: #dbe3e8; --accent: #0b6e8f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e3ebf0; --soft: #93a5b1; --paper: #0e171d; --card: #15212a; --line: #263641; --accent: #63c3e0; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.6 system-ui, sans-serif; }
main { max-width: 44rem; margin: 0 auto; padding: clamp(2.5rem, 9vh, 6rem) 1.25rem 3rem; }
svg { display: block; width: 4.5rem; color: var(--accent); }
h1 { margin: 1.2rem 0 .2rem; font-size: clamp(2.2rem, 6vw, 3.2rem); line-height: 1.1; letter-spacing: -.03em; font-weight: 650; }
.lead { margin: 0 0 2.4rem; color: var(--soft); font-size: 1.2rem; max-width: 34rem; text-wrap: pretty; }
h2 { margin: 2rem 0 .5rem; font-size: .95rem; font-weight: 600; }
pre { margin: 0; padding: 1rem 1.15rem; overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  font: .86rem/1.6 ui-monospace, SFMono-Regular, Menlo, monospace; }
a { color: var(--accent); text-underline-offset: .2em; }
a:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; border-radius: .3rem; }
.open { display: inline-block; padding: .65rem 1.15rem; border-radius: .6rem; background: var(--accent); color: var(--paper);
  font-weight: 600; text-decoration: none; }
footer { margin-top: 3rem; padding-top: 1.1rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .9rem; }
`;

const LANDING_BODY = `
<main>
  <svg viewBox="0 0 72 40" fill="none" stroke="currentColor" stroke-width="3.5" stroke-linecap="round" aria-hidden="true">
    <path d="M4 34c5.300-4 10.700-4 16 0s10.700 4 16 0 10.700-4 16 0 10.700 4 16 0" />
    <path d="M16 22h40M22 22v-8h10v8M40 22v-14h10v14" />
  </svg>
  <h1>Longshore</h1>
  <p class="lead">Huge files, in chunks, over GraphQL, landed whole and verified on SSH hosts. An upload that breaks goes on where it
    stopped.</p>
  <a class="open" href="/graphql">Open GraphiQL</a>
  <h2>Put a file on a host</h2>
  <pre><code>npx longshore put film.mov local:/film.mov</code></pre>
  <h2>Ask from anywhere</h2>
  <pre><code>curl http://127.0.0.1:4000/graphql \\
  -H 'content-type: application/json' \\
  -d '{"query":"{ hosts { id name reachable } }"}'</code></pre>
  <footer>Every field is described in the schema. <a href="/health">Health</a> · <a href="/ready">Readiness</a></footer>
</main>
`;

/** What this is and where to begin, in one file without a script. */
export const landingPage: Page = {
  html: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Longshore</title>
<link rel="icon" href="data:,">
<style>${LANDING_STYLE}</style>
</head>
<body>${LANDING_BODY}</body>
</html>
`,
  contentSecurityPolicy: [
    "default-src 'none'",
    `style-src '${hashSource(LANDING_STYLE)}'`,
    'img-src data:',
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  ].join('; '),
};

/** The one inline text that a content policy lets through: https://www.w3.org/TR/CSP3/#grammardef-hash-source */
function hashSource(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
