// Says for people who don't look at it what has happened: ends, not every percent.

import type { News, Queue } from '../model/queue.js';
import { useStore } from '../model/store.js';
import { describeError, useWords, type Words } from '../text/index.js';

export function Announcer({ queue }: { readonly queue: Queue }) {
  const words = useWords();
  const news = useStore(queue.news);
  return (
    <p className="visually-hidden" role="status">
      {news === undefined ? '' : inWords(words, news)}
    </p>
  );
}

function inWords(words: Words, news: News): string {
  const { text } = words;
  switch (news.kind) {
    case 'added':
      return text.announceAdded(news.count);
    case 'done':
      return text.announceDone(news.name);
    case 'ended':
      return text.announceEnd(news.name, describeError(words, news.error));
  }
}
