/** A map of JSON. */
export type Plain = Record<string | number, unknown>;

/** Whether a value is a map of JSON. */
export function isObject(value: unknown): value is Plain {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
