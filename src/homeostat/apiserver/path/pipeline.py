"""The stages of the request path, and how they are chained.

A stage is `async (Request, next) -> Response`. First the resource is found (`routing.finding`). Then come the errors:
failures of the later stages become a Status. Then limits, authentication and authorization; the last handler finds the
verb.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

import orjson

from homeostat.api import errors
from homeostat.api.errors import ApiError
from homeostat.apiserver.contract import Authenticator, Authorizer, RequestInfo, Stage, info_of
from homeostat.apiserver.path.routing import named_by_selector
from homeostat.kit.log import logger
from homeostat.store.contract import Unavailable
from homeostat.wire.message import Handler, Request, Response, User

_log = logger("apiserver")

ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


def chain(stages: Sequence[Stage], last: Handler) -> Handler:
    """One handler of all stages, the first outermost."""
    handler = last
    for stage in reversed(stages):
        handler = _link(stage, handler)
    return handler


def _link(stage: Stage, inner: Handler) -> Handler:
    # Not a coroutine of its own: one less for every stage of every request.
    def handle(request: Request) -> Awaitable[Response]:
        return stage(request, inner)

    return handle


def refuse(error: ApiError) -> Response:
    """The answer that an error is."""
    headers = {"content-type": "application/json"}
    if error.retry_after_seconds:
        headers["retry-after"] = str(error.retry_after_seconds)
    return Response(error.code, orjson.dumps(error.status()), headers)


def elsewhere(response: Response) -> Response:
    """The answer as the connection's last: behind a load balancer the client's next one leads to another server."""
    response.headers["connection"] = "close"
    return response


async def answer_errors(request: Request, following: Handler) -> Response:
    """Turn errors into Status answers; a ConnectionError passes: it means that the server is gone."""
    try:
        return await following(request)
    except ApiError as error:
        return elsewhere(refuse(error)) if isinstance(error.__cause__, Unavailable) else refuse(error)
    except ConnectionError:
        raise
    except Unavailable as error:
        # No Retry-After, as from kube-apiserver without its etcd: client libraries would repeat it unseen for a minute.
        return elsewhere(refuse(errors.unavailable(f"the store does not answer: {error}", retry_after_seconds=0)))
    except Exception as error:  # noqa: BLE001 (the edge of the server: our mistake becomes a 500, and is logged)
        _log.exception("%s %s failed", request.method, request.path)
        return refuse(errors.internal(f"{type(error).__name__}: {error}"))


def authentication(authenticators: Sequence[Authenticator]) -> Stage:
    """Find out who asks: the first authenticator that knows; without any, all are anonymous. Raises 401."""

    async def authenticate(request: Request, following: Handler) -> Response:
        if request.user is None:
            for authenticator in authenticators:
                user = await authenticator.authenticate(request)
                if user is not None:
                    request.user = user
                    break
            else:
                if authenticators:
                    raise errors.unauthorized()
                request.user = ANONYMOUS
        return await following(request)

    return authenticate


def authorization(authorizer: Authorizer) -> Stage:
    """Let through what the authorizer allows."""

    async def authorize(request: Request, following: Handler) -> Response:
        user = request.user
        assert user is not None
        info = info_of(request)
        allowed, why = authorizer.allowed(user, info)
        if not allowed and request.query and (named := named_by_selector(request, info)) is not info:
            allowed, why = authorizer.allowed(user, named)
        if not allowed:
            raise forbidden(user, info, why)
        return await following(request)

    return authorize


def forbidden(user: User, info: RequestInfo, reason: str = "") -> ApiError:
    """403 in kube-apiserver's words (endpoints/handlers/responsewriters/errors.go)."""
    tail = f": {reason}" if reason else ""
    if not info.is_resource:
        text = f'forbidden: User "{user.name}" cannot {info.verb} path "{info.path}"{tail}'
        return ApiError(403, "Forbidden", text)
    resource = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    where = f' in the namespace "{info.namespace}"' if info.namespace else " at the cluster scope"
    why = f'User "{user.name}" cannot {info.verb} resource "{resource}" in API group "{info.group}"{where}{tail}'
    return errors.forbidden(info.resource, info.group, info.name, why)
