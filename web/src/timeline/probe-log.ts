/** What a client observes: one request a second through the Console to an API server, and how it went. */

/** One request: when it was sent (seconds since the epoch), how long it took, whether it was answered. */
export interface ProbeResult {
  readonly at: number;
  readonly ms: number;
  readonly ok: boolean;
}

/** How many results are kept: two hours of one a second. */
export const RESULTS_MAX = 7200;

/** The log with one more result; the oldest goes when it is full. */
export function withResult(log: readonly ProbeResult[], result: ProbeResult): ProbeResult[] {
  return [...log.slice(-(RESULTS_MAX - 1)), result];
}

/** What the results since a time come to. */
export interface ProbeSummary {
  readonly requests: number;
  readonly failed: number;
  /** The longest time without an answer, in milliseconds. */
  readonly longestMs: number;
  readonly text: string;
}

/** The results from a time on, summed up. */
export function summed(log: readonly ProbeResult[], from: number): ProbeSummary {
  const seen = log.filter(({ at }) => at >= from);
  const failed = seen.filter(({ ok }) => !ok).length;
  const longestMs = Math.max(0, ...seen.map(({ ms }) => ms));
  const requests = seen.length;
  const answered = failed === 0 ? "none failed" : `${failed} failed`;
  const slowest = requests === 0 ? "" : `, the slowest took ${Math.round(longestMs)} ms`;
  return { requests, failed, longestMs, text: `${requests} requests, ${answered}${slowest}` };
}
