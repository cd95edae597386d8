import type { Tone } from "../live";

const trouble = /fail|crash|err|backoff|evict|oomkilled|notready|unhealthy|unknown|lost|deadline/i;
const change =
  /pending|terminating|creating|progress|init|podinitializing|waiting|updating|suspended|released|warning/i;

/** The tone of a status of which no row has been seen yet, by its word. Pure. */
export function toneOfWord(status: string): Tone {
  if (trouble.test(status)) return "trouble";
  return change.test(status) ? "change" : "idle";
}
