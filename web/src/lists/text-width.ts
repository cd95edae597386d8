const known = new Map<string, number>();
const knownMax = 20_000;
let context: CanvasRenderingContext2D | null | undefined;

/** The width of a text in a table, with this machine's font, in pixels. */
export function textWidth(text: string): number {
  const before = known.get(text);
  if (before !== undefined) return before;
  if (context === undefined) {
    context = document.createElement("canvas").getContext("2d");
    const { fontSize, fontFamily } = getComputedStyle(document.body);
    // Names are a little bolder than other cells.
    if (context !== null) context.font = `500 ${fontSize} ${fontFamily}`;
  }
  const width = context?.measureText(text).width ?? text.length * 7.5;
  if (known.size >= knownMax) known.clear();
  known.set(text, width);
  return width;
}
