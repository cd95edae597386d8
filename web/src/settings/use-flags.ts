/** The flags of this cluster, asked for once and given to all that decide by them. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { setFlags } from "../kube/flags";

/** A flag as the back end knows it. */
export interface ClusterFlag {
  readonly component: string;
  readonly name: string;
  readonly value: string;
  readonly default: string;
  readonly set: boolean;
  readonly doc: string;
}

/** The flags; null until they were asked for, empty where the back end does not know them. */
export const flags = signal<readonly ClusterFlag[] | null>(null);

let asked = false;

/** Asks the back end for the flags, once. */
export async function loadFlags(): Promise<void> {
  if (asked) return;
  asked = true;
  try {
    const response = await fetch("/console/flags", { credentials: "same-origin" });
    if (!response.ok) throw new Error(response.statusText);
    const { items } = (await response.json()) as { items: ClusterFlag[] };
    setFlags(Object.fromEntries(items.map((each) => [`${each.component}.${each.name}`, each.value])));
    flags.value = items;
  } catch {
    asked = false;
    flags.value ??= [];
  }
}

/** Takes part in the flags: the component is drawn again when they are known. */
export function useFlags(): readonly ClusterFlag[] {
  useEffect(() => void loadFlags(), []);
  return flags.value ?? [];
}
