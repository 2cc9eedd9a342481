// Bytes as lower-case hex and back: core has no Buffer.

const DIGITS = Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

/** At once from character codes: built up piece by piece a string is a tree that every comparison would have to flatten. */
export function toHex(bytes: Uint8Array, start = 0, end = bytes.length): string {
  const codes: number[] = [];
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    codes.push(DIGITS[byte >>> 4] ?? 0, DIGITS[byte & 15] ?? 0);
  }
  return String.fromCharCode(...codes);
}

export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from({ length: hex.length / 2 }, (_, at) => Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16));
}
