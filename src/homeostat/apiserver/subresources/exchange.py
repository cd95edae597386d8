"""Reading a subresource request's body and options, and writing its answer."""

from __future__ import annotations

from typing import Any

from homeostat.api.kinds import Kind, Subresource
from homeostat.api.types import Obj
from homeostat.apiserver.bodies import request_objects
from homeostat.apiserver.contract import Call
from homeostat.apiserver.describe.etag_documents import json_response
from homeostat.apiserver.journal import causes
from homeostat.apiserver.path import accept
from homeostat.wire.message import Response

CREATED = 201


def body_of(call: Call) -> Obj:
    """The object that the client sent, in the shape that is taken here. Raises 400, 406, 413, 415 and 422."""
    accept.check_plain(call.request.headers)
    return typed(
        call, request_objects.parse_object(call.request, _taken(call)), request_objects.json_text(call.request)
    )


def typed(call: Call, obj: Obj, body: bytes = b"") -> Obj:
    """The object in its shape; `body` is the JSON that it was decoded from, where it was. Raises 400 and 422."""
    _, how = request_objects.write_options(call.request.query, call.info.verb)
    shaped, problems = request_objects.typed(
        obj, call.info.catalogue.shape(_taken(call)), field_validation=how, body=body
    )
    call.warnings.extend(problems)
    return shaped


def _taken(call: Call) -> Kind | Subresource:
    """What a body of this request is of."""
    kind, name = call.info.kind, call.info.subresource
    found = kind.part(name) if kind is not None and name else kind
    assert found is not None  # handlers are those of resources and subresources that exist
    return found


def dry_run(call: Call) -> bool:
    """Whether nothing is to be kept. Raises 422 on an unknown value."""
    return request_objects.write_options(call.request.query, call.info.verb)[0]


def success(status: int = CREATED) -> Response:
    """A Status that says that it is done."""
    return json_response(
        {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": status}, status
    )


def write_options(call: Call) -> dict[str, Any]:
    """How `Writer.change` is to write on behalf of this call: which subresource, whether for good, and why."""
    note = f"{call.info.verb} {call.info.resource}/{call.info.subresource}"
    why = causes.of_request(call.request, call.user, note)
    return {"subresource": call.info.subresource, "dry_run": dry_run(call), "cause": why}
