/** What the plot needs of the browser: its width, frames while it is live, and the wheel. */
import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { TimeWindow } from "./window";

/** The element's width, in pixels. */
export function useSize(element: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const target = element.current;
    if (target === null) return;
    const observer = new ResizeObserver(() => setWidth(Math.floor(target.clientWidth)));
    observer.observe(target);
    return () => observer.disconnect();
  }, []);
  return width;
}

/** Draws again while the window is live, as often as it moves by a pixel, and at most 60 times a second. */
export function useFrames(window: TimeWindow, width: number): void {
  const [, draw] = useState(0);
  useEffect(() => {
    if (!window.live || width === 0) return;
    const everyMs = Math.max(1000 / 60, Math.min(1000, (window.span / width) * 1000));
    let last = 0;
    let frame = 0;
    const step = (now: number) => {
      frame = requestAnimationFrame(step);
      if (now - last < everyMs) return;
      last = now;
      draw((times) => times + 1);
    };
    frame = requestAnimationFrame(step);
    return () => cancelAnimationFrame(frame);
  }, [window.live, window.span, width]);
}

/** Takes the wheel over the element, so that the page does not scroll. `x` is from the element's left. */
export function useWheel(
  element: RefObject<HTMLElement | null>,
  take: (event: WheelEvent, x: number) => void,
): void {
  const newest = useRef(take);
  newest.current = take;
  useEffect(() => {
    const target = element.current;
    if (target === null) return;
    const listen = (event: WheelEvent) => {
      event.preventDefault();
      newest.current(event, event.clientX - target.getBoundingClientRect().left);
    };
    target.addEventListener("wheel", listen, { passive: false });
    return () => target.removeEventListener("wheel", listen);
  }, []);
}
