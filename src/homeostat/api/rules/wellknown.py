"""Names of Kubernetes' well-known labels, annotations and taints, as far as this project reads or writes them.

Kubernetes: Well-Known Labels, Annotations and Taints. A name that Kubernetes gives a meaning to is written here and
nowhere else; beta names are those that clients still send.
"""

from __future__ import annotations

from typing import Final

# Labels of nodes.
LABEL_HOSTNAME: Final = "kubernetes.io/hostname"
LABEL_OS: Final = "kubernetes.io/os"
LABEL_OS_BETA: Final = "beta.kubernetes.io/os"
LABEL_ARCH: Final = "kubernetes.io/arch"
LABEL_ARCH_BETA: Final = "beta.kubernetes.io/arch"
LABEL_ZONE: Final = "topology.kubernetes.io/zone"
LABEL_ZONE_BETA: Final = "failure-domain.beta.kubernetes.io/zone"
LABEL_REGION: Final = "topology.kubernetes.io/region"
LABEL_REGION_BETA: Final = "failure-domain.beta.kubernetes.io/region"
LABEL_INSTANCE_TYPE: Final = "node.kubernetes.io/instance-type"
LABEL_INSTANCE_TYPE_BETA: Final = "beta.kubernetes.io/instance-type"
LABEL_EXCLUDE_BALANCERS: Final = "node.kubernetes.io/exclude-from-external-load-balancers"
LABEL_NODE_ROLE_PREFIX: Final = "node-role.kubernetes.io/"
LABEL_CONTROL_PLANE: Final = "node-role.kubernetes.io/control-plane"
LABEL_MASTER: Final = "node-role.kubernetes.io/master"
LABEL_NODE_ROLE: Final = "kubernetes.io/role"

# Labels of namespaces, Services and endpoints.
LABEL_NAMESPACE_NAME: Final = "kubernetes.io/metadata.name"
LABEL_SERVICE_NAME: Final = "kubernetes.io/service-name"
LABEL_SERVICE_PROXY_NAME: Final = "service.kubernetes.io/service-proxy-name"
LABEL_HEADLESS: Final = "service.kubernetes.io/headless"
LABEL_SLICE_MANAGED_BY: Final = "endpointslice.kubernetes.io/managed-by"
LABEL_SKIP_MIRROR: Final = "endpointslice.kubernetes.io/skip-mirror"
LABEL_ENDPOINTS_MANAGED_BY: Final = "endpoints.kubernetes.io/managed-by"
LABEL_CLUSTER_SERVICE: Final = "kubernetes.io/cluster-service"
LABEL_ADDON_NAME: Final = "kubernetes.io/name"

# Labels of Pods, Jobs and the API server's own objects.
LABEL_REVISION_HASH: Final = "controller-revision-hash"
LABEL_TEMPLATE_GENERATION: Final = "pod-template-generation"
LABEL_TEMPLATE_HASH: Final = "pod-template-hash"
LABEL_JOB_NAME: Final = "batch.kubernetes.io/job-name"
LABEL_JOB_NAME_LEGACY: Final = "job-name"
LABEL_JOB_UID: Final = "batch.kubernetes.io/controller-uid"
LABEL_JOB_UID_LEGACY: Final = "controller-uid"
LABEL_BOOTSTRAPPING: Final = "kubernetes.io/bootstrapping"
LABEL_SERVER_IDENTITY: Final = "apiserver.kubernetes.io/identity"
LABEL_IP_FAMILY: Final = "ipaddress.kubernetes.io/ip-family"
LABEL_IP_MANAGED_BY: Final = "ipaddress.kubernetes.io/managed-by"

# Annotations.
ANNOTATION_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
ANNOTATION_DESCRIPTION: Final = "kubernetes.io/description"
ANNOTATION_MIRROR: Final = "kubernetes.io/config.mirror"
ANNOTATION_CONFIG_SOURCE: Final = "kubernetes.io/config.source"
ANNOTATION_CONFIG_HASH: Final = "kubernetes.io/config.hash"
ANNOTATION_CONFIG_SEEN: Final = "kubernetes.io/config.seen"
ANNOTATION_DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
ANNOTATION_LIMIT_RANGER: Final = "kubernetes.io/limit-ranger"
ANNOTATION_SERVICE_ACCOUNT: Final = "kubernetes.io/service-account.name"
ANNOTATION_TOPOLOGY_MODE: Final = "service.kubernetes.io/topology-mode"
ANNOTATION_TOPOLOGY_HINTS: Final = "service.kubernetes.io/topology-aware-hints"
ANNOTATION_OVER_CAPACITY: Final = "endpoints.kubernetes.io/over-capacity"
ANNOTATION_LAST_CHANGE: Final = "endpoints.kubernetes.io/last-change-trigger-time"
ANNOTATION_LEADER: Final = "control-plane.alpha.kubernetes.io/leader"
ANNOTATION_REVISION: Final = "deployment.kubernetes.io/revision"
ANNOTATION_REVISION_HISTORY: Final = "deployment.kubernetes.io/revision-history"
ANNOTATION_DESIRED_REPLICAS: Final = "deployment.kubernetes.io/desired-replicas"
ANNOTATION_MAX_REPLICAS: Final = "deployment.kubernetes.io/max-replicas"
ANNOTATION_TEMPLATE_GENERATION: Final = "deprecated.daemonset.template.generation"
ANNOTATION_DEFAULT_STORAGE_CLASS: Final = "storageclass.kubernetes.io/is-default-class"
ANNOTATION_DEFAULT_STORAGE_CLASS_BETA: Final = "storageclass.beta.kubernetes.io/is-default-class"
ANNOTATION_DEFAULT_ATTRIBUTES_CLASS: Final = "volumeattributesclass.alpha.kubernetes.io/is-default-class"
ANNOTATION_STORAGE_CLASS_BETA: Final = "volume.beta.kubernetes.io/storage-class"
ANNOTATION_AUTOUPDATE: Final = "rbac.authorization.kubernetes.io/autoupdate"
ANNOTATION_INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"
ANNOTATION_APPARMOR_PREFIX: Final = "container.apparmor.security.beta.kubernetes.io/"
ANNOTATION_SECCOMP_POD: Final = "seccomp.security.alpha.kubernetes.io/pod"
ANNOTATION_SECCOMP_PREFIX: Final = "container.seccomp.security.alpha.kubernetes.io/"

# Taints and their effects.
TAINT_NOT_READY: Final = "node.kubernetes.io/not-ready"
TAINT_UNREACHABLE: Final = "node.kubernetes.io/unreachable"
TAINT_UNSCHEDULABLE: Final = "node.kubernetes.io/unschedulable"
TAINT_MEMORY_PRESSURE: Final = "node.kubernetes.io/memory-pressure"
TAINT_DISK_PRESSURE: Final = "node.kubernetes.io/disk-pressure"
TAINT_PID_PRESSURE: Final = "node.kubernetes.io/pid-pressure"
TAINT_NETWORK_UNAVAILABLE: Final = "node.kubernetes.io/network-unavailable"
TAINT_OUT_OF_SERVICE: Final = "node.kubernetes.io/out-of-service"
TAINT_CONTROL_PLANE: Final = LABEL_CONTROL_PLANE
NO_SCHEDULE: Final = "NoSchedule"
PREFER_NO_SCHEDULE: Final = "PreferNoSchedule"
NO_EXECUTE: Final = "NoExecute"
TAINT_EFFECTS: Final = (NO_SCHEDULE, PREFER_NO_SCHEDULE, NO_EXECUTE)
