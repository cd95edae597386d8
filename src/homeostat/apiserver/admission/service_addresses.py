"""ServiceAddresses: gives a Service its cluster address and node ports, or takes the ones it asks for.

The last plugin to change a Service, since what it reserves is written before the Service is; what then comes to nothing
is given back by `allocation.reclaiming`. Rule: pkg/registry/core/service/storage, alloc.go.
"""

from __future__ import annotations

from typing import Any

from homeostat.api import errors, fields
from homeostat.api.errors import ApiError, Cause
from homeostat.api.shape import service_values
from homeostat.api.types import Obj
from homeostat.apiserver.admission.plugin import CREATE, UPDATE, Plugin, is_write_of, name_of
from homeostat.apiserver.allocation.service_addresses import Addresses, Full, NodePorts, Owner, Taken
from homeostat.apiserver.allocation.service_ranges import number_of, text_of
from homeostat.apiserver.contract import Attributes

_EXTERNAL = "ExternalName"
_HEADLESS = "None"


class ServiceAddresses(Plugin):
    """See the module."""

    name = "ServiceAddresses"
    mutates = frozenset({"services"})

    def __init__(self, addresses: Addresses, ports: NodePorts) -> None:
        self._addresses = addresses
        self._ports = ports

    async def mutate(self, attributes: Attributes) -> None:
        """Fill in and reserve. Raises 422, or 500 when a range is full."""
        if attributes.obj is None or not is_write_of(attributes, "services", CREATE, UPDATE):
            return
        spec = attributes.obj.setdefault("spec", {})
        old = (attributes.old or {}).get("spec") or {}
        if old:
            service_values.keep_allocated(attributes.obj, attributes.old or {})
        _families(attributes, spec)
        await self._address(attributes, spec, old)
        await self._node_ports(attributes, spec, old)
        await self._health_port(attributes, spec, old)

    async def _address(self, attributes: Attributes, spec: Obj, old: Obj) -> None:
        if spec.get("type") == _EXTERNAL:
            return
        asked, listed = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
        if listed and listed[0] != asked and listed != old.get("clusterIPs"):
            raise _contradicting(attributes, asked, listed)
        if asked == _HEADLESS or (asked and asked == old.get("clusterIP")):
            _set_address(spec, asked)
            return
        owner = (attributes.namespace, name_of(attributes))
        try:
            address = await self._reserve(attributes, owner, asked) if asked else await self._draw(attributes, owner)
        except Taken:
            raise _wrong_address(attributes, asked, "provided IP is already allocated") from None
        except Full:
            raise errors.internal("failed to allocate a serviceIP: range is full") from None
        _set_address(spec, address)

    async def _reserve(self, attributes: Attributes, owner: Owner, asked: str) -> str:
        number = number_of(asked)
        if number is None or number not in self._addresses.range:
            low, high = text_of(self._addresses.range.first), text_of(self._addresses.range.last)
            why = f"the provided IP ({asked}) is not in the valid range. The range of valid IPs is {low}-{high}"
            raise _wrong_address(attributes, asked, why)
        if not attributes.dry_run:
            await self._addresses.reserve(owner, number)
        return asked

    async def _draw(self, attributes: Attributes, owner: Owner) -> str:
        # A dry run shows an address that a real one might get; it is not kept.
        return text_of(self._addresses.range.last if attributes.dry_run else await self._addresses.draw(owner))

    async def _node_ports(self, attributes: Attributes, spec: Obj, old: Obj) -> None:
        if not _needs_ports(spec):
            return
        held = {port.get("nodePort") for port in old.get("ports") or ()}
        ports = spec.get("ports") or []
        fixed = [(at, port["nodePort"]) for at, port in enumerate(ports) if port.get("nodePort")]
        asked = list(dict.fromkeys(number for _, number in fixed if number not in held))
        for at, number in fixed:
            if number in asked and number not in self._ports.range:
                low, high = self._ports.range.first, self._ports.range.last
                why = f"provided port is not in the valid range. The range of valid ports is {low}-{high}"
                raise _wrong_port(attributes, at, number, why)
        # The same port over TCP and UDP shares one node port, as in Kubernetes.
        open_ports = list(dict.fromkeys(port.get("port") for port in ports if not port.get("nodePort")))
        if attributes.dry_run or not (asked or open_ports):
            return
        owner = (attributes.namespace, name_of(attributes))
        try:
            drawn = await self._ports.reserve(owner, asked, draws=len(open_ports))
        except Taken as taken:
            at = next(at for at, number in fixed if number == taken.args[0])
            raise _wrong_port(attributes, at, taken.args[0], "provided port is already allocated") from None
        except Full:
            raise errors.internal("failed to allocate a nodePort: range is full") from None
        given = dict(zip(open_ports, drawn, strict=True))
        spec["ports"] = [
            port if port.get("nodePort") else {**port, "nodePort": given[port.get("port")]} for port in ports
        ]

    async def _health_port(self, attributes: Attributes, spec: Obj, old: Obj) -> None:
        """The port on which each node says whether it has endpoints: one of the node ports (alloc.go,
        allocHealthCheckNodePort; what it cannot have is an internal error there too)."""
        if not service_values.has_health_port(spec) or attributes.dry_run:
            return
        asked = spec.get("healthCheckNodePort")
        if asked and asked == old.get("healthCheckNodePort"):
            return
        if asked and asked not in self._ports.range:
            low, high = self._ports.range.first, self._ports.range.last
            raise _no_health_port(
                asked, f"provided port is not in the valid range. The range of valid ports is {low}-{high}"
            )
        owner = (attributes.namespace, name_of(attributes))
        try:
            drawn = await self._ports.reserve(owner, [asked] if asked else [], draws=0 if asked else 1)
        except Taken:
            raise _no_health_port(asked, "provided port is already allocated") from None
        except Full:
            raise errors.internal("failed to allocate a HealthCheck NodePort: range is full") from None
        spec["healthCheckNodePort"] = asked or drawn[0]


def _needs_ports(spec: Obj) -> bool:
    if spec.get("type") == "LoadBalancer":
        return spec.get("allocateLoadBalancerNodePorts") is not False
    return spec.get("type") == "NodePort"


def _set_address(spec: Obj, address: str) -> None:
    spec["clusterIP"], spec["clusterIPs"] = address, [address]


def _families(attributes: Attributes, spec: Obj) -> None:
    """Only IPv4 is supported; other families are refused with an error that names them."""
    if spec.get("type") == _EXTERNAL:
        return
    if spec.get("ipFamilyPolicy") == "RequireDualStack":
        why = 'Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services'
        raise _invalid(attributes, Cause("FieldValueInvalid", "spec.ipFamilyPolicy", why))
    for at, family in enumerate(spec.get("ipFamilies") or ()):
        if family != "IPv4":
            why = f'Invalid value: "{family}": not configured on this cluster'
            raise _invalid(attributes, Cause("FieldValueInvalid", f"spec.ipFamilies[{at}]", why))
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")


def _contradicting(attributes: Attributes, asked: str, listed: list[str]) -> ApiError:
    if not asked:
        why = "must be empty when `clusterIP` is not specified"
        return _invalid(attributes, fields.forbidden("spec.clusterIPs", why))
    return _invalid(attributes, fields.invalid("spec.clusterIPs", listed, "first value must match `clusterIP`"))


def _wrong_address(attributes: Attributes, asked: str, why: str) -> ApiError:
    text = f'Invalid value: ["{asked}"]: failed to allocate IP {asked}: {why}'
    return _invalid(attributes, Cause("FieldValueInvalid", "spec.clusterIPs", text))


def _wrong_port(attributes: Attributes, at: int, port: Any, why: str) -> ApiError:
    return _invalid(
        attributes, Cause("FieldValueInvalid", f"spec.ports[{at}].nodePort", f"Invalid value: {port}: {why}")
    )


def _no_health_port(port: object, why: str) -> ApiError:
    return errors.internal(f"failed to allocate requested HealthCheck NodePort {port}: {why}")


def _invalid(attributes: Attributes, cause: Cause) -> ApiError:
    return errors.invalid("Service", "", name_of(attributes), [cause])
