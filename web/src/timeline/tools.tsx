import { Button, Freshness, Menu } from "../components";
import type { JournalView } from "../live";
import { exactNow } from "../live";
import { exportPicture } from "./export";
import type { Entry } from "./entry";
import type { Lane } from "./lanes";
import type { ProbeResult } from "./probe-log";
import type { Filters } from "./query";
import { type TimeWindow, windowAt } from "./window";

interface ToolsProps {
  readonly view: JournalView;
  readonly lanes: readonly Lane[];
  readonly window: TimeWindow;
  readonly filters: Filters;
  readonly probes: readonly ProbeResult[];
  /** The entries that the filters leave. */
  readonly shown: readonly Entry[];
  readonly onLive: () => void;
  readonly onZoom: (factor: number) => void;
  readonly onFilters: (filters: Filters) => void;
}

/** The line above the lanes. */
export function Tools(props: ToolsProps) {
  const { view, lanes, window, filters, probes, shown, onLive, onZoom, onFilters } = props;
  const kinds = [...new Set([...shown.map((entry) => entry.kind), ...filters.kinds])].sort();
  const save = (format: "svg" | "png") =>
    void exportPicture(format, {
      lanes,
      window: windowAt(window, exactNow()),
      probes,
      selected: filters.revision,
    });
  return (
    <div class="timeline__tools">
      <Button
        look={window.live ? "normal" : "main"}
        pressed={window.live}
        title="Follow (L)"
        onClick={onLive}
      >
        {window.live ? "Live" : "Back to live"}
      </Button>
      <Button label="Nearer" title="Nearer (+)" onClick={() => onZoom(0.5)}>
        +
      </Button>
      <Button label="Further" title="Further (-)" onClick={() => onZoom(2)}>
        −
      </Button>
      <Menu
        label="Kinds"
        items={kinds.map((kind) => ({
          id: kind,
          title: kind,
          chosen: filters.kinds.includes(kind),
          run: () => onFilters({ ...filters, kinds: toggled(filters.kinds, kind) }),
        }))}
      >
        {filters.kinds.length === 0 ? "All kinds" : filters.kinds.join(", ")}
      </Menu>
      {filters.hidden.length > 0 && (
        <Button look="plain" onClick={() => onFilters({ ...filters, hidden: [] })}>
          Show {filters.hidden.length} hidden {filters.hidden.length === 1 ? "lane" : "lanes"}
        </Button>
      )}
      <span class="timeline__quiet">
        {shown.length} writes{view.recorded ? "" : ", causes inferred"}
      </span>
      <span class="timeline__end">
        <Freshness state={view.state} asOf={0} />
        <Menu
          label="Export"
          side="right"
          items={[
            { id: "svg", title: "As SVG", run: () => save("svg") },
            { id: "png", title: "As PNG", run: () => save("png") },
          ]}
        >
          Export
        </Menu>
      </span>
    </div>
  );
}

function toggled(chosen: readonly string[], one: string): string[] {
  return chosen.includes(one) ? chosen.filter((each) => each !== one) : [...chosen, one];
}
