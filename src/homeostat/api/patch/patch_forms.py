"""The three patch forms that clients send: JSON Patch, JSON Merge Patch, strategic merge patch.

Each takes an object and a decoded patch and returns a new object; merge patches share unchanged parts with the
original, which is never changed. A bad patch is an ApiError: 400 when it is malformed, 422 when it does not apply.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jsonpatch
import orjson
from jsonpointer import JsonPointerException

from homeostat.api.documents import json_documents
from homeostat.api.errors import ApiError, bad_request, too_large, unsupported_media_type
from homeostat.api.fields import show
from homeostat.api.patch import strategic_merge
from homeostat.api.types import Obj

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
CONTENT_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH)

_OPERATIONS_MAX = 10_000
# What all copy operations of one JSON Patch may add, as kube-apiserver bounds it (its body limit).
_COPIED_BYTES_MAX = 3 * 1024 * 1024
# How much a refusal quotes of what the library says, which may name a whole path.
_SHOWN_MAX = 400
_REJECTED = "the server rejected our request due to an error in our request"


def apply(content_type: str, obj: Obj, patch: Any, schema: strategic_merge.Place | None = None) -> Obj:
    """`obj` patched in the form that `content_type` names; `patch` is decoded, or the bytes of a body.

    Without a schema a strategic merge patch replaces all lists. Raises ApiError (400, 413, 415 or 422).
    """
    form = content_type.partition(";")[0].strip()
    try:
        if isinstance(patch, bytes):
            patch = decode(patch)
        if form == JSON_PATCH:
            return json_patch(obj, patch)
        if form not in CONTENT_TYPES:
            accepted = ", ".join(CONTENT_TYPES)
            raise unsupported_media_type(
                f"the body of the request was in an unknown format - accepted media types include: {accepted}"
            )
        if not isinstance(patch, dict):
            raise bad_request(f"error decoding patch: a patch of this type must be an object, not {show(patch)[:80]}")
        return merge_patch(obj, patch) if form == MERGE_PATCH else strategic_merge.apply(obj, patch, schema)
    except RecursionError:
        raise bad_request("error decoding patch: nested too deeply") from None


def decode(body: bytes) -> Any:
    """The patch that a body writes. Raises ApiError (400, or 413 for one that holds too much)."""
    try:
        return json_documents.from_json(body)
    except json_documents.TooLarge as problem:
        raise too_large(f"Request entity too large: {problem}") from problem
    except json_documents.DocumentError as problem:
        raise bad_request(f"error decoding patch: {problem}") from problem


def merge_patch(obj: Obj, patch: Obj) -> Obj:
    """RFC 7386: null removes, objects merge, everything else replaces."""
    merged = dict(obj)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            current = merged.get(key)
            merged[key] = merge_patch(current if isinstance(current, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def merge_diff(old: Obj, new: Obj) -> Obj:
    """The smallest merge patch that turns `old` into `new`; empty when they are equal.

    A null inside `new` cannot be said by a merge patch; it counts as absent.
    """
    patch: Obj = {key: None for key, value in old.items() if value is not None and new.get(key) is None}
    for key, value in new.items():
        before = old.get(key)
        if value == before or value is None:
            continue
        if isinstance(value, dict) and isinstance(before, dict):
            inner = merge_diff(before, value)
            if inner:
                patch[key] = inner
        else:
            patch[key] = value
    return patch


def json_patch(obj: Obj, operations: Any) -> Obj:
    """RFC 6902. Raises ApiError: 400 malformed, 413 too many operations, 422 when an operation does not apply."""
    if not isinstance(operations, Sequence) or isinstance(operations, str | bytes):
        raise bad_request("error decoding patch: a JSON patch must be a list of operations")
    if len(operations) > _OPERATIONS_MAX:
        most = f"The allowed maximum operations in a JSON patch is {_OPERATIONS_MAX}, got {len(operations)}"
        raise too_large(most)
    for operation in operations:
        _check_operation(operation)
    result = _copy(obj)
    copied_bytes = 0
    try:
        for operation in operations:
            step = operation
            if operation["op"] == "copy":
                copied = orjson.dumps(jsonpatch.JsonPointer(operation["from"]).resolve(result))
                copied_bytes += len(copied)
                if copied_bytes > _COPIED_BYTES_MAX:
                    raise _not_applicable(f"copying more than {_COPIED_BYTES_MAX} bytes in one patch")
                step = {"op": "add", "path": operation["path"], "value": orjson.loads(copied)}
            elif isinstance(operation.get("value"), dict | list):
                # Later operations change it in place, and the patch may have to be applied again.
                step = {**operation, "value": _copy(operation["value"])}
            result = jsonpatch.JsonPatch([step]).apply(result, in_place=True)
        # Each operation adds little; many can nest what they add without end.
        json_documents.check_depth(result)
    except json_documents.DocumentError as problem:
        raise _not_applicable(str(problem)) from problem
    except jsonpatch.JsonPatchTestFailed as problem:
        raise _not_applicable(f"testing value {operation['path'][:_SHOWN_MAX]} failed: test failed") from problem
    except (jsonpatch.JsonPatchException, JsonPointerException, TypeError, LookupError, ValueError) as problem:
        # The library's messages may end with the whole document.
        raise _not_applicable(str(problem).partition(" in {")[0][:_SHOWN_MAX]) from problem
    if not isinstance(result, dict):
        raise _not_applicable("the patched document is not an object")
    return result


def _check_operation(operation: Any) -> None:
    name = operation.get("op") if isinstance(operation, dict) else None
    if name not in ("add", "remove", "replace", "move", "copy", "test"):
        raise bad_request(f"error decoding patch: unknown operation {show(operation)[:120]}")
    needed = ["path", *(["value"] if name in ("add", "replace", "test") else [])]
    needed += ["from"] if name in ("move", "copy") else []
    for field in needed:
        if field not in operation or (field != "value" and not isinstance(operation[field], str)):
            raise bad_request(f'error decoding patch: operation "{name}" needs "{field}"')


def _copy(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value))


def _not_applicable(why: str) -> ApiError:
    return ApiError(422, "Invalid", f"{_REJECTED}: {why}")
