"""Who a container runs as and what it may do: the pod's and the container's securityContext, merged. Pure.

Rules: securitycontext.DetermineEffectiveSecurityContext, kuberuntime/security_context.go (the non-root check), and
pkg/kubelet/sysctl (which sysctls are safe).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from homeostat.api import meta
from homeostat.api.types import Obj
from homeostat.node.podspec import spec
from homeostat.node.podspec.downward import ConfigError
from homeostat.node.podspec.view import FailureReason
from homeostat.runtime.contract import Security

SAFE_SYSCTLS = (
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
)
_OF_IPC = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")


@dataclass(frozen=True, slots=True)
class Profiles:
    """The node's choices: the seccomp profile where none is asked for, and the folder of local ones."""

    default: str = "Unconfined"
    folder: str = ""


def merged(pod: Obj, container: Obj) -> Obj:
    """The security context that holds for a container: its own fields over the pod's."""
    shared = spec.spec(pod).get("securityContext") or {}
    own = container.get("securityContext") or {}
    both = ("runAsUser", "runAsGroup", "runAsNonRoot", "seccompProfile", "appArmorProfile")
    result = {name: shared[name] for name in both if shared.get(name) is not None}
    return result | {name: value for name, value in own.items() if value is not None}


def container_security(pod: Obj, container: Obj, image_user: str | None, profiles: Profiles) -> Security:
    """The security settings that the runtime gets for one container. `image_user` is the image's, None where nobody
    asked for it."""
    context, shared = merged(pod, container), spec.spec(pod).get("securityContext") or {}
    capabilities = context.get("capabilities") or {}
    user, group = context.get("runAsUser"), context.get("runAsGroup")
    if user is None and group is not None and image_user is not None:
        # The runtime takes a group only with a user.
        user = int(image_user) if image_user.isdecimal() else 0 if not image_user else None
    privileged = bool(context.get("privileged"))
    return Security(
        user=user,
        group=group,
        supplemental_groups=groups_of(shared),
        privileged=privileged,
        read_only_root=bool(context.get("readOnlyRootFilesystem")),
        no_new_privileges=context.get("allowPrivilegeEscalation") is False,
        capabilities_add=_capabilities(capabilities.get("add")),
        capabilities_drop=_capabilities(capabilities.get("drop")),
        seccomp="Unconfined" if privileged else _profile(context.get("seccompProfile"), profiles, profiles.default),
        apparmor="" if privileged else _profile(context.get("appArmorProfile"), Profiles(), ""),
        proc_unmasked=context.get("procMount") == "Unmasked",
    )


def sandbox_security(pod: Obj, profiles: Profiles) -> Security:
    """The security settings that the runtime gets for the sandbox: privileged where one of its containers is."""
    shared = spec.spec(pod).get("securityContext") or {}
    user = shared.get("runAsUser")
    return Security(
        user=user,
        group=shared.get("runAsGroup") if user is not None else None,
        supplemental_groups=groups_of(shared),
        privileged=any((c.get("securityContext") or {}).get("privileged") for c in spec.all_containers(pod)),
        seccomp=_profile(shared.get("seccompProfile"), profiles, "RuntimeDefault"),
    )


def groups_of(shared: Obj) -> tuple[int, ...]:
    """The groups that every process of the pod is in, the volumes' group among them."""
    found = [*(shared.get("supplementalGroups") or ())]
    if shared.get("fsGroup") is not None:
        found.append(shared["fsGroup"])
    return tuple(dict.fromkeys(int(group) for group in found))


def asks_image_user(pod: Obj, container: Obj) -> bool:
    """Whether it matters which user the image runs as."""
    context = merged(pod, container)
    return context.get("runAsUser") is None and bool(
        context.get("runAsNonRoot") or context.get("runAsGroup") is not None
    )


def check_non_root(pod: Obj, container: Obj, image_user: str | None) -> None:
    """Raises ConfigError when runAsNonRoot forbids the user the container would run as."""
    context = merged(pod, container)
    if not context.get("runAsNonRoot"):
        return
    whose = f'(pod: "{meta.name(pod)}_{meta.namespace(pod)}({meta.uid(pod)})", container: {container["name"]})'
    user = context.get("runAsUser")
    if user is not None:
        if user == 0:
            raise ConfigError(f"container's runAsUser breaks non-root policy {whose}")
        return
    name = (image_user or "").partition(":")[0]
    if not name or (name.isdecimal() and int(name) == 0):
        raise ConfigError(f"container has runAsNonRoot and image will run as root {whose}")
    if not name.isdecimal():
        why = f"image has non-numeric user ({name}), cannot verify user is non-root"
        raise ConfigError(f"container has runAsNonRoot and {why} {whose}")


def file_user(pod: Obj) -> int | None:
    """Who owns a token's file: the user of all containers, where they have one and the same."""
    users = {merged(pod, container).get("runAsUser") for container in spec.all_containers(pod)}
    return next(iter(users)) if len(users) == 1 else None


def sysctls(pod: Obj) -> dict[str, str]:
    """The pod's kernel parameters."""
    requested = (spec.spec(pod).get("securityContext") or {}).get("sysctls") or []
    return {str(entry["name"]).replace("/", "."): str(entry.get("value") or "") for entry in requested}


def sysctl_refusal(pod: Obj, allowed: Sequence[str]) -> FailureReason | None:
    """Why the node does not take the pod for its sysctls. `allowed` are names beside the safe ones; `NAME*` all with
    that beginning."""
    body = spec.spec(pod)
    for name in sysctls(pod):
        if body.get("hostNetwork") and name.startswith("net."):
            return FailureReason("SysctlForbidden", f'forbidden sysctl: "{name}" not allowed with host net enabled')
        if body.get("hostIPC") and name.startswith(_OF_IPC):
            return FailureReason("SysctlForbidden", f'forbidden sysctl: "{name}" not allowed with host ipc enabled')
        if name not in SAFE_SYSCTLS and not any(_fits(name, pattern) for pattern in allowed):
            return FailureReason("SysctlForbidden", f'forbidden sysctl: "{name}" not allowlisted')
    return None


def _fits(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _capabilities(names: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(name.upper().removeprefix("CAP_") for name in names or ())


def _profile(profile: Mapping[str, str] | None, profiles: Profiles, default: str) -> str:
    kind = (profile or {}).get("type") or default
    if kind != "Localhost":
        return kind
    name = (profile or {}).get("localhostProfile") or ""
    return f"Localhost/{profiles.folder}/{name}" if profiles.folder else f"Localhost/{name}"
