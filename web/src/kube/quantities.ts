const FACTORS: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** The number that a quantity (`250m`, `64Mi`, `1e3`) stands for; undefined when it is none. */
export function quantity(text: string | number | undefined): number | undefined {
  if (typeof text === "number") return text;
  const found = /^([+-]?\d*\.?\d+|[+-]?\d+\.)(?:[eE]([+-]?\d+)|([a-zA-Z]*))$/.exec(text ?? "");
  if (!found) return undefined;
  const factor = found[2] !== undefined ? 10 ** Number(found[2]) : FACTORS[found[3] ?? ""];
  return factor === undefined ? undefined : Number(found[1]) * factor;
}

/** Bytes for people: `1.5 GiB`. */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let left = value;
  let unit = 0;
  while (left >= 1024 && unit < units.length - 1) {
    left /= 1024;
    unit += 1;
  }
  return `${left >= 100 || Number.isInteger(left) ? Math.round(left) : left.toFixed(1)} ${units[unit] ?? "B"}`;
}

/** The share of `used` in `limit`, from 0 to 1 (more when it is over); undefined where one is no quantity. */
export function share(
  used: string | number | undefined,
  limit: string | number | undefined,
): number | undefined {
  const [a, b] = [quantity(used), quantity(limit)];
  if (a === undefined || b === undefined) return undefined;
  return b === 0 ? (a > 0 ? Infinity : 1) : a / b;
}
