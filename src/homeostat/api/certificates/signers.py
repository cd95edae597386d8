"""What Kubernetes' own signers demand of a certificate request. Pure.

Rules: k8s.io/api/certificates/v1, pkg/apis/certificates/helpers.go and pkg/controller/certificates/signer.
"""

from __future__ import annotations

from collections.abc import Sequence

from homeostat.api.certificates.certificate_text import Asked

CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
LEGACY = "kubernetes.io/legacy-unknown"
ALL = (CLIENT, KUBELET_CLIENT, KUBELET_SERVING, LEGACY)

NODE_PREFIX = "system:node:"
_NODES = ("system:nodes",)
_ALWAYS = frozenset(("digital signature", "key encipherment"))


def problem(signer: str, asked: Asked, usages: Sequence[str]) -> str:
    """Why `signer` would not sign this; empty when it would."""
    match signer:
        case "kubernetes.io/kube-apiserver-client":
            return _usage_problem(usages, "client auth", strict=False)
        case "kubernetes.io/kube-apiserver-client-kubelet":
            return _kubelet_client_problem(asked, usages)
        case "kubernetes.io/kubelet-serving":
            return _kubelet_serving_problem(asked, usages)
        case "kubernetes.io/legacy-unknown":
            return ""
    return f"{signer} is not a signer of this cluster"


def _kubelet_client_problem(asked: Asked, usages: Sequence[str]) -> str:
    if asked.organizations != _NODES:
        return "subject organization is not system:nodes"
    for names, what in (
        (asked.dns_names, "DNS"),
        (asked.emails, "email"),
        (asked.addresses, "IP"),
        (asked.uris, "URI"),
    ):
        if names:
            return f"{what} subjectAltNames are not allowed"
    if not asked.common_name.startswith(NODE_PREFIX):
        return "subject common name does not begin with system:node: "
    return _usage_problem(usages, "client auth", strict=True)


def _kubelet_serving_problem(asked: Asked, usages: Sequence[str]) -> str:
    if asked.organizations != _NODES:
        return "subject organization is not system:nodes"
    if not asked.dns_names and not asked.addresses:
        return "DNS or IP subjectAltName is required"
    if asked.emails:
        return "email subjectAltNames are not allowed"
    if asked.uris:
        return "URI subjectAltNames are not allowed"
    if not asked.common_name.startswith(NODE_PREFIX):
        return "subject common name does not begin with system:node: "
    return _usage_problem(usages, "server auth", strict=True)


def _usage_problem(usages: Sequence[str], needed: str, *, strict: bool) -> str:
    """The usage that is needed, and beside it only what every key does; `strict` wants digital signatures too."""
    given = set(usages)
    if unknown := sorted(given - _ALWAYS - {needed}):
        return f"invalid usage for {needed.split()[0]} certificate: {unknown[0]}"
    lacking = [usage for usage in (needed, "digital signature") if usage not in given and (strict or usage == needed)]
    if lacking:
        return f"missing usage for {needed.split()[0]} certificate: {lacking[0]}"
    return ""
