import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { overlay } from "./state";

const idleMs = 1500;

/**
 * Where the palette and the keys are shown; once in the frame. Their code loads once the page is there, so that what is
 * typed right after Ctrl-K goes into the palette.
 */
export function OverlayOutlet() {
  const [Overlay, setOverlay] = useState<ComponentType | null>(null);
  const open = overlay.value !== null;
  useEffect(() => {
    if (Overlay !== null) return;
    const load = () => void import("./overlay").then((module) => setOverlay(() => module.Overlay));
    const timer = setTimeout(load, open ? 0 : idleMs);
    return () => clearTimeout(timer);
  }, [open, Overlay]);
  return open && Overlay !== null ? <Overlay /> : null;
}
