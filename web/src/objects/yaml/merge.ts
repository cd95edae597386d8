/** Merging two changes of one object. */
import { isObject, type Plain } from "./plain";

/** A place that both changed, differently. */
export interface Clash {
  readonly path: readonly (string | number)[];
  readonly mine: unknown;
  readonly theirs: unknown;
}

/** What both changes make of an object; where they clash, `mine` is in it. */
export interface Merged {
  readonly value: unknown;
  readonly clashes: readonly Clash[];
}

const same = (a: unknown, b: unknown): boolean => {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((each, index) => same(each, b[index]));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) => same(a[key], b[key]));
};

/** Merges what `mine` and `theirs` changed of `base`. Lists are one value: items have no common identity. */
export function merge3(
  base: unknown,
  mine: unknown,
  theirs: unknown,
  path: readonly (string | number)[] = [],
): Merged {
  if (same(mine, theirs) || same(base, theirs)) return { value: mine, clashes: [] };
  if (same(base, mine)) return { value: theirs, clashes: [] };
  if (isObject(mine) && isObject(theirs)) return mergeMaps(isObject(base) ? base : {}, mine, theirs, path);
  if (isSameLength(base, mine, theirs))
    return mergeLists(base as unknown[], mine as unknown[], theirs as unknown[], path);
  return { value: mine, clashes: [{ path, mine, theirs }] };
}

function mergeMaps(base: Plain, mine: Plain, theirs: Plain, path: readonly (string | number)[]): Merged {
  const value: Plain = {};
  const clashes: Clash[] = [];
  for (const key of new Set([...Object.keys(mine), ...Object.keys(theirs)])) {
    const found = merge3(base[key], mine[key], theirs[key], [...path, key]);
    if (found.value !== undefined) value[key] = found.value;
    clashes.push(...found.clashes);
  }
  return { value, clashes };
}

function isSameLength(base: unknown, mine: unknown, theirs: unknown): boolean {
  return (
    Array.isArray(base) &&
    Array.isArray(mine) &&
    Array.isArray(theirs) &&
    base.length === mine.length &&
    base.length === theirs.length
  );
}

function mergeLists(
  base: unknown[],
  mine: unknown[],
  theirs: unknown[],
  path: readonly (string | number)[],
): Merged {
  const found = base.map((each, index) => merge3(each, mine[index], theirs[index], [...path, index]));
  return { value: found.map(({ value }) => value), clashes: found.flatMap(({ clashes }) => clashes) };
}

/** The paths at which two values differ. */
export function changedPaths(
  before: unknown,
  after: unknown,
  path: readonly (string | number)[] = [],
): string[] {
  if (same(before, after)) return [];
  if (!isObject(before) || !isObject(after)) return [pathText(path)];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => changedPaths(before[key], after[key], [...path, key]));
}

/** A path as Kubernetes writes it: `spec.containers[0].image`. */
export function pathText(path: readonly (string | number)[]): string {
  return path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`))
    .join("")
    .replace(/^\./, "");
}

/** The value with another one at a path. */
export function withValue(value: unknown, path: readonly (string | number)[], other: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return other;
  if (Array.isArray(value))
    return value.map((each: unknown, index) => (index === key ? withValue(each, rest, other) : each));
  const map = isObject(value) ? value : {};
  const inner = withValue(map[key], rest, other);
  const { [key]: _, ...others } = map;
  return inner === undefined ? others : { ...others, [key]: inner };
}
