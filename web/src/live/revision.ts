/** Compares two resource versions as the numbers that they are; below zero when `a` is older. */
export function compareRevisions(a: string, b: string): number {
  const [left, right] = [a.replace(/^0+/, ""), b.replace(/^0+/, "")];
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Whether `a` was written before `b`. */
export function isOlder(a: string, b: string): boolean {
  return compareRevisions(a, b) < 0;
}
