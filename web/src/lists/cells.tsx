import type { TargetedMouseEvent } from "preact";
import { addressOf } from "../app/match";
import { Link } from "../app/link";
import { namespace } from "../app/namespace";
import { objectPath, type Resource, resources } from "../app/resources";
import { Age, Status, type TableColumn } from "../components";
import type { Row } from "../live";
import { cellText, type ShownColumn, type SizedColumn } from "./columns";

/** How wide the check boxes' column is. */
export const selectWidthPx = 32;

/** The headings of a list's columns. */
export function columnHeads(columns: readonly SizedColumn[]): readonly TableColumn[] {
  const select: TableColumn = {
    id: " select",
    title: <span class="visually-hidden">Select</span>,
    track: `${selectWidthPx}px`,
  };
  const heads = columns.map(({ name, kind, width }): TableColumn => {
    return { id: name, title: name, end: kind === "number", sortable: true, track: `${width}px` };
  });
  return [select, ...heads];
}

interface CellsProps {
  readonly row: Row;
  readonly columns: readonly ShownColumn[];
  readonly resource: Resource;
  readonly selected: boolean;
  readonly onSelect: (event: TargetedMouseEvent<HTMLElement>) => void;
}

/** The cells of a row. */
export function Cells({ row, columns, resource, selected, onSelect }: CellsProps) {
  return (
    <>
      <div role="gridcell" class="list__select">
        <input
          type="checkbox"
          tabIndex={-1}
          aria-label={`Select ${row.name}`}
          checked={selected}
          onClick={(event) => {
            event.stopPropagation();
            onSelect(event);
          }}
        />
      </div>
      {columns.map((column) => (
        <div
          key={column.name}
          role="gridcell"
          class={column.kind === "number" ? "virtual-table__end" : undefined}
        >
          <CellContent row={row} column={column} resource={resource} />
        </div>
      ))}
    </>
  );
}

function CellContent({
  row,
  column,
  resource,
}: Pick<CellsProps, "row" | "resource"> & { column: ShownColumn }) {
  if (column.name === "Name") {
    const to = addressOf(objectPath(resource, row.namespace, row.name), { ns: namespace.value });
    return (
      <span class="list__name">
        {row.status !== "" && <Status tone={row.gone ? "idle" : row.tone} />}
        <Link to={to} title={row.name}>
          {row.name}
        </Link>
      </span>
    );
  }
  const text = cellText(row, column, 0);
  if (text === "–") return <span class="list__nothing">–</span>;
  if (column.kind === "age") {
    const cell = row.cells[column.cell];
    return <Age since={typeof cell === "number" ? cell : null} />;
  }
  const object = linkedTo(column.name, resource, text, row.namespace);
  if (object !== null) {
    return (
      <Link to={addressOf(object, { ns: namespace.value })} class="list__link">
        {text}
      </Link>
    );
  }
  const toned =
    (column.kind === "status" || text === row.status) && (row.tone === "trouble" || row.tone === "change");
  return (
    <span class={toned ? `list__status--${row.tone}` : undefined} title={text.length > 24 ? text : undefined}>
      {text}
    </span>
  );
}

/** The page of what a cell names: a pod's node, or what an event is about; null for other cells. */
function linkedTo(column: string, resource: Resource, text: string, place: string): string | null {
  if (resource.group === "" && resource.plural === "pods" && column === "Node" && !text.startsWith("<"))
    return `/nodes/${encodeURIComponent(text)}`;
  return column === "Object" && resource.plural === "events" ? objectOfEvent(text, place) : null;
}

/** The page of what an event is about, by the `kind/name` that kubectl shows; null for kinds not in the navigation. */
function objectOfEvent(text: string, place: string): string | null {
  const [kind = "", name = ""] = text.split("/");
  const found = resources.find((each) => each.kind.toLowerCase() === kind.toLowerCase());
  return found === undefined || name === "" ? null : objectPath(found, found.namespaced ? place : "", name);
}
