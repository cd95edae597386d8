"""Sign-in codes: those of a cluster, which are bootstrap tokens, and those of one process.

A cluster's code may do one thing, ask for a token of the Console's ServiceAccount. With that token its Secret is
deleted, by its UID: who deleted it has the sign-in, for all others the code was used.
"""

from __future__ import annotations

import hmac

from homeostat.api import errors
from homeostat.api.certificates import bootstrap_tokens
from homeostat.api.errors import ApiError
from homeostat.api.kinds import SECRET, SERVICEACCOUNT
from homeostat.client.api_client import ApiClient
from homeostat.console.settings import SESSION_SECONDS, Grant
from homeostat.console.upstream.api_servers import ApiServers, Speaker
from homeostat.kit import chance, clock

ACCOUNT = "console-user"
_REFUSED = (401, 403, 404, 409)


def used() -> ApiError:
    """The code is worth nothing (any more)."""
    message = "this sign-in code is unknown, used or expired; `homeostat console` makes a new one"
    return ApiError(401, "Unauthorized", message)


class BootstrapCodes:
    """Implements `settings.Codes` with the bootstrap tokens of the cluster."""

    def __init__(self, servers: ApiServers) -> None:
        self._servers = servers

    async def exchange(self, code: str) -> Grant:
        """See the contract."""
        parsed = bootstrap_tokens.parse(code)
        if parsed is None:
            raise used()
        try:
            return await self._exchange(code, bootstrap_tokens.secret_name(parsed[0]))
        except ApiError as error:
            if error.code in _REFUSED:
                raise used() from error
            raise

    async def _exchange(self, code: str, secret: str) -> Grant:
        place = {"name": ACCOUNT, "namespace": bootstrap_tokens.NAMESPACE}
        asked = {"metadata": place, "spec": {"expirationSeconds": int(SESSION_SECONDS)}}
        made = await self._client(code).create(SERVICEACCOUNT, asked, subresource="token")
        token = str(made["status"]["token"])
        client = self._client(token)
        found = await client.get(SECRET, secret, bootstrap_tokens.NAMESPACE)
        options = {"preconditions": {"uid": found["metadata"]["uid"]}}
        await client.delete(SECRET, secret, bootstrap_tokens.NAMESPACE, options=options)
        return Grant(token)

    def _client(self, token: str) -> ApiClient:
        return ApiClient(Speaker(self._servers, lambda: token), user_agent="homeostat-console")


class OneTimeCodes:
    """Implements `settings.Codes` with codes of this process, for the Console's own credentials."""

    def __init__(self, *, seconds: float = 600.0) -> None:
        self._seconds = seconds
        self._codes: dict[str, float] = {}

    def issue(self) -> str:
        """A new code."""
        code = chance.token_hex(20)
        self._codes[code] = clock.monotonic() + self._seconds
        return code

    async def exchange(self, code: str) -> Grant:
        """See the contract."""
        now = clock.monotonic()
        found = [known for known in self._codes if hmac.compare_digest(known.encode(), code.encode())]
        ends = self._codes.pop(found[0]) if found else 0.0
        if ends <= now:
            raise used()
        return Grant()


def refused_tokens() -> ApiError:
    """A Console with credentials of its own takes no tokens."""
    return errors.bad_request(
        "this Console acts with the credentials of its kubeconfig: sign in with the link it printed"
    )
