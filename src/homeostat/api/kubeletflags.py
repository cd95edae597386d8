"""The kubelet's flags, named and preset as in KubeletConfiguration. Data only."""

from __future__ import annotations

from homeostat.api.flag import Flag

KUBELET = (
    Flag(
        "kubelet",
        "node-status-update-frequency",
        "duration",
        "10s",
        "how often the node's status is computed",
        least=0.01,
    ),
    Flag(
        "kubelet",
        "node-status-report-frequency",
        "duration",
        "5m",
        "how often an unchanged status is written",
        least=0.01,
    ),
    Flag(
        "kubelet",
        "node-lease-duration-seconds",
        "integer",
        "40",
        "the duration in the node's Lease; it is renewed four times in that",
        least=1,
    ),
    Flag("kubelet", "max-pods", "integer", "110", "how many Pods a node takes", least=1),
    Flag(
        "kubelet",
        "sync-frequency",
        "duration",
        "1m",
        "how often a running Pod is looked at without an event",
        least=0.1,
    ),
    Flag(
        "kubelet",
        "crash-loop-back-off-initial",
        "duration",
        "10s",
        "the first pause before a crashed container is started again",
        least=0.001,
    ),
    Flag(
        "kubelet",
        "crash-loop-back-off-max",
        "duration",
        "300s",
        "the longest such pause (KubeletConfiguration: crashLoopBackOff.maxContainerRestartPeriod)",
        least=0.001,
    ),
    Flag(
        "kubelet",
        "container-log-max-size",
        "quantity",
        "10Mi",
        "the size at which a container's log is rotated",
        least=4096,
    ),
    Flag("kubelet", "container-log-max-files", "integer", "5", "how many files of a container's log are kept", least=2),
    Flag(
        "kubelet",
        "maximum-dead-containers-per-container",
        "integer",
        "1",
        "how many ended instances of a container are kept",
    ),
    Flag(
        "kubelet", "file-check-frequency", "duration", "20s", "how often the folder of static Pods is read", least=0.01
    ),
    Flag("kubelet", "cluster-dns", "text", "10.96.0.10", "the addresses of the cluster's DNS, with commas between"),
    Flag("kubelet", "cluster-domain", "text", "cluster.local", "the domain of the cluster's names"),
    Flag("kubelet", "resolv-conf", "text", "/etc/resolv.conf", "the file that says how the node itself finds names"),
    Flag(
        "kubelet",
        "allowed-unsafe-sysctls",
        "text",
        "",
        "sysctls beside the safe ones that Pods may set, with commas between; NAME* stands for all with that beginning",
    ),
    Flag("kubelet", "seccomp-default", "boolean", "false", "whether RuntimeDefault is the seccomp profile by default"),
    Flag("kubelet", "serialize-image-pulls", "boolean", "true", "whether images are pulled one at a time"),
    Flag(
        "kubelet",
        "max-parallel-image-pulls",
        "integer",
        "0",
        "how many images are pulled at once when they are not pulled one at a time; 0: any number",
    ),
)
