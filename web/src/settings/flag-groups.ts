/** The flags as a person looks for them. */
import type { ClusterFlag } from "./use-flags";

/** The flags by component, those that were set first; of those whose name, value or meaning has the words. */
export function groupedFlags(
  flags: readonly ClusterFlag[],
  search: string,
): (readonly [component: string, flags: readonly ClusterFlag[]])[] {
  const words = search.toLowerCase().split(/\s+/);
  const groups = new Map<string, ClusterFlag[]>();
  for (const flag of flags) {
    const text = `${flag.component}.${flag.name} ${flag.value} ${flag.doc}`.toLowerCase();
    if (!words.every((word) => text.includes(word))) continue;
    groups.set(flag.component, [...(groups.get(flag.component) ?? []), flag]);
  }
  return [...groups].map(([component, these]) => [
    component,
    these.sort((a, b) => Number(b.set) - Number(a.set)),
  ]);
}
