/** Saves what the timeline shows as a picture. */
import type { Lane } from "./lanes";
import { LANE_HEIGHT, marksOf } from "./marks";
import { paletteOf, svgText } from "./paint";
import type { ProbeResult } from "./probe-log";
import { AXIS_HEIGHT, sceneHeight, sceneOf } from "./scene";
import type { TimeWindow } from "./window";

const WIDTH = 1400;
const LEFT = 190;

interface Pictured {
  readonly lanes: readonly Lane[];
  readonly window: TimeWindow;
  readonly probes: readonly ProbeResult[];
  readonly selected: number;
}

/** Draws the window anew at a fixed width and hands it to the browser as a download. */
export async function exportPicture(format: "svg" | "png", pictured: Pictured): Promise<void> {
  const { lanes, window } = pictured;
  const height = sceneHeight(lanes.length);
  const marks = marksOf(lanes, window, WIDTH);
  const shapes = sceneOf({ ...pictured, marks, edges: [], width: WIDTH });
  const titles = lanes.map(({ title }, index) => ({
    text: title,
    y: AXIS_HEIGHT + (index + 0.65) * LANE_HEIGHT,
  }));
  const svg = svgText(
    shapes,
    paletteOf(document.documentElement),
    { width: WIDTH, height, left: LEFT },
    titles,
  );
  const blob = new Blob([svg], { type: "image/svg+xml" });
  download(format === "svg" ? blob : await pngOf(blob, WIDTH + LEFT, height), `timeline.${format}`);
}

async function pngOf(svg: Blob, width: number, height: number): Promise<Blob> {
  const url = URL.createObjectURL(svg);
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = width * 2;
    canvas.height = height * 2;
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) => {
      canvas.toBlob((blob) => (blob === null ? reject(new Error("no picture")) : resolve(blob)), "image/png");
    });
  } finally {
    URL.revokeObjectURL(url);
  }
}

function download(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
