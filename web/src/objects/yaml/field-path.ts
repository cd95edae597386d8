/** Finding the place in YAML text that the API server's error names. */
import { isMap, isScalar, isSeq, type Document, type Node } from "yaml";

/** The keys of a path as the API server writes it: `spec.containers[0].env[name]`, `metadata.labels[a/b]`. */
export function keysOfField(field: string): (string | number)[] {
  const found: (string | number)[] = [];
  for (const [, bracketed, plain] of field.matchAll(/\[([^\]]*)\]|([^.[\]]+)/g)) {
    if (plain !== undefined) found.push(plain);
    else if (bracketed !== undefined)
      found.push(/^\d+$/.test(bracketed) ? Number(bracketed) : bracketed.replaceAll('"', ""));
  }
  return found;
}

/** The stretch of text of a field, or of the deepest part of its path that is there. */
export function rangeOfField(document: Document.Parsed, field: string): { from: number; to: number } {
  let node: unknown = document.contents;
  let range = { from: 0, to: 1 };
  for (const key of keysOfField(field)) {
    if (isMap(node)) {
      const pair = node.items.find((each) => isScalar(each.key) && String(each.key.value) === String(key));
      if (!pair) break;
      range = extent(pair.key as Node, pair.value as Node | null) ?? range;
      node = pair.value;
    } else if (isSeq(node) && typeof key === "number") {
      const item = node.items[key] as Node | undefined;
      if (!item) break;
      range = extent(item, item) ?? range;
      node = item;
    } else break;
  }
  return range;
}

function extent(first: Node, last: Node | null): { from: number; to: number } | undefined {
  const from = first.range?.[0];
  const to = (isScalar(last) ? last.range?.[1] : undefined) ?? first.range?.[1];
  return from === undefined || to === undefined ? undefined : { from, to: Math.max(to, from + 1) };
}
