import { defineConfig } from 'vite';

/** The page and the gateway at one origin, WebSockets included: nothing to allow in `listen.origins` while you develop. */
const proxy = { '/graphql': { target: process.env['LONGSHORE_URL'] ?? 'http://127.0.0.1:4000', ws: true } };

export default defineConfig({ server: { proxy }, preview: { proxy } });
