"""Controls of the kernel's own confinement: AppArmor, SELinux, seccomp, the masks of /proc, sysctls.

Rules: Pod Security Standards, baseline and restricted; k8s.io/pod-security-admission/policy.
"""

from __future__ import annotations

import orjson

from homeostat.api.podsecurity.check import (
    Check,
    Judge,
    Revision,
    Violation,
    containers,
    context_of,
    counted,
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
from homeostat.api.rules import wellknown
from homeostat.api.types import Obj

_GOOD_PROFILES = ("RuntimeDefault", "Localhost")
_SECCOMP = "seccompProfile_baseline"
_PROC_MOUNT = "procMount"

_SELINUX_TYPES = frozenset(("", "container_t", "container_init_t", "container_kvm_t"))
_SELINUX_TYPES_31 = _SELINUX_TYPES | {"container_engine_t"}

_SYSCTLS = frozenset(
    (
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_unprivileged_port_start",
    )
)
_SYSCTLS_27 = _SYSCTLS | {"net.ipv4.ip_local_reserved_ports"}
_SYSCTLS_29 = _SYSCTLS_27 | {
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
}
_SYSCTLS_32 = _SYSCTLS_29 | {"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}


def _annotations(pod: Obj) -> dict[str, str]:
    found: dict[str, str] = (pod.get("metadata") or {}).get("annotations") or {}
    return found


def _written(key: str, value: str) -> str:
    """`key="value"`."""
    return f"{key}={orjson.dumps(value).decode()}"


def _bad_profiles(pod: Obj, field: str) -> tuple[bool, list[str], set[str]]:
    """Whether the Pod sets a profile that is not allowed, which containers do, and which profiles."""

    def bad(holder: Obj) -> str | None:
        profile = context_of(holder).get(field)
        kind = (profile or {}).get("type") or ""
        return None if profile is None or kind in _GOOD_PROFILES else kind

    of_pod = bad(spec_of(pod))
    of_containers = [(each, kind) for each in containers(pod) if (kind := bad(each)) is not None]
    values = {kind for _, kind in of_containers} | ({of_pod} if of_pod is not None else set())
    return of_pod is not None, names([each for each, _ in of_containers]), values


def _apparmor(pod: Obj) -> Violation | None:
    of_pod, bad, found = _bad_profiles(pod, "appArmorProfile")
    who = [text for text in (setters(bad, pod=of_pod),) if text]
    values = sorted(found)
    notes = sorted(
        _written(key, value)
        for key, value in _annotations(pod).items()
        if key.startswith(wellknown.ANNOTATION_APPARMOR_PREFIX) and value not in ("", "runtime/default")
        and not value.startswith("localhost/")
    )  # fmt: skip
    if notes:
        values += notes
        who.append(counted("annotation", notes))
    if not who:
        return None
    reason = counted("forbidden AppArmor profile", values)
    return Violation(reason, f"{' and '.join(who)} must not set AppArmor profile type to {quoted(values)}")


def _selinux_options(holder: Obj) -> Obj:
    return context_of(holder).get("seLinuxOptions") or {}


def _selinux(types: frozenset[str]) -> Judge:
    def judge(pod: Obj) -> Violation | None:
        def is_bad(holder: Obj) -> bool:
            options = _selinux_options(holder)
            return (options.get("type") or "") not in types or bool(options.get("user") or options.get("role"))

        of_pod, of_containers = is_bad(spec_of(pod)), [each for each in containers(pod) if is_bad(each)]
        who = setters(names(of_containers), pod=of_pod)
        if not who:
            return None
        said = [_selinux_options(holder) for holder in ([spec_of(pod)] if of_pod else []) + of_containers]
        wrong = sorted({options.get("type") or "" for options in said}.difference(types))
        parts = [listed("type", wrong)] if wrong else []
        parts += [f"{field} may not be set" for field in ("user", "role") if any(each.get(field) for each in said)]
        return Violation("seLinuxOptions", f"{who} set forbidden securityContext.seLinuxOptions: {'; '.join(parts)}")

    return judge


def seccomp_annotations(pod: Obj) -> dict[str, str]:
    """The annotations by which the Pod, or a container of it, asks for a seccomp profile."""
    noted = _annotations(pod)
    keys = {
        wellknown.ANNOTATION_SECCOMP_POD,
        *(wellknown.ANNOTATION_SECCOMP_PREFIX + name for name in names(containers(pod))),
    }
    return {key: noted[key] for key in keys.intersection(noted)}


def _noted_seccomp(pod: Obj) -> Violation | None:
    bad = sorted(
        _written(key, value)
        for key, value in seccomp_annotations(pod).items()
        if value not in ("runtime/default", "docker/default") and not value.startswith("localhost/")
    )
    return Violation("seccompProfile", f"forbidden {counted('annotation', bad)} {', '.join(bad)}") if bad else None


def _seccomp(pod: Obj) -> Violation | None:
    of_pod, bad, values = _bad_profiles(pod, "seccompProfile")
    who = setters(bad, pod=of_pod)
    if not who:
        return None
    what = f"{who} must not set securityContext.seccompProfile.type to {quoted(sorted(values))}"
    return Violation("seccompProfile", what)


def _seccomp_is_set(pod: Obj) -> Violation | None:
    bad = _seccomp(pod)
    if bad is not None or context_of(spec_of(pod)).get("seccompProfile") is not None:
        return bad
    silent = names(each for each in containers(pod) if context_of(each).get("seccompProfile") is None)
    if not silent:
        return None
    who = f"pod or {listed('container', silent)}"
    what = f'{who} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return Violation("seccompProfile", what)


def _proc_mount(pod: Obj) -> Violation | None:
    bad: list[str] = []
    values: set[str] = set()
    for container in containers(pod):
        value = context_of(container).get("procMount")
        if value is not None and value != "Default":
            bad.append(container.get("name") or "")
            values.add(value)
    if not bad:
        return None
    what = f"{listed('container', bad)} must not set securityContext.procMount to {quoted(sorted(values))}"
    return Violation("procMount", what)


def _sysctls(allowed: frozenset[str]) -> Judge:
    def judge(pod: Obj) -> Violation | None:
        bad = [name for name in names(context_of(spec_of(pod)).get("sysctls") or ()) if name not in allowed]
        return Violation("forbidden sysctls", ", ".join(bad)) if bad else None

    return judge


CHECKS = (
    Check("appArmorProfile", BASELINE, (Revision(0, _apparmor),)),
    Check(
        "seLinuxOptions", BASELINE, (Revision(0, _selinux(_SELINUX_TYPES)), Revision(31, _selinux(_SELINUX_TYPES_31)))
    ),
    Check(_SECCOMP, BASELINE, (Revision(0, _noted_seccomp), Revision(19, _seccomp))),
    Check(
        "seccompProfile_restricted",
        RESTRICTED,
        (
            Revision(19, _seccomp_is_set, _SECCOMP),
            Revision(25, unless(is_windows, _seccomp_is_set), _SECCOMP),
        ),
    ),
    Check(_PROC_MOUNT, BASELINE, (Revision(0, _proc_mount), Revision(35, unless(in_user_namespace, _proc_mount)))),
    Check("procMount_restricted", RESTRICTED, (Revision(35, _proc_mount, _PROC_MOUNT),)),
    Check(
        "sysctls",
        BASELINE,
        (
            Revision(0, _sysctls(_SYSCTLS)),
            Revision(27, _sysctls(_SYSCTLS_27)),
            Revision(29, _sysctls(_SYSCTLS_29)),
            Revision(32, _sysctls(_SYSCTLS_32)),
        ),
    ),
)
