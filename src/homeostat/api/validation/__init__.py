"""Semantic validation: what an object of each kind must be, beyond its schema.

`validate_create` and `validate_update` return causes in kube-apiserver's words and order; empty means valid. Objects
have passed the structural check and have their defaults. Kinds without an entry have only their metadata checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from homeostat.api import names
from homeostat.api.errors import Cause
from homeostat.api.fields import CAUSES_MAX, Causes
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.api.validation import batch, certificates, cluster, configuration, networking, rbac, services, workloads
from homeostat.api.validation.objectmeta import check_metadata, check_metadata_update
from homeostat.api.validation.podspec import podparts, pods


@dataclass(frozen=True, slots=True)
class Rules:
    """One kind's rules. `object` holds for new and changed objects, `update` for the change; both append causes.

    `whole_update` says that `update` judges the changed object too, so that `object` is for new ones only.
    """

    object: Callable[[Obj, list[Cause]], None] | None = None
    update: Callable[[Obj, Obj, list[Cause]], None] | None = None
    # A write of a subresource other than `scale`: new form, old form, subresource.
    part: Callable[[Obj, Obj, str, list[Cause]], None] | None = None
    name: names.Rule = names.dns1123_subdomain
    whole_update: bool = False


_RBAC = rbac.GROUP
_RULES: dict[tuple[str, str], Rules] = {
    ("", "Binding"): Rules(cluster.check_binding),
    ("", "ConfigMap"): Rules(configuration.check_configmap, configuration.check_configmap_update),
    ("", "Endpoints"): Rules(services.check_endpoints),
    ("", "Event"): Rules(cluster.check_event),
    ("", "Namespace"): Rules(name=names.dns1123_label),
    ("", "Node"): Rules(cluster.check_node, cluster.check_node_update),
    ("", "Pod"): Rules(pods.check_pod, pods.check_pod_update, podparts.check_part, whole_update=True),
    ("", "PodTemplate"): Rules(lambda obj, out: pods.check_template(obj.get("template"), "template", out)),
    ("", "ReplicationController"): Rules(workloads.check_replication_controller),
    ("", "Secret"): Rules(configuration.check_secret, configuration.check_secret_update),
    ("", "Service"): Rules(services.check_service, services.check_service_update, name=names.dns1035_label),
    ("apps", "DaemonSet"): Rules(workloads.check_daemonset, workloads.check_selector_update),
    ("apps", "Deployment"): Rules(workloads.check_deployment, workloads.check_selector_update),
    ("apps", "ReplicaSet"): Rules(workloads.check_replicaset, workloads.check_selector_update),
    ("apps", "StatefulSet"): Rules(workloads.check_statefulset, workloads.check_statefulset_update),
    ("batch", "CronJob"): Rules(batch.check_cronjob),
    ("batch", "Job"): Rules(batch.check_job, batch.check_job_update),
    ("certificates.k8s.io", "CertificateSigningRequest"): Rules(
        certificates.check_request, part=certificates.check_subresource, name=names.path_segment
    ),
    ("coordination.k8s.io", "Lease"): Rules(cluster.check_lease),
    ("discovery.k8s.io", "EndpointSlice"): Rules(services.check_endpointslice, services.check_endpointslice_update),
    ("events.k8s.io", "Event"): Rules(cluster.check_event),
    ("networking.k8s.io", "Ingress"): Rules(networking.check_ingress),
    ("networking.k8s.io", "IPAddress"): Rules(
        networking.check_ip_address, networking.check_ip_address_update, name=networking.ip_address_name
    ),
    ("networking.k8s.io", "NetworkPolicy"): Rules(networking.check_network_policy),
    ("networking.k8s.io", "ServiceCIDR"): Rules(networking.check_service_cidr, networking.check_service_cidr_update),
    ("node.k8s.io", "RuntimeClass"): Rules(cluster.check_runtime_class),
    ("policy", "PodDisruptionBudget"): Rules(cluster.check_disruption_budget),
    ("scheduling.k8s.io", "PriorityClass"): Rules(cluster.check_priority_class, cluster.check_priority_class_update),
    (_RBAC, "ClusterRole"): Rules(rbac.check_cluster_role, name=names.path_segment),
    (_RBAC, "Role"): Rules(rbac.check_role, name=names.path_segment),
    (_RBAC, "ClusterRoleBinding"): Rules(
        rbac.check_cluster_role_binding, rbac.check_binding_update, name=names.path_segment
    ),
    (_RBAC, "RoleBinding"): Rules(rbac.check_role_binding, rbac.check_binding_update, name=names.path_segment),
}
_PLAIN = Rules()


def _rules(kind: Kind) -> Rules:
    return _RULES.get((kind.group, kind.kind), _PLAIN)


class _Enough(Exception):
    """More causes than are listed."""


class _Mistakes(list[Cause]):
    """Causes, which end the walk over an object by _Enough when there are CAUSES_MAX of them."""

    def append(self, cause: Cause) -> None:
        super().append(cause)
        self._stop_if_full()

    def extend(self, causes: Iterable[Cause]) -> None:
        super().extend(causes)
        self._stop_if_full()

    def __iadd__(self, causes: Iterable[Cause]) -> Self:  # type: ignore[misc,override]  # its + gives a plain list
        self.extend(causes)
        return self

    def _stop_if_full(self) -> None:
        if len(self) >= CAUSES_MAX:
            del self[CAUSES_MAX:]
            raise _Enough


def validate_create(kind: Kind, obj: Obj) -> list[Cause]:
    """What is wrong with a new object; the first CAUSES_MAX causes."""
    rules, out = _rules(kind), _Mistakes()
    with suppress(_Enough):
        check_metadata(kind, obj, rules.name, out)
        if rules.object is not None:
            rules.object(obj, out)
    return out


def validate_update(kind: Kind, new: Obj, old: Obj, subresource: str = "") -> list[Cause]:
    """What is wrong with a change; the first CAUSES_MAX causes. Of writes to subresources only the metadata is judged,
    but for `scale` and those that a kind has a rule for."""
    out = _Mistakes()
    with suppress(_Enough):
        _judge_update(kind, new, old, subresource, out)
    return out


def _judge_update(kind: Kind, new: Obj, old: Obj, subresource: str, out: Causes) -> None:
    check_metadata_update(new, old, out)
    rules = _rules(kind)
    if subresource not in ("", "scale"):
        if rules.part is not None:
            rules.part(new, old, subresource, out)
        return
    if rules.object is not None and not rules.whole_update:
        rules.object(new, out)
    if rules.update is not None:
        rules.update(new, old, out)
