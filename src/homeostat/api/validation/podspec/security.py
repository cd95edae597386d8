"""Security contexts of Pods and containers: ids, seccomp profiles, sysctls, privilege.

Rules: pkg/apis/core/validation (validatePodSpecSecurityContext, ValidateSecurityContext).
"""

from __future__ import annotations

import re

from homeostat.api.fields import Causes, duplicate, invalid, not_supported, required
from homeostat.api.types import Obj
from homeostat.api.validation.common import check_enum
from homeostat.api.validation.podspec.paths import check_relative

_ID_MAX = 2**31 - 1
_SYSCTL_MAX = 253
_SYSCTL = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
_sysctl_match = re.compile(_SYSCTL).match
_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_NO_ESCALATION = "cannot set `allowPrivilegeEscalation` to false and {}"


def check_pod_security(spec: Obj, path: str, out: Causes) -> None:
    """spec.securityContext; `path` is that of the spec. The host's namespaces are beside it in the spec."""
    context, where = spec.get("securityContext") or {}, f"{path}.securityContext"
    for field in ("fsGroup", "runAsUser", "runAsGroup"):
        _check_id(context.get(field), f"{where}.{field}", out)
    for position, group in enumerate(context.get("supplementalGroups") or ()):
        _check_id(group, f"{where}.supplementalGroups[{position}]", out)
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        why = "ShareProcessNamespace and HostPID cannot both be enabled"
        out.append(invalid(f"{where}.shareProcessNamespace", spec["shareProcessNamespace"], why))
    _check_sysctls(context.get("sysctls") or [], f"{where}.sysctls", out)
    check_enum(context.get("fsGroupChangePolicy"), f"{where}.fsGroupChangePolicy", ("Always", "OnRootMismatch"), out)
    _check_seccomp(context.get("seccompProfile"), f"{where}.seccompProfile", out)


def check_container_security(context: Obj, path: str, out: Causes) -> None:
    """A container's securityContext."""
    for field in ("runAsUser", "runAsGroup"):
        _check_id(context.get(field), f"{path}.{field}", out)
    check_enum(context.get("procMount"), f"{path}.procMount", ("Default", "Unmasked"), out)
    _check_seccomp(context.get("seccompProfile"), f"{path}.seccompProfile", out)
    if context.get("allowPrivilegeEscalation") is not False:
        return
    if context.get("privileged"):
        out.append(invalid(path, context, _NO_ESCALATION.format("`privileged` to true")))
    if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
        out.append(invalid(path, context, _NO_ESCALATION.format("`capabilities.Add` CAP_SYS_ADMIN")))


def _check_id(value: int | None, path: str, out: Causes) -> None:
    if value is not None and not 0 <= value <= _ID_MAX:
        out.append(invalid(path, value, f"must be between 0 and {_ID_MAX}, inclusive"))


def _check_sysctls(sysctls: list[Obj], path: str, out: Causes) -> None:
    seen: set[str] = set()
    for position, sysctl in enumerate(sysctls):
        where, name = f"{path}[{position}].name", sysctl.get("name") or ""
        if not name:
            out.append(required(where))
        elif len(name) > _SYSCTL_MAX or not _sysctl_match(name):
            out.append(invalid(where, name, f"must have at most {_SYSCTL_MAX} characters and match regex {_SYSCTL}"))
        elif name in seen:
            out.append(duplicate(where, name))
        seen.add(name)


def _check_seccomp(profile: Obj | None, path: str, out: Causes) -> None:
    if profile is None:
        return
    kind, local = profile.get("type"), profile.get("localhostProfile")
    if not kind:
        out.append(required(f"{path}.type", "type is required when seccompProfile is set"))
    elif kind not in _PROFILES:
        out.append(not_supported(f"{path}.type", kind, _PROFILES))
    if kind == "Localhost":
        if local is None:
            out.append(required(f"{path}.localhostProfile", "must be set when seccomp type is Localhost"))
        else:
            check_relative(local, f"{path}.localhostProfile", out)
    elif local is not None:
        why = "can only be set when seccomp type is Localhost"
        out.append(invalid(f"{path}.localhostProfile", profile, why))
