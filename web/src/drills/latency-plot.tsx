import "uplot/dist/uPlot.min.css";
import { useEffect, useRef } from "preact/hooks";
import type uPlot from "uplot";
import type { ProbeResult } from "../timeline/probe-log";
import { clockText } from "../timeline/window";

interface LatencyPlotProps {
  readonly probes: readonly ProbeResult[];
  /** When the fault was, in seconds since the epoch; 0 for none. */
  readonly faultAt: number;
}

const SHOWN_SECONDS = 600;
const SPAN_SECONDS = 60;
const HEIGHT = 140;

/** Latency as a line, and failed requests as marks above it. */
export function LatencyPlot({ probes, faultAt }: LatencyPlotProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data = useRef(dataOf(probes, faultAt));
  data.current = dataOf(probes, faultAt);
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    let gone = false;
    const observer = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
    void import("uplot").then(({ default: Plot }) => {
      if (gone) return;
      plot.current = new Plot(optionsOf(element), data.current, element);
      observer.observe(element);
    });
    return () => {
      gone = true;
      observer.disconnect();
      plot.current?.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(data.current));
  return <div ref={place} class="latency-plot" />;
}

function dataOf(probes: readonly ProbeResult[], faultAt: number): uPlot.AlignedData {
  const end = probes.at(-1)?.at ?? 0;
  const shown = probes.filter(
    ({ at }) => end - at < SHOWN_SECONDS && (faultAt === 0 || at >= faultAt - 60 || end - at < 60),
  );
  return [
    shown.map(({ at }) => at),
    shown.map(({ ms, ok }) => (ok ? ms : null)),
    shown.map(({ ms, ok }) => (ok ? null : ms)),
  ];
}

function optionsOf(element: Element): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (token: string) => style.getPropertyValue(token).trim();
  const axis = {
    stroke: colour("--text-faint"),
    grid: { stroke: colour("--border"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false } },
    scales: { x: { range: (_, from, to) => [Math.min(from, to - SPAN_SECONDS), to] } },
    axes: [
      { ...axis, size: 28, space: 90, values: (_, times) => times.map((time) => clockText(time, 1)) },
      { ...axis, size: 56, values: (_, values) => values.map((value) => `${value} ms`) },
    ],
    series: [
      {},
      { stroke: colour("--accent"), width: 1.5, points: { show: false } },
      { stroke: colour("--trouble"), width: 0, points: { show: true, size: 7, fill: colour("--trouble") } },
    ],
  };
}
