import { CopyLine } from "../../components";
import { kubectl } from "../../kube/kubectl";
import type { KubeObject } from "../../live/protocol";
import { resourceOf } from "../../kube/resources";
import { Annotations, Facts, Labels, Section } from "../parts";

/** What the metadata of any object says. */
export function AboutObject({ object }: { readonly object: KubeObject }) {
  const { labels, annotations, creationTimestamp, generation, uid, resourceVersion, finalizers } =
    object.metadata;
  const { namespace = "", name } = object.metadata;
  const target = { resource: resourceOf(object), namespace, name };
  return (
    <Section title="Metadata">
      <Facts
        facts={[
          ["Labels", <Labels of={labels} />],
          ["Annotations", <Annotations of={annotations} />],
          ["Created", new Date(creationTimestamp).toLocaleString()],
          ["Generation", generation === undefined ? "" : String(generation)],
          ["Version", resourceVersion],
          ["UID", uid],
          ["Finalizers", finalizers?.join(", ") ?? ""],
        ]}
      />
      <p>
        <CopyLine text={kubectl.describe(target)} label="kubectl command" />
      </p>
    </Section>
  );
}
