"""Assembles the server's edge: who asks, who may, what is admitted, subresources, discovery, upkeep.

`build_edge(config)` gives the `contract.Build` that `server.ApiServer` takes as `parts`. It is the only module that
knows all of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from homeostat.api.errors import ApiError
from homeostat.api.podsecurity.configuration import Configuration as PodSecurityConfiguration
from homeostat.api.types import Obj
from homeostat.apiserver.admission.certificates import CertificateGuard, CertificateIdentity
from homeostat.apiserver.admission.limit_ranger import LimitRanger
from homeostat.apiserver.admission.namespace_lifecycle import NamespaceLifecycle
from homeostat.apiserver.admission.node_restriction import NodeRestriction
from homeostat.apiserver.admission.node_roles import NodeRoles
from homeostat.apiserver.admission.pod_defaults import DefaultTolerationSeconds, TaintNodesByCondition
from homeostat.apiserver.admission.pod_security import PodSecurity
from homeostat.apiserver.admission.priority import Priority
from homeostat.apiserver.admission.rbac_escalation import RbacEscalation
from homeostat.apiserver.admission.runtime_class import RuntimeClass
from homeostat.apiserver.admission.service_account import ServiceAccount
from homeostat.apiserver.admission.service_addresses import ServiceAddresses
from homeostat.apiserver.allocation.reclaiming import AllocationUpkeep
from homeostat.apiserver.allocation.service_addresses import Addresses, NodePorts
from homeostat.apiserver.allocation.service_ranges import address_range, port_range, text_of
from homeostat.apiserver.authn import openid
from homeostat.apiserver.authn.authentication import (
    Anonymous,
    BearerTokens,
    Credentials,
    PeerCertificates,
    ServiceAccountTokens,
)
from homeostat.apiserver.authn.bootstrap_tokens import BootstrapTokens
from homeostat.apiserver.authn.service_account_tokens import TokenIssuer
from homeostat.apiserver.authz.authorizers import ALWAYS_ALLOW, by_modes
from homeostat.apiserver.authz.node_authorizer import NodeAuthorizer
from homeostat.apiserver.authz.rbac import Rbac
from homeostat.apiserver.authz.rbac_policy import node_rules
from homeostat.apiserver.authz.rbac_rules import parse_all
from homeostat.apiserver.bodies.negotiation import Negotiation
from homeostat.apiserver.contract import Admission, Authorizer, Build, Parts, Reader, SubresourceHandler, Writer
from homeostat.apiserver.describe import openapi_endpoints
from homeostat.apiserver.describe.discovery import Discovery
from homeostat.apiserver.subresources import binding, eviction, scale
from homeostat.apiserver.subresources.log import KubeletDialer, Logs, guarded
from homeostat.apiserver.subresources.proxy import EndpointDialer, Proxies
from homeostat.apiserver.subresources.reviews import Reviews
from homeostat.apiserver.subresources.streams import Streams
from homeostat.apiserver.subresources.token import TokenRequests
from homeostat.apiserver.upkeep.cluster_objects import Bootstrap
from homeostat.apiserver.upkeep.server_leases import Presence
from homeostat.wire.message import Handler, Request, Response, User


def no_kubelet(node: Obj) -> Handler:
    """The dialer of a server that reaches no node. Raises 503."""
    raise ApiError(503, "ServiceUnavailable", f"this API server has no way to node {node['metadata']['name']}")


def no_role(node: str) -> str:
    """The plan of a cluster whose nodes have no roles."""
    return ""


async def no_endpoint(origin: str, request: Request) -> Response:
    """The dialer of a server that reaches no Pod. Raises 503."""
    raise ApiError(503, "ServiceUnavailable", f"this API server has no way to {origin}")


@dataclass(frozen=True, slots=True)
class EdgeConfig:
    """The edge's options; the names are those of kube-apiserver's flags.

    `service_account_key` is a P-256 private key, PKCS#8 PEM; `advertise_host` and `advertise_port` are where clients
    inside the cluster reach this server; `static_tokens` maps tokens to users.
    """

    service_account_key: str
    service_account_issuer: str = "https://kubernetes.default.svc.cluster.local"
    advertise_host: str = "127.0.0.1"
    advertise_port: int = 6443
    service_cluster_ip_range: str = "10.96.0.0/16"
    service_node_port_range: str = "30000-32767"
    default_not_ready_toleration_seconds: int = 300
    default_unreachable_toleration_seconds: int = 300
    anonymous_auth: bool = True
    # A comma-separated list of Node, RBAC, AlwaysAllow, AlwaysDeny; the first that allows is enough.
    authorization_mode: str = "Node,RBAC"
    static_tokens: Mapping[str, User] = field(default_factory=dict)
    dial_kubelet: KubeletDialer = no_kubelet
    # The role of a node, by its name, when its agent registers it; empty for none.
    node_role: Callable[[str], str] = no_role
    dial_endpoint: EndpointDialer = no_endpoint
    # Whether nodes and Pods are plain processes of this machine, with addresses of 127.0.0.0/8.
    loopback_nodes: bool = False
    # What Pod Security asks of namespaces without labels, and who is exempt (--admission-control-config-file).
    pod_security: PodSecurityConfiguration = field(default_factory=PodSecurityConfiguration)


def build_edge(config: EdgeConfig) -> Build:
    """The function that builds a server's parts once its reader and writer exist. Raises ValueError on bad ranges."""
    addresses_range = address_range(config.service_cluster_ip_range)
    ports_range = port_range(config.service_node_port_range)
    issuer = TokenIssuer(config.service_account_key, issuer=config.service_account_issuer)

    def build(reader: Reader, writer: Writer) -> Parts:
        rbac = Rbac(reader)
        authorizer = _authorizer(config, reader, rbac)
        tokens = BearerTokens(config.static_tokens, ServiceAccountTokens(issuer, reader), BootstrapTokens(reader))
        addresses, ports = Addresses(reader, writer, addresses_range), NodePorts(reader, writer, ports_range)
        bootstrap = Bootstrap(reader, writer, service_range=config.service_cluster_ip_range)
        presence = Presence(
            reader,
            writer,
            bootstrap,
            host=config.advertise_host,
            port=config.advertise_port,
            cluster_ip=text_of(addresses_range.first),
        )
        upkeep = AllocationUpkeep(reader, writer, addresses, ports)
        background: Sequence[Callable[[], Awaitable[None]]] = (bootstrap.run, presence.run, upkeep.run)
        credentials = (
            (PeerCertificates(), tokens, Anonymous()) if config.anonymous_auth else (PeerCertificates(), tokens)
        )
        return Parts(
            authenticators=(Credentials(credentials, authorizer),),
            authorizer=None if config.authorization_mode == ALWAYS_ALLOW else authorizer,
            admission=(
                *_admission(config, reader, rbac),
                CertificateGuard(authorizer),
                ServiceAddresses(addresses, ports),
            ),
            handlers=_handlers(config, issuer, Reviews(authorizer, rbac, tokens), authorizer),
            paths={**_paths(config), **openid.paths(issuer)},
            negotiator=Negotiation(),
            background=background,
            ready={"poststarthook/rbac/bootstrap-roles": bootstrap.check},
        )

    return build


def _authorizer(config: EdgeConfig, reader: Reader, rbac: Rbac) -> Authorizer:
    """Who may: by the modes that the configuration lists. Raises ValueError on an unknown one."""
    known: dict[str, Authorizer] = {"RBAC": rbac, "Node": NodeAuthorizer(reader, parse_all(node_rules()))}
    return by_modes(config.authorization_mode, known)


def _admission(config: EdgeConfig, reader: Reader, rbac: Rbac) -> Sequence[Admission]:
    """kube-apiserver's order of plugins, but for the last ones."""
    tolerations = DefaultTolerationSeconds(
        not_ready_seconds=config.default_not_ready_toleration_seconds,
        unreachable_seconds=config.default_unreachable_toleration_seconds,
    )
    return (
        NamespaceLifecycle(reader),
        LimitRanger(reader),
        ServiceAccount(reader),
        NodeRestriction(reader),
        NodeRoles(config.node_role),
        TaintNodesByCondition(),
        PodSecurity(reader, config.pod_security),
        Priority(reader),
        tolerations,
        RuntimeClass(reader),
        RbacEscalation(rbac),
        CertificateIdentity(),
    )


def _handlers(
    config: EdgeConfig, issuer: TokenIssuer, reviews: Reviews, authorizer: Authorizer | None
) -> Mapping[tuple[str, str], SubresourceHandler]:
    handlers: dict[tuple[str, str], SubresourceHandler] = {
        (resource, "scale"): scale.scale for resource in scale.RESOURCES
    }
    handlers |= reviews.handlers()
    dial = guarded(config.dial_kubelet, loopback=config.loopback_nodes)
    proxies = Proxies(dial, config.dial_endpoint, loopback=config.loopback_nodes)
    streams = Streams(dial, authorizer)
    handlers |= {
        ("bindings", ""): binding.bind,
        ("pods", "binding"): binding.bind,
        ("pods", "eviction"): eviction.evict,
        ("nodes", "proxy"): proxies.node,
        ("pods", "proxy"): proxies.pod,
        ("services", "proxy"): proxies.service,
        ("pods", "attach"): streams.attach,
        ("pods", "exec"): streams.execute,
        ("pods", "portforward"): streams.port_forward,
        ("pods", "log"): Logs(dial).read,
        ("serviceaccounts", "token"): TokenRequests(issuer).create,
    }
    return handlers


def _paths(config: EdgeConfig) -> Mapping[str, SubresourceHandler]:
    discovery = Discovery(f"{config.advertise_host}:{config.advertise_port}").handle
    return {
        "/api": discovery,
        "/apis": discovery,
        "/openapi/v2": openapi_endpoints.v2,
        "/openapi/v3": openapi_endpoints.v3,
    }
