/** Where the timeline's marks are, and which one is under the pointer. */

import type { Entry } from "./entry";
import type { Lane } from "./lanes";
import { faultOf } from "./faults";
import { moveOf } from "./moves";
import { type TimeWindow, timeAt, xOf } from "./window";

export const LANE_HEIGHT = 22;

/** What a mark tells by its shape: trouble is a diamond, what mends a filled dot, all else a tick. */
export type Shape = "trouble" | "mend" | "plain";

/** One mark on the screen. */
export interface Mark {
  entry: Entry;
  lane: number;
  x: number;
  y: number;
  shape: Shape;
}

const shapes = new WeakMap<Entry, Shape>();

/** The shape of a write's mark; worked out once, since a live picture asks for it at each frame. */
export function shapeOf(entry: Entry): Shape {
  let shape = shapes.get(entry);
  if (shape === undefined) shapes.set(entry, (shape = shapeBy(entry)));
  return shape;
}

function shapeBy(entry: Entry): Shape {
  if (faultOf(entry)) return "trouble";
  const ready = moveOf(entry.summary, "Ready");
  if (ready?.from === "True" && isEnding(entry)) return "plain";
  if (ready) return ready.to === "True" ? "mend" : ready.from === "True" ? "trouble" : "plain";
  return "plain";
}

/** Whether a pod ends because it was asked to. */
function isEnding(entry: Entry): boolean {
  return (entry.cause?.note ?? "").includes("being stopped") || entry.summary.includes("PodCompleted");
}

/** The marks in the window, lane by lane. Of several within one pixel of a lane the last that is not plain stands. */
export function marksOf(lanes: readonly Lane[], window: TimeWindow, width: number): Mark[] {
  const found: Mark[] = [];
  const from = window.to - window.span;
  lanes.forEach((lane, index) => {
    let last: Mark | undefined;
    for (let at = firstFrom(lane.entries, from); at < lane.entries.length; at += 1) {
      const entry = lane.entries[at];
      if (!entry || entry.time > window.to) break;
      const x = xOf(window, width, entry.time);
      const mark: Mark = { entry, lane: index, x, y: (index + 0.5) * LANE_HEIGHT, shape: shapeOf(entry) };
      if (last && x - last.x < 1) {
        if (mark.shape === "plain") continue;
        found.pop();
      }
      found.push(mark);
      last = mark;
    }
  });
  return found;
}

/** The index of the first entry at or after a time, in entries by time. */
export function firstFrom(entries: readonly Entry[], time: number): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((entries[middle]?.time ?? 0) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The mark nearest to a place of the plot, within `reach` pixels; undefined without one. */
export function nearestMark(marks: readonly Mark[], x: number, y: number, reach = 12): Mark | undefined {
  const lane = Math.floor(y / LANE_HEIGHT);
  let found: Mark | undefined;
  for (const mark of marks) {
    if (mark.lane !== lane || Math.abs(mark.x - x) > reach) continue;
    if (!found || Math.abs(mark.x - x) < Math.abs(found.x - x)) found = mark;
  }
  return found;
}

/** What the vertical cursor reads: of each lane the newest entry at or before its time, if it is in the window. */
export function readAt(
  lanes: readonly Lane[],
  window: TimeWindow,
  width: number,
  x: number,
): (Entry | undefined)[] {
  const time = timeAt(window, width, x);
  const from = window.to - window.span;
  return lanes.map((lane) => {
    const entry = lane.entries[firstFrom(lane.entries, time + 1e-6) - 1];
    return entry && entry.time >= from ? entry : undefined;
  });
}

/** The neighbour of a write when a person moves with the arrow keys: along its lane, or to the nearest in another. */
export function neighbour(
  marks: readonly Mark[],
  selected: Mark,
  key: "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown",
): Mark | undefined {
  if (key === "ArrowLeft" || key === "ArrowRight") {
    const inLane = marks.filter((mark) => mark.lane === selected.lane);
    return key === "ArrowLeft"
      ? inLane.findLast((mark) => mark.x < selected.x)
      : inLane.find((mark) => mark.x > selected.x);
  }
  const step = key === "ArrowUp" ? -1 : 1;
  const lanes = new Set(marks.map((mark) => mark.lane));
  for (let lane = selected.lane + step; lane >= 0 && lane <= Math.max(...lanes); lane += step) {
    if (!lanes.has(lane)) continue;
    const inLane = marks.filter((mark) => mark.lane === lane);
    return inLane.reduce((best, mark) =>
      Math.abs(mark.x - selected.x) < Math.abs(best.x - selected.x) ? mark : best,
    );
  }
  return undefined;
}

/** A thin curve from a write down (or up) to a write that it caused, as an SVG path. */
export function curveOf(from: { x: number; y: number }, to: { x: number; y: number }): string {
  const bend = Math.max(12, Math.abs(to.x - from.x) / 2);
  const [a, b] = [(from.x + bend).toFixed(1), (to.x - bend).toFixed(1)];
  return `M${from.x.toFixed(1)} ${from.y}C${a} ${from.y} ${b} ${to.y} ${to.x.toFixed(1)} ${to.y}`;
}
