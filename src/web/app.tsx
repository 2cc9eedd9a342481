// The page: where files go, the files, and what else is under way.

import type { HostInfo } from 'longshore/client';
import { useEffect, useMemo, useState } from 'react';
import type { BegunUploads } from './model/begun.js';
import type { Queue } from './model/queue.js';
import type { QueuedFile } from './model/row.js';
import type { Session } from './model/session.js';
import type { Settings } from './model/settings.js';
import { useStore, type Store } from './model/store.js';
import { useWords, wordsIn, WordsContext } from './text/index.js';
import { Announcer } from './view/announcer.js';
import { BegunList } from './view/begun-list.js';
import { DestinationFields, isBelow, type Destination } from './view/destination.js';
import { DropZone } from './view/drop-zone.js';
import { Header } from './view/header.js';
import { ExistsDialog, TokenDialog } from './view/questions.js';
import { QueueList } from './view/queue-list.js';

export interface AppProps {
  readonly session: Session;
  readonly settings: Store<Settings>;
  readonly queue: Queue;
  readonly begun: BegunUploads;
}

export function App(props: AppProps) {
  const { language, theme } = useStore(props.settings);
  const words = useMemo(() => wordsIn(language), [language]);
  useEffect(() => {
    document.documentElement.lang = words.text.tag;
    document.documentElement.dataset['theme'] = theme;
  }, [words, theme]);
  return (
    <WordsContext value={words}>
      <Header settings={props.settings} />
      <main>
        <Desk {...props} />
        <QueueList queue={props.queue} />
        <BegunList begun={props.begun} />
      </main>
      <Footer />
      <Announcer queue={props.queue} />
      <ExistsDialog queue={props.queue} />
      <TokenDialog tokens={props.session.tokens} />
    </WordsContext>
  );
}

/** Where files come in. */
function Desk({ session, settings, queue }: AppProps) {
  const { text } = useWords();
  const { gateway, isOnline, hosts, refusal } = useStore(session.connection);
  const chosen = useStore(settings);
  const hasRows = useStore(queue.rows).length > 0;
  const [failure, setFailure] = useState<string>();
  const destination = destinationOf(hosts, chosen);

  const take = (files: readonly QueuedFile[]) => {
    if (destination === undefined) return;
    setFailure(files.length === 0 ? text.droppedNothing : undefined);
    queue.add(files, { host: destination.host.id, directory: destination.directory });
  };
  return (
    <>
      {isOnline ? null : <Notice words={text.offline} />}
      {isOnline && gateway === 'away' ? (
        <Notice words={refusal === undefined ? text.noGateway : text.refused(refusal)} />
      ) : null}
      {destination === undefined ? (
        <p className="hint">{gateway === 'there' ? text.noHosts : text.askingHosts}</p>
      ) : (
        <DestinationFields
          hosts={hosts}
          destination={destination}
          onHost={(host) => settings.set({ ...chosen, host })}
          onDirectory={(directory) =>
            settings.set({ ...chosen, directories: { ...chosen.directories, [destination.host.id]: directory } })
          }
        />
      )}
      <DropZone
        isDisabled={destination?.isAllowed !== true}
        isSmall={hasRows}
        onFiles={take}
        onUnreadable={(error) => setFailure(text.unreadable(error instanceof Error ? error.message : String(error)))}
      />
      {failure === undefined ? null : (
        <p className="failure" role="alert">
          {failure}
        </p>
      )}
    </>
  );
}

function Notice({ words }: { readonly words: string }) {
  return (
    <p className="notice" role="status">
      {words}
    </p>
  );
}

function Footer() {
  const { text } = useWords();
  return (
    <footer>
      <a href="graphql">{text.api}</a>
      <code>npx longshore put FILE HOST:/PATH</code>
    </footer>
  );
}

function destinationOf(hosts: readonly HostInfo[], { host: id, directories }: Settings): Destination | undefined {
  const host = hosts.find((each) => each.id === id) ?? hosts[0];
  if (host === undefined) return undefined;
  const directory = directories[host.id] ?? directories[''] ?? host.roots[0] ?? '/';
  return { host, directory, isAllowed: isBelow(host.roots, directory) };
}
