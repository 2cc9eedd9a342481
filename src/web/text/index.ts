// The page's languages: what it says, and how numbers and times are written.

import { createContext, useContext } from 'react';
import { en, type Text } from './en.js';
import { Formats } from './formats.js';
import { zh } from './zh.js';

const TEXTS = { en, zh } as const satisfies Record<string, Text>;

export type Language = keyof typeof TEXTS;
export const LANGUAGES = Object.keys(TEXTS) as Language[];

export interface Words {
  readonly text: Text;
  readonly formats: Formats;
}

export function wordsIn(language: Language): Words {
  const text = TEXTS[language];
  // Dates as the person's own country writes them, where it speaks the language chosen.
  const own = navigator.languages.find((tag) => tag.split('-', 1)[0] === language);
  return { text, formats: new Formats(own ?? text.tag) };
}

export function nameOf(language: Language): string {
  return TEXTS[language].name;
}

/** The words of the language chosen. */
export const WordsContext = createContext<Words>(wordsIn('en'));

export function useWords(): Words {
  return useContext(WordsContext);
}

/** What went wrong, for a person: a problem of the gateway's, or whatever was thrown. */
export function describeError({ text }: Words, error: unknown): string {
  if (!hasCode(error)) return error instanceof Error ? error.message : String(error);
  return text.problems[error.code] ?? error.message;
}

function hasCode(error: unknown): error is { readonly code: string; readonly message: string } {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string';
}
