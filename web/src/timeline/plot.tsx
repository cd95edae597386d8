import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { exactNow } from "../live";
import type { Edge } from "./chains";
import { type Lane } from "./lanes";
import { LANE_HEIGHT, type Mark, marksOf, nearestMark, neighbour } from "./marks";
import { paintCanvas, paletteOf } from "./paint";
import type { ProbeResult } from "./probe-log";
import { Reading } from "./reading";
import { AXIS_HEIGHT, CLIENT_HEIGHT, sceneHeight, sceneOf } from "./scene";
import { useFrames, useSize, useWheel } from "./plot-hooks";
import { live, moved, type TimeWindow, timeAt, windowAt, zoomed } from "./window";

interface PlotProps {
  readonly lanes: readonly Lane[];
  readonly edges: readonly Edge[];
  readonly selected: number;
  readonly window: TimeWindow;
  readonly probes: readonly ProbeResult[];
  readonly onWindow: (window: TimeWindow) => void;
  readonly onSelect: (revision: number) => void;
  readonly onHover: (revision: number) => void;
  readonly onHide: (lane: string) => void;
}

const CLICK_PIXELS = 4;

/** The lanes: wheel zooms, drag scrubs, arrow keys walk from write to write, L goes back to live. */
export function Plot(props: PlotProps) {
  const { lanes, edges, selected, probes, onWindow, onSelect, onHover } = props;
  const area = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const drag = useRef<{ x: number; moved: boolean } | null>(null);
  const [cursor, setCursor] = useState<number | null>(null);
  const width = useSize(area);
  useFrames(props.window, width);
  const window = windowAt(props.window, exactNow());
  const height = sceneHeight(lanes.length);
  const marks = marksOf(lanes, window, width);

  useLayoutEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (element === null || context == null || width === 0) return;
    const scale = self.devicePixelRatio;
    element.width = width * scale;
    element.height = height * scale;
    context.scale(scale, scale);
    paintCanvas(
      context,
      sceneOf({ lanes, marks, edges, selected, window, width, probes }),
      paletteOf(element),
    );
  });
  useWheel(area, (event, x) => {
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const pixels = event.deltaX || event.deltaY;
      onWindow(moved(window, (pixels / width) * window.span, exactNow()));
    } else {
      onWindow(
        zoomed(
          props.window.live ? props.window : window,
          Math.exp(event.deltaY / 400),
          timeAt(window, width, x),
        ),
      );
    }
  });

  const placeOf = (event: PointerEvent) => {
    const box = area.current?.getBoundingClientRect();
    return { x: event.clientX - (box?.left ?? 0), y: event.clientY - (box?.top ?? 0) - AXIS_HEIGHT };
  };
  const onPointerMove = (event: PointerEvent) => {
    const { x, y } = placeOf(event);
    const held = drag.current;
    if (held !== null && (held.moved || Math.abs(x - held.x) > CLICK_PIXELS)) {
      onWindow(moved(window, ((held.x - x) / width) * window.span, exactNow()));
      drag.current = { x, moved: true };
      setCursor(null);
      return;
    }
    setCursor(x);
    onHover(nearestMark(marks, x, y)?.entry.revision ?? 0);
  };
  const onPointerUp = (event: PointerEvent) => {
    const held = drag.current;
    drag.current = null;
    if (held === null || held.moved) return;
    const { x, y } = placeOf(event);
    onSelect(nearestMark(marks, x, y)?.entry.revision ?? 0);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "l" || event.key === "L") onWindow(live(props.window));
    else if (event.key === "+" || event.key === "=")
      onWindow(zoomed(window, 0.6, window.to - window.span / 2));
    else if (event.key === "-") onWindow(zoomed(window, 1.6, window.to - window.span / 2));
    else if (event.key === "Escape" && selected > 0) onSelect(0);
    else if (isArrow(event.key)) walk(marks, selected, event.key, onSelect);
    else return;
    event.preventDefault();
  };

  return (
    <div class="timeline__plot">
      <ul class="timeline__lanes">
        {lanes.map((lane, index) => (
          <LaneTitle
            key={lane.id}
            lane={lane}
            first={lanes[index - 1]?.group !== lane.group}
            onHide={props.onHide}
          />
        ))}
        <li class="timeline__lane timeline__lane--client" style={{ height: `${CLIENT_HEIGHT}px` }}>
          this client
        </li>
      </ul>
      <div
        ref={area}
        class="timeline__area"
        tabIndex={0}
        role="application"
        aria-label={`Timeline of ${marks.length} writes in ${lanes.length} lanes. Arrow keys walk from write to write, plus and minus zoom, L follows.`}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          drag.current = { x: placeOf(event).x, moved: false };
        }}
        onPointerMove={onPointerMove}
        onPointerUp={onPointerUp}
        onPointerLeave={() => {
          setCursor(null);
          onHover(0);
        }}
        onKeyDown={onKeyDown}
      >
        <canvas
          ref={canvas}
          class="timeline__canvas"
          style={{ width: `${width}px`, height: `${height}px` }}
        />
        {cursor !== null && <Reading lanes={lanes} window={window} width={width} x={cursor} />}
      </div>
    </div>
  );
}

type Arrow = "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown";

function isArrow(key: string): key is Arrow {
  return key.startsWith("Arrow");
}

/** Selects the next write in a key's direction; the newest of all when none is selected. */
function walk(
  marks: readonly Mark[],
  selected: number,
  key: Arrow,
  select: (revision: number) => void,
): void {
  const here = marks.find((mark) => mark.entry.revision === selected && mark.lane > 0);
  const any = marks.find((mark) => mark.entry.revision === selected);
  const from = here ?? any;
  const next = from === undefined ? newest(marks) : neighbour(marks, from, key);
  if (next !== undefined) select(next.entry.revision);
}

function newest(marks: readonly Mark[]): Mark | undefined {
  return [...marks].sort((a, b) => b.entry.revision - a.entry.revision)[0];
}

interface LaneTitleProps {
  readonly lane: Lane;
  readonly first: boolean;
  readonly onHide: (lane: string) => void;
}

function LaneTitle({ lane, first, onHide }: LaneTitleProps) {
  return (
    <li class="timeline__lane" style={{ height: `${LANE_HEIGHT}px` }}>
      <span class="timeline__group">{first && lane.group !== lane.title ? lane.group : ""}</span>
      <button
        type="button"
        class="timeline__lane-title"
        title={`Hide ${lane.title}`}
        onClick={() => onHide(lane.id)}
      >
        {lane.title}
      </button>
    </li>
  );
}
