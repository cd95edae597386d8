import { now } from "../live/clock";
import { ageText } from "./age-text";

interface AgeProps {
  /** Seconds since the epoch, or an RFC 3339 text. */
  readonly since: number | string | null | undefined;
  /** What follows the age, such as "ago". */
  readonly suffix?: string;
}

/** How long ago something was; counts by itself, in the cluster's time. */
export function Age({ since, suffix = "" }: AgeProps) {
  const seconds = typeof since === "string" ? Date.parse(since) / 1000 : since;
  if (seconds === null || seconds === undefined || !(seconds > 0)) return <span class="age">–</span>;
  const when = new Date(seconds * 1000);
  return (
    <time class="age" dateTime={when.toISOString()} title={when.toLocaleString()}>
      {ageText(now.value - seconds)}
      {suffix === "" ? "" : ` ${suffix}`}
    </time>
  );
}
