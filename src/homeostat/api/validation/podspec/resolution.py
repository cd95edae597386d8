"""How a Pod finds names: its DNS configuration and its host aliases.

Rules: pkg/apis/core/validation (validatePodDNSConfig, ValidateHostAliases).
"""

from __future__ import annotations

import ipaddress

from homeostat.api import names
from homeostat.api.fields import Causes, invalid, required
from homeostat.api.types import Obj

_BAD_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_NAMESERVERS_MAX = 3
_SEARCHES_MAX = 32
_SEARCH_CHARS_MAX = 2048


def check_ip(text: str | None, path: str, out: Causes) -> None:
    """An IPv4 or IPv6 address."""
    if not is_ip(text or ""):
        out.append(invalid(path, text or "", _BAD_IP))


def is_ip(text: str) -> bool:
    """Whether the text is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def check_dns(spec: Obj, path: str, out: Causes) -> None:
    """dnsConfig; with policy None it must say everything. `path` is that of the spec."""
    config, where = spec.get("dnsConfig"), f"{path}.dnsConfig"
    if spec.get("dnsPolicy") == "None":
        if config is None:
            out.append(required(where, "must provide `dnsConfig` when `dnsPolicy` is None"))
            return
        if not config.get("nameservers"):
            why = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            out.append(required(f"{where}.nameservers", why))
            return
    if config is not None:
        _check_config(config, where, out)


def _check_config(config: Obj, path: str, out: Causes) -> None:
    servers, searches = config.get("nameservers") or [], config.get("searches") or []
    if len(servers) > _NAMESERVERS_MAX:
        why = f"must not have more than {_NAMESERVERS_MAX} nameservers"
        out.append(invalid(f"{path}.nameservers", servers, why))
    for position, server in enumerate(servers):
        check_ip(server, f"{path}.nameservers[{position}]", out)
    if len(searches) > _SEARCHES_MAX:
        out.append(invalid(f"{path}.searches", searches, f"must not have more than {_SEARCHES_MAX} search paths"))
    if len(" ".join(searches)) > _SEARCH_CHARS_MAX:
        why = f"must not have more than {_SEARCH_CHARS_MAX} characters (including spaces) in the search list"
        out.append(invalid(f"{path}.searches", searches, why))
    for position, search in enumerate(searches):
        # A trailing dot, the root alone and underscores are allowed here.
        if search != "." and (problems := names.dns1123_subdomain(search.removesuffix(".").replace("_", "a"))):
            out += [invalid(f"{path}.searches[{position}]", search.removesuffix("."), why) for why in problems]
    for position, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            out.append(required(f"{path}.options[{position}]", "must not be empty"))


def check_host_aliases(aliases: list[Obj], path: str, out: Causes) -> None:
    """Lines of a Pod's hosts file: an address and names."""
    for position, alias in enumerate(aliases):
        check_ip(alias.get("ip"), f"{path}[{position}].ip", out)
        for place, name in enumerate(alias.get("hostnames") or ()):
            where = f"{path}[{position}].hostnames[{place}]"
            out += [invalid(where, name, why) for why in names.dns1123_subdomain(name)]
