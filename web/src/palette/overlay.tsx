import "./palette.css";
import { useEffect, useRef } from "preact/hooks";
import { Keys } from "./keys-help";
import { Palette } from "./palette";
import { closeOverlay, overlay } from "./state";

/** What is open above the page; a press beside it, or Escape, closes it, and the focus returns to where it was. */
export function Overlay() {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
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
