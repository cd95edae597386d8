const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;
const year = 365 * day;

function two(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
}

/** A duration in the words of kubectl: `45s`, `3m12s`, `5h20m`, `2d4h`, `97d`, `2y30d`. */
export function ageText(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const count = (unit: number): number => Math.floor(whole / unit);
  if (whole < 2 * minute) return `${whole}s`;
  if (whole < 10 * minute) return two(count(minute), "m", whole % minute, "s");
  if (whole < 3 * hour) return `${count(minute)}m`;
  if (whole < 8 * hour) return two(count(hour), "h", Math.floor((whole % hour) / minute), "m");
  if (whole < 2 * day) return `${count(hour)}h`;
  if (whole < 8 * day) return two(count(day), "d", Math.floor((whole % day) / hour), "h");
  if (whole < 2 * year) return `${count(day)}d`;
  if (whole < 8 * year) return two(count(year), "y", Math.floor((whole % year) / day), "d");
  return `${count(year)}y`;
}

/** A duration as a sentence has it: `0.4 s`, `12 s`, `3 m 12 s`, `1 h 5 m`. */
export function durationText(seconds: number): string {
  const positive = Math.max(0, seconds);
  if (positive < 0.95) return positive < 0.05 ? "0 s" : `${positive.toFixed(1)} s`;
  const whole = Math.round(positive);
  if (whole < minute) return `${whole} s`;
  if (whole < hour) return `${Math.floor(whole / minute)} m ${whole % minute} s`;
  if (whole < 2 * day) return `${Math.floor(whole / hour)} h ${Math.floor((whole % hour) / minute)} m`;
  return `${Math.floor(whole / day)} d`;
}
