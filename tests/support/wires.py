"""A small cluster's network for tests: two nodes and an outside host on one wire, Pods on the nodes' bridges.

outside .9 ──┐
node a .21 ──┼── wire 172.30.0.0/24       Pods of a: 10.244.1.2 and on, of b: 10.244.2.2 and on
node b .22 ──┘
"""

from __future__ import annotations

import socket
import threading
from collections import Counter

from tests.support.netns import Space, join


class Server:
    """Answers every TCP connection and every datagram with `NAME CLIENT-ADDRESS`."""

    def __init__(self, space: Space, port: int = 8080) -> None:
        self.open = True
        self._tcp, self._udp = space.do(lambda: (_listener(port), _datagrams(port)))
        self._name = space.name
        threading.Thread(target=self._serve_tcp, daemon=True).start()
        threading.Thread(target=self._serve_udp, daemon=True).start()

    def close(self) -> None:
        """Answer nobody any more."""
        self.open = False
        self._tcp.shutdown(socket.SHUT_RDWR)
        self._tcp.close()
        self._udp.close()

    def _serve_tcp(self) -> None:
        while self.open:
            try:
                peer, address = self._tcp.accept()
            except OSError:
                return
            with peer:
                peer.sendall(f"{self._name} {address[0]}".encode())

    def _serve_udp(self) -> None:
        while self.open:
            try:
                _, address = self._udp.recvfrom(100)
                self._udp.sendto(f"{self._name} {address[0]}".encode(), address)
            except OSError:
                return


def _listener(port: int) -> socket.socket:
    return socket.create_server(("0.0.0.0", port), backlog=512, reuse_port=True)


def _datagrams(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("0.0.0.0", port))
    return sock


class Wires:
    """Everything joined, and closed together."""

    def __init__(self, *, bridges: bool = True) -> None:
        """`bridges`: the nodes have bridges for Pods, and routes to one another's."""
        self.spaces: list[Space] = []
        self.servers: list[Server] = []
        self._pods = Counter({"a": 1, "b": 1})
        self.wire = self.space("wire")
        self.wire.ip("link add wire0 type bridge", "link set wire0 up", "addr add 172.30.0.1/24 dev wire0")
        self.outside = self._host("outside", "172.30.0.9")
        self.nodes = {"a": self._host("a", "172.30.0.21"), "b": self._host("b", "172.30.0.22")}
        if bridges:
            self._bridge("a", "10.244.1.1/24")
            self._bridge("b", "10.244.2.1/24")
            self.nodes["a"].ip("route add 10.244.2.0/24 via 172.30.0.22")
            self.nodes["b"].ip("route add 10.244.1.0/24 via 172.30.0.21")

    def pod(self, node: str, *, port: int = 8080) -> tuple[Space, str]:
        """A Pod with a server on `port`: its namespace, named as its address, and the address."""
        self._pods[node] += 1
        subnet = f"10.244.{'ab'.index(node) + 1}"
        address = f"{subnet}.{self._pods[node]}"
        space = self.space(address)
        link = f"pod{self._pods[node]}"
        join(self.nodes[node], link, space, "eth0")
        self.nodes[node].ip(f"link set {link} master cni0", f"link set {link} type bridge_slave hairpin on")
        space.ip(f"addr add {address}/24 dev eth0", f"route add default via {subnet}.1")
        if port:
            self.servers.append(Server(space, port))
        return space, address

    def close(self) -> None:
        """Take everything down."""
        for server in self.servers:
            server.close()
        for space in self.spaces:
            space.close()

    def space(self, name: str) -> Space:
        """A namespace that is joined to nothing yet."""
        space = Space(name)
        self.spaces.append(space)
        return space

    def _host(self, name: str, address: str) -> Space:
        space = self.space(name)
        join(self.wire, f"to-{name}", space, "eth0")
        self.wire.ip(f"link set to-{name} master wire0")
        space.ip(f"addr add {address}/24 dev eth0", "route add default via 172.30.0.1")
        return space

    def _bridge(self, name: str, address: str) -> None:
        space = self.nodes[name]
        space.ip("link add cni0 type bridge", "link set cni0 up", f"addr add {address} dev cni0")
        space.sysctl(net__ipv4__ip_forward=1)


def ask(
    space: Space, address: str, port: int = 80, *, udp: bool = False, source_port: int = 0, patience: float = 20.0
) -> str:
    """What the server behind an address answers; `refused` or `silent` when nobody does within `patience` seconds."""
    return space.do(lambda: answer_of(address, port, udp=udp, source_port=source_port, patience=patience))


def ask_often(space: Space, count: int, address: str, port: int = 80) -> Counter[str]:
    """How many of `count` connections each server got, by its name."""
    return space.do(lambda: Counter(answer_of(address, port).split()[0] for _ in range(count)))


def answer_of(address: str, port: int, *, udp: bool = False, source_port: int = 0, patience: float = 20.0) -> str:
    """As `ask`, for a thread that is in its namespace already."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as sock:
        sock.settimeout(patience)
        if source_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("0.0.0.0", source_port))
        try:
            sock.connect((address, port))
            if udp:
                sock.send(b"?")
            return sock.recv(100).decode() or "empty"
        except TimeoutError:
            return "silent"
        except OSError:
            return "refused"
