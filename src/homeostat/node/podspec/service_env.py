"""The environment variables by which containers find services (kubelet's envvars.FromServices). Pure."""

from __future__ import annotations

from collections.abc import Iterable

from homeostat.api import meta
from homeostat.api.rules.ports import protocol_of
from homeostat.api.types import Obj


def service_variables(services: Iterable[Obj], namespace: str, *, links: bool) -> dict[str, str]:
    """Variables for the services of `namespace` (when `links`) and always for `default/kubernetes`; headless services
    have none."""
    chosen: dict[str, Obj] = {}
    for service in services:
        address = (service.get("spec") or {}).get("clusterIP")
        if not address or address == "None":
            continue
        space, name = meta.namespace(service), meta.name(service)
        if (space, name) == ("default", "kubernetes"):
            chosen.setdefault(name, service)
        elif links and space == namespace:
            chosen[name] = service
    result: dict[str, str] = {}
    for _, service in sorted(chosen.items()):
        result |= _of_one(service)
    return result


def _of_one(service: Obj) -> dict[str, str]:
    word = _word(meta.name(service))
    address = service["spec"]["clusterIP"]
    ports = service["spec"].get("ports") or []
    if not ports:
        return {}
    result = {f"{word}_SERVICE_HOST": address, f"{word}_SERVICE_PORT": str(ports[0]["port"])}
    for port in ports:
        if port.get("name"):
            result[f"{word}_SERVICE_PORT_{_word(port['name'])}"] = str(port["port"])
    for place, port in enumerate(ports):
        protocol = protocol_of(port)
        url = f"{protocol.lower()}://{address}:{port['port']}"
        stem = f"{word}_PORT_{port['port']}_{protocol}"
        if place == 0:
            result[f"{word}_PORT"] = url
        result |= {stem: url, f"{stem}_PROTO": protocol.lower(), f"{stem}_PORT": str(port["port"])}
        result[f"{stem}_ADDR"] = address
    return result


def _word(name: str) -> str:
    return name.upper().replace("-", "_")
