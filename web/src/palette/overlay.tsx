import "./palette.css";
import { useEffect, useRef } from "preact/hooks";
import { Keys } from "./keys-help";
import { Palette } from "./palette";
import { closeOverlay, overlay } from "./state";

/** What is open above the page; a press beside it, or Escape, closes it. */
export function Overlay() {
  const box = useRef<HTMLDivElement>(null);
  const what = overlay.value;
  useEffect(() => {
    if (what === "keys") box.current?.focus();
  }, [what]);
  return (
    <div
      class="overlay"
      onPointerDown={(event) => {
        if (event.target === event.currentTarget) closeOverlay();
      }}
    >
      <div
        ref={box}
        class="overlay__box"
        role="dialog"
        aria-label={what === "keys" ? "Keys" : "Find anything"}
        tabIndex={-1}
        onKeyDown={(event) => {
          if (event.key === "Escape") closeOverlay();
          // What is typed here is not meant for the page below.
          event.stopPropagation();
        }}
      >
        {what === "keys" ? <Keys /> : <Palette />}
      </div>
    </div>
  );
}
