/** An object before and after a write, as lines that differ. */

/** One line: kept lines are left out, except those that lead to a changed one. */
export interface DiffLine {
  readonly path: string;
  readonly before: string | null;
  readonly after: string | null;
}

const SKIPPED = new Set(["metadata.resourceVersion", "metadata.managedFields", "metadata.generation"]);
const LINES_MAX = 200;

/** The fields that differ, in the order of the object; null where a side has none. */
export function differences(before: unknown, after: unknown): DiffLine[] {
  const [old, fresh] = [flat(before), flat(after)];
  const paths = new Set([...old.keys(), ...fresh.keys()]);
  const found: DiffLine[] = [];
  for (const path of paths) {
    const [a, b] = [old.get(path) ?? null, fresh.get(path) ?? null];
    if (a !== b && found.length < LINES_MAX) found.push({ path, before: a, after: b });
  }
  return found;
}

/** Each leaf by its path. Items of a list are named by what tells them apart: type, name, key, or else their place. */
export function flat(value: unknown, path = ""): Map<string, string> {
  const found = new Map<string, string>();
  if (SKIPPED.has(path) || (path === "" && value === null)) return found;
  if (Array.isArray(value)) {
    value.forEach((item, index) => {
      for (const [each, text] of flat(item, `${path}[${nameOf(item, index)}]`)) found.set(each, text);
    });
    if (value.length === 0) found.set(path, "[]");
  } else if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value);
    for (const [field, item] of fields) {
      for (const [each, text] of flat(item, path === "" ? field : `${path}.${field}`)) found.set(each, text);
    }
    if (fields.length === 0) found.set(path, "{}");
  } else if (value !== undefined) {
    found.set(path, typeof value === "string" ? value : JSON.stringify(value));
  }
  return found;
}

function nameOf(item: unknown, index: number): string {
  if (typeof item !== "object" || item === null) return String(index);
  const { type, name, key, uid, addresses, effect } = item as Record<string, unknown>;
  const keyed = typeof key === "string" && typeof effect === "string" ? `${key}:${effect}` : key;
  const found = [type, name, keyed, uid, Array.isArray(addresses) ? addresses[0] : undefined];
  return found.find((each) => typeof each === "string") ?? String(index);
}
