"""How a pod finds names: its resolv.conf, its hosts file, its host name. Pure.

Rules: pkg/kubelet/network/dns (GetPodDNS, limits), kubelet_pods.go (managed hosts file, GeneratePodHostNameAndDomain).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from homeostat.api import meta
from homeostat.api.types import Obj
from homeostat.node.podspec import spec
from homeostat.runtime.contract import Dns

_SERVERS_MAX, _SEARCHES_MAX, _SEARCH_CHARS_MAX = 3, 32, 2048
_CLUSTER_OPTIONS = ("ndots:5",)
_HOST_NAME_MAX = 63
_HOSTS = (
    ("127.0.0.1", "localhost"),
    ("::1", "localhost ip6-localhost ip6-loopback"),
    ("fe00::", "ip6-localnet"),
    ("fe00::", "ip6-mcastprefix"),
    ("fe00::1", "ip6-allnodes"),
    ("fe00::2", "ip6-allrouters"),
)


@dataclass(frozen=True, slots=True)
class Resolver:
    """What the node knows: the cluster's DNS addresses and domain, and the node's own resolv.conf."""

    cluster_servers: tuple[str, ...] = ()
    cluster_domain: str = ""
    node: Dns = field(default_factory=Dns)


@dataclass(frozen=True, slots=True)
class Resolution:
    """A pod's resolv.conf, and what is to be reported about it: (reason, message) of events."""

    dns: Dns
    warnings: tuple[tuple[str, str], ...] = ()


def parse_resolv_conf(text: str) -> Dns:
    """The content of a resolv.conf file; of several search lines the last counts."""
    servers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        words = line.split("#", 1)[0].split(";", 1)[0].split()
        if not words:
            continue
        if words[0] == "nameserver" and len(words) > 1:
            servers.append(words[1])
        elif words[0] in ("search", "domain"):
            searches = words[1:]
        elif words[0] == "options":
            options += words[1:]
    return Dns(tuple(servers), tuple(searches), tuple(options))


def resolution(pod: Obj, resolver: Resolver) -> Resolution:
    """The pod's DNS by its policy and its dnsConfig, within the C library's limits."""
    body, warnings = spec.spec(pod), []
    policy = body.get("dnsPolicy") or "ClusterFirst"
    on_host = policy == "ClusterFirst" and spec.host_network(pod)
    if policy.startswith("ClusterFirst") and not on_host and not resolver.cluster_servers:
        whose = f'pod: "{meta.name(pod)}_{meta.namespace(pod)}({meta.uid(pod)})"'
        why = "kubelet does not have ClusterDNS IP configured and cannot create Pod using"
        text = f'{whose}. {why} "{policy}" policy. Falling back to "Default" policy.'
        warnings.append(("MissingClusterDNS", text))
        on_host = True
    if policy == "None":
        dns = Dns()
    elif policy == "Default" or on_host:
        dns = resolver.node
    else:
        domain, namespace = resolver.cluster_domain, meta.namespace(pod)
        own = (f"{namespace}.svc.{domain}", f"svc.{domain}", domain) if domain else ()
        searches = tuple(dict.fromkeys((*own, *resolver.node.searches)))
        dns = Dns(resolver.cluster_servers, searches, _CLUSTER_OPTIONS)
    dns = _with_config(dns, body.get("dnsConfig") or {})
    dns, cut = _limited(dns)
    return Resolution(dns, (*warnings, *cut))


def _with_config(dns: Dns, config: Obj) -> Dns:
    servers = tuple(dict.fromkeys((*dns.servers, *(config.get("nameservers") or ()))))
    searches = tuple(dict.fromkeys((*dns.searches, *(config.get("searches") or ()))))
    options = {option.partition(":")[0]: option for option in dns.options}
    for option in config.get("options") or ():
        value = option.get("value")
        options[option["name"]] = f"{option['name']}:{value}" if value is not None else option["name"]
    return Dns(servers, searches, tuple(options.values()))


def _limited(dns: Dns) -> tuple[Dns, list[tuple[str, str]]]:
    warnings = []
    servers, searches = dns.servers[:_SERVERS_MAX], dns.searches[:_SEARCHES_MAX]
    if servers != dns.servers:
        line = " ".join(servers)
        text = "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is:"
        warnings.append(("DNSConfigForming", f"{text} {line}"))
    while len(" ".join(searches)) > _SEARCH_CHARS_MAX:
        searches = searches[:-1]
    if searches != dns.searches:
        line = " ".join(searches)
        text = "Search Line limits were exceeded, some search paths have been omitted, the applied search line is:"
        warnings.append(("DNSConfigForming", f"{text} {line}"))
    return Dns(servers, searches, dns.options), warnings


def host_names(pod: Obj, domain: str) -> tuple[str, str]:
    """The pod's host name, and its domain name in the cluster (empty without a subdomain)."""
    body = spec.spec(pod)
    if body.get("hostnameOverride"):
        return str(body["hostnameOverride"]), ""
    name = str(body.get("hostname") or meta.name(pod)[:_HOST_NAME_MAX].rstrip("-."))
    subdomain = body.get("subdomain")
    inside = f"{subdomain}.{meta.namespace(pod)}.svc.{domain}" if subdomain else ""
    return name, inside


def sandbox_host_name(pod: Obj, domain: str, node_name: str) -> str:
    """The name that the pod's processes see."""
    if spec.host_network(pod) and not spec.spec(pod).get("hostnameOverride"):
        return node_name
    name, inside = host_names(pod, domain)
    return f"{name}.{inside}" if inside and spec.spec(pod).get("setHostnameAsFQDN") else name


def hosts_file(pod: Obj, pod_ips: Sequence[str], domain: str) -> str:
    """The pod's /etc/hosts, with its aliases."""
    name, inside = host_names(pod, domain)
    names = f"{name}.{inside}\t{name}" if inside else name
    lines = ["# Kubernetes-managed hosts file.", *(f"{address}\t{word}" for address, word in _HOSTS)]
    lines += [f"{address}\t{names}" for address in pod_ips if address]
    return "\n".join([*lines, *_aliases(pod)]) + "\n"


def node_hosts_file(pod: Obj, node_hosts: str) -> str:
    """The /etc/hosts of a pod in the node's network: the node's, with the pod's aliases."""
    lines = ["# Kubernetes-managed hosts file (host network).", node_hosts.rstrip("\n")]
    return "\n".join([*lines, *_aliases(pod)]) + "\n"


def _aliases(pod: Obj) -> list[str]:
    aliases = spec.spec(pod).get("hostAliases") or []
    lines = [f"{alias['ip']}\t{chr(9).join(alias.get('hostnames') or ())}" for alias in aliases]
    return ["", "# Entries added by HostAliases.", *lines] if lines else []
