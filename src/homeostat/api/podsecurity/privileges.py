"""Controls of what a container's processes may do: privileged, capabilities, escalation, users.

Rules: Pod Security Standards, baseline and restricted; k8s.io/pod-security-admission/policy.
"""

from __future__ import annotations

from collections.abc import Collection

from homeostat.api.podsecurity.check import (
    Check,
    Revision,
    Violation,
    containers,
    context_of,
    in_user_namespace,
    is_windows,
    listed,
    names,
    quoted,
    setters,
    spec_of,
    unless,
)
from homeostat.api.podsecurity.levels import BASELINE, RESTRICTED
from homeostat.api.types import Obj

_CAPABILITIES = "capabilities_baseline"
_BIND = "NET_BIND_SERVICE"
_DEFAULT_CAPABILITIES = frozenset(
    (
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    )
)


def _privileged(pod: Obj) -> Violation | None:
    bad = names(each for each in containers(pod) if context_of(each).get("privileged"))
    if not bad:
        return None
    return Violation("privileged", f"{listed('container', bad)} must not set securityContext.privileged=true")


def _added(pod: Obj, allowed: Collection[str]) -> str:
    """`container "a" must not include "X" in ...`: who adds capabilities that are not `allowed`; empty for nobody."""
    bad: list[str] = []
    wrong: set[str] = set()
    for container in containers(pod):
        added = set((context_of(container).get("capabilities") or {}).get("add") or ()).difference(allowed)
        if added:
            bad.append(container.get("name") or "")
            wrong |= added
    if not bad:
        return ""
    return f"{listed('container', bad)} must not include {quoted(sorted(wrong))} in securityContext.capabilities.add"


def _default_capabilities(pod: Obj) -> Violation | None:
    added = _added(pod, _DEFAULT_CAPABILITIES)
    return Violation("non-default capabilities", added) if added else None


def _no_capabilities(pod: Obj) -> Violation | None:
    details: list[str] = []
    keeping = names(
        each
        for each in containers(pod)
        if "ALL" not in ((context_of(each).get("capabilities") or {}).get("drop") or ())
    )
    if keeping:
        details.append(f'{listed("container", keeping)} must set securityContext.capabilities.drop=["ALL"]')
    added = _added(pod, (_BIND,))
    if added:
        details.append(added)
    return Violation("unrestricted capabilities", "; ".join(details)) if details else None


def _escalation(pod: Obj) -> Violation | None:
    bad = names(each for each in containers(pod) if context_of(each).get("allowPrivilegeEscalation") is not False)
    if not bad:
        return None
    what = f"{listed('container', bad)} must set securityContext.allowPrivilegeEscalation=false"
    return Violation("allowPrivilegeEscalation != false", what)


def _non_root(pod: Obj) -> Violation | None:
    reason = "runAsNonRoot != true"
    of_pod = context_of(spec_of(pod)).get("runAsNonRoot")
    refusing, silent = list[str](), list[str]()
    for container in containers(pod):
        said = context_of(container).get("runAsNonRoot")
        if said is None and not of_pod:
            silent.append(container.get("name") or "")
        elif said is False:
            refusing.append(container.get("name") or "")
    who = setters(refusing, pod=of_pod is False)
    if who:
        return Violation(reason, f"{who} must not set securityContext.runAsNonRoot=false")
    if silent:
        return Violation(reason, f"pod or {listed('container', silent)} must set securityContext.runAsNonRoot=true")
    return None


def _is_root(holder: Obj) -> bool:
    return context_of(holder).get("runAsUser") == 0


def _root(pod: Obj) -> Violation | None:
    who = setters(names(each for each in containers(pod) if _is_root(each)), pod=_is_root(spec_of(pod)))
    return Violation("runAsUser=0", f"{who} must not set runAsUser=0") if who else None


CHECKS = (
    Check("privileged", BASELINE, (Revision(0, _privileged),)),
    Check(_CAPABILITIES, BASELINE, (Revision(0, _default_capabilities),)),
    Check(
        "allowPrivilegeEscalation",
        RESTRICTED,
        (Revision(8, _escalation), Revision(25, unless(is_windows, _escalation))),
    ),
    Check(
        "capabilities_restricted",
        RESTRICTED,
        (
            Revision(22, _no_capabilities, _CAPABILITIES),
            Revision(25, unless(is_windows, _no_capabilities), _CAPABILITIES),
        ),
    ),
    Check("runAsNonRoot", RESTRICTED, (Revision(0, _non_root), Revision(35, unless(in_user_namespace, _non_root)))),
    Check("runAsUser", RESTRICTED, (Revision(23, _root), Revision(35, unless(in_user_namespace, _root)))),
)
