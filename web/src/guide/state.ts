/** Whether the guide is open, and which of its steps were seen done; kept in this browser. */
import { effect, signal } from "@preact/signals";
import type { StepId } from "./steps";

const KEY = "homeostat.guide";

interface Kept {
  readonly open: boolean;
  readonly done: readonly StepId[];
  /** When it was begun anew, in seconds since the epoch. */
  readonly since: number;
}

const START: Kept = { open: false, done: [], since: 0 };

function kept(): Kept {
  try {
    return { ...START, ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Kept>) };
  } catch {
    return START;
  }
}

/** Whether the panel is open. */
export const guideOpen = signal(kept().open);

/** The steps that were seen done. */
export const guideDone = signal<ReadonlySet<StepId>>(new Set(kept().done));

/** Since when the exercise is done; 0 where it was never begun anew. */
export const guideSince = signal(kept().since);

/** Forgets what was done until now. */
export function beginAnew(now: number): void {
  guideDone.value = new Set();
  guideSince.value = now;
}

effect(() => {
  const state: Kept = { open: guideOpen.value, done: [...guideDone.value], since: guideSince.value };
  try {
    localStorage.setItem(KEY, JSON.stringify(state));
  } catch {
    // Without storage the guide begins anew with each page.
  }
});
