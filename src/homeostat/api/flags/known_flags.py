"""The flags that `homeostat up --set COMPONENT.FLAG=VALUE` knows, named as Kubernetes names them, with its defaults.

Data only. A flag is listed here because some component reads it; `api.flags` gives them types and errors.
"""

from __future__ import annotations

from homeostat.api.flags.flag import AUTHORIZATION_MODES as AUTHORIZATION_MODES
from homeostat.api.flags.flag import Flag as Flag
from homeostat.api.flags.kubelet_flags import KUBELET


def _election(component: str) -> tuple[Flag, ...]:
    return (
        Flag(
            component,
            "leader-elect-lease-duration",
            "duration",
            "15s",
            "how long candidates wait after the leader's last renewal before they try to acquire the lease",
            least=0.001,
        ),
        Flag(
            component,
            "leader-elect-renew-deadline",
            "duration",
            "10s",
            "how long the leader retries a renewal before it stops leading",
            least=0.001,
        ),
        Flag(
            component,
            "leader-elect-retry-period",
            "duration",
            "2s",
            "the pause between attempts to acquire or renew the lease",
            least=0.001,
        ),
    )


_APISERVER = (
    Flag(
        "apiserver",
        "admission-control-config-file",
        "admission-configuration",
        "",
        "a file with a PodSecurityConfiguration (alone, or in an AdmissionConfiguration): the Pod Security level of "
        "namespaces without labels, and who is exempt; `up` reads it, and the cluster keeps its content",
    ),
    Flag(
        "apiserver",
        "authorization-mode",
        "modes",
        "Node,RBAC",
        "the authorization modes, in order: Node, RBAC, AlwaysAllow, AlwaysDeny; the first that allows is enough",
    ),
    Flag(
        "apiserver",
        "default-not-ready-toleration-seconds",
        "integer",
        "300",
        "the toleration for node.kubernetes.io/not-ready:NoExecute that a Pod without one gets",
    ),
    Flag(
        "apiserver",
        "default-unreachable-toleration-seconds",
        "integer",
        "300",
        "the toleration for node.kubernetes.io/unreachable:NoExecute that a Pod without one gets",
    ),
    Flag("apiserver", "event-ttl", "duration", "1h", "how long Events are kept", least=1),
    Flag(
        "apiserver",
        "max-requests-inflight",
        "integer",
        "400",
        "concurrent reads in flight; 0 is no limit",
    ),
    Flag(
        "apiserver",
        "max-mutating-requests-inflight",
        "integer",
        "200",
        "concurrent writes in flight; 0 is no limit",
    ),
    Flag("apiserver", "request-timeout", "duration", "1m", "how long a request other than a watch may take", least=0.1),
    Flag(
        "apiserver",
        "min-request-timeout",
        "integer",
        "1800",
        "the minimum seconds of a watch whose client sets no timeout; the maximum is twice that",
    ),
    Flag(
        "apiserver",
        "service-cluster-ip-range",
        "cidr",
        "10.96.0.0/16",
        "the range of Services' cluster IPs; on nodes that are processes it is on loopback",
    ),
    Flag("apiserver", "service-node-port-range", "port-range", "30000-32767", "the range of Services' node ports"),
    Flag(
        "apiserver",
        "etcd-compaction-interval",
        "duration",
        "5m",
        "how often the store's history is compacted; 0 is never",
    ),
)

_CONTROLLERS = (
    Flag(
        "controller-manager",
        "approve-kubelet-serving",
        "boolean",
        "true",
        "whether a node's request for a serving certificate is approved when it names only its Node's own addresses",
    ),
    Flag(
        "controller-manager",
        "cluster-signing-duration",
        "duration",
        "8760h",
        "the maximum lifetime of a requested certificate",
        least=600,
    ),
    Flag(
        "controller-manager",
        "node-monitor-period",
        "duration",
        "5s",
        "how often the health of nodes is checked",
        least=0.001,
    ),
    Flag(
        "controller-manager",
        "node-monitor-grace-period",
        "duration",
        "50s",
        "how long a node may not respond before it is marked unhealthy",
        least=0.001,
    ),
    Flag(
        "controller-manager",
        "node-startup-grace-period",
        "duration",
        "1m",
        "how long a starting node may not respond before it is marked unhealthy",
        least=0.001,
    ),
    Flag(
        "controller-manager",
        "node-eviction-rate",
        "number",
        "0.1",
        "nodes a second whose Pods are evicted in a healthy zone",
    ),
    Flag(
        "controller-manager",
        "secondary-node-eviction-rate",
        "number",
        "0.01",
        "nodes a second whose Pods are evicted in an unhealthy zone of a large cluster",
    ),
    Flag(
        "controller-manager",
        "unhealthy-zone-threshold",
        "number",
        "0.55",
        "the share of nodes that must be not ready for a zone to count as unhealthy",
    ),
    Flag(
        "controller-manager",
        "large-cluster-size-threshold",
        "integer",
        "50",
        "the number of nodes above which a cluster counts as large",
    ),
    Flag(
        "controller-manager",
        "terminated-pod-gc-threshold",
        "integer",
        "12500",
        "how many terminated Pods may exist before they are deleted; 0 is any number",
    ),
    Flag(
        "controller-manager",
        "concurrent-service-endpoint-syncs",
        "integer",
        "5",
        "how many Services are synced concurrently",
        least=1,
    ),
    Flag(
        "controller-manager",
        "max-endpoints-per-slice",
        "integer",
        "100",
        "the maximum number of endpoints of an EndpointSlice",
        least=1,
    ),
    Flag(
        "controller-manager",
        "mirroring-max-endpoints-per-subset",
        "integer",
        "1000",
        "the maximum number of addresses of an Endpoints subset that are mirrored",
        least=1,
    ),
    Flag(
        "controller-manager",
        "cluster-cidr",
        "cidr",
        "10.244.0.0/16",
        "the range of Pods' addresses, with the runtime container",
    ),
    Flag(
        "controller-manager",
        "node-cidr-mask-size",
        "integer",
        "24",
        "the prefix length of a node's Pod range, where the node does not register its own",
        least=1,
    ),
    Flag(
        "controller-manager",
        "load-balancer-addresses",
        "address-range",
        "",
        "the pool of addresses for Services of type LoadBalancer; with none they stay pending",
    ),
    *_election("controller-manager"),
)

_SCHEDULER = (
    Flag(
        "scheduler",
        "pod-initial-backoff-seconds",
        "integer",
        "1",
        "the initial back-off of an unschedulable Pod",
        least=1,
    ),
    Flag("scheduler", "pod-max-backoff-seconds", "integer", "10", "the longest such pause", least=1),
    Flag(
        "scheduler",
        "pod-max-in-unschedulable-pods-duration",
        "duration",
        "5m",
        "how long a Pod waits for an event that might make it schedulable before it is retried anyway",
        least=1,
    ),
    *_election("scheduler"),
)

_PROXY = (
    Flag(
        "kube-proxy",
        "proxy-mode",
        "proxy-mode",
        "auto",
        "how service rules are implemented, with the runtime container: nftables, iptables, or whichever exists",
    ),
)

CATALOGUE: dict[tuple[str, str], Flag] = {
    (flag.component, flag.name): flag for flag in (*_APISERVER, *_CONTROLLERS, *_SCHEDULER, *KUBELET, *_PROXY)
}
COMPONENTS = ("apiserver", "controller-manager", "scheduler", "kubelet", "kube-proxy")
