"""The sign-in code of a Console that a person runs for a cluster of a kubeconfig: in memory, good for one sign-in."""

from __future__ import annotations

import hmac

from homeostat.api.errors import ApiError
from homeostat.console.settings import Grant


class SingleCode:
    """Implements `settings.Codes`: who signs in acts with the Console's fixed credentials."""

    def __init__(self, code: str) -> None:
        self._code: str | None = code

    async def exchange(self, code: str) -> Grant:
        """See the contract."""
        if self._code is None or not hmac.compare_digest(code.encode(), self._code.encode()):
            text = "this sign-in code is not good, or was used already; start `homeostat console` again for a new one"
            raise ApiError(401, "Unauthorized", text)
        self._code = None
        return Grant()
