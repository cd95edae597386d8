/** Draws a scene: on a canvas while one looks, and as an SVG file. */

import type { Ink, Shape } from "./scene";

/** The colours of the present theme. */
export type Palette = Readonly<Record<Ink | "page", string>>;

const INKS: readonly (Ink | "page")[] = [
  "text",
  "text-quiet",
  "text-faint",
  "border",
  "trouble",
  "change-mark",
  "ok-mark",
  "accent",
  "page",
];

/** The palette as the page's tokens have it now. */
export function paletteOf(element: Element): Palette {
  const style = getComputedStyle(element);
  return Object.fromEntries(INKS.map((ink) => [ink, style.getPropertyValue(`--${ink}`).trim()])) as Palette;
}

/** Draws the shapes; the context is scaled to CSS pixels. */
export function paintCanvas(
  context: CanvasRenderingContext2D,
  shapes: readonly Shape[],
  palette: Palette,
): void {
  context.font = "11px system-ui, sans-serif";
  for (const shape of shapes) {
    context.fillStyle = context.strokeStyle = palette[shape.ink];
    context.lineWidth = 1;
    paintShape(context, shape);
  }
}

function paintShape(context: CanvasRenderingContext2D, shape: Shape): void {
  switch (shape.is) {
    case "rect":
      context.fillRect(shape.x, shape.y, shape.w, shape.h);
      return;
    case "text":
      context.textAlign = shape.anchor === "middle" ? "center" : "left";
      context.fillText(shape.text, shape.x, shape.y);
      return;
    case "curve":
      context.stroke(new Path2D(shape.d));
      return;
    default:
  }
  context.beginPath();
  if (shape.is === "line") {
    context.moveTo(shape.x1, shape.y1);
    context.lineTo(shape.x2, shape.y2);
  } else if (shape.is === "trace") {
    shape.points.forEach(([x, y], index) => (index ? context.lineTo(x, y) : context.moveTo(x, y)));
  } else if (shape.is === "diamond") {
    const { x, y, r } = shape;
    context.moveTo(x, y - r);
    context.lineTo(x + r, y);
    context.lineTo(x, y + r);
    context.lineTo(x - r, y);
  } else {
    context.arc(shape.x, shape.y, shape.r, 0, 2 * Math.PI);
  }
  if (shape.is === "diamond" || shape.is === "dot") context.fill();
  else context.stroke();
}

/** The scene as an SVG document; `titles` stand at the left of the lanes. */
export function svgText(
  shapes: readonly Shape[],
  palette: Palette,
  { width, height, left }: { width: number; height: number; left: number },
  titles: readonly { text: string; y: number }[],
): string {
  const labels = titles.map(
    ({ text, y }) => `<text x="8" y="${y}" fill="${palette["text-quiet"]}">${escaped(text)}</text>`,
  );
  const body = shapes.map((shape) => svgShape(shape, palette[shape.ink]));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width + left}" height="${height}" font-family="system-ui, sans-serif" font-size="11">`,
    `<rect width="100%" height="100%" fill="${palette.page}"/>`,
    ...labels,
    `<g transform="translate(${left} 0)">`,
    ...body,
    "</g></svg>",
  ].join("\n");
}

function svgShape(shape: Shape, colour: string): string {
  switch (shape.is) {
    case "rect":
      return `<rect x="${num(shape.x)}" y="${num(shape.y)}" width="${num(shape.w)}" height="${num(shape.h)}" fill="${colour}"/>`;
    case "text":
      return `<text x="${num(shape.x)}" y="${shape.y}" fill="${colour}" text-anchor="${shape.anchor ?? "start"}">${escaped(shape.text)}</text>`;
    case "curve":
      return `<path d="${shape.d}" fill="none" stroke="${colour}"/>`;
    case "line":
      return `<path d="M${num(shape.x1)} ${num(shape.y1)}L${num(shape.x2)} ${num(shape.y2)}" stroke="${colour}"/>`;
    case "trace":
      return `<path d="M${shape.points.map(([x, y]) => `${num(x)} ${num(y)}`).join("L")}" fill="none" stroke="${colour}"/>`;
    case "diamond": {
      const { x, y, r } = shape;
      return `<path d="M${num(x)} ${num(y - r)}l${r} ${r}l${-r} ${r}l${-r} ${-r}z" fill="${colour}"/>`;
    }
    default: {
      const paint = shape.is === "dot" ? `fill="${colour}"` : `fill="none" stroke="${colour}"`;
      return `<circle cx="${num(shape.x)}" cy="${num(shape.y)}" r="${shape.r}" ${paint}/>`;
    }
  }
}

function num(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
