// What this browser remembers of its person's choices. An address may choose, too: `/?host=media-1&dir=/srv/media&lang=zh&theme=dark`.

import { LANGUAGES, type Language } from '../text/index.js';
import { Store } from './store.js';

export const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

export interface Settings {
  /** Id of the host; `undefined`: the first there is. */
  readonly host: string | undefined;
  /** Directory by host; by '' that of all hosts without one. */
  readonly directories: Readonly<Record<string, string>>;
  readonly language: Language;
  readonly theme: Theme;
}

const KEY = 'longshore.settings';

/** Every change is remembered, where the browser lets us. */
export function openSettings(search: string): Store<Settings> {
  const stored = remembered();
  const asked = new URLSearchParams(search);
  const host = asked.get('host') ?? stored.host;
  const directory = asked.get('dir');
  const store = new Store<Settings>({
    host,
    directories:
      directory === null ? stored.directories : { ...(host === undefined ? {} : stored.directories), [host ?? '']: directory },
    language: oneOf(LANGUAGES, asked.get('lang')) ?? oneOf(LANGUAGES, stored.language) ?? preferredLanguage(),
    theme: oneOf(THEMES, asked.get('theme')) ?? oneOf(THEMES, stored.theme) ?? 'auto',
  });
  store.subscribe(() => remember(store.get()));
  return store;
}

function oneOf<Value extends string>(values: readonly Value[], wanted: unknown): Value | undefined {
  return values.find((value) => value === wanted);
}

function preferredLanguage(): Language {
  const wanted = navigator.languages.map((tag) => tag.split('-', 1)[0]);
  return wanted.map((tag) => oneOf(LANGUAGES, tag)).find((language) => language !== undefined) ?? 'en';
}

/** What was stored may be of an older version, or of somebody's own making. */
interface Remembered {
  readonly host: string | undefined;
  readonly directories: Readonly<Record<string, string>>;
  readonly language?: unknown;
  readonly theme?: unknown;
}

function remembered(): Remembered {
  const nothing: Remembered = { host: undefined, directories: {} };
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    if (typeof stored !== 'object' || stored === null) return nothing;
    const { host, directories, ...choices } = stored as Record<string, unknown>;
    const texts = Object.entries(directories ?? {}).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
    return { host: typeof host === 'string' ? host : undefined, directories: Object.fromEntries(texts), ...choices };
  } catch {
    return nothing; // No storage (a private window), or not ours: begin anew.
  }
}

function remember(settings: Settings): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Then it isn't remembered; everything works without.
  }
}
