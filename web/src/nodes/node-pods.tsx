import { Link } from "../app/link";
import { Age, Status } from "../components";
import type { Pod } from "../kube/kinds";
import { podStatus } from "../kube/status";
import type { DataState } from "../live/protocol";
import { Section } from "../overview/section";

interface NodePodsProps {
  readonly pods: readonly Pod[];
  readonly state: DataState;
}

/** The pods on a node; rows keep their order as pods change. */
export function NodePods({ pods, state }: NodePodsProps) {
  const rows = [...pods].sort((a, b) => keyOf(a).localeCompare(keyOf(b)));
  return (
    <Section title="Pods" note={`${pods.length}`} state={state}>
      <table class="plain-table">
        <thead>
          <tr>
            <th>Name</th>
            <th>Namespace</th>
            <th>Status</th>
            <th class="plain-table__number">Restarts</th>
            <th>Controlled by</th>
            <th class="plain-table__number">Age</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((pod) => (
            <PodRow key={pod.metadata.uid} pod={pod} />
          ))}
        </tbody>
      </table>
    </Section>
  );
}

function PodRow({ pod }: { readonly pod: Pod }) {
  const { name, namespace = "", creationTimestamp, ownerReferences } = pod.metadata;
  const { word, reason, tone } = podStatus(pod);
  const restarts = (pod.status?.containerStatuses ?? []).reduce((sum, each) => sum + each.restartCount, 0);
  const owner = ownerReferences?.find((each) => each.controller === true);
  return (
    <tr>
      <td>
        <Link to={`/pods/${namespace}/${name}`}>{name}</Link>
      </td>
      <td class="plain-table__quiet">{namespace}</td>
      <td title={reason}>
        <Status tone={tone}>{word}</Status>
      </td>
      <td class="plain-table__number">{restarts}</td>
      <td class="plain-table__quiet">{owner === undefined ? "" : `${owner.kind} ${owner.name}`}</td>
      <td class="plain-table__number plain-table__quiet">
        <Age since={creationTimestamp} />
      </td>
    </tr>
  );
}

function keyOf(pod: Pod): string {
  return `${pod.metadata.namespace ?? ""}/${pod.metadata.name}`;
}
