import { describe, expect, it } from 'vitest';
import { cutTo, shortenTo, widthOf } from '../../src/cli/letters.js';

describe('letters', () => {
  it('take two columns where they are East Asian or emoji, whatever they are made of', () => {
    expect(['film.mov', 'e\u0301', 'naïve·—…█', 'ｶﾀ', '映画', 'がé', '한글', '（）、', '👩‍👩‍👧', '🇩🇪'].map(widthOf)).toEqual([
      8, 1, 9, 2, 4, 3, 4, 6, 2, 2,
    ]);
  });

  it('are cut to what fits, at the end or in the middle', () => {
    expect([4, 5, 6, 7].map((columns) => cutTo(columns, '映画映'))).toEqual(['映…', '映画…', '映画映', '映画映']);
    expect([7, 8, 9].map((columns) => shortenTo(columns, '映画.a.mov'))).toEqual(['映…mov', '映画…mov', '映画….mov']);
    expect(cutTo(4, 'a\x1b[2J')).toBe('a�[…');
  });
});
