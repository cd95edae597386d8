import "./topology.css";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { namespace } from "../app/namespace";
import { queryParameter, setQuery } from "../app/router";
import { Empty, Freshness, Tabs } from "../components";
import type { Service, Workload } from "../kube/kinds";
import { PODS_MAX, usePodsIfFew } from "../nodes/pods-if-few";
import { leastCurrent, useAll } from "../overview/follow";
import { type Graph, graphOf } from "./graph";
import { orderOf } from "./order";
import { Picture } from "./picture";
import { placed, type Rows } from "./placing";

const level = queryParameter("level");
/** With more pods than these the picture begins from afar. */
const PODS_SHOWN = 60;
const PODS_DRAWN_MAX = 400;

/** Services, workloads, pods and nodes as a picture that colours with health and whose positions hold. */
export default function TopologyPage() {
  const ns = { namespace: namespace.value };
  const services = useAll("v1/services", ns);
  const slices = useAll("discovery.k8s.io/v1/endpointslices", ns);
  const deployments = useAll("apps/v1/deployments", ns);
  const statefulSets = useAll("apps/v1/statefulsets", ns);
  const daemonSets = useAll("apps/v1/daemonsets", ns);
  const replicaSets = useAll("apps/v1/replicasets", ns);
  const nodes = useAll("v1/nodes");
  const pods = usePodsIfFew(ns.namespace);
  const count = pods?.length ?? 0;
  const automatic = count > PODS_SHOWN ? "cluster" : "pods";
  const chosen = level.value === "cluster" || level.value === "pods" ? level.value : automatic;
  const shown = count > PODS_DRAWN_MAX ? "cluster" : chosen;
  const graph = useMemo(
    () =>
      graphOf({
        services: services.items as unknown as readonly Service[],
        slices: slices.items,
        workloads: [
          ["Deployment", deployments.items as unknown as readonly Workload[]],
          ["StatefulSet", statefulSets.items as unknown as readonly Workload[]],
          ["DaemonSet", daemonSets.items as unknown as readonly Workload[]],
        ],
        replicaSets: replicaSets.items as unknown as readonly Workload[],
        pods: pods ?? [],
        nodes: nodes.items,
        level: shown,
      }),
    [
      services.items,
      slices.items,
      deployments.items,
      statefulSets.items,
      daemonSets.items,
      replicaSets.items,
      pods,
      nodes.items,
      shown,
    ],
  );
  const current = leastCurrent([services, deployments, nodes]);
  const rows = useRows(graph, `${shown} ${ns.namespace}`, current.state !== "loading" && pods !== null);
  if (current.state !== "loading" && graph.items.length === 0)
    return <Empty title="Nothing to draw">There are no services, workloads or nodes that you may see.</Empty>;
  return (
    <div class={current.state === "stale" ? "topology stale-edge" : "topology"}>
      <div class="topology__tools">
        <Tabs
          label="How near"
          tabs={[
            { id: "cluster", title: "Cluster" },
            { id: "pods", title: "Pods" },
          ]}
          chosen={shown}
          onChoose={(id) => setQuery({ level: id })}
        />
        {count > PODS_DRAWN_MAX && (
          <span class="topology__quiet">choose a namespace to see its pods: {count} are too many</span>
        )}
        {pods === null && <span class="topology__quiet">more than {PODS_MAX} pods are not drawn</span>}
        <span class="topology__end">
          <Freshness state={current.state} asOf={current.asOf} />
        </span>
      </div>
      {rows !== null && <Picture graph={graph} rows={rows} />}
    </div>
  );
}

/** The rows of a graph: ordered once for each `scene`, and kept from then on. */
function useRows(graph: Graph, scene: string, ready: boolean): Rows | null {
  const kept = useRef<{ scene: string; rows: Rows } | null>(null);
  const [ordered, setOrdered] = useState("");
  useEffect(() => {
    if (!ready || ordered === scene) return;
    let current = true;
    const begin = (order: readonly string[]) => {
      if (!current) return;
      kept.current = { scene, rows: placed(graph, new Map(), order) };
      setOrdered(scene);
    };
    void orderOf(graph).then(begin, () => begin([]));
    return () => {
      current = false;
    };
  }, [scene, ready]);
  if (kept.current?.scene !== scene) return null;
  kept.current.rows = placed(graph, kept.current.rows);
  return kept.current.rows;
}
