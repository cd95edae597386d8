import { Age, Status } from "../../components";
import type { Pod } from "../../kube/kinds";
import { isOwnedBy } from "../../kube/owners";
import { resourceOf } from "../../kube/resources";
import { matches, selectorText, type LabelSelector } from "../../kube/selectors";
import { podStatus } from "../../kube/status";
import { withKind } from "../../actions/perform";
import { type KubeObject, useObjects } from "../../live";
import { Grid, ObjectLink, Section } from "../parts";

const PODS = resourceOf({ apiVersion: "v1", kind: "Pod" });
const SHOWN_MAX = 200;

interface PodTableProps {
  readonly selector: LabelSelector | undefined;
  readonly namespace: string;
  /** Whose pods: the one that controls them, or whose replica sets do; without it all that match. */
  readonly owner?: KubeObject;
  readonly title?: string;
}

/** The pods that a selector chooses, with their status and node. */
export function PodTable({ selector, namespace, owner, title = "Pods" }: PodTableProps) {
  const resource = { group: "", version: "v1", plural: "pods" };
  const view = useObjects({ resource, namespace, labels: selectorText(selector), fields: "" }).value;
  const direct = owner !== undefined && owner.kind !== "Deployment" && owner.kind !== "Service";
  const pods = [...view.objects.values()]
    .map((each) => withKind(PODS, each) as Pod)
    .filter((pod) => matches(selector, pod.metadata.labels) && (!direct || isOwnedBy(pod, owner)))
    .sort((a, b) => a.metadata.name.localeCompare(b.metadata.name));
  const rows = pods.slice(0, SHOWN_MAX).map((pod) => {
    const { word, tone } = podStatus(pod);
    const statuses = pod.status?.containerStatuses ?? [];
    const ready = statuses.filter((each) => each.ready).length;
    const restarts = statuses.reduce((sum, each) => sum + each.restartCount, 0);
    return {
      key: pod.metadata.uid,
      cells: [
        <ObjectLink kind="Pod" name={pod.metadata.name} namespace={namespace} />,
        `${ready}/${pod.spec.containers.length}`,
        <Status tone={tone}>{word}</Status>,
        restarts,
        pod.spec.nodeName ? <ObjectLink kind="Node" name={pod.spec.nodeName} /> : "",
        <Age since={pod.metadata.creationTimestamp} />,
      ],
    };
  });
  const aside = pods.length > SHOWN_MAX ? `the first ${SHOWN_MAX} of ${pods.length}` : String(pods.length);
  return (
    <Section title={title} aside={aside}>
      <Grid
        label={title}
        columns={["Name", "Ready", "Status", "Restarts", "Node", "Age"]}
        rows={rows}
        empty={view.state === "loading" ? "Loading." : "No pods."}
      />
    </Section>
  );
}
