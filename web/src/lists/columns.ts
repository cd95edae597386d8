/** Which columns a list shows in the room that there is. Pure. */
import { ageText } from "../components/age-text";
import { columnWidths } from "../components/virtual-window";
import type { Cell, Column, Row } from "../live";

/** A column of a list: one of the back end's, or the namespace. */
export interface ShownColumn extends Column {
  /** Its place in a row's cells; -1 for the namespace. */
  readonly cell: number;
}

const namespaceColumn: ShownColumn = { name: "Namespace", kind: "text", wide: false, cell: -1 };

/** The columns of a list, with the namespace behind the name where rows of several are shown. */
export function columnsOf(columns: readonly Column[], withNamespace: boolean): readonly ShownColumn[] {
  const all = columns.map((column, cell): ShownColumn => ({ ...column, cell }));
  if (!withNamespace) return all;
  const name = all.findIndex((column) => column.name === "Name");
  return [...all.slice(0, name + 1), namespaceColumn, ...all.slice(name + 1)];
}

/** What a cell says as text; an age as of `nowSeconds`. */
export function cellText(row: Row, column: ShownColumn, nowSeconds: number): string {
  if (column.cell < 0) return row.namespace;
  return textOf(row.cells[column.cell] ?? null, column.kind, nowSeconds);
}

function textOf(cell: Cell, kind: Column["kind"], nowSeconds: number): string {
  if (cell === null || cell === "" || cell === "<none>") return "–";
  if (kind === "age" && typeof cell === "number") return ageText(nowSeconds - cell);
  return String(cell);
}

/** The width of each column in pixels, for what has been seen in it, at so many pixels a character. */
export function widthsOf(
  columns: readonly ShownColumn[],
  rows: Iterable<Row>,
  before: readonly number[],
  characterPx: number,
): readonly number[] {
  const lengths = columns.map((column) => (column.kind === "age" ? 6 : column.name.length + 2));
  for (const row of rows) {
    for (const [index, column] of columns.entries()) {
      if (column.kind === "age") continue;
      lengths[index] = Math.max(
        lengths[index] ?? 0,
        cellText(row, column, 0).length + (column.name === "Name" ? 2 : 0),
      );
    }
  }
  return columnWidths(lengths, before.length === columns.length ? before : [], characterPx);
}

/** The columns that fit into `room` pixels, in their order: wide ones only while there is room for them. */
export function fitting(
  columns: readonly ShownColumn[],
  widths: readonly number[],
  room: number,
): readonly ShownColumn[] {
  const width = (column: ShownColumn): number => widths[columns.indexOf(column)] ?? 0;
  let left = room - columns.filter((column) => !column.wide).reduce((sum, column) => sum + width(column), 0);
  return columns.filter((column) => {
    if (!column.wide) return true;
    left -= width(column);
    return left >= 0;
  });
}
