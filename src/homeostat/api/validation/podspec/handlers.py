"""Probes and lifecycle hooks of a container: exactly one handler each, and its fields."""

from __future__ import annotations

from homeostat.api import names
from homeostat.api.fields import Causes, forbidden, invalid, required
from homeostat.api.types import Obj
from homeostat.api.validation.common import (
    check_enum,
    check_name,
    check_numbers,
    check_port_or_name,
)

_PROBE_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
_SECONDS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")


def check_probes(container: Obj, path: str, out: Causes) -> None:
    """The three probes and the two hooks of a container that may have them."""
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is None:
            continue
        where = f"{path}.{name}"
        _check_handler(probe, where, _PROBE_HANDLERS, out)
        check_numbers(probe, where, _SECONDS, out)
        if name == "readinessProbe":
            if probe.get("terminationGracePeriodSeconds") is not None:
                why = "must not be set for readinessProbes"
                out.append(
                    invalid(f"{where}.terminationGracePeriodSeconds", probe["terminationGracePeriodSeconds"], why)
                )
            continue
        if probe.get("successThreshold") not in (None, 0, 1):
            out.append(invalid(f"{where}.successThreshold", probe["successThreshold"], "must be 1"))
        grace = probe.get("terminationGracePeriodSeconds")
        if grace is not None and grace <= 0:
            out.append(invalid(f"{where}.terminationGracePeriodSeconds", grace, "must be greater than 0"))
    check_lifecycle(container.get("lifecycle"), f"{path}.lifecycle", out)


def check_lifecycle(lifecycle: Obj | None, path: str, out: Causes) -> None:
    """postStart and preStop."""
    for name in ("postStart", "preStop"):
        hook = (lifecycle or {}).get(name)
        if hook is not None:
            _check_handler(hook, f"{path}.{name}", _HOOK_HANDLERS, out)


def _check_handler(holder: Obj, path: str, allowed: tuple[str, ...], out: Causes) -> None:
    given = [name for name in allowed if holder.get(name) is not None]
    if not given:
        out.append(required(path, "must specify a handler type"))
    for name in given[1:]:
        out.append(forbidden(f"{path}.{name}", "may not specify more than 1 handler type"))
    if not given:
        return
    handler, where = holder[given[0]], f"{path}.{given[0]}"
    match given[0]:
        case "exec":
            if not handler.get("command"):
                out.append(required(f"{where}.command"))
        case "httpGet":
            _check_http(handler, where, out)
        case "tcpSocket":
            check_port_or_name(handler.get("port"), f"{where}.port", out)
        case "grpc":
            port = handler.get("port") or 0
            out += [invalid(f"{where}.port", port, why) for why in names.port_number(port)]
        case "sleep":
            if (handler.get("seconds") or 0) < 0:
                out.append(invalid(f"{where}.seconds", handler["seconds"], "must be greater than or equal to 0"))


def _check_http(handler: Obj, path: str, out: Causes) -> None:
    # An empty path is defaulted to "/" before validation.
    check_port_or_name(handler.get("port"), f"{path}.port", out)
    check_enum(handler.get("scheme"), f"{path}.scheme", ("HTTP", "HTTPS"), out)
    for position, header in enumerate(handler.get("httpHeaders") or ()):
        check_name(header.get("name"), f"{path}.httpHeaders[{position}].name", names.http_header, out)
