"""Which labels a node agent may give to its own Node. Pure.

Labels of the project's own domains say what a node is, and Pods are steered by them: an agent sets those that the
kubelet is known to set, and none below node-restriction.kubernetes.io. Rule: noderestriction's getForbiddenLabels and
kubelet/pkg/apis/well_known_labels.go.
"""

from __future__ import annotations

from collections.abc import Mapping

from homeostat.api.rules import wellknown

_RESTRICTED = "node-restriction.kubernetes.io"
_OWN_DOMAINS = ("kubernetes.io", "k8s.io")
_AGENT_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")
_AGENT_LABELS = frozenset(
    (
        wellknown.LABEL_HOSTNAME,
        wellknown.LABEL_OS,
        wellknown.LABEL_ARCH,
        wellknown.LABEL_ZONE,
        wellknown.LABEL_REGION,
        wellknown.LABEL_ZONE_BETA,
        wellknown.LABEL_REGION_BETA,
        wellknown.LABEL_INSTANCE_TYPE,
        wellknown.LABEL_INSTANCE_TYPE_BETA,
        wellknown.LABEL_OS_BETA,
        wellknown.LABEL_ARCH_BETA,
    )
)


def forbidden_changes(new: Mapping[str, str], old: Mapping[str, str]) -> list[str]:
    """The labels that differ and that an agent may not touch, sorted."""
    if new == old:
        return []
    changed = {key for key in new.keys() | old.keys() if new.get(key) != old.get(key)}
    return sorted(key for key in changed if not _may_touch(key))


def _may_touch(label: str) -> bool:
    domain, slash, _ = label.partition("/")
    if not slash or not any(_within(domain, own) for own in _OWN_DOMAINS):
        return True
    if _within(domain, _RESTRICTED):
        return False
    return label in _AGENT_LABELS or any(_within(domain, agent) for agent in _AGENT_DOMAINS)


def _within(domain: str, parent: str) -> bool:
    return domain == parent or domain.endswith(f".{parent}")
