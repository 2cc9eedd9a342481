import { serverAudits } from 'graphql-http';
import { expect, it } from 'vitest';
import { PREFLIGHT, longshoreWith, serve } from './support.js';

it('passes every audit of GraphQL over HTTP, recommendations included', async () => {
  const server = await serve(longshoreWith());
  const withHeader: typeof fetch = (url, init) =>
    fetch(url, { ...init, headers: [...new Headers(init?.headers), ...Object.entries(PREFLIGHT)] });
  const audits = serverAudits({ url: `${server.url}/graphql`, fetchFn: withHeader });
  const results = await Promise.all(audits.map((audit) => audit.fn()));
  const failed = results.filter(({ status }) => status !== 'ok').map(({ id, name }) => `${id} ${name}`);
  expect(failed).toEqual([]);
  expect(results.length).toBeGreaterThanOrEqual(61);
});
