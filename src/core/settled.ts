/** Like Promise.all, but nothing runs on behind a rejection: all have ended when it settles. */
export async function settled<T extends readonly Promise<unknown>[] | []>(
  promises: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}
