import { describe, expect, it } from 'vitest';
import { GatewayError, nodePlatform, NetworkError, type Network, type Platform } from '../../src/client/index.js';
import { either, Gate } from '../../src/client/gate.js';
import { Slots, Turn, Turns } from '../../src/client/turns.js';
import { DEFAULT_RETRY_POLICY, Retries } from '../../src/client/retry.js';
import { Transport, type TransportOptions } from '../../src/client/transport.js';

const never = () => new AbortController().signal;
const turns = () => new Promise((resolve) => setImmediate(resolve));

describe('a gate', () => {
  it('cuts what is passing when it is closed, and begins it anew once it is open', async () => {
    const gate = new Gate();
    let attempts = 0;
    const work = gate.through(async (signal) => {
      attempts += 1;
      if (attempts === 2) return 'through';
      return await new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    }, never());
    await turns();
    gate.close();
    await turns();
    expect(attempts).toBe(1);
    gate.open();
    expect(await work).toBe('through');
  });

  it('passes on what fails by itself', async () => {
    const failing = new Gate().through(() => Promise.reject(new Error('broken')), never());
    await expect(failing).rejects.toThrow('broken');
  });

  it('lets go of whoever ends while it is closed, with the reason', async () => {
    const gate = new Gate();
    gate.close();
    const ending = new AbortController();
    const passed = gate.passed(ending.signal);
    ending.abort(new Error('enough'));
    await expect(passed).rejects.toThrow('enough');
  });
});

describe('either signal', () => {
  it('ends the work, and neither keeps a listener afterwards', async () => {
    const [first, second] = [new AbortController(), new AbortController()];
    let ended: AbortSignal | undefined;
    await either([first.signal, second.signal], async (signal) => {
      ended = signal;
      second.abort(new Error('second'));
      expect(signal.reason).toEqual(new Error('second'));
    });
    let late: AbortSignal | undefined;
    await either([first.signal], async (signal) => void (late = signal));
    first.abort();
    expect([ended?.aborted, late?.aborted]).toEqual([true, false]);
  });
});

describe('slots', () => {
  it('are given in the order they were asked for, never more than there are', async () => {
    const slots = new Slots(2);
    const ends: (() => void)[] = [];
    const begun: number[] = [];
    const works = [1, 2, 3, 4].map((n) =>
      slots.use(async () => {
        begun.push(n);
        await new Promise<void>((resolve) => ends.push(resolve));
      }, never()),
    );
    await turns();
    expect([begun, slots.waiting]).toEqual([[1, 2], 2]);
    ends.shift()?.();
    await turns();
    expect(begun).toEqual([1, 2, 3]);
    slots.limit = 3;
    await turns();
    expect(begun).toEqual([1, 2, 3, 4]);
    for (const end of ends) end();
    await Promise.all(works);
  });

  it('are not waited for by whoever has ended', async () => {
    const slots = new Slots(0);
    const ending = new AbortController();
    const left = slots.use(() => Promise.resolve('first'), ending.signal);
    const right = slots.use(() => Promise.resolve('second'), never());
    ending.abort(new Error('gone'));
    await expect(left).rejects.toThrow('gone');
    slots.limit = 1;
    expect(await right).toBe('second');
  });
});

describe('a turn', () => {
  /** Uploads by name; `log` has what each was called for. */
  function rig(filesAtOnce: number) {
    const turns = new Turns(filesAtOnce);
    const log: string[] = [];
    const uploads = new Map<string, Turn>();
    const ask = (name: string, kind: 'sending' | 'merging') => {
      const turn = uploads.get(name) ?? new Turn(turns);
      uploads.set(name, turn);
      turn.ask(kind, () => log.push(`${name} ${kind}`));
    };
    return { turns, log, ask, giveBack: (name: string) => uploads.get(name)?.giveBack() };
  }

  it('to send is for the next as soon as the merge has begun', async () => {
    const { ask, log } = rig(1);
    ask('a', 'sending');
    ask('b', 'sending');
    expect(log).toEqual(['a sending']);
    ask('a', 'merging');
    await turns();
    expect(log).toEqual(['a sending', 'a merging', 'b sending']);
  });

  it('to send is kept until there is one to be merged', async () => {
    const { turns: shared, ask, log, giveBack } = rig(1);
    shared.merging.limit = 1;
    for (const name of ['a', 'b', 'c']) ask(name, 'sending');
    ask('a', 'merging');
    await turns();
    ask('b', 'merging');
    await turns();
    expect(log.splice(0)).toEqual(['a sending', 'a merging', 'b sending']);
    giveBack('a');
    await turns();
    expect(log).toEqual(['b merging', 'c sending']);
  });

  it('to be merged is given back before there is one to send again', async () => {
    const { turns: shared, ask, log } = rig(1);
    shared.merging.limit = 1;
    ask('a', 'sending');
    ask('a', 'merging');
    ask('b', 'sending');
    ask('b', 'merging');
    await turns();
    ask('a', 'sending'); // Its chunks were lost.
    await turns();
    expect(log).toEqual(['a sending', 'a merging', 'b sending', 'b merging', 'a sending']);
  });

  it('that is asked for twice comes once, and not before its time', async () => {
    const { ask, log, giveBack } = rig(1);
    ask('a', 'sending');
    ask('b', 'sending');
    ask('b', 'sending');
    expect(log).toEqual(['a sending']);
    giveBack('a');
    await turns();
    expect(log).toEqual(['a sending', 'b sending']);
  });

  it('given back while it is waited for never comes', async () => {
    const { ask, log, giveBack } = rig(1);
    ask('a', 'sending');
    ask('b', 'sending');
    giveBack('b');
    giveBack('a');
    ask('c', 'sending');
    await turns();
    expect(log).toEqual(['a sending', 'c sending']);
  });

  it('begins nothing when many are given back in one go', async () => {
    const { ask, log, giveBack } = rig(1);
    const names = Array.from({ length: 5 }, (_, i) => String(i));
    for (const name of names) ask(name, 'sending');
    for (const name of names) giveBack(name);
    await turns();
    expect(log).toEqual(['0 sending']);
  });
});

describe('waiting for another attempt', () => {
  function rig(network?: Network) {
    const waits: number[] = [];
    let now = 0;
    const wake: (() => void)[] = [];
    const gate = new Gate();
    const platform: Platform = {
      ...nodePlatform(),
      now: () => now,
      random: () => 1,
      network,
      wait: (ms, signal) => {
        waits.push(ms);
        return new Promise((resolve, reject) => {
          wake.push(() => {
            now += ms;
            resolve();
          });
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        });
      },
    };
    const contact = { hasAnswered: false };
    const retries = new Retries({ policy: DEFAULT_RETRY_POLICY, platform, contact, gate, onRetry: () => undefined });
    return { retries, gate, waits, wake, sleep: (ms: number) => (now += ms) };
  }
  const failing = () => Promise.reject(new NetworkError('gone'));

  it('ends when the way out is there again, and without one no patience is lost', async () => {
    let online: () => void = () => undefined;
    let isOnline = false;
    let listeners = 0;
    const { retries, waits, wake } = rig({
      isOnline: () => isOnline,
      onOnline: (listener) => {
        online = listener;
        listeners += 1;
        return () => (listeners -= 1);
      },
    });
    let attempts = 0;
    const answer = { __typename: 'Fine' };
    const result = retries.run(() => (++attempts > 100 ? Promise.resolve(answer) : failing()), never());
    for (let i = 0; i < 99; i += 1) {
      await turns();
      wake.pop()?.();
    }
    await turns();
    expect(new Set(waits)).toEqual(new Set([30_000])); // 50 minutes, and not given up.
    isOnline = true;
    online();
    expect(await result).toBe(answer);
    expect([attempts, listeners]).toEqual([101, 0]);
  });

  it('ends with a pause, which is not counted as trouble', async () => {
    const { retries, gate, sleep } = rig();
    let attempts = 0;
    const answer = { __typename: 'Fine' };
    const result = retries.run(() => (++attempts > 2 ? Promise.resolve(answer) : failing()), never());
    for (let i = 0; i < 2; i += 1) {
      await turns();
      gate.close();
      await turns();
      sleep(3_600_000);
      gate.open();
    }
    expect(await result).toBe(answer);
  });

  it('of a machine that slept is not counted as trouble either', async () => {
    const { retries, wake, sleep } = rig();
    let attempts = 0;
    const answer = { __typename: 'Fine' };
    const result = retries.run(() => (++attempts > 2 ? Promise.resolve(answer) : failing()), never());
    await turns();
    sleep(7_200_000);
    wake.pop()?.();
    await turns();
    wake.pop()?.();
    expect(await result).toBe(answer);
  });
});

describe('a refused token', () => {
  const refusal = JSON.stringify({ errors: [{ message: 'who?', extensions: { code: 'UNAUTHENTICATED' } }] });
  function transport(token: TransportOptions['token'], accepted: string): Transport {
    const send: Platform['send'] = ({ headers }) => {
      const text = headers['authorization'] === `Bearer ${accepted}` ? '{"data":{"ok":true}}' : refusal;
      return Promise.resolve({ status: 200, retryAfter: undefined, text });
    };
    return new Transport({ endpoint: 'http://127.0.0.1/graphql', token }, { ...nodePlatform(), send });
  }

  it('is renewed once, however many requests hear of it, and then worth another attempt', async () => {
    const asked: (string | undefined)[] = [];
    let current = 'old';
    const token: TransportOptions['token'] = async ({ refused }) => {
      asked.push(refused);
      if (refused !== undefined) current = 'new';
      return await Promise.resolve(current);
    };
    const client = transport(token, 'new');
    const failures = await Promise.allSettled([1, 2, 3].map(() => client.request('{ ok }', {}, never())));
    for (const failure of failures) {
      expect(failure).toMatchObject({ reason: { code: 'UNAUTHENTICATED', retryable: true } });
    }
    expect(asked.filter((refused) => refused === 'old')).toHaveLength(1);
    expect(await client.request('{ ok }', {}, never())).toEqual({ ok: true });
  });

  it.each<[string, TransportOptions['token']]>([
    ['is final when it is a fixed one', 'old'],
    ['is final when there is no other', () => 'old'],
  ])('%s', async (_name, token) => {
    const error: unknown = await transport(token, 'new')
      .request('{ ok }', {}, never())
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(GatewayError);
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', retryable: false });
  });
});
