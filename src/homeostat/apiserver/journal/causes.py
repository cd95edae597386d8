"""What is stored beside a write: who wrote, and why.

The user is the authenticated one, always. What the cause header says counts only from the cluster's own components, and
of those only what each can know: a controller manager speaks for its loops, a scheduler for itself, a node's agent for
its node. A write of anybody else is caused by that user. Sizes are bounded for every writer.
"""

from __future__ import annotations

from functools import lru_cache

from homeostat.apiserver.authz.node_authorizer import node_of
from homeostat.wire import cause
from homeostat.wire.cause import WriteCause
from homeostat.wire.message import Request, User

# For each user, the prefixes of the loops that it may name.
_LOOPS = {
    "system:kube-controller-manager": ("controller-manager/", "kube-controller-manager/"),
    "system:kube-scheduler": ("scheduler", "kube-scheduler/"),
}
_HEADER_MAX = 8 * 1024
_TEXT_MAX, _NAME_MAX, _SEEN_MAX = 1024, 256, 16


def of_request(request: Request, user: User, note: str) -> bytes:
    """The cause of a write that `user` asks for; `note` says what it does where the header does not count."""
    text = request.headers.get(cause.HEADER)
    if text and len(text) <= _HEADER_MAX:
        said = cause.decode(text)
        if said is not None and _may_say(user, said.loop):
            return _bounded(said, user.name).encode()
    return of_user(user.name, note)


@lru_cache(maxsize=1024)
def of_user(name: str, note: str) -> bytes:
    """The cause of a write that a user makes for reasons of its own."""
    name = _cut(name, _NAME_MAX)
    return WriteCause(f"user/{name}", note=note, user=name).encode()


def _may_say(user: User, loop: str) -> bool:
    prefixes = _LOOPS.get(user.name)
    if prefixes is not None:
        return loop.startswith(prefixes)
    node = node_of(user)
    return bool(node) and loop in (f"kubelet/{node}", "kubelet/certificates")


def _bounded(said: WriteCause, user: str) -> WriteCause:
    return WriteCause(
        _cut(said.loop, _NAME_MAX),
        _cut(said.key, _TEXT_MAX),
        _cut(said.note, _TEXT_MAX),
        said.seen[:_SEEN_MAX],
        _cut(said.instance, _NAME_MAX),
        _cut(user, _NAME_MAX),
    )


def _cut(text: str, length_max: int) -> str:
    return text if len(text) <= length_max else text[: length_max - 3] + "..."
