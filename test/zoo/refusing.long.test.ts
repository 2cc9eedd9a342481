// Servers that no file can be uploaded to: whoever asks is told so, and why, at once.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SERVERS } from '../support/zoo-servers.js';
import { timely, withStage } from '../support/zoo-stage.js';

const REFUSING = SERVERS.filter((server) => server.refusal !== undefined);

describe.concurrent.each(REFUSING)('$name', (server) => {
  const refused = { __typename: 'Refused', code: server.refusal };

  it.each(['auto', 'relay'] as const)('refuses an upload before a byte is sent, with strategy %s', async (strategy) => {
    await withStage(server, { strategy }, async ({ ann, ref, present }) => {
      expect(await timely(ann.hosts())).toMatchObject([{ reachable: true, strategy: null }]);
      const file = ref('film');
      for (const options of [{}, { ifExists: 'REPLACE' }, { takeOver: true }]) {
        expect(await timely(ann.status(file, 1, options))).toMatchObject(refused);
      }
      expect(await timely(ann.status(ref('new/directory/film'), 1))).toMatchObject(refused);
      const unknown = { __typename: 'Refused', code: 'UPLOAD_UNKNOWN' };
      expect(await timely(ann.dirInfo(file))).toMatchObject(unknown);
      expect(await timely(ann.chunk(file, 1, randomBytes(1)))).toMatchObject(unknown);
      expect(await timely(ann.merge(file, 1))).toMatchObject(unknown);
      expect(await timely(ann.abort(file))).toMatchObject(unknown);
      expect(await timely(ann.uploads())).toMatchObject({ items: [], problems: [] });
      expect(present()).toEqual([]);
    });
  });

  it('shows the file that is there, and leaves it as it is', async () => {
    await withStage(server, { strategy: 'auto' }, async ({ ann, ref, place, local, present }) => {
      place('film', 'the old one');
      const shown = await timely(ann.status(ref('film'), 1));
      expect(shown).toMatchObject({ __typename: 'FileExists', size: 11 });
      const wish = { ifExists: 'REPLACE', ifMatch: shown['etag'] };
      expect(await timely(ann.status(ref('film'), 1, wish))).toMatchObject(refused);
      expect(readFileSync(local('film'), 'utf8')).toBe('the old one');
      expect(present()).toEqual(['film']);
    });
  });
});
