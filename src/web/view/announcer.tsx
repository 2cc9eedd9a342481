// Says for people who don't look at it what has happened: ends, not every percent.

import { useEffect, useRef, useState } from 'react';
import type { Queue } from '../model/queue.js';
import type { Row } from '../model/row.js';
import { useStore } from '../model/store.js';
import { describeProblem, useWords } from '../text/index.js';

export function Announcer({ queue }: { readonly queue: Queue }) {
  const words = useWords();
  const rows = useStore(queue.rows);
  const [news, setNews] = useState('');
  const latest = useRef(words);
  const known = useRef(new Set<Row>());
  useEffect(() => {
    latest.current = words;
  });
  useEffect(() => {
    const added = rows.filter((row) => !known.current.has(row));
    if (added.length > 0) setNews(latest.current.text.announceAdded(added.length));
    for (const row of added) follow(row);
    known.current = new Set(rows);

    function follow(row: Row): void {
      row.upload.done.then(
        () => setNews(latest.current.text.announceDone(row.name)),
        (error: unknown) => {
          const { code = 'FAILED', message = '' } = error as { readonly code?: string; readonly message?: string };
          if (code === 'ABORTED') return;
          setNews(latest.current.text.announceFailed(row.name, describeProblem(latest.current, { code, message })));
        },
      );
    }
  }, [rows]);
  return (
    <p className="visually-hidden" role="status">
      {news}
    </p>
  );
}
