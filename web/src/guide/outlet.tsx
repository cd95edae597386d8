import "./outlet.css";
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { guideOpen } from "./state";

/** Where the guide stands beside every page while it is open; its code loads then. */
export function GuideOutlet() {
  const [Panel, setPanel] = useState<ComponentType | null>(null);
  const open = guideOpen.value;
  useEffect(() => {
    if (open && Panel === null) void import(".").then((module) => setPanel(() => module.default));
  }, [open, Panel]);
  if (!open || Panel === null) return null;
  return (
    <div class="guide-outlet">
      <Panel />
    </div>
  );
}
