/** The timeline's picture as a list of shapes, which a canvas draws live and an SVG file holds. */

import { type Edge } from "./chains";
import type { Lane } from "./lanes";
import { curveOf, LANE_HEIGHT, type Mark } from "./marks";
import type { ProbeResult } from "./probe-log";
import { type TimeWindow, ticksOf, xOf } from "./window";

/** A colour by its token's name. */
export type Ink =
  "text" | "text-quiet" | "text-faint" | "border" | "trouble" | "change-mark" | "ok-mark" | "accent";

/** One shape. */
export type Shape =
  | { is: "line"; x1: number; y1: number; x2: number; y2: number; ink: Ink; dash?: boolean }
  | { is: "rect"; x: number; y: number; w: number; h: number; ink: Ink }
  | { is: "diamond" | "dot" | "ring"; x: number; y: number; r: number; ink: Ink }
  | { is: "curve"; d: string; ink: Ink }
  | { is: "trace"; points: readonly (readonly [number, number])[]; ink: Ink }
  | { is: "text"; x: number; y: number; text: string; ink: Ink; anchor?: "middle" | "start" };

export const AXIS_HEIGHT = 22;
export const CLIENT_HEIGHT = 40;

/** What the picture is made of. */
export interface SceneParts {
  lanes: readonly Lane[];
  marks: readonly Mark[];
  edges: readonly Edge[];
  selected: number;
  window: TimeWindow;
  width: number;
  probes: readonly ProbeResult[];
}

/** The height of the whole picture. */
export function sceneHeight(lanes: number): number {
  return AXIS_HEIGHT + lanes * LANE_HEIGHT + CLIENT_HEIGHT;
}

/** All shapes, those behind first. Lanes begin below the axis. */
export function sceneOf(parts: SceneParts): Shape[] {
  return [...gridOf(parts), ...clientsOf(parts), ...curvesOf(parts), ...marksShapes(parts)];
}

function gridOf({ lanes, window, width }: SceneParts): Shape[] {
  const height = sceneHeight(lanes.length);
  const ticks = ticksOf(window, width).flatMap(({ time, label }): Shape[] => {
    const x = xOf(window, width, time);
    return [
      { is: "line", x1: x, y1: AXIS_HEIGHT, x2: x, y2: height, ink: "border" },
      { is: "text", x, y: 14, text: label, ink: "text-faint", anchor: "middle" },
    ];
  });
  // A line between groups of lanes: what is below is caused by what is above.
  const rules = lanes.flatMap((lane, index): Shape[] => {
    if (index > 0 && lanes[index - 1]?.group === lane.group) return [];
    const y = AXIS_HEIGHT + index * LANE_HEIGHT + 0.5;
    return [{ is: "line", x1: 0, y1: y, x2: width, y2: y, ink: "border" }];
  });
  const y = AXIS_HEIGHT + lanes.length * LANE_HEIGHT + 0.5;
  return [...ticks, ...rules, { is: "line", x1: 0, y1: y, x2: width, y2: y, ink: "border" }];
}

function marksShapes({ marks, selected, edges }: SceneParts): Shape[] {
  const linked = new Set(edges.flatMap(({ from, to }) => [from.revision, to.revision]));
  return marks.map(({ entry, x, y: laneY, shape }): Shape => {
    const y = laneY + AXIS_HEIGHT;
    const chosen = entry.revision === selected;
    if (shape === "trouble") return { is: "diamond", x, y, r: chosen ? 7 : 5.5, ink: "trouble" };
    if (shape === "mend") return { is: "dot", x, y, r: chosen ? 6 : 4, ink: chosen ? "accent" : "text" };
    if (chosen || linked.has(entry.revision)) return { is: "dot", x, y, r: chosen ? 5 : 3.5, ink: "accent" };
    return { is: "rect", x: x - 1, y: y - 5, w: 2, h: 10, ink: "ok-mark" };
  });
}

function curvesOf({ edges, marks }: SceneParts): Shape[] {
  const places = new Map(marks.map((mark) => [mark.entry.revision, mark]));
  return edges.flatMap(({ from, to }): Shape[] => {
    const [a, b] = [places.get(from.revision), places.get(to.revision)];
    if (a === undefined || b === undefined) return [];
    const d = curveOf({ x: a.x, y: a.y + AXIS_HEIGHT }, { x: b.x, y: b.y + AXIS_HEIGHT });
    return [{ is: "curve", d, ink: "accent" }];
  });
}

/** The clients' lane: availability as a thin bar with failures in red, latency as a line. */
function clientsOf({ lanes, probes, window, width }: SceneParts): Shape[] {
  const top = AXIS_HEIGHT + lanes.length * LANE_HEIGHT;
  const seen = probes.filter(({ at }) => at >= window.to - window.span - 2 && at <= window.to);
  const shapes: Shape[] = [];
  const slowest = Math.max(50, ...seen.map(({ ms }) => ms));
  const points: (readonly [number, number])[] = [];
  seen.forEach((probe, index) => {
    const x = xOf(window, width, probe.at);
    const next = seen[index + 1];
    const end = xOf(window, width, next === undefined ? probe.at + 1 : Math.min(next.at, probe.at + 3));
    shapes.push({
      is: "rect",
      x,
      y: top + 5,
      w: Math.max(1, end - x),
      h: 4,
      ink: probe.ok ? "ok-mark" : "trouble",
    });
    if (probe.ok) points.push([x, top + CLIENT_HEIGHT - 4 - (probe.ms / slowest) * (CLIENT_HEIGHT - 20)]);
  });
  if (points.length > 1) shapes.push({ is: "trace", points, ink: "accent" });
  return shapes;
}
