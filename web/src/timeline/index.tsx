import "./timeline.css";
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { location, setQuery } from "../app/router";
import { ErrorNotice } from "../components";
import { exactNow, type JournalView, useJournal } from "../live";
import { useFlags } from "../settings/use-flags";
import { chain, edgesOf } from "./chains";
import { Detail } from "./detail";
import { type Entry, entriesOf } from "./entry";
import { useInferredEntries } from "./inferred-entries";
import { lanesOf } from "./lanes";
import { Plot } from "./plot";
import { useProbe } from "./probe";
import { filtersOf, filterQuery, isShown, windowOf, windowQuery } from "./query";
import { Tools } from "./tools";
import { around, live, type TimeWindow, windowAt, zoomed } from "./window";

const ENTRIES_MAX = 5000;

/** The journal as lanes: what failed, which loop reacted, what it wrote and how long each step took. */
export default function TimelinePage() {
  useFlags();
  const view = useJournal({ since: 0, limit: ENTRIES_MAX }).value;
  const entries = useMemo(() => entriesOf(view.entries), [view.entries]);
  if (view.error !== null) return <ErrorNotice status={view.error} />;
  return view.recorded ? <Timeline view={view} entries={entries} /> : <InferredTimeline view={view} />;
}

function InferredTimeline({ view }: { readonly view: JournalView }) {
  return <Timeline view={view} entries={useInferredEntries(ENTRIES_MAX)} />;
}

interface TimelineProps {
  readonly view: JournalView;
  readonly entries: readonly Entry[];
}

function Timeline({ view, entries }: TimelineProps) {
  const probes = useProbe();
  const filters = filtersOf(location.value.query);
  const window = useSignal<TimeWindow>(windowOf(location.peek().query));
  const hovered = useSignal(0);
  const key = JSON.stringify({ ...filters, revision: 0 });
  const shown = useMemo(() => entries.filter((entry) => isShown(entry, filters)), [entries, key]);
  const lanes = useMemo(
    () => lanesOf(shown).filter((lane) => !filters.hidden.includes(lane.id)),
    [shown, filters.hidden.join(",")],
  );
  const selected = entries.find((entry) => entry.revision === filters.revision);
  const focus = hovered.value || filters.revision;
  const links = useMemo(() => (focus ? chain(entries, focus) : []), [entries, focus]);

  const select = (revision: number) =>
    setQuery(filterQuery({ ...filters, revision }), { push: revision > 0 });
  const move = (next: TimeWindow) => {
    window.value = next;
    keepInAddress(next);
  };
  useShowSelected(selected, window.value, move);

  return (
    <div class={view.state === "stale" ? "timeline stale-edge" : "timeline"}>
      <Tools
        view={view}
        lanes={lanes}
        window={window.value}
        filters={filters}
        probes={probes}
        shown={shown}
        onLive={() => move(live(window.value))}
        onZoom={(factor) => move(zoomed(window.value, factor, middleOf(window.value)))}
        onFilters={(next) => setQuery(filterQuery(next))}
      />
      <Plot
        lanes={lanes}
        edges={edgesOf(links)}
        selected={filters.revision}
        window={window.value}
        probes={probes}
        onWindow={move}
        onSelect={select}
        onHover={(revision) => (hovered.value = revision)}
        onHide={(lane) => setQuery(filterQuery({ ...filters, hidden: [...filters.hidden, lane] }))}
      />
      {selected !== undefined && (
        <Detail
          entry={selected}
          entries={entries}
          onSelect={select}
          onClose={() => select(0)}
          onFrame={(links) => move(frameOf(links))}
        />
      )}
    </div>
  );
}

function middleOf(window: TimeWindow): number {
  return windowAt(window, exactNow()).to - window.span / 2;
}

function frameOf(entries: readonly Entry[]): TimeWindow {
  const times = entries.map((entry) => entry.time);
  return around(Math.min(...times), Math.max(...times));
}

let timer = 0;

/** The address follows the window a little later: browsers refuse to change it at every frame. */
function keepInAddress(window: TimeWindow): void {
  clearTimeout(timer);
  timer = self.setTimeout(() => setQuery(windowQuery(window)), 250);
}

/** A link to a write shows it, wherever the window was. */
function useShowSelected(
  selected: Entry | undefined,
  window: TimeWindow,
  move: (next: TimeWindow) => void,
): void {
  useEffect(() => {
    if (selected === undefined) return;
    const { to, span } = windowAt(window, exactNow());
    if (selected.time < to - span || selected.time > to) move(around(selected.time - 5, selected.time + 10));
  }, [selected?.revision]);
  useEffect(() => () => clearTimeout(timer), []);
}
