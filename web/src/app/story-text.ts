/** The newest write in words, for the strip below every page. Pure. */
import type { JournalEntry } from "../live/protocol";

const verbs: Readonly<Record<string, string>> = { ADDED: "created", MODIFIED: "changed", DELETED: "deleted" };

/** One write as a sentence: what changed, and which loop did it because of what. */
export function storyText(entry: JournalEntry): string {
  const place = entry.namespace === "" ? entry.name : `${entry.namespace}/${entry.name}`;
  const verb = verbs[entry.verb] ?? entry.verb.toLowerCase();
  const summary = entry.summary === "" || entry.summary === verb ? "" : ` (${entry.summary})`;
  const who = entry.cause?.loop ?? entry.user ?? "";
  const note = entry.cause?.note === undefined || entry.cause.note === "" ? "" : `: ${entry.cause.note}`;
  return `${entry.kind} ${place} ${verb}${summary}${who === "" ? "" : ` by ${who}`}${note}`;
}
