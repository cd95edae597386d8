"""Controls of what a Pod shares with its node: namespaces, paths, ports, other hosts' addresses, Windows' host process.

Rules: Pod Security Standards, baseline; k8s.io/pod-security-admission/policy.
"""

from __future__ import annotations

from collections.abc import Iterator

from homeostat.api.podsecurity.check import (
    Check,
    Revision,
    Violation,
    containers,
    context_of,
    counted,
    listed,
    names,
    quoted,
    setters,
    spec_of,
)
from homeostat.api.podsecurity.levels import BASELINE
from homeostat.api.types import Obj

HOST_PATHS = "hostPathVolumes"


def _namespaces(pod: Obj) -> Violation | None:
    spec = spec_of(pod)
    shared = [f"{field}=true" for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    return Violation("host namespaces", ", ".join(shared)) if shared else None


def _paths(pod: Obj) -> Violation | None:
    found = names(volume for volume in spec_of(pod).get("volumes") or () if volume.get("hostPath") is not None)
    return Violation("hostPath volumes", listed("volume", found)) if found else None


def _ports(pod: Obj) -> Violation | None:
    bad: list[str] = []
    ports: set[str] = set()
    for container in containers(pod):
        used = {str(port["hostPort"]) for port in container.get("ports") or () if port.get("hostPort")}
        if used:
            bad.append(container.get("name") or "")
            ports |= used
    if not bad:
        return None
    verb = "uses" if len(bad) == 1 else "use"
    return Violation(
        "hostPort", f"{listed('container', bad)} {verb} {counted('hostPort', ports)} {', '.join(sorted(ports))}"
    )


def _handlers(container: Obj) -> Iterator[Obj]:
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        yield container.get(probe) or {}
    lifecycle = container.get("lifecycle") or {}
    for hook in ("postStart", "preStop"):
        yield lifecycle.get(hook) or {}


def _probed_hosts(pod: Obj) -> Violation | None:
    bad: set[str] = set()
    hosts: set[str] = set()
    for container in containers(pod):
        for handler in _handlers(container):
            asked = {(handler.get(action) or {}).get("host") or "" for action in ("httpGet", "tcpSocket")} - {""}
            if asked:
                bad.add(container.get("name") or "")
                hosts |= asked
    if not bad:
        return None
    verb = "uses" if len(bad) == 1 else "use"
    what = counted("probe or lifecycle host", hosts)
    return Violation(
        "probe or lifecycle host", f"{listed('container', sorted(bad))} {verb} {what} {quoted(sorted(hosts))}"
    )


def _is_host_process(holder: Obj) -> bool:
    return bool((context_of(holder).get("windowsOptions") or {}).get("hostProcess"))


def _host_process(pod: Obj) -> Violation | None:
    who = setters(names(each for each in containers(pod) if _is_host_process(each)), pod=_is_host_process(spec_of(pod)))
    return (
        Violation("hostProcess", f"{who} must not set securityContext.windowsOptions.hostProcess=true") if who else None
    )


CHECKS = (
    Check("hostNamespaces", BASELINE, (Revision(0, _namespaces),)),
    Check(HOST_PATHS, BASELINE, (Revision(0, _paths),)),
    Check("hostPorts", BASELINE, (Revision(0, _ports),)),
    Check("hostProbesAndHostLifecycle", BASELINE, (Revision(34, _probed_hosts),)),
    Check("windowsHostProcess", BASELINE, (Revision(0, _host_process),)),
)
