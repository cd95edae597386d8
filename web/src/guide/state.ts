/** Whether the guide is open, and which of its steps were seen done; kept in this browser. */
import { effect, signal } from "@preact/signals";
import type { StepId } from "./steps";

const KEY = "homeostat.guide";

interface Kept {
  readonly open: boolean;
  readonly done: readonly StepId[];
}

function kept(): Kept {
  try {
    return { open: false, done: [], ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Kept>) };
  } catch {
    return { open: false, done: [] };
  }
}

/** Whether the panel is open. */
export const guideOpen = signal(kept().open);

/** The steps that were seen done. */
export const guideDone = signal<ReadonlySet<StepId>>(new Set(kept().done));

effect(() => {
  const state: Kept = { open: guideOpen.value, done: [...guideDone.value] };
  try {
    localStorage.setItem(KEY, JSON.stringify(state));
  } catch {
    // Without storage the guide begins anew with each page.
  }
});
