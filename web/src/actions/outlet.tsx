import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { begun, type Begun } from "./open";

/** Where the panel of an action that has been begun is shown; once in the frame. */
export function ActionOutlet() {
  const [Panel, setPanel] = useState<ComponentType<{ begun: Begun }> | null>(null);
  const current = begun.value;
  useEffect(() => {
    if (current !== null && Panel === null)
      void import("./action-panel").then(({ ActionPanel }) => {
        setPanel(() => ActionPanel);
      });
  }, [current, Panel]);
  if (current === null || Panel === null) return null;
  const key = `${current.id} ${current.targets.map(({ uid }) => uid).join(" ")}`;
  return (
    <div class="action-outlet">
      <Panel key={key} begun={current} />
    </div>
  );
}
