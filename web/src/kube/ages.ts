import { durationText } from "../components/age-text";

export { ageText as age, durationText as span } from "../components/age-text";

/** How long ago, in words: `just now`, `12 s ago`, `3 m 12 s ago`; `in 5 s` for what is to come. */
export function ago(seconds: number): string {
  if (seconds < -0.5) return `in ${durationText(Math.ceil(-seconds))}`;
  if (seconds < 1) return "just now";
  return `${durationText(Math.floor(seconds))} ago`;
}

const UNITS: Record<string, number> = { h: 3600, m: 60, s: 1, ms: 0.001, us: 1e-6, µs: 1e-6, ns: 1e-9 };

/** The seconds of a duration as Go writes it (`1m30s`, `40s`, `300`); undefined when it is none. */
export function durationSeconds(text: string): number | undefined {
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (!/^-?(\d+(\.\d+)?(h|ms|us|µs|ns|m|s))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, number, , unit] of text.matchAll(/(\d+(\.\d+)?)(h|ms|us|µs|ns|m|s)/g))
    total += Number(number) * (UNITS[unit ?? ""] ?? 0);
  return text.startsWith("-") ? -total : total;
}
