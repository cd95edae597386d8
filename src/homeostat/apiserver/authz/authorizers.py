"""Several authorizers in a row, as `--authorization-mode` lists them: the first that allows is enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from homeostat.apiserver.contract import Authorizer, RequestInfo
from homeostat.wire.message import User

ALWAYS_ALLOW, ALWAYS_DENY = "AlwaysAllow", "AlwaysDeny"


class Fixed:
    """The same answer to everybody."""

    def __init__(self, *, allow: bool) -> None:
        self._answer = (True, "") if allow else (False, "Everything is forbidden.")

    def allowed(self, user: User, info: RequestInfo) -> tuple[bool, str]:
        """What it always says."""
        return self._answer


class Union:
    """Asks each in turn; a refusal has the reasons of all."""

    def __init__(self, authorizers: Sequence[Authorizer]) -> None:
        self._authorizers = tuple(authorizers)

    def allowed(self, user: User, info: RequestInfo) -> tuple[bool, str]:
        """Whether one of them allows it, and why (or why not)."""
        reasons = ""
        for authorizer in self._authorizers:
            allowed, reason = authorizer.allowed(user, info)
            if allowed:
                return True, reason
            if reason:
                reasons = f"{reasons}\n{reason}" if reasons else reason
        return False, reasons


def by_modes(modes: str, known: Mapping[str, Authorizer]) -> Authorizer:
    """The authorizer of a comma-separated list of modes. Raises ValueError on an unknown or doubled mode."""
    names = [name.strip() for name in modes.split(",") if name.strip()]
    offered: dict[str, Authorizer] = {ALWAYS_ALLOW: Fixed(allow=True), ALWAYS_DENY: Fixed(allow=False), **known}
    for name in names:
        if name not in offered:
            raise ValueError(f"authorization-mode {name!r} is not known; known are {', '.join(sorted(offered))}")
        if names.count(name) > 1:
            raise ValueError(f"authorization-mode has {name!r} more than once")
    if not names:
        raise ValueError("at least one authorization-mode must be passed")
    return offered[names[0]] if len(names) == 1 else Union([offered[name] for name in names])
