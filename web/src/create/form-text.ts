/** What a person types into a field of a form, taken apart and put together. */
import { quote } from "../kube/kubectl";

/** The words of a command line; quotes hold words together. */
export function words(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare ?? "",
  );
}

/** Words as a command line. */
export const unwords = (of: readonly string[]) => of.map(quote).join(" ");

// A value is on one line: what ends lines in it is written as in most languages.
const escaped = (value: string) => value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
const unescaped = (text: string) =>
  text.replace(/\\(\\|n)/g, (_, each: string) => (each === "n" ? "\n" : "\\"));

/** `key=value` lines as a map, with `\n` for a line end; a line without `=` is a key without a value. */
export function pairs(text: string): Record<string, string> {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return Object.fromEntries(
    lines.map((line) => {
      const equals = line.indexOf("=");
      return equals < 0
        ? [line.trim(), ""]
        : [line.slice(0, equals).trim(), unescaped(line.slice(equals + 1))];
    }),
  );
}

/** A map as `key=value` lines. */
export const unpairs = (of: Record<string, string>) =>
  Object.entries(of)
    .map(([key, value]) => `${key}=${escaped(value)}`)
    .join("\n");
