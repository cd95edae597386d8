import { Status } from "../../components";
import { countText, dependents, type OwnedTree } from "../../kube/owners";
import { resourceOf, resourceOfKind } from "../../kube/resources";
import { statusOf } from "../../kube/status";
import { type KubeObject, useObject, useObjects } from "../../live";
import { withKind } from "../../actions/perform";
import { LinkTo, ObjectLink, Section } from "../parts";

const OWNS: Readonly<Record<string, readonly string[]>> = {
  Deployment: ["ReplicaSet", "Pod"],
  ReplicaSet: ["Pod"],
  StatefulSet: ["Pod", "ControllerRevision"],
  DaemonSet: ["Pod", "ControllerRevision"],
  Job: ["Pod"],
  CronJob: ["Job", "Pod"],
  Service: ["EndpointSlice"],
};

/** The owners above an object and the objects below it. */
export function Relations({ object }: { readonly object: KubeObject }) {
  const owners = object.metadata.ownerReferences ?? [];
  const kinds = OWNS[object.kind ?? ""] ?? [];
  if (owners.length === 0 && kinds.length === 0) return null;
  return (
    <Section title="Owners and dependents">
      {owners.map((owner) => (
        <Owner key={owner.uid} owner={owner} namespace={object.metadata.namespace ?? ""} />
      ))}
      {kinds.length > 0 && <Below object={object} kinds={kinds} />}
    </Section>
  );
}

type OwnerReference = NonNullable<KubeObject["metadata"]["ownerReferences"]>[number];

/** One owner, and its own owners above it. */
function Owner({ owner, namespace }: { readonly owner: OwnerReference; readonly namespace: string }) {
  const resource = resourceOf(owner);
  const { group, version, plural } = resource;
  const inside = resource.namespaced ? namespace : "";
  const view = useObject({ resource: { group, version, plural }, namespace: inside, name: owner.name }).value;
  const above = view.object?.metadata.ownerReferences ?? [];
  return (
    <div>
      {above.map((each) => (
        <Owner key={each.uid} owner={each} namespace={namespace} />
      ))}
      <p>
        owned by <ObjectLink {...owner} namespace={inside} withKind />
      </p>
    </div>
  );
}

function Below({ object, kinds }: { readonly object: KubeObject; readonly kinds: readonly string[] }) {
  const namespace = object.metadata.namespace ?? "";
  const found = kinds.flatMap((kind) => useOwned(kind, namespace));
  const tree = dependents(object, found);
  if (tree.children.length === 0) return <p>Nothing is owned by it.</p>;
  return (
    <>
      <p>It owns {countText(tree)}.</p>
      <Owned tree={tree} />
    </>
  );
}

/** The objects of a kind in a namespace; the kinds of one page are always the same, so the order of hooks holds. */
function useOwned(kind: string, namespace: string): KubeObject[] {
  const resource = resourceOfKind(kind) ?? resourceOf({ kind });
  const { group, version, plural } = resource;
  const view = useObjects({ resource: { group, version, plural }, namespace, labels: "", fields: "" }).value;
  return [...view.objects.values()].map((each) => withKind(resource, each));
}

function Owned({ tree }: { readonly tree: OwnedTree }) {
  return (
    <ul class="tree">
      {tree.children.map((child) => {
        const { word, tone } = statusOf(child.object);
        return (
          <li key={child.object.metadata.uid}>
            <LinkTo object={child.object} withKind /> {word !== "" && <Status tone={tone}>{word}</Status>}
            {child.children.length > 0 && <Owned tree={child} />}
          </li>
        );
      })}
    </ul>
  );
}
