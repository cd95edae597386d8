"""What members say in place of an answer: what that means, and in which words."""

from __future__ import annotations

import grpc
import grpc.aio

from homeostat.store.contract import StoreError, Unavailable

# The errors of a member before it accepts anything into its log.
_REFUSALS = ("too many requests", "unhealthy cluster")


class Unknown(StoreError):
    """A write was sent and not answered: it may have happened, it may still happen."""


class CompactedThere(StoreError):
    """etcd has forgotten the revision that was asked for."""


class FutureThere(StoreError):
    """etcd has not reached the revision that was asked for."""


def lost(said: dict[str, str], members: int) -> Unavailable:
    """What a call ends with when no member has answered it."""
    reasons = "; ".join(f"{endpoint}: {text}" for endpoint, text in said.items()) or "no answer in time"
    return Unavailable(
        f"etcd has no quorum or cannot be reached ({members} members; more than half must be up): {reasons}"
    )


def explain(error: grpc.aio.AioRpcError) -> str:
    """A member's failure in a few words."""
    if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
        return "no answer in time"
    text = str(error.details() or error.code().name)
    if text.startswith("failed to connect to all addresses"):
        return "cannot connect"
    return text.removeprefix("etcdserver: ")


def refused(error: grpc.aio.AioRpcError, endpoint: str) -> StoreError | None:
    """An answer that no other member would give differently; None for a failure of the member or the way to it."""
    text = str(error.details() or "")
    if "required revision has been compacted" in text:
        return CompactedThere(text)
    if "required revision is a future revision" in text:
        return FutureThere(text)
    if "database space exceeded" in text:
        return Unavailable(
            f"etcd at {endpoint} is full (NOSPACE alarm): it takes deletions only. Compact the history, defragment "
            "each member, then disarm the alarm; or raise --quota-backend-bytes"
        )
    if "request is too large" in text:
        return Unavailable(f"etcd at {endpoint}: the value is larger than its --max-request-bytes")
    if error.code() == grpc.StatusCode.DATA_LOSS:
        return Unavailable(f"etcd at {endpoint} found its data corrupt: {text}")
    if error.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return Unavailable(f"etcd at {endpoint} refuses this client: {text}")
    return None


def surely_not_done(error: grpc.aio.AioRpcError) -> bool:
    """Whether the failed write never reached the log of any member, now or later."""
    text = str(error.details() or "")
    return text.startswith("failed to connect to all addresses") or any(words in text for words in _REFUSALS)
