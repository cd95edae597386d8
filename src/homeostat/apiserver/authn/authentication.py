"""Who asks: client certificates, bearer tokens, nobody (system:anonymous), and impersonation by those who may.

The HTTP edge never sets `Request.user`, so every request from outside passes here; an in-process caller comes with its
user set and is trusted. Rules: kubernetes.io/docs/reference/access-authn-authz/authentication.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from urllib.parse import unquote

from homeostat.api import errors, kinds
from homeostat.api.certificates import bootstrap_tokens
from homeostat.api.types import Obj
from homeostat.apiserver.authn.bootstrap_tokens import BootstrapTokens
from homeostat.apiserver.authn.service_account_tokens import BadToken, Claims, TokenIssuer
from homeostat.apiserver.authz.rbac import denial
from homeostat.apiserver.contract import Authorizer, Reader, RequestInfo
from homeostat.kit import clock
from homeostat.wire import cause
from homeostat.wire.message import Request, User

AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))
ACCOUNT_PREFIX = "system:serviceaccount:"
EXTRA = "authentication.kubernetes.io/"

# As kube-apiserver's token cache: how long a verified token is believed without looking again.
_CACHE_SECONDS = 10.0
_CACHE_ENTRIES_MAX = 10_000
# Headers that most requests have and that ask for no impersonation: with these alone the others need no look.
_HARMLESS = frozenset(
    ("host", "authorization", "accept", "accept-encoding", "user-agent", "content-type", "content-length", cause.HEADER)
)


class ServiceAccountTokens:
    """Checks service account tokens against the accounts and bound objects that exist now."""

    def __init__(self, issuer: TokenIssuer, reader: Reader) -> None:
        self._issuer = issuer
        self._reader = reader

    def verify(self, token: str, *, audiences: tuple[str, ...] = ()) -> tuple[User, tuple[str, ...]]:
        """The account as a user, and the audiences that fit. Raises BadToken."""
        claims = self._issuer.verify(token, audiences=audiences)
        self._still_there(kinds.SERVICEACCOUNT, claims.namespace, claims.account, claims.account_uid)
        if claims.pod.kind:
            self._still_there(kinds.POD, claims.namespace, claims.pod.name, claims.pod.uid)
        if claims.secret.kind:
            self._still_there(kinds.SECRET, claims.namespace, claims.secret.name, claims.secret.uid)
        if claims.node.kind and not claims.pod.kind:
            self._still_there(kinds.NODE, "", claims.node.name, claims.node.uid)
        return account_user(claims), claims.audiences

    def _still_there(self, kind: kinds.Kind, namespace: str, name: str, uid: str) -> None:
        obj = self._reader.get(kind, namespace, name)
        if obj is None:
            raise BadToken(f"{kind.kind} {namespace}/{name} of the token has been deleted")
        if obj["metadata"].get("uid", "") != uid:
            raise BadToken(f"{kind.kind} {namespace}/{name} has another UID than the token says")


def account_user(claims: Claims) -> User:
    """The user that a service account's token authenticates."""
    extra: dict[str, tuple[str, ...]] = {}
    if claims.token_id:
        extra[EXTRA + "credential-id"] = (f"JTI={claims.token_id}",)
    for bound in (claims.pod, claims.node):
        if bound.kind:
            extra[f"{EXTRA}{bound.kind.lower()}-name"] = (bound.name,)
            extra[f"{EXTRA}{bound.kind.lower()}-uid"] = (bound.uid,)
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{claims.namespace}", AUTHENTICATED)
    return User(f"{ACCOUNT_PREFIX}{claims.namespace}:{claims.account}", groups, claims.account_uid, extra)


def authenticated(user: User) -> User:
    """`user` with the group that every authenticated user is in."""
    if AUTHENTICATED in user.groups or UNAUTHENTICATED in user.groups:
        return user
    return replace(user, groups=(*user.groups, AUTHENTICATED))


class PeerCertificates:
    """A verified client certificate: common name is the user, organisations are the groups."""

    def identify(self, request: Request) -> User | None:
        """The certificate's user; None without one."""
        peer = request.peer
        return _of_certificate(peer.name, peer.groups) if peer is not None else None


# A connection's certificate is the same for all its requests.
@lru_cache(maxsize=4096)
def _of_certificate(name: str, groups: tuple[str, ...]) -> User:
    return authenticated(User(name, groups))


class BearerTokens:
    """`Authorization: Bearer`: static tokens, bootstrap tokens and service account tokens."""

    def __init__(
        self,
        static: Mapping[str, User],
        accounts: ServiceAccountTokens | None,
        bootstrap_tokens: BootstrapTokens | None = None,
    ) -> None:
        self._static = {token: authenticated(user) for token, user in static.items()}
        self._accounts = accounts
        self._bootstrap = bootstrap_tokens
        self._verified: dict[str, tuple[User, float]] = {}

    def identify(self, request: Request) -> User | None:
        """The token's user; None without a token. Raises ApiError 401 on one that is not valid."""
        header = request.headers.get("authorization")
        if header is None:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return None
        try:
            return self.verify(token.strip())
        except BadToken as error:
            raise errors.unauthorized() from error

    def verify(self, token: str) -> User:
        """The user of a token for the API itself, from the cache where it is fresh. Raises BadToken."""
        static = self._static.get(token)
        if static is not None:
            return static
        now = clock.monotonic()
        known = self._verified.get(token)
        if known is not None and known[1] > now:
            return known[0]
        user, _ = self.review(token, audiences=())
        if len(token) == bootstrap_tokens.TOKEN_LENGTH:
            # Few requests show one, and it has to become invalid when its Secret is deleted.
            return user
        if len(self._verified) >= _CACHE_ENTRIES_MAX:
            self._verified.clear()
        self._verified[token] = (user, now + _CACHE_SECONDS)
        return user

    def review(self, token: str, *, audiences: tuple[str, ...]) -> tuple[User, tuple[str, ...]]:
        """The user and the fitting audiences of a token (TokenReview). Raises BadToken."""
        if (user := self._static.get(token)) is not None:
            return user, audiences
        if self._bootstrap is not None and (user := self._bootstrap.user_of(token)) is not None:
            return authenticated(user), audiences
        if self._accounts is None:
            raise BadToken("unknown token")
        return self._accounts.verify(token, audiences=audiences)


class Anonymous:
    """The last one: a request without credentials is system:anonymous."""

    def identify(self, request: Request) -> User | None:
        """Always ANONYMOUS."""
        return ANONYMOUS


class Credentials:
    """Tries each of the above in order, then impersonation where RBAC grants `impersonate`."""

    def __init__(self, parts: tuple[PeerCertificates | BearerTokens | Anonymous, ...], authorizer: Authorizer) -> None:
        self._parts = parts
        self._authorizer = authorizer

    async def authenticate(self, request: Request) -> User | None:
        """The user on whose behalf the request runs. Raises ApiError 401, or 403 for an impersonation not allowed."""
        for part in self._parts:
            user = part.identify(request)
            if user is not None:
                return user if _HARMLESS.issuperset(request.headers) else self._impersonate(request, user)
        raise errors.unauthorized()

    def _impersonate(self, request: Request, user: User) -> User:
        headers = request.headers
        wanted = {name: value for name, value in headers.items() if name.startswith("impersonate-")}
        if not wanted:
            return user
        name = wanted.get("impersonate-user", "")
        if not name:
            raise errors.bad_request("requested impersonation of a group, uid or extra without impersonating a user")
        groups = tuple(part.strip() for part in wanted.get("impersonate-group", "").split(",") if part.strip())
        extra = {
            unquote(header.removeprefix("impersonate-extra-")): (value,)
            for header, value in wanted.items()
            if header.startswith("impersonate-extra-")
        }
        uid = wanted.get("impersonate-uid", "")
        for info in _impersonations(name, groups, uid, extra):
            allowed, why = self._authorizer.allowed(user, info)
            if not allowed:
                raise denial(user, info, why)
        if name == ANONYMOUS.name:
            return replace(ANONYMOUS, extra=extra)
        if not groups and name.startswith(ACCOUNT_PREFIX):
            groups = ("system:serviceaccounts", f"system:serviceaccounts:{name.split(':')[2]}")
        return authenticated(User(name, groups, uid, extra))


def _impersonations(
    name: str, groups: tuple[str, ...], uid: str, extra: Mapping[str, tuple[str, ...]]
) -> list[RequestInfo]:
    """What must be allowed: verb impersonate on the user or service account, each group, the uid, each extra."""

    def info(resource: str, what: str, *, group: str = "", namespace: str = "", subresource: str = "") -> RequestInfo:
        return RequestInfo(
            "impersonate",
            "",
            is_resource=True,
            group=group,
            version="v1",
            resource=resource,
            subresource=subresource,
            namespace=namespace,
            name=what,
        )

    parts = name.split(":")
    if name.startswith(ACCOUNT_PREFIX) and len(parts) == 4:
        asked = [info("serviceaccounts", parts[3], namespace=parts[2])]
    else:
        asked = [info("users", name)]
    asked += [info("groups", group) for group in groups]
    if uid:
        asked.append(info("uids", uid, group="authentication.k8s.io"))
    for key, values in extra.items():
        asked += [info("userextras", value, group="authentication.k8s.io", subresource=key) for value in values]
    return asked


def user_info(user: User) -> Obj:
    """authentication.k8s.io UserInfo of a user."""
    info: Obj = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra.items()}
    return info
