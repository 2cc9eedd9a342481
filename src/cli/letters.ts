// What a text takes on a terminal: a file may be called anything.

const LETTERS = new Intl.Segmenter('en');
/** Letters that would move the cursor, or worse. */
const CONTROL = /\p{Cc}/gu;
/** East Asian letters, but for the narrow forms among them, and emoji. About the rest terminals don't agree with each other either. */
const WIDE =
  /^(?![\uff61-\uffdc])[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uffe6]/u;

/** The text with all controls but line ends made visible. */
export function printable(text: string): string {
  return text.replaceAll(CONTROL, (letter) => (letter === '\n' ? letter : '�'));
}

/** Columns that a line takes. */
export function widthOf(line: string): number {
  return lettersOf(line).reduce((width, letter) => width + widthOfLetter(letter), 0);
}

/** The line, or as much of its beginning as fits. Controls are made visible. */
export function cutTo(columns: number, line: string): string {
  const letters = lettersOf(line);
  return widthOf(line) <= columns ? letters.join('') : `${firstOf(letters, columns - 1).join('')}…`;
}

/** As `cutTo`, but from the middle: of a long name both ends tell more. */
export function shortenTo(columns: number, name: string): string {
  const letters = lettersOf(name);
  if (widthOf(name) <= columns) return letters.join('');
  const end = firstOf(letters.toReversed(), Math.floor((columns - 1) / 2)).reverse();
  const beginning = firstOf(letters, columns - 1 - widthOf(end.join('')));
  return [...beginning, '…', ...end].join('');
}

/** What a person sees as letters. */
function lettersOf(line: string): readonly string[] {
  return Array.from(LETTERS.segment(line.replaceAll(CONTROL, '�')), ({ segment }) => segment);
}

function widthOfLetter(letter: string): number {
  return WIDE.test(letter) ? 2 : 1;
}

/** As many as fit. */
function firstOf(letters: readonly string[], columns: number): string[] {
  let width = 0;
  const end = letters.findIndex((letter) => (width += widthOfLetter(letter)) > columns);
  return letters.slice(0, end === -1 ? undefined : end);
}
