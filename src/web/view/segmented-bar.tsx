// One bar from the first byte to the published file. Its parts are the steps; each fills up once and none goes back.

import type { UploadProgress } from 'longshore/client';
import { useWords } from '../text/index.js';

export type Step = 'sending' | 'assembling' | 'verifying' | 'publishing';

/** As much of the bar as a step takes of most people's time. */
const SHARES: readonly (readonly [Step, number])[] = [
  ['sending', 72],
  ['assembling', 8],
  ['verifying', 16],
  ['publishing', 4],
];
const STEPS = SHARES.map(([step]) => step);

/** Where an upload is: its step, and how much of that is done, 0 … 1. */
export interface Standing {
  readonly step: Step | 'done';
  readonly fraction: number;
}

type StandingFacts = Pick<UploadProgress, 'phase' | 'totalBytes' | 'resumedBytes' | 'sentBytes' | 'merge'>;

export function standingOf({ phase, totalBytes, resumedBytes, sentBytes, merge }: StandingFacts): Standing {
  if (phase === 'done') return { step: 'done', fraction: 1 };
  const mergeStep = STEPS.find((step) => step.toUpperCase() === merge?.phase);
  if (mergeStep !== undefined && merge !== undefined) return { step: mergeStep, fraction: merge.percent / 100 };
  if (merge?.phase === 'DONE') return { step: 'done', fraction: 1 };
  const there = resumedBytes + sentBytes;
  if (merge?.phase === 'QUEUED') return { step: 'sending', fraction: 1 };
  return { step: 'sending', fraction: totalBytes === 0 ? 0 : Math.min(1, there / totalBytes) };
}

interface SegmentedBarProps {
  readonly standing: Standing;
  readonly label: string;
  readonly state: 'active' | 'still' | 'done' | 'failed';
}

export function SegmentedBar({ standing, label, state }: SegmentedBarProps) {
  const { text, formats } = useWords();
  const at = standing.step === 'done' ? SHARES.length : STEPS.indexOf(standing.step);
  const fractions = SHARES.map((_share, i) => (i < at ? 1 : i === at ? standing.fraction : 0));
  const whole = SHARES.reduce((sum, [, share], i) => sum + share * (fractions[i] ?? 0), 0);
  const step = standing.step === 'done' ? text.phase.done : text.steps[standing.step];
  return (
    <div
      className={`bar ${state}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.floor(whole)}
      aria-valuetext={`${step}, ${formats.percent(standing.fraction * 100)}`}
    >
      {SHARES.map(([name, share], i) => (
        <span key={name} className="segment" style={{ flexGrow: share }}>
          <span className="fill" style={{ transform: `scaleX(${fractions[i] ?? 0})` }} />
        </span>
      ))}
    </div>
  );
}

/** The same steps in words, the present one with its percentage. */
export function StepList({ standing }: { readonly standing: Standing }) {
  const { text, formats } = useWords();
  const at = standing.step === 'done' ? STEPS.length : STEPS.indexOf(standing.step);
  return (
    <ol className="steps">
      {STEPS.map((step, i) => (
        <li key={step} className={i < at ? 'past' : i === at ? 'now' : 'ahead'} aria-current={i === at ? 'step' : undefined}>
          {text.steps[step]}
          {i === at ? <span className="figure"> {formats.percent(standing.fraction * 100)}</span> : null}
        </li>
      ))}
    </ol>
  );
}
