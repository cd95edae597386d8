/** A bounded store of log lines, and searching in it. */
import type { LogLine } from "./stream";

/** How many lines are kept: the oldest go. */
export const LINES_MAX = 50_000;

/** Lines with these added, at most as many as there is room for. */
export function added(
  lines: readonly LogLine[],
  more: readonly LogLine[],
  linesMax = LINES_MAX,
): readonly LogLine[] {
  if (more.length === 0) return lines;
  const all = [...lines, ...more];
  return all.length > linesMax ? all.slice(all.length - linesMax) : all;
}

/** What a search looks for: a text, whatever its case, or `/regular expression/`. Null when the expression is wrong. */
export function matcher(search: string): ((text: string) => boolean) | null {
  if (search === "") return () => true;
  const [, expression] = /^\/(.+)\/$/.exec(search) ?? [];
  if (expression === undefined) {
    const wanted = search.toLowerCase();
    return (text) => text.toLowerCase().includes(wanted);
  }
  try {
    const pattern = new RegExp(expression, "i");
    return (text) => pattern.test(text);
  } catch {
    return null;
  }
}

/** The lines as a file. */
export function asText(lines: readonly LogLine[], timestamps: boolean): string {
  return lines
    .map(({ source, time, text }) => [source, timestamps ? time : "", text].filter(Boolean).join(" ") + "\n")
    .join("");
}

// Escape sequences of terminals: colours and cursor moves.
const ESCAPES = new RegExp(String.raw`\u001b\[[0-9;?]*[A-Za-z]|\u001b\][^\u0007]*\u0007`, "g");

/** A line without a terminal's escape sequences. */
export function plain(text: string): string {
  return text.includes("\u001b") ? text.replace(ESCAPES, "") : text;
}
