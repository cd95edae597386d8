"""What a Service says of load balancers and of how traffic reaches it.

Rules: pkg/apis/core/validation (ValidateService, validateServiceExternalTrafficPolicy, validateLoadBalancerClassField).
"""

from __future__ import annotations

import ipaddress

from homeostat.api import names
from homeostat.api.fields import Causes, forbidden, invalid, not_supported
from homeostat.api.shape.service_values import has_health_port, reached_from_outside, service_type
from homeostat.api.types import Obj
from homeostat.api.validation.common import check_enum

_BAD_RANGE = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
_BALANCER_ONLY = "may only be used when `type` is 'LoadBalancer'"
_RANGES = "spec.LoadBalancerSourceRanges"  # kube-apiserver's spelling of the path
_NEAR = ("PreferClose", "PreferSameNode", "PreferSameZone")


def check_range(text: str, path: str, out: Causes) -> None:
    """A range of addresses with its prefix length."""
    try:
        ipaddress.ip_network(text, strict=False)
        good = "/" in text
    except ValueError:
        good = False
    if not good:
        out.append(invalid(path, text, _BAD_RANGE))


def check_balancer(spec: Obj, out: Causes) -> None:
    """The fields that only load balancers have."""
    balanced = service_type(spec) == "LoadBalancer"
    ranges = spec.get("loadBalancerSourceRanges") or []
    if ranges and not balanced:
        out.append(forbidden(_RANGES, _BALANCER_ONLY))
    for position, text in enumerate(ranges):
        check_range(text.strip(), f"{_RANGES}[{position}]", out)
    if spec.get("allocateLoadBalancerNodePorts") is not None and not balanced:
        out.append(forbidden("spec.allocateLoadBalancerNodePorts", _BALANCER_ONLY))
    of_class = spec.get("loadBalancerClass")
    if of_class is None:
        return
    if not balanced:
        out.append(forbidden("spec.loadBalancerClass", _BALANCER_ONLY))
    else:
        out += [invalid("spec.loadBalancerClass", of_class, why) for why in names.qualified_name(of_class)]


def check_balancer_update(new: Obj, old: Obj, out: Causes) -> None:
    """A load balancer keeps its class."""
    both = service_type(new) == service_type(old) == "LoadBalancer"
    if both and new.get("loadBalancerClass") != old.get("loadBalancerClass"):
        out.append(invalid("spec.loadBalancerClass", new.get("loadBalancerClass"), "may not change once set"))


def check_traffic(spec: Obj, out: Causes) -> None:
    """Policies of traffic from outside and inside, the port of health checks, and nearness."""
    policy = spec.get("externalTrafficPolicy")
    if policy and not reached_from_outside(spec):
        why = "may only be set for externally-accessible services"
        out.append(invalid("spec.externalTrafficPolicy", policy, why))
    else:
        check_enum(policy, "spec.externalTrafficPolicy", ("Cluster", "Local"), out)
    health = spec.get("healthCheckNodePort")
    if health and not has_health_port(spec):
        why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        out.append(invalid("spec.healthCheckNodePort", health, why))
    elif health:
        out += [invalid("spec.healthCheckNodePort", health, why) for why in names.port_number(health)]
    check_enum(spec.get("internalTrafficPolicy"), "spec.internalTrafficPolicy", ("Cluster", "Local"), out)
    nearness = spec.get("trafficDistribution")
    if nearness is not None and nearness not in _NEAR:
        out.append(not_supported("spec.trafficDistribution", nearness, _NEAR))
