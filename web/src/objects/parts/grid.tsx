import "./grid.css";
import type { ComponentChildren } from "preact";

interface GridProps {
  /** What it is of, for screen readers. */
  readonly label: string;
  readonly columns: readonly string[];
  readonly rows: readonly { readonly key: string; readonly cells: readonly ComponentChildren[] }[];
  /** What is said when there are no rows. */
  readonly empty?: string;
}

/** A small table inside an object's details; lists of many rows are VirtualTable's. */
export function Grid({ label, columns, rows, empty = "None." }: GridProps) {
  if (rows.length === 0) return <p class="grid__empty">{empty}</p>;
  return (
    <div class="grid__scroll">
      <table class="grid" aria-label={label}>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, cells }) => (
            <tr key={key}>
              {cells.map((cell, index) => (
                <td key={columns[index]}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
