/** Where in an object a place in YAML text is, also while the text is half written. */

/** A place: the path of what it is in, and whether a key or the last key's value is written there. */
export interface Position {
  readonly path: readonly (string | number)[];
  readonly at: "key" | "value";
  /** What has been written of the word so far, and where it begins. */
  readonly word: string;
  readonly from: number;
}

interface Line {
  readonly dashes: readonly number[];
  readonly column: number;
  readonly key: string | undefined;
  readonly value: string | undefined;
  readonly valueColumn: number;
}

function parse(text: string): Line {
  const dashes: number[] = [];
  let column = text.length - text.trimStart().length;
  while (text[column] === "-" && (text[column + 1] === " " || column + 1 === text.length)) {
    dashes.push(column);
    column += 1;
    while (text[column] === " ") column += 1;
  }
  const found = /^("[^"]*"|'[^']*'|[^\s:#"'][^:#]*?):(\s+|$)(.*)$/.exec(text.slice(column));
  const key = found?.[1]?.replace(/^["']|["']$/g, "");
  const valueColumn = found ? column + (found[1]?.length ?? 0) + 1 + (found[2]?.length ?? 0) : column;
  return { dashes, column, key, value: found?.[3], valueColumn };
}

/** The position at an offset, in the document that it is in. */
export function positionAt(text: string, offset: number): Position {
  const begin = Math.max(text.lastIndexOf("\n---", offset - 1) + 1, 0);
  const lines = text.slice(begin, offset).split("\n");
  const current = parse(lines.pop() ?? "");
  const lineStart = text.lastIndexOf("\n", offset - 1) + 1;
  const path: (string | number)[] = [];
  // How far to the left the next parent is to be, and whether a list item asks for one.
  const state = { need: current.column, isDash: false };
  const dashesUp = (dashes: readonly number[]) => {
    for (const dash of [...dashes].reverse())
      if (dash < state.need) {
        path.unshift(0);
        state.need = dash;
        state.isDash = true;
      }
  };
  if (current.key !== undefined) path.push(current.key);
  dashesUp(current.dashes);
  for (const raw of lines.reverse()) {
    if (raw.trim() === "" || raw.trimStart().startsWith("#") || raw.startsWith("---")) continue;
    const line = parse(raw);
    const isParent =
      line.key !== undefined && (line.column < state.need || (state.isDash && line.column === state.need));
    if (isParent) {
      path.unshift(line.key);
      state.need = line.column;
      state.isDash = false;
    }
    dashesUp(line.dashes);
    if (state.need === 0 && !state.isDash) break;
  }
  const at = current.key === undefined ? "key" : "value";
  const wordColumn = at === "key" ? current.column : current.valueColumn;
  const from = Math.min(lineStart + wordColumn, offset);
  return { path, at, word: text.slice(from, offset), from };
}
