"""The client: the API's verbs as requests over a transport (`client.contract.Client`).

It builds requests, decodes responses, turns Status errors into `ApiError`, and decides which requests may be sent
again when a connection broke. The rule, the same for every transport:
- reads: always;
- PUT: always; a Conflict may then mean that the first try had worked;
- merge and strategic merge patches: always; JSON patches (which may append) never;
- DELETE: with a uid precondition only, so that it cannot hit a later object of the same name; collections never;
- POST of an object with a fixed name, and of a binding: yes; AlreadyExists may then mean that the first try had worked.
  With generateName, and for other subresources: never.
Whoever needs certainty reads again; loops do so anyway.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

import orjson

from homeostat.api.errors import ApiError
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.client.contract import JSON_PATCH, MERGE_PATCH, Listing, Unreachable, WatchEvent
from homeostat.client.transport import Fence, Transport
from homeostat.wire.cause import HEADER, WriteCause
from homeostat.wire.message import Request, Response

_JSON = "application/json"
_SUBRESOURCES_REPEATABLE = frozenset({"binding"})


class ApiClient:
    """Implements `client.contract.Client`. `user_agent` names the component in the server's records."""

    def __init__(self, transport: Transport, *, user_agent: str = "homeostat") -> None:
        self._transport = transport
        self._headers = {"accept": _JSON, "user-agent": user_agent}
        self._fence: Fence | None = None
        self._instance = ""

    def fenced(self, fence: Fence, instance: str) -> ApiClient:
        """A client whose writes are `instance`'s, and are sent only while `fence` allows it; see the contract."""
        client = ApiClient(self._transport, user_agent=self._headers["user-agent"])
        client._fence, client._instance = fence, instance
        return client

    async def get(self, kind: Kind, name: str, namespace: str = "") -> Obj:
        """One object. Raises ApiError 404."""
        return await self._object(Request("GET", kind.path(namespace, name), {}, self._headers), repeatable=True)

    async def list(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int = 0,
        next_token: str = "",
        resource_version: str = "",
    ) -> Listing:
        """Objects of a kind; one page of them when `limit` is given."""
        query = _selection(labels, fields)
        if limit:
            query["limit"] = str(limit)
        if next_token:
            query["continue"] = next_token
        if resource_version:
            query["resourceVersion"] = resource_version
        listing = await self._object(Request("GET", kind.path(namespace), query, self._headers), repeatable=True)
        items: list[Obj] = listing.get("items") or []
        api_version, kind_name = kind.api_version, kind.kind
        for item in items:
            if "kind" not in item:
                item["apiVersion"], item["kind"] = api_version, kind_name
        metadata = listing.get("metadata") or {}
        return Listing(items, str(metadata.get("resourceVersion", "")), str(metadata.get("continue") or ""))

    async def watch(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        resource_version: str,
        labels: str = "",
        fields: str = "",
        timeout_seconds: int = 0,
    ) -> AsyncIterator[WatchEvent]:
        """Changes after `resource_version`; see the contract."""
        query = _selection(labels, fields)
        query |= {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": resource_version}
        if timeout_seconds:
            query["timeoutSeconds"] = str(timeout_seconds)
        request = Request("GET", kind.path(namespace), query, self._headers)
        response = await self._transport.send(request, repeatable=True)
        if response.status >= 400 or isinstance(response.body, bytes):
            raise failure(response.status, await _whole(response))
        async with aclosing(_lines(response.body)) as batches:
            async for lines in batches:
                for line in lines:
                    event = orjson.loads(line)
                    if event["type"] == "ERROR":
                        raise ApiError.from_status(event["object"])
                    yield WatchEvent(event["type"], event["object"])

    async def create(
        self, kind: Kind, obj: Obj, *, subresource: str = "", cause: WriteCause | None = None, dry_run: bool = False
    ) -> Obj:
        """Create `obj`, or POST it to a subresource of the object it names."""
        metadata = obj.get("metadata") or {}
        name, namespace = metadata.get("name", ""), metadata.get("namespace", "")
        path = kind.path(namespace, name, subresource) if subresource else kind.path(namespace)
        request = Request("POST", path, _write_query(dry_run=dry_run), self._write_headers(_JSON, cause))
        request.body = orjson.dumps(obj)
        repeatable = subresource in _SUBRESOURCES_REPEATABLE if subresource else bool(name)
        return await self._object(request, repeatable=repeatable)

    async def update(self, kind: Kind, obj: Obj, *, subresource: str = "", cause: WriteCause | None = None) -> Obj:
        """Replace the object of the same name."""
        metadata = obj["metadata"]
        path = kind.path(metadata.get("namespace", ""), metadata["name"], subresource)
        request = Request("PUT", path, {}, self._write_headers(_JSON, cause), orjson.dumps(obj))
        return await self._object(request, repeatable=True)

    async def patch(
        self,
        kind: Kind,
        name: str,
        namespace: str,
        patch: Obj | Sequence[Obj],
        *,
        content_type: str = MERGE_PATCH,
        subresource: str = "",
        cause: WriteCause | None = None,
    ) -> Obj:
        """Patch one object; returns the new one."""
        path = kind.path(namespace, name, subresource)
        request = Request("PATCH", path, {}, self._write_headers(content_type, cause), orjson.dumps(patch))
        return await self._object(request, repeatable=content_type != JSON_PATCH)

    async def delete(
        self, kind: Kind, name: str, namespace: str = "", *, options: Obj | None = None, cause: WriteCause | None = None
    ) -> Obj:
        """Delete one object; returns it when it still exists (grace, finalizers), else a Status."""
        request = Request("DELETE", kind.path(namespace, name), {}, self._write_headers(_JSON, cause))
        repeatable = False
        if options:
            request.body = orjson.dumps({"kind": "DeleteOptions", "apiVersion": "v1"} | options)
            repeatable = bool((options.get("preconditions") or {}).get("uid"))
        return await self._object(request, repeatable=repeatable)

    async def delete_collection(self, kind: Kind, namespace: str = "", *, cause: WriteCause | None = None) -> None:
        """Delete all objects of a kind, in one namespace when it is given."""
        request = Request("DELETE", kind.path(namespace), {}, self._write_headers(_JSON, cause))
        await self._object(request, repeatable=False)

    async def raw(self, request: Request) -> Response:
        """Any request, as it is; errors of the API come back as responses."""
        return await self._transport.send(request, repeatable=request.method in ("GET", "HEAD"))

    async def close(self) -> None:
        """Release connections."""
        await self._transport.close()

    def _write_headers(self, content_type: str, cause: WriteCause | None) -> dict[str, str]:
        headers = self._headers | {"content-type": content_type}
        if cause is not None:
            headers[HEADER] = header_text(cause.by(self._instance) if self._instance else cause)
        return headers

    async def _object(self, request: Request, *, repeatable: bool) -> Obj:
        fence = None if request.method == "GET" else self._fence
        response = await self._transport.send(request, repeatable=repeatable, fence=fence)
        body = await _whole(response)
        if response.status >= 400:
            raise failure(response.status, body)
        try:
            decoded = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Unreachable(f"{request.method} {request.path}: the answer is not JSON: {error}") from error
        if not isinstance(decoded, dict):
            raise Unreachable(f"{request.method} {request.path}: the answer is not a JSON object")
        return decoded


def header_text(cause: WriteCause) -> str:
    """The cause as a header value: JSON, with what is not ASCII escaped."""
    encoded = cause.encode()
    if encoded.isascii():
        return encoded.decode("ascii")
    text = encoded.decode("utf-8")
    return "".join(char if char < "\x7f" else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _selection(labels: str, fields: str) -> dict[str, str]:
    query = {}
    if labels:
        query["labelSelector"] = labels
    if fields:
        query["fieldSelector"] = fields
    return query


def _write_query(*, dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def failure(code: int, body: bytes) -> ApiError:
    """The error in a response body of this HTTP status: a Status, or the text of a proxy in between."""
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status":
        return ApiError.from_status(status, code=code)
    text = body[:200].decode("utf-8", "replace").strip()
    return ApiError(code if code >= 400 else 500, "", text or f"HTTP status {code}")


async def _whole(response: Response) -> bytes:
    if isinstance(response.body, bytes):
        return response.body
    try:
        return b"".join([chunk async for chunk in response.body])
    except ConnectionError as error:
        raise Unreachable(f"the connection broke: {error}") from error


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncGenerator[list[bytes], None]:
    """The whole lines of each chunk of a stream; closes the stream when it is itself closed."""
    rest = b""
    try:
        async for chunk in chunks:
            *lines, rest = (rest + chunk).split(b"\n")
            yield [line for line in lines if line]
    except ConnectionError as error:
        raise Unreachable(f"the connection broke: {error}") from error
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
