/** Which rows of a list are selected. Pure. */
import type { Row } from "../live";

/** The selected rows by UID; their contents are those of when they were selected. */
export type Selection = ReadonlyMap<string, Row>;

/** The selection with a row in or out. */
export function toggled(selection: Selection, row: Row): Selection {
  const next = new Map(selection);
  if (!next.delete(row.uid)) next.set(row.uid, row);
  return next;
}

/** The selection with all known rows from one position to another, whichever is first. */
export function extended(
  selection: Selection,
  rows: ReadonlyMap<number, Row>,
  from: number,
  to: number,
): Selection {
  const next = new Map(selection);
  for (let at = Math.min(from, to); at <= Math.max(from, to); at++) {
    const row = rows.get(at);
    if (row !== undefined) next.set(row.uid, row);
  }
  return next;
}

/** The selection without what has been deleted meanwhile. */
export function withoutGone(selection: Selection, rows: ReadonlyMap<number, Row>): Selection {
  const gone = [...rows.values()].filter((row) => row.gone && selection.has(row.uid));
  if (gone.length === 0) return selection;
  const next = new Map(selection);
  for (const row of gone) next.delete(row.uid);
  return next;
}
