"""The lifecycle of a pod on a node, as a table.

A pod is new until the node admits or refuses it, syncing while its containers are kept as its spec wants them,
terminating while they are stopped, terminated while only its object in the API is left, and then finished.
"""

from __future__ import annotations

from enum import Enum

from homeostat.runtime.lifecycle_table import Table


class PodState(Enum):
    """Where a pod worker is."""

    NEW = "new"
    SYNCING = "syncing"
    TERMINATING = "terminating"
    TERMINATED = "terminated"
    FINISHED = "finished"


class PodEvent(Enum):
    """What moves a pod worker on."""

    ADMITTED = "admitted"
    REFUSED = "refused"  # the node cannot take it: the pod has failed
    DELETED = "deleted"  # its deletion was asked for, or a static pod's file is gone
    GONE = "gone"  # its object is gone from the API before it was stopped
    FAILED = "failed"  # it must end: its deadline has passed
    COMPLETED = "completed"  # its containers have ended for good
    STOPPED = "stopped"  # nothing of it runs any more
    RELEASED = "released"  # its object is gone: nobody asks for it any more


_STATE = PodState
_EVENT = PodEvent

POD: Table[PodState, PodEvent] = Table(
    "pod",
    _STATE.NEW,
    {
        (_STATE.NEW, _EVENT.ADMITTED): _STATE.SYNCING,
        (_STATE.NEW, _EVENT.REFUSED): _STATE.TERMINATING,
        (_STATE.NEW, _EVENT.COMPLETED): _STATE.TERMINATING,
        (_STATE.NEW, _EVENT.DELETED): _STATE.TERMINATING,
        (_STATE.NEW, _EVENT.GONE): _STATE.TERMINATING,
        (_STATE.SYNCING, _EVENT.DELETED): _STATE.TERMINATING,
        (_STATE.SYNCING, _EVENT.GONE): _STATE.TERMINATING,
        (_STATE.SYNCING, _EVENT.FAILED): _STATE.TERMINATING,
        (_STATE.SYNCING, _EVENT.COMPLETED): _STATE.TERMINATING,
        (_STATE.TERMINATING, _EVENT.STOPPED): _STATE.TERMINATED,
        (_STATE.TERMINATED, _EVENT.RELEASED): _STATE.FINISHED,
    },
)
