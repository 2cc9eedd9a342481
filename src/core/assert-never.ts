/** Ends a switch over a union: adding a member without a case becomes a type error. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`);
}
