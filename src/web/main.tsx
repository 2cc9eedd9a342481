// Room: the upload page. Built by vite into dist/web and served by the gateway at `/`. Knows the gateway by the SDK alone. `model` is
// what happens, `view` what is seen of it, `text` what it says.

import { createRoot } from 'react-dom/client';
import { App } from './app.js';
import { BegunUploads } from './model/begun.js';
import { KeptFiles } from './model/kept-files.js';
import { Queue } from './model/queue.js';
import { Session } from './model/session.js';
import { openSettings } from './model/settings.js';
import './style/index.css';

const settings = openSettings(location.search);
const session = new Session();
const kept = new KeptFiles();
const queue = new Queue(session.uploader, kept);
const begun = new BegunUploads(session.uploader, queue, kept);

const page = document.querySelector('#page');
if (page !== null) createRoot(page).render(<App session={session} settings={settings} queue={queue} begun={begun} />);

// What is under way goes on after a reload, but files that this browser can't open again would have to be chosen anew.
addEventListener('beforeunload', (event) => {
  if (queue.rows.get().some((row) => !row.isOver && row.file.handle === undefined)) event.preventDefault();
});
void session.begin().then(() => begun.begin());
