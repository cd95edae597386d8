import { Link } from "../app/link";
import { Age, Status } from "../components";
import { resourceOfKind } from "../kube/resources";
import type { DataState } from "../live/protocol";
import { Section } from "./section";
import type { Deviation } from "./workloads";

interface DeviationsProps {
  readonly found: readonly Deviation[];
  readonly state: DataState;
}

const SHOWN_MAX = 12;

/** Workloads that are not as desired, and why; nothing when all are. */
export function Deviations({ found, state }: DeviationsProps) {
  if (found.length === 0) return null;
  const more = found.length - SHOWN_MAX;
  return (
    <Section title="Not as desired" note={more > 0 ? `and ${more} more` : undefined} state={state}>
      <table class="plain-table">
        <thead>
          <tr>
            <th class="plain-table__narrow">Workload</th>
            <th class="plain-table__narrow">Namespace</th>
            <th class="plain-table__number plain-table__narrow">Ready</th>
            <th>Why</th>
            <th class="plain-table__number plain-table__narrow">Since</th>
          </tr>
        </thead>
        <tbody>
          {found.slice(0, SHOWN_MAX).map((each) => (
            <DeviationRow key={each.object.metadata.uid} deviation={each} />
          ))}
        </tbody>
      </table>
    </Section>
  );
}

function DeviationRow({ deviation }: { readonly deviation: Deviation }) {
  const { object, kind, ready, wanted, why, tone, since } = deviation;
  const { name, namespace = "" } = object.metadata;
  const plural = resourceOfKind(kind)?.plural ?? "deployments";
  return (
    <tr>
      <td class="plain-table__narrow">
        <Status tone={tone} /> <Link to={`/${plural}/${namespace}/${name}`}>{name}</Link>
      </td>
      <td class="plain-table__narrow plain-table__quiet">{namespace}</td>
      <td class="plain-table__number plain-table__narrow">
        {ready} of {wanted}
      </td>
      <td class="overview__why">{why}</td>
      <td class="plain-table__number plain-table__narrow plain-table__quiet">
        {since > 0 ? <Age since={since} /> : ""}
      </td>
    </tr>
  );
}
