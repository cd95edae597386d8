import "./virtual-table.css";
import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
  type VirtualItem,
} from "@tanstack/virtual-core";
import type { ComponentChildren, TargetedMouseEvent, VNode } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Icon } from "./icon";

/** A column of a table. */
export interface TableColumn {
  readonly id: string;
  readonly title: ComponentChildren;
  readonly end?: boolean;
  readonly sortable?: boolean;
  /** A width as CSS has it for grid tracks. */
  readonly track: string;
}

/** How a table is sorted. */
export interface TableSort {
  readonly column: string;
  readonly descending: boolean;
}

/** A table of any length, of which only what is on screen is in the page. */
export interface VirtualTableProps<Row> {
  readonly label: string;
  readonly columns: readonly TableColumn[];
  /** Narrower than this the table scrolls sideways. */
  readonly leastWidthPx?: number;
  /** How many rows there are in all. */
  readonly count: number;
  /** The row at a position; undefined while it is not known yet. The same row is drawn once. */
  readonly rowAt: (index: number) => Row | undefined;
  readonly cells: (row: Row, index: number) => ComponentChildren;
  readonly rowClass?: (row: Row) => string;
  /** Changes what a row shows beside the row itself, such as whether it is selected. */
  readonly rowState?: (row: Row) => string;
  readonly sort?: TableSort;
  readonly onSort?: (column: string) => void;
  /** The row that the keyboard is at; -1 for none. */
  readonly cursor?: number;
  readonly onPoint?: (index: number, event: TargetedMouseEvent<HTMLElement>) => void;
  /** Called with the first and the last row on screen. */
  readonly onWindow?: (first: number, last: number) => void;
  /** Where it is scrolled to when it is first shown, in pixels. */
  readonly scrollTop?: number;
  /** What the rows and their order are of: when it changes, the table begins at its top. */
  readonly order?: string;
  readonly onScrolled?: (top: number) => void;
  readonly stale?: boolean;
  readonly onKeyDown?: (event: KeyboardEvent) => void;
}

interface Drawn {
  readonly row: unknown;
  readonly state: string;
  readonly vnode: VNode;
}

const rowHeight = 32;
const overscan = 8;

/** Shows the table; see VirtualTableProps. */
export function VirtualTable<Row>(props: VirtualTableProps<Row>) {
  const { columns, count, cursor = -1, onWindow, onScrolled } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const drawn = useRef(new Map<number, Drawn>());
  const slots = useRef(1);
  const [, redraw] = useState(0);
  const virtualizer = useRef<Virtualizer<HTMLDivElement, HTMLDivElement> | null>(null);
  virtualizer.current ??= new Virtualizer<HTMLDivElement, HTMLDivElement>(options());

  function options() {
    return {
      count,
      overscan,
      getScrollElement: () => scroller.current,
      estimateSize: () => rowHeight,
      observeElementRect,
      observeElementOffset,
      scrollToFn: elementScroll,
      scrollPaddingStart: rowHeight,
      initialOffset: props.scrollTop ?? 0,
      initialRect: { width: 1000, height: 800 },
      onChange: () => redraw((times) => times + 1),
    };
  }
  virtualizer.current.setOptions(options());
  const virtual = virtualizer.current;

  useLayoutEffect(() => {
    const end = virtual._didMount();
    if (scroller.current !== null) scroller.current.scrollTop = props.scrollTop ?? 0;
    return end;
  }, []);
  useLayoutEffect(() => virtual._willUpdate());
  const order = useRef(props.order);
  useLayoutEffect(() => {
    if (order.current !== props.order && scroller.current !== null) scroller.current.scrollTop = 0;
    order.current = props.order;
  }, [props.order]);
  useEffect(() => {
    if (cursor >= 0) virtual.scrollToIndex(cursor, { align: "auto" });
  }, [cursor]);

  const items = virtual.getVirtualItems();
  // It only grows: were it to follow the number of rows, each row would change its element with it.
  slots.current = Math.max(slots.current, items.length);
  const [first, last] = [items[0]?.index ?? 0, items.at(-1)?.index ?? 0];
  useEffect(() => onWindow?.(first, last), [first, last, count]);

  const tracks = columns.map((column) => column.track).join(" ");
  const minWidth = `${props.leastWidthPx ?? 0}px`;
  return (
    <div
      ref={scroller}
      class={props.stale === true ? "virtual-table stale-edge" : "virtual-table"}
      role="grid"
      aria-label={props.label}
      aria-rowcount={count + 1}
      aria-activedescendant={cursor >= 0 ? `row-${cursor}` : undefined}
      tabIndex={0}
      onKeyDown={props.onKeyDown}
      onScroll={(event) => onScrolled?.(event.currentTarget.scrollTop)}
    >
      <div
        class="virtual-table__head"
        role="row"
        aria-rowindex={1}
        style={{ gridTemplateColumns: tracks, minWidth }}
      >
        {columns.map((column) => (
          <Heading key={column.id} column={column} sort={props.sort} onSort={props.onSort} />
        ))}
      </div>
      <div
        class="virtual-table__body"
        role="rowgroup"
        style={{ height: `${virtual.getTotalSize()}px`, minWidth }}
      >
        {items.map((item) => drawRow(props, item, tracks, drawn.current, slots.current))}
      </div>
    </div>
  );
}

interface HeadingProps {
  readonly column: TableColumn;
  readonly sort: TableSort | undefined;
  readonly onSort: ((column: string) => void) | undefined;
}

function Heading({ column, sort, onSort }: HeadingProps) {
  const sorted = sort?.column === column.id;
  const order = sorted ? (sort.descending ? "descending" : "ascending") : undefined;
  const name = column.end === true ? "virtual-table__heading virtual-table__end" : "virtual-table__heading";
  return (
    <div class={name} role="columnheader" aria-sort={order}>
      {column.sortable === true ? (
        <button type="button" class="virtual-table__sort" onClick={() => onSort?.(column.id)}>
          {column.title}
          {sorted && <Icon name={sort.descending ? "arrow-down" : "arrow-up"} />}
        </button>
      ) : (
        column.title
      )}
    </div>
  );
}

/** A row's element; the same one as before when nothing that it shows has changed, so that nothing is compared. */
function drawRow<Row>(
  props: VirtualTableProps<Row>,
  item: VirtualItem,
  tracks: string,
  drawn: Map<number, Drawn>,
  slots: number,
): VNode {
  const row = props.rowAt(item.index);
  const isCursor = props.cursor === item.index;
  // An element is used again for the row that comes into view when its own leaves.
  const slot = item.index % slots;
  const state = `${item.index} ${tracks} ${isCursor ? "cursor" : ""} ${row === undefined ? "" : (props.rowState?.(row) ?? "")}`;
  const before = drawn.get(slot);
  if (before !== undefined && before.row === row && before.state === state) return before.vnode;
  const classes = ["virtual-table__row"];
  if (isCursor) classes.push("virtual-table__row--cursor");
  if (row !== undefined) classes.push(props.rowClass?.(row) ?? "");
  const vnode = (
    <div
      key={slot}
      id={`row-${item.index}`}
      class={classes.join(" ")}
      role="row"
      aria-rowindex={item.index + 2}
      style={{ gridTemplateColumns: tracks, transform: `translateY(${item.start}px)` }}
      onClick={(event) => props.onPoint?.(item.index, event)}
    >
      {row === undefined ? (
        <div class="virtual-table__unknown" role="gridcell" aria-colspan={props.columns.length}>
          …
        </div>
      ) : (
        props.cells(row, item.index)
      )}
    </div>
  );
  drawn.set(slot, { row, state, vnode });
  return vnode;
}
