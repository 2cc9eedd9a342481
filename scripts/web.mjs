// Makes web/ of a build: the upload page as files that the gateway sends as they are. Names carry a hash of the content, for caches.
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compressFile } from './compress.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Resolves when everything is written into `made`, which has the SDK already: the page imports it by the package's own name. */
export async function buildWeb(made) {
  const { build } = await import('vite');
  await build({
    root: `${root}src/web`,
    configFile: false,
    logLevel: 'warn',
    // Relative to the page, so that a proxy may have it below a path of its own.
    base: './',
    resolve: {
      alias: [
        { find: /^longshore\/client$/, replacement: `${made}client/browser/index.js` },
        { find: /^longshore\/client\/react$/, replacement: `${made}client/react/index.js` },
      ],
    },
    build: {
      outDir: `${made}web`,
      emptyOutDir: true,
      target: 'baseline-widely-available',
      modulePreload: { polyfill: false },
    },
  });
  const assets = `${made}web/assets/`;
  const texts = readdirSync(assets).filter((name) => /\.(js|css|svg)$/.test(name));
  await Promise.all(texts.map((name) => compressFile(assets + name)));
}
