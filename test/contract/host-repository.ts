// What every adapter of the host role promises, checked over a real connection; its parts are in host/.
import { describe } from 'vitest';
import { hostContext, type HostUnderTest } from './host/context.js';
import { copyingContract } from './host/copying.js';
import { lookingContract, usingContract } from './host/looking.js';
import { makingContract, namingContract } from './host/making.js';
import { publishingContract } from './host/publishing.js';
import { readingContract } from './host/reading.js';
import { writingContract } from './host/writing.js';

export type { HostUnderTest } from './host/context.js';

/** `startHost` gives a fresh host with an empty root. */
export function hostRepositoryContract(name: string, startHost: () => Promise<HostUnderTest>): void {
  describe(`host repository: ${name}`, () => {
    const context = hostContext(startHost);
    usingContract(context);
    lookingContract(context);
    namingContract(context);
    makingContract(context);
    publishingContract(context);
    writingContract(context);
    readingContract(context);
    copyingContract(context);
  });
}
