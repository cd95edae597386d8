import { Age } from "../../components";
import type { Pod, Toleration, Volume } from "../../kube/kinds";
import { ruleOfQos } from "../../kube/reasons";
import type { TabProps } from "../body";
import { Facts, Grid, Labels, ObjectLink, Section } from "../parts";
import { volumeText } from "../../kube/volumes";
import { Containers } from "./containers";
import { PodCommands } from "./pod-commands";

/** The details of a pod: its containers first, for they tell how it is. */
export function PodDetails({ object }: TabProps) {
  const pod = object as Pod;
  const { spec, status } = pod;
  const namespace = pod.metadata.namespace ?? "";
  return (
    <>
      <Containers pod={pod} />
      <Section title="Placement">
        <Facts
          facts={[
            [
              "Node",
              spec.nodeName ? <ObjectLink kind="Node" name={spec.nodeName} /> : "not bound to a node yet",
            ],
            ["Address", status?.podIP ?? ""],
            ["Node's address", status?.hostIP ?? ""],
            ["Started", status?.startTime ? <Age since={status.startTime} suffix="ago" /> : ""],
            ["QoS class", status?.qosClass ?? "", ruleOfQos(status?.qosClass ?? "")],
            ["Restart policy", spec.restartPolicy ?? ""],
            ["Priority", spec.priorityClassName ?? ""],
            [
              "Grace period",
              spec.terminationGracePeriodSeconds ? `${spec.terminationGracePeriodSeconds} s` : "",
            ],
            [
              "Service account",
              spec.serviceAccountName ? (
                <ObjectLink kind="ServiceAccount" name={spec.serviceAccountName} namespace={namespace} />
              ) : (
                ""
              ),
            ],
            ["Host network", spec.hostNetwork === true ? "yes" : ""],
            ["Node selector", spec.nodeSelector ? <Labels of={spec.nodeSelector} /> : ""],
            ["Tolerations", <Tolerations of={spec.tolerations ?? []} />],
          ]}
        />
      </Section>
      <Volumes volumes={spec.volumes ?? []} namespace={namespace} />
      <PodCommands pod={pod} />
    </>
  );
}

function Tolerations({ of }: { readonly of: readonly Toleration[] }) {
  return (
    <ul>
      {of.map((each) => {
        const text = `${each.key ?? "any taint"}${each.effect ? `:${each.effect}` : ""}`;
        const time = each.tolerationSeconds === undefined ? "" : ` for ${each.tolerationSeconds} s`;
        return <li key={text}>{text + time}</li>;
      })}
    </ul>
  );
}

const REFERRED: Readonly<Record<string, [kind: string, field: string]>> = {
  configMap: ["ConfigMap", "name"],
  secret: ["Secret", "secretName"],
  persistentVolumeClaim: ["PersistentVolumeClaim", "claimName"],
};

function Volumes({
  volumes,
  namespace,
}: {
  readonly volumes: readonly Volume[];
  readonly namespace: string;
}) {
  if (volumes.length === 0) return null;
  const rows = volumes.map((volume) => {
    const source = Object.keys(volume).find((key) => key !== "name") ?? "";
    const [kind, field] = REFERRED[source] ?? ["", ""];
    const detail = volume[source] as Record<string, unknown> | undefined;
    const name = detail?.[field];
    return {
      key: volume.name,
      cells: [
        volume.name,
        source,
        typeof name === "string" ? (
          <ObjectLink kind={kind} name={name} namespace={namespace} />
        ) : (
          volumeText(volume)
        ),
      ],
    };
  });
  return (
    <Section title="Volumes">
      <Grid label="Volumes" columns={["Name", "Kind", "Source"]} rows={rows} />
    </Section>
  );
}
