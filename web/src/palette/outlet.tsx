import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { overlay } from "./state";

/** Where the palette and the keys are shown; once in the frame. Their code loads when they are first opened. */
export function OverlayOutlet() {
  const [Overlay, setOverlay] = useState<ComponentType | null>(null);
  const open = overlay.value !== null;
  useEffect(() => {
    if (open && Overlay === null) void import("./overlay").then((module) => setOverlay(() => module.Overlay));
  }, [open, Overlay]);
  return open && Overlay !== null ? <Overlay /> : null;
}
