"""Ingress, NetworkPolicy, IPAddress, ServiceCIDR: the shape that their controllers rely on.

Rules: pkg/apis/networking/validation.
"""

from __future__ import annotations

import ipaddress

from homeostat.api import names
from homeostat.api.fields import Causes, forbidden, invalid, required
from homeostat.api.types import Obj
from homeostat.api.validation.common import (
    check_enum,
    check_name,
    check_needed_enum,
    check_port_or_name,
    check_selector,
    present,
)

_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_PROTOCOLS = ("SCTP", "TCP", "UDP")


def check_ingress(obj: Obj, out: Causes) -> None:
    """An Ingress: rules or a default backend; hosts, paths and backends that can be."""
    spec = obj.get("spec") or {}
    rules, backend = spec.get("rules") or [], spec.get("defaultBackend")
    if not rules and not backend:
        out.append(invalid("spec", rules, "either `defaultBackend` or `rules` must be specified"))
    if backend:
        _check_backend(backend, "spec.defaultBackend", out)
    for position, rule in enumerate(rules):
        path, host = f"spec.rules[{position}]", rule.get("host")
        if host:
            check = names.wildcard_subdomain if "*" in host else names.dns1123_subdomain
            out += [invalid(f"{path}.host", host, why) for why in check(host)]
        http = rule.get("http")
        if http is None:
            continue
        if not http.get("paths"):
            out.append(required(f"{path}.http.paths"))
        for place, entry in enumerate(http.get("paths") or ()):
            _check_path(entry, f"{path}.http.paths[{place}]", out)


def _check_path(entry: Obj, path: str, out: Causes) -> None:
    kind, text = entry.get("pathType"), entry.get("path") or ""
    if not kind:
        out.append(required(f"{path}.pathType", "pathType must be specified"))
    else:
        check_needed_enum(kind, f"{path}.pathType", _PATH_TYPES, out)
    if (text or kind in ("Exact", "Prefix")) and not text.startswith("/"):
        out.append(invalid(f"{path}.path", text, "must be an absolute path"))
    _check_backend(entry.get("backend") or {}, f"{path}.backend", out)


def _check_backend(backend: Obj, path: str, out: Causes) -> None:
    given = present(backend, ("service", "resource"))
    if len(given) > 1:
        out.append(invalid(path, "", "cannot set both resource and service backends"))
    elif not given:
        out.append(required(path, "resource or service backend is required"))
    service = backend.get("service")
    if not service:
        return
    check_name(service.get("name"), f"{path}.service.name", names.dns1035_label, out)
    port = service.get("port") or {}
    if port.get("name") and port.get("number"):
        out.append(invalid(f"{path}.service.port", "", "cannot set both port name & port number"))
    elif port.get("name"):
        check_port_or_name(port["name"], f"{path}.service.port.name", out)
    elif port.get("number"):
        check_port_or_name(port["number"], f"{path}.service.port.number", out)
    else:
        out.append(required(f"{path}.service.port", "port name or number is required"))


def check_network_policy(obj: Obj, out: Causes) -> None:
    """A NetworkPolicy: its selectors, ports and address blocks."""
    spec = obj.get("spec") or {}
    check_selector(spec.get("podSelector"), "spec.podSelector", out)
    for field, peers in (("ingress", "from"), ("egress", "to")):
        for position, rule in enumerate(spec.get(field) or ()):
            path = f"spec.{field}[{position}]"
            for place, port in enumerate(rule.get("ports") or ()):
                where = f"{path}.ports[{place}]"
                check_enum(port.get("protocol"), f"{where}.protocol", _PROTOCOLS, out)
                if port.get("port") is not None:
                    check_port_or_name(port["port"], f"{where}.port", out)
            for place, peer in enumerate(rule.get(peers) or ()):
                _check_peer(peer, f"{path}.{peers}[{place}]", out)
    for position, kind in enumerate(spec.get("policyTypes") or ()):
        check_needed_enum(kind, f"spec.policyTypes[{position}]", ("Egress", "Ingress"), out)


def _check_peer(peer: Obj, path: str, out: Causes) -> None:
    given = present(peer, ("podSelector", "namespaceSelector", "ipBlock"))
    if not given:
        out.append(required(path, "must specify a peer"))
    if "ipBlock" in given and len(given) > 1:
        out.append(forbidden(path, "may not specify both ipBlock and another peer"))
    check_selector(peer.get("podSelector"), f"{path}.podSelector", out)
    check_selector(peer.get("namespaceSelector"), f"{path}.namespaceSelector", out)
    if block := peer.get("ipBlock"):
        try:
            ipaddress.ip_network(block.get("cidr") or "", strict=False)
        except ValueError:
            why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            out.append(invalid(f"{path}.ipBlock.cidr", block.get("cidr") or "", why))


def ip_address_name(name: str) -> list[str]:
    """An IPAddress is named after its address, in the canonical form (ValidateIPAddressName)."""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return [f'ParseAddr("{name}"): unable to parse IP']
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return [] if name == (f"::ffff:{mapped}" if mapped else str(address)) else ["must be a canonical format IP address"]


def check_ip_address(obj: Obj, out: Causes) -> None:
    """What an IPAddress is for: one object of some resource."""
    parent = (obj.get("spec") or {}).get("parentRef")
    if not parent:
        out.append(required("spec.parentRef"))
        return
    for field in ("resource", "name"):
        if not parent.get(field):
            out.append(required(f"spec.parentRef.{field}"))


def check_ip_address_update(new: Obj, old: Obj, out: Causes) -> None:
    """The object that an address is for does not change."""
    ours, theirs = (new.get("spec") or {}).get("parentRef"), (old.get("spec") or {}).get("parentRef")
    if ours != theirs:
        out.append(invalid("spec.parentRef", ours, "field is immutable"))


def check_service_cidr(obj: Obj, out: Causes) -> None:
    """One range, or one of each family."""
    path, cidrs = "spec.cidrs", (obj.get("spec") or {}).get("cidrs") or []
    if not cidrs:
        out.append(required(path, "at least one CIDR required"))
    if len(cidrs) > 2:
        out.append(invalid(path, cidrs, "may only hold up to 2 values"))
    versions: list[int] = []
    for position, cidr in enumerate(cidrs):
        try:
            versions.append(ipaddress.ip_network(cidr).version)
        except ValueError:
            why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
            out.append(invalid(f"{path}[{position}]", cidr, why))
    if len(versions) == 2 and versions[0] == versions[1]:
        why = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        out.append(invalid(path, cidrs, why))


def check_service_cidr_update(new: Obj, old: Obj, out: Causes) -> None:
    """Ranges stay; a second family may be added."""
    ours, theirs = (new.get("spec") or {}).get("cidrs") or [], (old.get("spec") or {}).get("cidrs") or []
    if ours[: len(theirs)] != theirs or len(ours) > max(len(theirs), 2):
        out.append(invalid("spec.cidrs", ours, "field is immutable"))
