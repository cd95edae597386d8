import { useEffect, useRef, useState } from "preact/hooks";
import { go, keep, recall, setQuery } from "../app/router";
import { namespace } from "../app/namespace";
import { addressOf } from "../app/match";
import { objectPath, type Resource } from "../app/resources";
import { Button, Empty, VirtualTable } from "../components";
import { windowAround } from "../components/virtual-window";
import type { FollowedList, Row } from "../live";
import { exactNow } from "../live";
import { Cells, columnHeads, selectWidthPx } from "./cells";
import { columnsOf, fitting, widthsOf } from "./columns";
import { Flashes } from "./flashes";
import { type Filters, sortedBy } from "./list-address";
import { extended, type Selection, toggled } from "./selection";
import { textWidth } from "./text-width";
import { useListKeys } from "./use-list-keys";
import { useWidth } from "./use-width";

interface ListTableProps {
  readonly resource: Resource;
  readonly filters: Filters;
  readonly list: FollowedList;
  readonly selection: Selection;
  readonly onSelect: (selection: Selection) => void;
  readonly onClearFilters: () => void;
}

/** The rows of a list. */
export function ListTable({ resource, filters, list, selection, onSelect, onClearFilters }: ListTableProps) {
  const view = list.view.value;
  const [cursor, setCursor] = useState(-1);
  const anchor = useRef(-1);
  const asked = useRef({ first: -1, count: -1 });
  const widths = useRef<readonly number[]>([]);
  const flashes = useRef(new Flashes());
  const [room, frame] = useWidth();

  flashes.current.take(view.rows, performance.now());
  const all = columnsOf(view.columns, resource.namespaced && filters.namespace === "");
  widths.current = widthsOf(all, view.rows.values(), widths.current, textWidth);
  const columns = fitting(all, widths.current, room - selectWidthPx);

  const open = (row: Row) => {
    go(addressOf(objectPath(resource, row.namespace, row.name), { ns: namespace.value }));
  };
  const select = (index: number, stretch: boolean) => {
    const row = view.rows.get(index);
    if (row === undefined) return;
    if (stretch && anchor.current >= 0) onSelect(extended(selection, view.rows, anchor.current, index));
    else onSelect(toggled(selection, row));
    anchor.current = index;
  };
  useListKeys({ view, cursor, setCursor, open, select, clear: () => onSelect(new Map()), merge: list.merge });
  useEffect(() => {
    if (cursor >= view.matched) setCursor(view.matched - 1);
  }, [view.matched, cursor]);

  if (view.columns.length > 0 && view.matched === 0) {
    return <NoRows resource={resource} filters={filters} onClearFilters={onClearFilters} />;
  }
  return (
    <div class="list__rows" ref={frame}>
      {view.columns.length > 0 && room > 0 && (
        <VirtualTable
          label={resource.title}
          columns={columnHeads(columns)}
          leastWidthPx={columns.reduce((sum, column) => sum + column.width, selectWidthPx)}
          count={view.matched}
          rowAt={(index) => view.rows.get(index)}
          rowClass={(row) => classOf(row, selection, flashes.current)}
          rowState={(row) => classOf(row, selection, flashes.current)}
          cells={(row, index) => (
            <Cells
              row={row}
              columns={columns}
              resource={resource}
              selected={selection.has(row.uid)}
              onSelect={(event) => select(index, event.shiftKey)}
            />
          )}
          sort={filters.sort}
          onSort={(column) => setQuery({ sort: sortedBy(column, filters.sort) })}
          cursor={cursor}
          onPoint={(index) => setCursor(index)}
          onWindow={(first, last) => {
            const next = windowAround(first, last, view.matched);
            if (next.first === asked.current.first && next.count === asked.current.count) return;
            asked.current = next;
            list.change(next);
          }}
          scrollTop={Number(recall("scroll") ?? 0)}
          order={JSON.stringify(filters)}
          onScrolled={(top) => keep("scroll", top)}
          stale={view.state === "stale"}
        />
      )}
    </div>
  );
}

function classOf(row: Row, selection: Selection, flashes: Flashes): string {
  const classes = [];
  if (row.gone) classes.push("list__row--gone");
  if (selection.has(row.uid)) classes.push("list__row--selected");
  const flash = flashes.flashOf(row.uid, performance.now());
  if (flash !== "") classes.push(`list__row--flash-${flash}`);
  return classes.join(" ");
}

function NoRows({
  resource,
  filters,
  onClearFilters,
}: Pick<ListTableProps, "resource" | "filters" | "onClearFilters">) {
  const place = filters.namespace === "" ? "" : ` in the namespace ${filters.namespace}`;
  const filtered = filters.search !== "" || filters.labels !== "" || filters.statuses.length > 0;
  return (
    <Empty title={filtered ? `No ${resource.title} match` : `No ${resource.title}${place}`}>
      {filtered ? (
        <>
          <p>Nothing{place} has this name, these labels and this status.</p>
          <p class="list__clear">
            <Button onClick={onClearFilters}>Clear the filters</Button>
          </p>
        </>
      ) : (
        <p>As of {new Date(exactNow() * 1000).toLocaleTimeString()}; what is created appears here.</p>
      )}
    </Empty>
  );
}
