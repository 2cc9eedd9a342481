// The one place where text is quoted for a shell.

/**
 * `text` as one word of a POSIX shell (XCU 2.2.2): within single quotes nothing is special but the single quote itself.
 * Throws on a NUL, which no word can hold.
 */
export function shellQuote(text: string): string {
  if (text.includes('\0')) throw new Error('a shell word cannot hold a NUL');
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
