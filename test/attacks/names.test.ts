import { expect, it } from 'vitest';
import { checkNames, useRecordedHost } from './hostile-names.js';

useRecordedHost();

it('2 000 hostile names: each is refused at once or asked for by exactly its bytes, where a file then lies, and nothing else is', async () => {
  const { landed } = await checkNames((at) => at % 20 === 0);
  expect(landed).toBeGreaterThan(40);
}, 120_000);
