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

/**
 * The widths of columns in pixels for the longest text seen in each, at so many pixels a character; they grow and never
 * shrink while a list is open.
 */
export function columnWidths(
  lengths: readonly number[],
  before: readonly number[],
  characterPx: number,
): readonly number[] {
  const next = lengths.map((length, index) => {
    const width = Math.min(400, Math.max(48, Math.ceil(length * characterPx) + 26));
    return Math.max(before[index] ?? 0, width);
  });
  return next.length === before.length && next.every((width, index) => width === before[index])
    ? before
    : next;
}
