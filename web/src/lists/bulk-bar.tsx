import { actionsFor } from "../actions";
import type { Resource } from "../app/resources";
import { Button } from "../components";
import type { Selection } from "./selection";

interface BulkBarProps {
  readonly resource: Resource;
  readonly selection: Selection;
  readonly onClear: () => void;
}

/** What can be done with the selected rows; in the place of the summary, so that nothing moves. */
export function BulkBar({ resource, selection, onClear }: BulkBarProps) {
  const targets = [...selection.values()].map(({ namespace, name, uid }) => ({ namespace, name, uid }));
  const actions = actionsFor(resource, targets);
  return (
    <div class="summary summary--bulk" role="toolbar" aria-label="Selected rows">
      <strong>{selection.size} selected</strong>
      {actions.map((action) => (
        <Button key={action.id} look={action.destructive ? "danger" : "normal"} onClick={action.run}>
          {action.title}
        </Button>
      ))}
      <span class="summary__end">
        <Button look="plain" title="Esc" onClick={onClear}>
          Clear
        </Button>
      </span>
    </div>
  );
}
