"""Reading a subresource request's body and options, and writing its answer."""

from __future__ import annotations

from typing import Any

from homeostat.api import errors
from homeostat.api.types import Obj
from homeostat.apiserver import bodies, protobuf
from homeostat.apiserver.contract import Call
from homeostat.apiserver.documents import json_response
from homeostat.wire import cause
from homeostat.wire.message import Response

CREATED = 201


def body_of(call: Call, kind: str) -> Obj:
    """The object that the client sent, which must be of `kind` where it says one. Raises 400 and 415."""
    if bodies.media_type(call.request) == protobuf.MEDIA_TYPE:
        body: Any = protobuf.decode(call.request.body)
    else:
        body = bodies.parse(call.request)
    if not isinstance(body, dict):
        raise errors.bad_request("the request body is not an object")
    if body.get("kind", kind) != kind:
        raise errors.bad_request(f"the request body is a {body.get('kind')}, not a {kind}")
    for part in ("metadata", "spec"):
        if not isinstance(body.get(part) or {}, dict):
            raise errors.bad_request(f"{part} is not an object")
    return body


def dry_run(call: Call) -> bool:
    """Whether nothing is to be kept. Raises 400 on an unknown value."""
    value = call.request.query.get("dryRun", "")
    if value not in ("", "All"):
        raise errors.bad_request(f'dryRun: Unsupported value: "{value}": supported values: "All"')
    return value == "All"


def success(status: int = CREATED) -> Response:
    """A Status that says that it is done."""
    return json_response(
        {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": status}, status
    )


def write_options(call: Call) -> dict[str, Any]:
    """How `Writer.change` is to write on behalf of this call: which subresource, whether for good, and why."""
    said = cause.decode(call.request.headers.get(cause.HEADER, ""))
    note = f"{call.info.verb} {call.info.resource}/{call.info.subresource}"
    why = said or cause.WriteCause(f"user/{call.user.name}", note=note)
    return {"subresource": call.info.subresource, "dry_run": dry_run(call), "cause": why}
