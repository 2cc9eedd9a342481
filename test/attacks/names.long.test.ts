import { expect, it } from 'vitest';
import { checkNames, useRecordedHost } from './hostile-names.js';

useRecordedHost();

it('2 000 hostile names: each is refused at once, or the file lies under exactly its bytes, and nothing else is touched', async () => {
  const { landed } = await checkNames(() => true);
  expect(landed).toBeGreaterThan(800);
});
