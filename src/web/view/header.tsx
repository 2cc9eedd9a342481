import { THEMES, type Settings } from '../model/settings.js';
import type { Store } from '../model/store.js';
import { useStore } from '../model/store.js';
import { LANGUAGES, nameOf, useWords } from '../text/index.js';
import { Logo } from './icons.js';

export function Header({ settings }: { readonly settings: Store<Settings> }) {
  const { text } = useWords();
  const { language, theme } = useStore(settings);
  const change = (choice: Partial<Settings>) => settings.set({ ...settings.get(), ...choice });
  return (
    <header className="header">
      <Logo />
      <div>
        <h1>Longshore</h1>
        <p className="lead">{text.lead}</p>
      </div>
      <div className="choices">
        <select
          aria-label={text.language}
          value={language}
          onChange={({ target }) => change({ language: LANGUAGES.find((name) => name === target.value) ?? language })}
        >
          {LANGUAGES.map((name) => (
            <option key={name} value={name} lang={name}>
              {nameOf(name)}
            </option>
          ))}
        </select>
        <select
          aria-label={text.theme}
          value={theme}
          onChange={({ target }) => change({ theme: THEMES.find((name) => name === target.value) ?? theme })}
        >
          {THEMES.map((name) => (
            <option key={name} value={name}>
              {text.themes[name]}
            </option>
          ))}
        </select>
      </div>
    </header>
  );
}
