"""How a token or a code becomes a session: the cluster is asked whose it is."""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Callable

import orjson

from homeostat.api import errors
from homeostat.api.errors import ApiError
from homeostat.api.kinds import SELFSUBJECTREVIEW
from homeostat.api.types import Obj
from homeostat.client.api_client import ApiClient
from homeostat.console.sessions.sealed import Session
from homeostat.console.settings import SESSION_SECONDS, Codes
from homeostat.console.upstream.api_servers import ApiServers, Speaker
from homeostat.kit import chance, clock

# Failed sign-ins from one address, and from all together, within so long.
TRIES_MAX, ALL_TRIES_MAX, TRIES_SECONDS = 20, 200, 60.0
_ADDRESSES_MAX = 1_000
_ANONYMOUS = "system:anonymous"
_TOKEN_BYTES_MAX = 8_192


class Attempts:
    """Bounds failed sign-ins: so many in so long from one address, and more from all."""

    def __init__(self) -> None:
        self._all: deque[float] = deque(maxlen=ALL_TRIES_MAX)
        self._by_address: dict[str, deque[float]] = {}

    def admit(self, address: str) -> None:
        """Raises ApiError 429 while there were too many."""
        now = clock.monotonic()
        for failed in (self._all, self._by_address.get(address)):
            if failed is not None and len(failed) == failed.maxlen and now - failed[0] < TRIES_SECONDS:
                wait = int(TRIES_SECONDS - (now - failed[0])) + 1
                raise errors.too_many_requests("too many failed sign-ins; wait a moment", retry_after_seconds=wait)

    def failed(self, address: str) -> None:
        """One failed."""
        if address not in self._by_address and len(self._by_address) >= _ADDRESSES_MAX:
            self._by_address.pop(next(iter(self._by_address)))
        own = self._by_address.setdefault(address, deque(maxlen=TRIES_MAX))
        for failed in (self._all, own):
            failed.append(clock.monotonic())


class SigningIn:
    """With `fixed_token` all act with the Console's own credentials, and tokens of users are not taken."""

    def __init__(self, servers: ApiServers, codes: Codes, fixed_token: Callable[[], str] | None = None) -> None:
        self._servers = servers
        self._codes = codes
        self._fixed_token = fixed_token
        self._attempts = Attempts()

    async def sign_in(self, body: Obj, address: str) -> Session:
        """The session for `{"code": ...}` or `{"token": ...}`, asked for from an address.

        Raises ApiError: 400, 401, 429, 503.
        """
        code, token = body.get("code"), body.get("token")
        if not isinstance(code, str | None) or not isinstance(token, str | None) or bool(code) == bool(token):
            raise errors.bad_request('a sign-in is {"code": "..."} or {"token": "..."}')
        self._attempts.admit(address)
        try:
            if code:
                token = (await self._codes.exchange(code)).token
            elif self._fixed_token is not None:
                text = "this Console acts with the credentials of its kubeconfig: sign in with the link that it printed"
                raise errors.bad_request(text)
            else:
                token = _checked(token or "")
            return await self._session(token)
        except ApiError as error:
            if error.code == 401:
                self._attempts.failed(address)
            raise

    def token_of(self, token: str) -> str:
        """What is sent to the API servers for a session with this token."""
        return token if self._fixed_token is None else self._fixed_token()

    async def _session(self, token: str) -> Session:
        user = await who(self._servers, self.token_of(token))
        expires = clock.wall() + SESSION_SECONDS
        return Session(user, token, min(expires, expiry(token) or expires), chance.token_hex(16))


def _checked(token: str) -> str:
    """A token that fits into a header. Raises ApiError 400."""
    token = token.strip()
    if not token.isascii() or not token.isprintable() or " " in token or len(token) > _TOKEN_BYTES_MAX:
        raise errors.bad_request("this is no bearer token")
    return token


async def who(servers: ApiServers, token: str) -> str:
    """The name of the user whose token it is; empty where the cluster cannot say. Raises ApiError, 401 for a token that
    the cluster does not accept."""
    client = ApiClient(Speaker(servers, lambda: token), user_agent="homeostat-console")
    try:
        review = await client.create(SELFSUBJECTREVIEW, {"apiVersion": "authentication.k8s.io/v1",
                                                         "kind": "SelfSubjectReview"})  # fmt: skip
    except ApiError as error:
        if error.code in (403, 404, 405):
            return ""  # an older cluster does not answer this question
        raise
    name = str((review.get("status") or {}).get("userInfo", {}).get("username", ""))
    if name == _ANONYMOUS:
        raise errors.unauthorized()
    return name


def expiry(token: str) -> float | None:
    """When a JSON Web Token ends, as it says itself (the API server checks it); None of another token."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        ends = claims.get("exp")
    except (ValueError, AttributeError):
        return None
    return float(ends) if isinstance(ends, int | float) else None
