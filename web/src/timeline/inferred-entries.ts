/** What a cluster without a journal lets one infer: its writes by managed fields, owners and events. */
import { useMemo } from "preact/hooks";
import { inferWrites } from "../kube/inferred";
import { useAll } from "../overview/follow";
import { type Entry, entriesOf } from "./entry";

/** The newest inferred writes, at most `limit`, of what takes part in most failures. */
export function useInferredEntries(limit: number): readonly Entry[] {
  const pods = useAll("v1/pods").items;
  const deployments = useAll("apps/v1/deployments").items;
  const replicaSets = useAll("apps/v1/replicasets").items;
  const slices = useAll("discovery.k8s.io/v1/endpointslices").items;
  const nodes = useAll("v1/nodes").items;
  const events = useAll("v1/events").items;
  return useMemo(() => {
    const objects = [...pods, ...deployments, ...replicaSets, ...slices, ...nodes];
    return entriesOf(inferWrites(objects, events)).slice(-limit);
  }, [pods, deployments, replicaSets, slices, nodes, events]);
}
