/** Which rows of a long list are in the page. Pure. */

/** A stretch of rows. */
export interface RowWindow {
  readonly first: number;
  readonly count: number;
}

/** The window to ask for so that `first` to `last` are in it with rows to spare; whole steps, so that it moves seldom. */
export function windowAround(first: number, last: number, total: number): RowWindow {
  const step = 20;
  const spare = 40;
  const from = Math.max(0, Math.floor((first - spare) / step) * step);
  const to = Math.min(Math.max(total, last + 1), Math.ceil((last + 1 + spare) / step) * step);
  return { first: from, count: Math.max(to - from, 0) };
}
