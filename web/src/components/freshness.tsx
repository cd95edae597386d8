import "./freshness.css";
import { connection } from "../live/connection";
import { now } from "../live/clock";
import type { DataState } from "../live/protocol";
import { durationText } from "./age-text";

interface FreshnessProps {
  readonly state: DataState;
  /** When the data was true, in seconds since the epoch. */
  readonly asOf: number;
}

/** How old the data is: `live`, `as of 12 s ago`, or `last known, 2 m ago`. */
export function Freshness({ state, asOf }: FreshnessProps) {
  const text = freshnessText(
    state,
    asOf,
    state === "stale" ? now.value : 0,
    connection.value.phase === "outage",
  );
  return <span class={`freshness freshness--${state}`}>{text}</span>;
}

function freshnessText(state: DataState, asOf: number, nowSeconds: number, outage: boolean): string {
  if (state === "loading") return "loading";
  if (state === "live") return "live";
  const age = durationText(nowSeconds - asOf);
  return outage ? `last known, ${age} ago` : `as of ${age} ago`;
}
