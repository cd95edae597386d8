"""A node's services, as its init knows them. Pure data, and the rules for valid units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from homeostat.cluster import node_layout

# Docker's service on such a node is its container engine: one stops and starts with the other.
ALIASES = {"docker": "containerd", "ssh": "sshd"}


@dataclass(frozen=True, slots=True)
class Unit:
    """One service. `argv` is a program, or with `component` a component of the cluster that runs in a fork of init. A
    stop ends the main process alone: containers outlive their engine and logins outlive sshd, as with KillMode=process
    in the units of both."""

    name: str
    description: str
    argv: tuple[str, ...]
    component: bool = False
    environment: dict[str, str] = field(default_factory=dict)


def units_of(node: str, *, proxy: str = "", ssh: bool = True) -> list[Unit]:
    """The units of a node, in the order of their start. `proxy` is where the engine finds registries (a URL); `ssh`
    whether an SSH server can run there."""
    state = f"--state={node_layout.KUBERNETES}"
    engine = {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "NO_PROXY": "localhost,127.0.0.1,10.0.0.0/8,172.16.0.0/12"}
    units = [
        Unit(
            "containerd",
            "containerd container runtime",
            ("containerd", "--config", node_layout.CONTAINERD_CONFIG),
            environment=engine if proxy else {},
        ),
        Unit("kubelet", "Kubernetes node agent", ("kubelet", state, f"--node={node}"), component=True),
        Unit("kube-proxy", "Kubernetes service proxy", ("kube-proxy", state, f"--node={node}"), component=True),
        Unit("sshd", "OpenBSD Secure Shell server", ("/usr/sbin/sshd", "-D", "-e", "-f", "/etc/ssh/sshd_config")),
    ]
    return [unit for unit in units if ssh or unit.name != "sshd"]


def canonical(name: str) -> str:
    """The unit that a person means by `name`, with or without `.service`."""
    plain = name.removesuffix(".service")
    return ALIASES.get(plain, plain)


def unknown(name: str, known: Sequence[str]) -> str:
    """What to say of a unit that is not there."""
    plain = name.removesuffix(".service")
    near = get_close_matches(plain, [*known, *ALIASES], n=1)
    return f"Unit {plain}.service could not be found." + (f" Did you mean {near[0]}?" if near else "")
