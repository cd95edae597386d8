/** Where things stand in the picture. What has a place keeps it; what is new takes a free one. */

import { type Column, COLUMNS, type Graph } from "./graph";

/** A row of a column, counted from the top. */
export type Rows = ReadonlyMap<string, number>;

export const BOX = { width: 208, height: 40 } as const;
const GAP = { x: 96, y: 10 } as const;

/**
 * The rows of all items: those of `before` stay, rows of what is gone are free again, and what is new takes the free row
 * nearest to the mean of its neighbours. `order` says in which order new ones choose.
 */
export function placed(graph: Graph, before: Rows, order: readonly string[] = []): Rows {
  const rows = new Map<string, number>();
  for (const { id } of graph.items) {
    const row = before.get(id);
    if (row !== undefined) rows.set(id, row);
  }
  const rank = new Map(order.map((id, index) => [id, index]));
  for (const column of COLUMNS) {
    const items = graph.items.filter((item) => item.column === column);
    const taken = new Set(items.flatMap(({ id }) => rows.get(id) ?? []));
    const fresh = items.filter(({ id }) => !rows.has(id));
    fresh.sort(
      (a, b) =>
        (rank.get(a.id) ?? 1e9) - (rank.get(b.id) ?? 1e9) ||
        a.name.localeCompare(b.name, "en", { numeric: true }),
    );
    for (const { id } of fresh) {
      const row = before.size === 0 ? firstFree(taken) : nearestFree(taken, wanted(id, graph, rows));
      taken.add(row);
      rows.set(id, row);
    }
  }
  return rows;
}

function firstFree(taken: ReadonlySet<number>): number {
  let row = 0;
  while (taken.has(row)) row += 1;
  return row;
}

function nearestFree(taken: ReadonlySet<number>, wish: number): number {
  for (let distance = 0; ; distance += 1) {
    if (wish - distance >= 0 && !taken.has(wish - distance)) return wish - distance;
    if (!taken.has(wish + distance)) return wish + distance;
  }
}

function wanted(id: string, { lines }: Graph, rows: Rows): number {
  const beside = lines.flatMap(({ from, to }) =>
    from === id ? (rows.get(to) ?? []) : to === id ? (rows.get(from) ?? []) : [],
  );
  return beside.length === 0 ? 0 : Math.round(beside.reduce((sum, row) => sum + row, 0) / beside.length);
}

/** The columns that have something in them, left to right. */
export function shownColumns(graph: Graph): Column[] {
  return COLUMNS.filter((column) => graph.items.some((item) => item.column === column));
}

/** The upper left corner of a box. */
export function cornerOf(column: number, row: number): { x: number; y: number } {
  return { x: column * (BOX.width + GAP.x), y: row * (BOX.height + GAP.y) + 28 };
}

/** The size of the whole picture. */
export function sizeOf(columns: number, rows: Rows): { width: number; height: number } {
  const last = Math.max(0, ...rows.values());
  const { x, y } = cornerOf(Math.max(0, columns - 1), last);
  return { width: x + BOX.width, height: y + BOX.height + GAP.y };
}
