import { searchFieldId } from "../app/search-field";
import { type KeyBinding, useKeys } from "../app/keys";
import type { ListView, Row } from "../live";

interface ListKeys {
  readonly view: ListView;
  readonly cursor: number;
  readonly setCursor: (index: number) => void;
  readonly open: (row: Row) => void;
  readonly select: (index: number, stretch: boolean) => void;
  readonly clear: () => void;
  readonly merge: () => void;
}

const pageRows = 20;

/** The keys of a list. The arrows and Enter work from within the search too, so that one types, looks and opens. */
export function useListKeys({ view, cursor, setCursor, open, select, clear, merge }: ListKeys): void {
  const move = (by: number) => () => {
    setCursor(Math.max(0, Math.min(view.matched - 1, cursor + by)));
  };
  const openCursor = () => {
    const row = view.rows.get(Math.max(cursor, 0));
    if (row !== undefined) open(row);
  };
  const bindings: readonly KeyBinding[] = [
    { keys: "j", title: "Next row", run: move(1) },
    { keys: "k", title: "Row before", run: move(-1) },
    { keys: "ArrowDown", title: "Next row", whileTyping: true, run: move(1) },
    { keys: "ArrowUp", title: "Row before", whileTyping: true, run: move(-1) },
    { keys: "PageDown", title: "20 rows on", whileTyping: true, run: move(pageRows) },
    { keys: "PageUp", title: "20 rows back", whileTyping: true, run: move(-pageRows) },
    { keys: "Home", title: "First row", run: move(-Infinity) },
    { keys: "End", title: "Last row", run: move(Infinity) },
    {
      keys: "Enter",
      title: "Open the row",
      whileTyping: true,
      run: (event) => {
        if (opensRow(event.target)) openCursor();
        else if (event.target instanceof HTMLElement) event.target.click();
      },
    },
    { keys: "x", title: "Select the row", run: () => select(cursor, false) },
    { keys: "X", title: "Select up to the row", run: () => select(cursor, true) },
    { keys: "m", title: "Put new rows where they belong, remove those gone", run: merge },
    { keys: "Escape", title: "Clear the selection", run: clear },
  ];
  useKeys("List", bindings);
}

/** Whether Enter there means the row: in the search and in the table, not on a button or link. */
function opensRow(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return true;
  return target.id === searchFieldId || target.getAttribute("role") === "grid" || target === document.body;
}
