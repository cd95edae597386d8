"""Service, Endpoints and EndpointSlice.

Rules: pkg/apis/core/validation (ValidateService) and pkg/apis/discovery/validation. Loopback addresses are accepted as
endpoints: the process runtime gives Pods addresses on loopback.
"""

from __future__ import annotations

import ipaddress

from homeostat.api import names
from homeostat.api.fields import Causes, duplicate, forbidden, invalid, required, too_many
from homeostat.api.shape.service_values import service_type
from homeostat.api.types import Obj
from homeostat.api.validation.balancing import check_balancer, check_balancer_update, check_traffic
from homeostat.api.validation.common import (
    check_enum,
    check_immutable,
    check_needed_enum,
    check_optional_name,
    check_port_or_name,
)
from homeostat.api.validation.objectmeta import check_labels
from homeostat.api.validation.podspec.resolution import check_ip, is_ip

_PROTOCOLS = ("SCTP", "TCP", "UDP")
_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_AFFINITY_SECONDS_MAX = 86400
_LOCAL_MULTICAST = (ipaddress.ip_network("224.0.0.0/24"), ipaddress.ip_network("ff02::/16"))
_ENDPOINTS_MAX = 1000
_ADDRESSES_MAX = 100
_SLICE_PORTS_MAX = 20_000


def check_service(obj: Obj, out: Causes) -> None:
    """A Service."""
    spec = obj.get("spec") or {}
    kind, ports = service_type(spec), spec.get("ports") or []
    headless = spec.get("clusterIP") == "None"
    if not ports and not headless and kind != "ExternalName":
        out.append(required("spec.ports"))
    check_enum(kind, "spec.type", _TYPES, out)
    if headless and kind in ("NodePort", "LoadBalancer"):
        why = f"may not be set to 'None' for {kind} services"
        out.append(invalid("spec.clusterIPs[0]", "None", why))
    if kind == "ExternalName":
        _check_external_name(spec, out)
    check_labels(spec.get("selector"), "spec.selector", out)
    _check_affinity(spec, out)
    if spec.get("clusterIP") not in (None, "", "None"):
        check_ip(spec["clusterIP"], "spec.clusterIPs[0]", out)
    for position, address in enumerate(spec.get("externalIPs") or ()):
        _check_outside_ip(address, f"spec.externalIPs[{position}]", out)
    _check_service_ports(ports, kind, out)
    check_balancer(spec, out)
    check_traffic(spec, out)


def _check_external_name(spec: Obj, out: Causes) -> None:
    if spec.get("clusterIP") or spec.get("clusterIPs"):
        out.append(forbidden("spec.clusterIPs", "may not be set for ExternalName services"))
    for field in ("ipFamilies", "ipFamilyPolicy"):
        if spec.get(field):
            out.append(forbidden(f"spec.{field}", "may not be set for ExternalName services"))
    name = (spec.get("externalName") or "").removesuffix(".")
    if not name:
        out.append(required("spec.externalName"))
    else:
        out += [invalid("spec.externalName", name, why) for why in names.dns1123_subdomain(name)]


def _check_outside_ip(text: str, path: str, out: Causes) -> None:
    """An address that traffic from outside can have (ValidateNonSpecialIP)."""
    if not is_ip(text):
        check_ip(text, path, out)
        return
    address = ipaddress.ip_address(text)
    why = ""
    if address.is_unspecified:
        why = f"may not be unspecified ({text})"
    elif address.is_loopback:
        why = "may not be in the loopback range (127.0.0.0/8, ::1/128)"
    elif address.is_link_local:
        why = "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
    elif any(address in block for block in _LOCAL_MULTICAST):
        why = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
    if why:
        out.append(invalid(path, text, why))


def _check_affinity(spec: Obj, out: Causes) -> None:
    affinity = spec.get("sessionAffinity")
    check_enum(affinity, "spec.sessionAffinity", ("ClientIP", "None"), out)
    config = spec.get("sessionAffinityConfig")
    if affinity != "ClientIP":
        if config:
            why = "must not be set when session affinity is None"
            out.append(forbidden("spec.sessionAffinityConfig", why))
        return
    seconds = ((config or {}).get("clientIP") or {}).get("timeoutSeconds")
    if seconds is not None and not 0 < seconds <= _AFFINITY_SECONDS_MAX:
        path = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
        out.append(invalid(path, seconds, f"must be greater than 0 and less than {_AFFINITY_SECONDS_MAX}"))


def _check_service_ports(ports: list[Obj], kind: str, out: Causes) -> None:
    seen_names: set[str] = set()
    seen_ports: set[tuple[str, int]] = set()
    seen_node_ports: set[tuple[str, int]] = set()
    for position, port in enumerate(ports):
        path = f"spec.ports[{position}]"
        _check_port_name(port.get("name"), path, seen_names, out, needed=len(ports) > 1)
        number, protocol = port.get("port") or 0, port.get("protocol") or "TCP"
        out += [invalid(f"{path}.port", number, why) for why in names.port_number(number)]
        check_enum(protocol, f"{path}.protocol", _PROTOCOLS, out)
        if port.get("targetPort") is not None:
            check_port_or_name(port["targetPort"], f"{path}.targetPort", out)
        check_optional_name(port.get("appProtocol"), f"{path}.appProtocol", names.qualified_name, out)
        if (protocol, number) in seen_ports:
            out.append(duplicate(path, {"port": number, "protocol": protocol}))
        seen_ports.add((protocol, number))
        node_port = port.get("nodePort")
        if not node_port:
            continue
        if kind == "ClusterIP":
            out.append(forbidden(f"{path}.nodePort", "may not be used when `type` is 'ClusterIP'"))
        if (protocol, node_port) in seen_node_ports:
            out.append(duplicate(f"{path}.nodePort", node_port))
        seen_node_ports.add((protocol, node_port))


def _check_port_name(name: str | None, path: str, seen: set[str], out: Causes, *, needed: bool) -> None:
    if not name:
        if needed:
            out.append(required(f"{path}.name"))
        return
    out += [invalid(f"{path}.name", name, why) for why in names.dns1123_label(name)]
    if name in seen:
        out.append(duplicate(f"{path}.name", name))
    seen.add(name)


def check_service_update(new: Obj, old: Obj, out: Causes) -> None:
    """The cluster address of a Service stays, unless it becomes or was an ExternalName."""
    ours, theirs = new.get("spec") or {}, old.get("spec") or {}
    check_balancer_update(ours, theirs, out)
    if "ExternalName" in (service_type(ours), service_type(theirs)):
        return
    before = theirs.get("clusterIP")
    if before and ours.get("clusterIP") != before:
        out.append(invalid("spec.clusterIPs[0]", [ours.get("clusterIP") or ""], "may not change once set"))


def check_endpoints(obj: Obj, out: Causes) -> None:
    """Endpoints."""
    for position, subset in enumerate(obj.get("subsets") or ()):
        path = f"subsets[{position}]"
        ready, waiting = subset.get("addresses") or (), subset.get("notReadyAddresses") or ()
        if not ready and not waiting:
            out.append(required(path, "must specify `addresses` or `notReadyAddresses`"))
        for field, addresses in (("addresses", ready), ("notReadyAddresses", waiting)):
            for place, address in enumerate(addresses):
                check_ip(address.get("ip"), f"{path}.{field}[{place}].ip", out)
        ports = subset.get("ports") or []
        seen: set[str] = set()
        for place, port in enumerate(ports):
            where = f"{path}.ports[{place}]"
            _check_port_name(port.get("name"), where, seen, out, needed=len(ports) > 1)
            number = port.get("port") or 0
            out += [invalid(f"{where}.port", number, why) for why in names.port_number(number)]
            check_enum(port.get("protocol"), f"{where}.protocol", _PROTOCOLS, out)


def check_endpointslice(obj: Obj, out: Causes) -> None:
    """An EndpointSlice: limits, addresses of its type, distinct port names."""
    kind = obj.get("addressType")
    check_needed_enum(kind, "addressType", ("FQDN", "IPv4", "IPv6"), out)
    endpoints, ports = obj.get("endpoints") or [], obj.get("ports") or []
    if len(endpoints) > _ENDPOINTS_MAX:
        out.append(too_many("endpoints", len(endpoints), _ENDPOINTS_MAX))
        return
    for position, endpoint in enumerate(endpoints):
        _check_addresses(endpoint.get("addresses") or [], kind or "", f"endpoints[{position}].addresses", out)
    if len(ports) > _SLICE_PORTS_MAX:
        out.append(too_many("ports", len(ports), _SLICE_PORTS_MAX))
        return
    seen: set[str] = set()
    for position, port in enumerate(ports):
        path, name = f"ports[{position}]", port.get("name") or ""
        check_optional_name(name, f"{path}.name", names.dns1123_label, out)
        if name in seen:
            out.append(duplicate(f"{path}.name", name))
        seen.add(name)
        check_enum(port.get("protocol"), f"{path}.protocol", _PROTOCOLS, out)


def _check_addresses(addresses: list[str], kind: str, path: str, out: Causes) -> None:
    if not addresses:
        out.append(required(path, "must contain at least 1 address"))
    elif len(addresses) > _ADDRESSES_MAX:
        out.append(too_many(path, len(addresses), _ADDRESSES_MAX))
        return
    for position, address in enumerate(addresses):
        where = f"{path}[{position}]"
        if kind == "FQDN":
            out += [invalid(where, address, why) for why in names.dns1123_subdomain(address)]
        elif not is_ip(address) or (":" in address) != (kind == "IPv6"):
            out.append(invalid(where, address, f"must be a valid {kind} address"))


def check_endpointslice_update(new: Obj, old: Obj, out: Causes) -> None:
    """The type of addresses stays."""
    check_immutable(new.get("addressType"), old.get("addressType"), "addressType", out)
