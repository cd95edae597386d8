import { useEffect, useState } from "preact/hooks";
import { loadAll } from "../../actions/perform";
import type { Write } from "../../kube/chain";
import { inferWrites } from "../../kube/inferred";
import type { KubeEvent } from "../../kube/kinds";
import { resourceOfKind } from "../../kube/resources";
import type { KubeObject } from "../../live";

const AROUND = [
  "Deployment",
  "StatefulSet",
  "DaemonSet",
  "ReplicaSet",
  "Job",
  "Pod",
  "EndpointSlice",
  "Event",
];

/** What managed fields and events let one infer, on a cluster that records no causes; null while it is loading. */
export function useInferred(object: KubeObject, wanted: boolean): readonly Write[] | null {
  const [writes, setWrites] = useState<readonly Write[] | null>(null);
  const { namespace = "", uid, resourceVersion } = object.metadata;
  useEffect(() => {
    if (!wanted) return;
    let current = true;
    const resources = AROUND.flatMap((kind) => resourceOfKind(kind) ?? []);
    Promise.all(resources.map((each) => loadAll(each, namespace || "default"))).then(
      (lists) => {
        const all = lists.flat();
        const events = all.filter(({ kind }) => kind === "Event") as KubeEvent[];
        const objects = all.filter(({ kind, metadata }) => kind !== "Event" && metadata.uid !== uid);
        if (current) setWrites(inferWrites([object, ...objects], events));
      },
      () => current && setWrites([]),
    );
    return () => {
      current = false;
    };
  }, [wanted, namespace, uid, resourceVersion]);
  return writes;
}
