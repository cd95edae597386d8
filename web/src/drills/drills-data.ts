/** The drills of this cluster, asked for once. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Drill } from "./drill";

/** The drills; null until they were asked for, empty where none can be run. */
export const drills = signal<readonly Drill[] | null>(null);

async function load(): Promise<void> {
  try {
    const response = await fetch("/console/drills", { credentials: "same-origin" });
    if (!response.ok) throw new Error(response.statusText);
    drills.value = ((await response.json()) as { items: readonly Drill[] }).items;
  } catch {
    drills.value ??= [];
  }
}

/** The drills, asked for when the component appears. */
export function useDrills(): readonly Drill[] | null {
  useEffect(() => void load(), []);
  return drills.value;
}
