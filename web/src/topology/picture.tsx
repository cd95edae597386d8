import { useRef, useState } from "preact/hooks";
import { go } from "../app/router";
import { useWheel } from "../timeline/plot-hooks";
import type { Graph, Item } from "./graph";
import { BOX, cornerOf, type Rows, shownColumns, sizeOf } from "./placing";

const TITLES = { services: "Services", workloads: "Workloads", pods: "Pods", nodes: "Nodes" } as const;

interface View {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

const START: View = { scale: 1, x: 24, y: 8 };

/** The boxes and lines. Wheel zooms, drag moves; Tab walks from box to box and Enter opens one. */
export function Picture({ graph, rows }: { readonly graph: Graph; readonly rows: Rows }) {
  const area = useRef<HTMLDivElement>(null);
  const [view, setView] = useState(START);
  const [focus, setFocus] = useState("");
  const held = useRef<{ x: number; y: number } | null>(null);
  useWheel(area, (event, x) => {
    const y = event.clientY - (area.current?.getBoundingClientRect().top ?? 0);
    setView((now) => {
      const scale = Math.min(3, Math.max(0.2, now.scale * Math.exp(-event.deltaY / 500)));
      const factor = scale / now.scale;
      return { scale, x: x - (x - now.x) * factor, y: y - (y - now.y) * factor };
    });
  });
  const columns = shownColumns(graph);
  const places = new Map(
    graph.items.map((item) => [item.id, cornerOf(columns.indexOf(item.column), rows.get(item.id) ?? 0)]),
  );
  const { width, height } = sizeOf(columns.length, rows);
  const near = new Set(
    graph.lines.flatMap(({ from, to }) => (from === focus || to === focus ? [from, to] : [])),
  );
  return (
    <div
      ref={area}
      class="topology__area"
      onPointerDown={(event) => {
        held.current = { x: event.clientX - view.x, y: event.clientY - view.y };
      }}
      onPointerMove={(event) => {
        const from = held.current;
        if (from !== null && event.buttons === 1)
          setView((now) => ({ ...now, x: event.clientX - from.x, y: event.clientY - from.y }));
      }}
      onPointerUp={() => (held.current = null)}
      onDblClick={() => setView(START)}
    >
      <svg
        width="100%"
        height="100%"
        role="group"
        aria-label={`${graph.items.length} objects in ${columns.length} columns`}
      >
        <g transform={`translate(${view.x} ${view.y}) scale(${view.scale})`}>
          <rect width={width} height={height} fill="none" />
          {columns.map((column, index) => (
            <text key={column} class="topology__column" x={cornerOf(index, 0).x} y={14}>
              {TITLES[column]}
            </text>
          ))}
          {graph.lines.map(({ from, to, faint }) => {
            const [a, b] = [places.get(from), places.get(to)];
            if (a === undefined || b === undefined) return null;
            const classes = ["topology__line"];
            if (faint) classes.push("topology__line--faint");
            if (focus !== "" && (from === focus || to === focus)) classes.push("topology__line--near");
            return <path key={`${from} ${to}`} class={classes.join(" ")} d={lineOf(a, b)} />;
          })}
          {graph.items.map((item) => (
            <Box
              key={item.id}
              item={item}
              place={places.get(item.id) ?? { x: 0, y: 0 }}
              near={near.has(item.id)}
              onFocus={(on) => setFocus(on ? item.id : "")}
            />
          ))}
        </g>
      </svg>
    </div>
  );
}

function lineOf(a: { x: number; y: number }, b: { x: number; y: number }): string {
  const [x1, y1, x2, y2] = [a.x + BOX.width, a.y + BOX.height / 2, b.x, b.y + BOX.height / 2];
  const bend = (x2 - x1) / 2;
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

interface BoxProps {
  readonly item: Item;
  readonly place: { readonly x: number; readonly y: number };
  readonly near: boolean;
  readonly onFocus: (on: boolean) => void;
}

const NAME_MAX = 25;

function Box({ item, place, near, onFocus }: BoxProps) {
  const { kind, name, note, tone, path } = item;
  const classes = ["topology__box", `topology__box--${tone}`];
  if (near) classes.push("topology__box--near");
  return (
    <g transform={`translate(${place.x} ${place.y})`}>
      <a
        href={path}
        class={classes.join(" ")}
        onClick={(event: MouseEvent) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          go(path);
        }}
        onFocus={() => onFocus(true)}
        onBlur={() => onFocus(false)}
        onPointerEnter={() => onFocus(true)}
        onPointerLeave={() => onFocus(false)}
      >
        <title>{`${kind} ${name}: ${note}`}</title>
        <rect class="topology__frame" width={BOX.width} height={BOX.height} rx={6} />
        {tone === "trouble" && <path class="topology__mark" d="M14 15l5 5-5 5-5-5z" />}
        {tone !== "trouble" && (
          <circle class="topology__mark" cx={14} cy={20} r={tone === "change" ? 4 : 3} />
        )}
        <text class="topology__name" x={28} y={17}>
          {name.length > NAME_MAX ? `${name.slice(0, 12)}…${name.slice(-(NAME_MAX - 13))}` : name}
        </text>
        <text class="topology__note" x={28} y={32}>
          {note}
        </text>
      </a>
    </g>
  );
}
