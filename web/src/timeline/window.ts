/** The stretch of time that the timeline shows, and how wheel, drag and keys move it. Times are in seconds. */

/** What is shown: `to - span` up to `to`; while `live`, `to` follows the clock. */
export interface TimeWindow {
  to: number;
  span: number;
  live: boolean;
}

export const SPAN_MIN = 0.05;
export const SPAN_MAX = 86_400;
export const SPAN_START = 120;

/** The window at a moment: a live one ends a little after `now`, so that new marks are not at the edge. */
export function windowAt(window: TimeWindow, now: number): TimeWindow {
  return window.live ? { ...window, to: now + window.span * 0.03 } : window;
}

/** Zoom by a factor (below 1: nearer) around the time under the pointer. A live window stays live and keeps its end. */
export function zoomed(window: TimeWindow, factor: number, at: number): TimeWindow {
  const span = Math.min(SPAN_MAX, Math.max(SPAN_MIN, window.span * factor));
  if (window.live) return { ...window, span };
  const share = (window.to - at) / window.span;
  return { to: at + share * span, span, live: false };
}

/** Move by some seconds; beyond `now` the window is live again. */
export function moved(window: TimeWindow, seconds: number, now: number): TimeWindow {
  const to = window.to + seconds;
  return to >= now + window.span * 0.03
    ? { to: now, span: window.span, live: true }
    : { ...window, to, live: false };
}

/** Back to now. */
export function live(window: TimeWindow): TimeWindow {
  return { ...window, live: true };
}

/** A window around a stretch of time, with room on both sides. */
export function around(from: number, to: number): TimeWindow {
  const span = Math.min(SPAN_MAX, Math.max(1, (to - from) * 1.3));
  return { to: (from + to) / 2 + span / 2, span, live: false };
}

/** Where a time is, in pixels from the left of a plot of this width. */
export function xOf(window: TimeWindow, width: number, time: number): number {
  return ((time - (window.to - window.span)) / window.span) * width;
}

/** The time at a place of the plot. */
export function timeAt(window: TimeWindow, width: number, x: number): number {
  return window.to - window.span + (x / width) * window.span;
}

const STEPS = [
  0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400,
  43_200,
];

/** One mark of the time axis. */
export interface Tick {
  time: number;
  label: string;
}

/** The axis: round times, about every 110 pixels, as local time of day to the precision that the step needs. */
export function ticksOf(window: TimeWindow, width: number): Tick[] {
  const wanted = (window.span / Math.max(1, width)) * 110;
  const step = STEPS.find((each) => each >= wanted) ?? SPAN_MAX;
  const first = Math.ceil((window.to - window.span) / step);
  const last = Math.floor(window.to / step);
  const found: Tick[] = [];
  for (let index = first; index <= last && found.length < 60; index += 1) {
    const time = index * step;
    found.push({ time, label: clockText(time, step) });
  }
  return found;
}

/** The time of day, `22:04:18` or with as many decimals as a step needs. */
export function clockText(time: number, step: number): string {
  const date = new Date(Math.round(time * 1000));
  const two = (value: number) => String(value).padStart(2, "0");
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (step >= 60) return minutes;
  const decimals = step >= 1 ? 0 : step >= 0.1 ? 1 : 2;
  const seconds = date.getSeconds() + date.getMilliseconds() / 1000;
  return `${minutes}:${seconds.toFixed(decimals).padStart(decimals ? decimals + 3 : 2, "0")}`;
}
