/** Which columns a list shows in the room that there is, and how wide they are. Pure. */
import { ageText } from "../components/age-text";
import type { Cell, Column, Row } from "../live";

/** A column of a list: one of the back end's, or the namespace. */
export interface ShownColumn extends Column {
  /** Its place in a row's cells; -1 for the namespace. */
  readonly cell: number;
}

/** Measures a text in pixels. */
export type Measure = (text: string) => number;

/** A column with its width in pixels. */
export interface SizedColumn extends ShownColumn {
  readonly width: number;
}

const namespaceColumn: ShownColumn = { name: "Namespace", kind: "text", wide: false, cell: -1 };
const nothing = "–";
const paddingPx = 20;
const statusMarkPx = 18;
const widestPx = 420;
const leastPx = 128;
/** Wide columns that say more than the ends of long names: they are shown however little room there is. */
const preferred = ["Node"];

/** The columns of a list, with the namespace behind the name where rows of several are shown. */
export function columnsOf(columns: readonly Column[], withNamespace: boolean): readonly ShownColumn[] {
  const all = columns
    .map((column, cell): ShownColumn => ({ ...column, cell }))
    .filter((column) => column.name !== "Namespace");
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
  if (cell === null || cell === "" || cell === "<none>") return nothing;
  if (kind === "age" && typeof cell === "number") return ageText(nowSeconds - cell);
  return String(cell);
}

/**
 * The width of each column for what has been seen in it. Widths grow and never shrink while a list is open; that of a
 * wide column in which nothing has been seen yet is 0: it is not shown.
 */
export function widthsOf(
  columns: readonly ShownColumn[],
  rows: Iterable<Row>,
  before: readonly number[],
  measure: Measure,
): readonly number[] {
  const known = before.length === columns.length ? before : columns.map(() => 0);
  const next = [...known];
  for (const row of rows) {
    for (const [index, column] of columns.entries()) {
      const width = cellWidth(row, column, measure);
      if (width > (next[index] ?? 0)) next[index] = width;
    }
  }
  for (const [index, column] of columns.entries()) {
    const heading = Math.ceil(measure(column.name)) + paddingPx;
    const width = next[index] ?? 0;
    if (width > 0 || !column.wide) next[index] = Math.min(widestPx, Math.max(width, heading));
  }
  return next.length === before.length && next.every((width, index) => width === before[index])
    ? before
    : next;
}

function cellWidth(row: Row, column: ShownColumn, measure: Measure): number {
  if (column.kind === "age") return measure("9m59s") + paddingPx;
  const text = cellText(row, column, 0);
  if (text === nothing) return 0;
  return Math.ceil(measure(text)) + paddingPx + (column.name === "Name" ? statusMarkPx : 0);
}

/**
 * The columns that fit into `room` pixels, in their order: wide ones only while there is room for them (but for those
 * preferred). Where the others do not fit, the widest are cut; what is left over goes to messages.
 */
export function fitting(
  columns: readonly ShownColumn[],
  widths: readonly number[],
  room: number,
): readonly SizedColumn[] {
  const sized = columns.map((column, index): SizedColumn => {
    const width = widths[index] ?? 0;
    return { ...column, width, wide: column.wide && (width === 0 || !preferred.includes(column.name)) };
  });
  let left = room - sized.filter((column) => !column.wide).reduce((sum, { width }) => sum + width, 0);
  const added = new Set<SizedColumn>();
  const wide = sized.filter((column) => column.wide && column.width > 0);
  for (const column of wide) {
    if (column.width > left) break;
    left -= column.width;
    added.add(column);
  }
  const shown = sized.filter((column) => !column.wide || added.has(column));
  if (left < 0) return cut(shown, -left);
  return shown.map((column) =>
    column.name === "Message" ? { ...column, width: column.width + left } : column,
  );
}

/** The columns with so many pixels less: always the widest gives way, until all are narrow. */
function cut(columns: readonly SizedColumn[], tooMuch: number): readonly SizedColumn[] {
  const next = columns.map((column) => ({ ...column }));
  let left = tooMuch;
  while (left > 0) {
    const [widest, second] = next.filter(({ kind }) => kind === "text").toSorted((a, b) => b.width - a.width);
    if (widest === undefined || widest.width <= leastPx) break;
    const less = Math.min(
      left,
      widest.width - Math.max(leastPx, Math.min(second?.width ?? 0, widest.width - 1)),
    );
    widest.width -= less;
    left -= less;
  }
  return next;
}
