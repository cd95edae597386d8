/** Finds titles by some of their letters, as a person types them in a hurry. Pure. */

/** How well `wanted` finds `title`; 0 when it does not. More is better: a beginning, then word beginnings, then a part. */
export function rank(title: string, wanted: string): number {
  const [text, letters] = [title.toLowerCase(), wanted.trim().toLowerCase()];
  if (letters === "") return 1;
  if (text.startsWith(letters)) return 100 - Math.min(text.length, 50) / 100;
  const part = text.indexOf(letters);
  if (part > 0) return (isWordStart(text, part) ? 80 : 60) - Math.min(text.length, 50) / 100;
  return inOrder(text, letters.replaceAll(" ", ""));
}

function isWordStart(text: string, at: number): boolean {
  return at === 0 || /[\s\-/.:]/.test(text[at - 1] ?? "");
}

/** Whether the letters come in this order, the first of them at a word's beginning; the closer together the better. */
function inOrder(text: string, letters: string): number {
  let at = -1;
  let first = -1;
  for (const letter of letters) {
    at = text.indexOf(letter, at + 1);
    while (first < 0 && at >= 0 && !isWordStart(text, at)) at = text.indexOf(letter, at + 1);
    if (at < 0) return 0;
    if (first < 0) first = at;
  }
  const gaps = at - first + 1 - letters.length;
  return Math.max(1, 40 - gaps);
}

/** The items that `wanted` finds, the best first; those that are equally good keep their order. */
export function ranked<Item>(
  items: readonly Item[],
  wanted: string,
  titleOf: (item: Item) => string,
): readonly Item[] {
  const scored = items.map((item) => ({ item, score: rank(titleOf(item), wanted) }));
  const found = scored.filter(({ score }) => score > 0);
  return found.toSorted((a, b) => b.score - a.score).map(({ item }) => item);
}
