"""Why a container could not be started now."""

from __future__ import annotations

from homeostat.node.podspec.view import FailureReason


class StartFailure(Exception):
    """A container could not be created or started; `trouble` is what its status shows. `retry_at` is when to try
    again, None: after the usual pause. `event` is what the Failed event says, empty: the trouble's message. There is
    no event for what is `known`: there was one when it began."""

    def __init__(
        self, trouble: FailureReason, *, retry_at: float | None = None, event: str = "", known: bool = False
    ) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble
        self.retry_at = retry_at
        self.event = event or trouble.message
        self.known = known


class NotYet(Exception):
    """What is needed first is not known yet (the cluster's services)."""
