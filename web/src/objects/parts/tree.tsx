import "./tree.css";

/** Any value of an object as a readable tree; deep parts are folded. */
export function Tree({ value, depth = 0 }: { readonly value: unknown; readonly depth?: number }) {
  if (typeof value !== "object" || value === null) return <code class="tree__value">{String(value)}</code>;
  const entries: [string, unknown][] = Object.entries(value);
  if (entries.length === 0) return <code class="tree__value">{Array.isArray(value) ? "[]" : "{}"}</code>;
  return (
    <ul class="tree">
      {entries.map(([key, each]) => (
        <li key={key}>
          <Branch name={Array.isArray(value) ? titleOf(each, key) : key} value={each} depth={depth} />
        </li>
      ))}
    </ul>
  );
}

function titleOf(value: unknown, index: string): string {
  const name = typeof value === "object" && value !== null ? (value as { name?: unknown }).name : undefined;
  return typeof name === "string" ? name : `[${index}]`;
}

function Branch({
  name,
  value,
  depth,
}: {
  readonly name: string;
  readonly value: unknown;
  readonly depth: number;
}) {
  const isLeaf = typeof value !== "object" || value === null || Object.keys(value).length === 0;
  if (isLeaf)
    return (
      <>
        <span class="tree__key">{name}</span> <Tree value={value} />
      </>
    );
  return (
    <details open={depth < 2}>
      <summary class="tree__key">{name}</summary>
      <Tree value={value} depth={depth + 1} />
    </details>
  );
}
