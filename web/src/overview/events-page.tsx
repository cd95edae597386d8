import "./overview.css";
import { namespace } from "../app/namespace";
import { queryParameter, setQuery } from "../app/router";
import { Button, Empty, ErrorNotice, Freshness } from "../components";
import type { KubeEvent } from "../kube/kinds";
import { type EventGroup, eventGroups } from "./events";
import { EventsTable } from "./events-section";
import { useAll } from "./follow";

const search = queryParameter("search");
const order = queryParameter("order");
const SHOWN_MAX = 500;

/** The events, live and grouped by what repeats; warnings first, or the newest. */
export default function EventsPage() {
  const { items, state, asOf, error } = useAll("v1/events", { namespace: namespace.value });
  if (error !== null) return <ErrorNotice status={error} />;
  const byTime = order.value === "newest";
  const words = search.value.toLowerCase().split(/\s+/);
  const all = eventGroups(items as readonly KubeEvent[], !byTime).filter((group) => has(group, words));
  const warnings = all.filter((group) => group.warning).length;
  return (
    <div class={state === "stale" ? "overview stale-edge" : "overview"}>
      <div class="overview__tools">
        <Button pressed={!byTime} onClick={() => setQuery({ order: "" })}>
          Warnings first
        </Button>
        <Button pressed={byTime} onClick={() => setQuery({ order: "newest" })}>
          Newest first
        </Button>
        <span class="overview__quiet">
          Warning {warnings} · Normal {all.length - warnings}
        </span>
        <span class="overview__end">
          <Freshness state={state} asOf={asOf} />
        </span>
      </div>
      {all.length === 0 && state !== "loading" ? (
        <Empty title="No events">
          Events are kept for an hour, unless the flag event-ttl says otherwise.
        </Empty>
      ) : (
        <EventsTable groups={all.slice(0, SHOWN_MAX)} />
      )}
      {all.length > SHOWN_MAX && (
        <p class="overview__quiet">and {all.length - SHOWN_MAX} more: type to find them</p>
      )}
    </div>
  );
}

function has(group: EventGroup, words: readonly string[]): boolean {
  const { reason, message, kind, namespace: ns, name } = group;
  const text = `${reason} ${message} ${kind} ${ns}/${name}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
