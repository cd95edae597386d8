import type { TargetedMouseEvent } from "preact";
import { addressOf } from "../app/match";
import { Link } from "../app/link";
import { namespace } from "../app/namespace";
import { objectPath, type Resource } from "../app/resources";
import { Age, Status, type TableColumn } from "../components";
import type { Row } from "../live";
import { cellText, type ShownColumn } from "./columns";

/** The headings of a list's columns, and how wide they are: the name takes what room is left. */
export function columnHeads(
  columns: readonly ShownColumn[],
  all: readonly ShownColumn[],
  widths: readonly number[],
): readonly TableColumn[] {
  const select: TableColumn = {
    id: " select",
    title: <span class="visually-hidden">Select</span>,
    track: "36px",
  };
  const last = columns.at(-1);
  const heads = columns.map((column): TableColumn => {
    const width = widths[all.indexOf(column)] ?? 80;
    const track = column.name === "Name" ? `minmax(${Math.min(width, 200)}px, ${width}px)` : `${width}px`;
    const stretches = column === last ? `minmax(${width}px, 1fr)` : track;
    return {
      id: column.name,
      title: column.name,
      end: column.kind === "number",
      sortable: true,
      track: stretches,
    };
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
  if (column.kind === "age" && text !== "–") {
    const cell = row.cells[column.cell];
    return <Age since={typeof cell === "number" ? cell : null} />;
  }
  if (column.kind === "status" && (row.tone === "trouble" || row.tone === "change")) {
    return (
      <span class={`list__status--${row.tone}`} title={text}>
        {text}
      </span>
    );
  }
  if (text === "–") return <span class="list__nothing">–</span>;
  return <span title={text.length > 24 ? text : undefined}>{text}</span>;
}
