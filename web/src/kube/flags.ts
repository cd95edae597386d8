/** A flag by which Kubernetes decides: `name` is COMPONENT.FLAG, as `homeostat up --set` takes it. */
export interface Flag {
  name: string;
  value: string;
  what: string;
}

const DEFAULTS: Record<string, [string, string]> = {
  "apiserver.default-not-ready-toleration-seconds": [
    "300",
    "how long a Pod without a toleration of its own stays on a node that is not ready",
  ],
  "apiserver.default-unreachable-toleration-seconds": [
    "300",
    "how long a Pod without a toleration of its own stays on a node that is unreachable",
  ],
  "apiserver.event-ttl": ["1h", "how long Events are kept"],
  "controller-manager.node-monitor-period": ["5s", "how often the health of nodes is checked"],
  "controller-manager.node-monitor-grace-period": [
    "50s",
    "how long a node may not respond before it is marked unhealthy",
  ],
  "controller-manager.node-startup-grace-period": [
    "1m",
    "how long a starting node may not respond before it is marked unhealthy",
  ],
  "controller-manager.node-eviction-rate": ["0.1", "nodes a second whose Pods are evicted in a healthy zone"],
  "controller-manager.secondary-node-eviction-rate": [
    "0.01",
    "nodes a second whose Pods are evicted in an unhealthy zone of a large cluster",
  ],
  "controller-manager.unhealthy-zone-threshold": [
    "0.55",
    "the share of nodes that must be not ready for a zone to count as unhealthy",
  ],
  "controller-manager.terminated-pod-gc-threshold": ["12500", "how many terminated Pods may exist"],
  "controller-manager.max-endpoints-per-slice": [
    "100",
    "the maximum number of endpoints of an EndpointSlice",
  ],
  "controller-manager.leader-elect-lease-duration": [
    "15s",
    "how long candidates wait after the leader's last renewal before they try to acquire the lease",
  ],
  "controller-manager.leader-elect-renew-deadline": [
    "10s",
    "how long the leader retries a renewal before it stops leading",
  ],
  "scheduler.pod-initial-backoff-seconds": ["1", "the initial back-off of an unschedulable Pod"],
  "scheduler.pod-max-backoff-seconds": ["10", "the longest back-off of an unschedulable Pod"],
  "scheduler.leader-elect-lease-duration": [
    "15s",
    "how long candidates wait after the leader's last renewal before they try to acquire the lease",
  ],
  "kubelet.node-status-update-frequency": ["10s", "how often the node's status is computed"],
  "kubelet.node-status-report-frequency": ["5m", "how often an unchanged status is written"],
  "kubelet.node-lease-duration-seconds": [
    "40",
    "the duration in the node's Lease; it is renewed four times in that",
  ],
  "kubelet.max-pods": ["110", "the maximum number of Pods on a node"],
  "kubelet.crash-loop-back-off-initial": ["10s", "the initial back-off of a crashed container"],
  "kubelet.crash-loop-back-off-max": ["300s", "the longest back-off of a crashed container"],
  "kubelet.eviction-pressure-transition-period": [
    "5m",
    "how long a pressure condition lasts after it was last true",
  ],
};

let values: Readonly<Record<string, string>> = {};

/** Take the values that this cluster's flags have; what is not named keeps Kubernetes' default. */
export function setFlags(found: Readonly<Record<string, string>>): void {
  values = found;
}

/** The value of a flag in this cluster, or Kubernetes' default; "" of a flag that is not known. */
export function flagValue(name: string): string {
  return values[name] ?? DEFAULTS[name]?.[0] ?? "";
}

/** A flag with its value and what it is. */
export function flag(name: string): Flag {
  return { name, value: flagValue(name), what: DEFAULTS[name]?.[1] ?? "" };
}

const COMPONENTS: Record<string, string> = {
  "kube-apiserver": "apiserver",
  "kube-controller-manager": "controller-manager",
  "kube-scheduler": "scheduler",
};

/** The flags that the commands of control-plane containers name (`--node-monitor-period=5s`). */
export function flagsOfCommands(
  containers: readonly { name: string; command?: string[]; args?: string[] }[],
) {
  const found: Record<string, string> = {};
  for (const { name, command, args } of containers) {
    const component = COMPONENTS[name];
    if (!component) continue;
    for (const word of [...(command ?? []), ...(args ?? [])]) {
      const [, key, value] = /^--([a-z-]+)=(.*)$/.exec(word) ?? [];
      if (key && value !== undefined) found[`${component}.${key}`] = value;
    }
  }
  return found;
}
