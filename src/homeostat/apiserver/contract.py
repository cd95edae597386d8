"""The types that the stages of the request path share: request info, authorizer, admission attributes, reader, writer.

A stage is `async (Request, next) -> Response` (`Stage`). Order: the resource is found (`routing.finding`), metrics,
errors, limits, authentication, authorization; then the verb, with admission where it writes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from homeostat.api.catalogue import Catalogue
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.apiserver.cache.cached_objects import Item
from homeostat.apiserver.cache.window import Change
from homeostat.wire.message import Handler, Request, Response, User

Stage: TypeAlias = Callable[[Request, Handler], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """What a URL and a method ask for (apiserver's RequestInfo).

    `verb` is get, list, watch, create, update, patch, delete, deletecollection for resources, the lower-case HTTP
    method for other paths. `kind` is None where the path is no known resource; `resource` is the plural as written.
    Of a collection, `name` and `node` are set where a field selector names just that object, or that node's Pods.
    `catalogue` is the one that was served when the request arrived; the request uses it to its end.
    """

    verb: str
    path: str
    is_resource: bool = False
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    kind: Kind | None = None
    node: str = ""
    catalogue: Catalogue = field(default_factory=Catalogue.builtin, repr=False, compare=False)


def info_of(request: Request) -> RequestInfo:
    """What the request asks for, as the first stage decided it (`routing.finding`)."""
    return request.decided  # type: ignore[return-value]  # called four times for each request: no assertion


@dataclass(slots=True)
class Attributes:
    """What admission sees of a write. `operation` is CREATE, UPDATE, DELETE or CONNECT; `obj` the new object, which
    mutating plugins change in place; `old` the stored one; `warnings` become Warning headers."""

    kind: Kind
    operation: str
    namespace: str
    name: str
    user: User
    obj: Obj | None
    old: Obj | None = None
    subresource: str = ""
    dry_run: bool = False
    options: Obj = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


class Reader(Protocol):
    """Reads from this server's own current state (its hubs), at once and without a network."""

    def get(self, kind: Kind, namespace: str, name: str) -> Obj | None:
        """The object, decoded; a private copy."""
        ...

    def list(self, kind: Kind, namespace: str = "") -> Sequence[Obj]:
        """All objects, decoded; shared and read-only."""
        ...

    def revision(self, kind: Kind) -> int:
        """Changes whenever any object of the kind changes: what derived caches (RBAC, quotas) are keyed by."""
        ...

    def changes(self, kind: Kind, after: int) -> Iterable[Change] | None:
        """The changes above the revision `after`, oldest first; None when some of them are no longer kept."""
        ...

    def items(self, kind: Kind) -> Iterable[Item]:
        """All objects as the hub keeps them, nothing decoded."""
        ...


class Authenticator(Protocol):
    """Turns credentials into a user."""

    async def authenticate(self, request: Request) -> User | None:
        """The user, or None when the request carries no credentials. Raises ApiError 401 on bad ones."""
        ...


class Authorizer(Protocol):
    """Decides what a user may do."""

    def allowed(self, user: User, info: RequestInfo) -> tuple[bool, str]:
        """Whether it is allowed, and why."""
        ...


class Admission(Protocol):
    """One admission plugin; `mutate` runs for all plugins before any `validate`."""

    name: str

    async def mutate(self, attributes: Attributes) -> None:
        """Change `attributes.obj` in place. Raises ApiError to refuse."""
        ...

    async def validate(self, attributes: Attributes) -> None:
        """Raises ApiError to refuse."""
        ...


class Writer(Protocol):
    """Writes of the server itself (subresources, bootstrap, allocation), through the same verbs as a client's."""

    async def create(self, kind: Kind, obj: Obj, *, user: User, options: Obj | None = None) -> Obj:
        """Create; returns the stored object."""
        ...

    async def change(
        self, kind: Kind, namespace: str, name: str, change: Callable[[Obj], Obj], *, user: User, **options: Any
    ) -> bytes:
        """Read, change and commit, again on conflict; `change` gets a private copy and returns the new object.

        Returns the stored object's JSON: most callers do not look at it.
        """
        ...

    async def delete(self, kind: Kind, namespace: str, name: str, *, user: User, options: Obj | None = None) -> Obj:
        """Delete by the kind's rules (grace, finalizers, propagation); returns the object or a Status."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """What a subresource or special path handler gets."""

    request: Request
    info: RequestInfo
    user: User
    reader: Reader
    writer: Writer
    # What the answer is to warn of (the Warning header).
    warnings: list[str] = field(default_factory=list)


SubresourceHandler: TypeAlias = Callable[[Call], Awaitable[Response]]


class Negotiator(Protocol):
    """Renders what a client asks for by `Accept` other than the plain object: Table, PartialObjectMetadata(List)."""

    def wants(self, request: Request) -> bool:
        """Whether `Accept` asks for such a form before plain JSON. Cheap: most requests do not. Raises ApiError 406."""
        ...

    def render(self, request: Request, kind: Kind, objects: Sequence[Obj], list_meta: Obj | None) -> bytes:
        """The whole body: of a list with ListMeta `list_meta`, or of the one object when that is None."""
        ...

    def render_event(self, request: Request, kind: Kind, event_type: str, obj: Obj) -> bytes:
        """One watch line, newline included; `obj` is the object, or a bare one with its revision for BOOKMARK."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What `apiserver.api_server.ApiServer` is assembled from, beside its store: `ApiServer(store, settings=..., parts=
    build)`, where `build(reader, writer) -> Parts` is called once, before `start` (the reader is empty until then).

    `handlers` are keyed ("pods", "binding"), ("deployments.apps", "scale") (the resource as `api.errors.qualified`
    names it), or ("*", "scale") for every resource; virtual kinds (reviews) have the subresource "". They are tried
    before the built-in `status` and `finalize`, and get authenticated, authorized requests only. `paths` are keyed by
    path prefix ("/apis", "/openapi/v3", "/version"): the longest one that ends at a `/` boundary wins, after resources
    are recognised. Without an authorizer everything is allowed; a request that has a `user` is not authenticated again.
    `background` coroutines (bootstrap, upkeep) run from `start` to `stop`. `ready` are further checks of `/readyz`.
    """

    authenticators: Sequence[Authenticator] = ()
    authorizer: Authorizer | None = None
    admission: Sequence[Admission] = ()
    handlers: Mapping[tuple[str, str], SubresourceHandler] = field(default_factory=dict)
    paths: Mapping[str, SubresourceHandler] = field(default_factory=dict)
    negotiator: Negotiator | None = None
    background: Sequence[Callable[[], Awaitable[None]]] = ()
    ready: Mapping[str, Callable[[], Awaitable[object]]] = field(default_factory=dict)


Build: TypeAlias = Callable[[Reader, Writer], Parts]
