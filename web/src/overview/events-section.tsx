import { Link } from "../app/link";
import { Age, Status } from "../components";
import type { KubeEvent } from "../kube/kinds";
import { resourceOfKind } from "../kube/resources";
import { now } from "../live";
import type { DataState } from "../live/protocol";
import { type EventGroup, eventGroups } from "./events";
import { Section } from "./section";

interface EventsSectionProps {
  readonly events: readonly KubeEvent[];
  readonly state: DataState;
}

const SHOWN_MAX = 14;
const RECENT_SECONDS = 600;

/** The newest events, live. */
export function EventsSection({ events, state }: EventsSectionProps) {
  const groups = eventGroups(events);
  return (
    <Section title="Events" state={state} tools={<Link to="/events">All events</Link>}>
      {groups.length === 0 ? (
        <p class="overview__quiet">Nothing has been reported yet.</p>
      ) : (
        <EventsTable groups={groups.slice(0, SHOWN_MAX)} />
      )}
    </Section>
  );
}

/** Groups of events, a row each. */
export function EventsTable({ groups }: { readonly groups: readonly EventGroup[] }) {
  return (
    <table class="plain-table">
      <thead>
        <tr>
          <th class="plain-table__narrow">Reason</th>
          <th>Object and message</th>
          <th class="plain-table__number plain-table__narrow">Last</th>
        </tr>
      </thead>
      <tbody>
        {groups.map((group) => (
          <tr key={group.key}>
            <td class="plain-table__narrow">
              <Status tone={toneOf(group, now.value)}>{group.reason}</Status>
            </td>
            <td class="overview__why">
              <ObjectLink group={group} /> {group.message}
              {group.count > 1 && <span class="overview__quiet"> · {group.count} times</span>}
            </td>
            <td class="plain-table__number plain-table__narrow plain-table__quiet">
              <Age since={group.last} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** A warning of long ago draws no eye. */
function toneOf({ warning, last }: EventGroup, at: number): "change" | "ok" {
  return warning && at - last < RECENT_SECONDS ? "change" : "ok";
}

function ObjectLink({ group }: { readonly group: EventGroup }) {
  const { kind, namespace, name } = group;
  const found = resourceOfKind(kind);
  if (found === undefined) return <strong>{`${kind} ${name}`}</strong>;
  const place = found.namespaced ? `${namespace}/${name}` : name;
  return <Link to={`/${found.plural}/${place}`}>{name}</Link>;
}
