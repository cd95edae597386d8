"""From a request's body and parameters to decoded objects, with kube-apiserver's words for what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from homeostat.api import errors, fields, kinds
from homeostat.api.kinds import Kind
from homeostat.api.types import Obj
from homeostat.apiserver import protobuf, yamljson
from homeostat.apiserver.numbers import integer
from homeostat.wire.message import Request

JSON_TYPES = ("application/json", "")
YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml")
_ACCEPTED = ("application/json", "application/yaml", protobuf.MEDIA_TYPE)
_VALIDATIONS = ("Ignore", "Warn", "Strict")


def media_type(request: Request) -> str:
    """The content type without its parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def json_text(request: Request) -> bytes:
    """The body where it is JSON: what fields given twice can be found in."""
    return request.body if media_type(request) in JSON_TYPES else b""


def unknown_format(accepted: Sequence[str]) -> errors.ApiError:
    """415 that names what is accepted."""
    listed = ", ".join(accepted)
    return errors.unsupported_media_type(
        f"the body of the request was in an unknown format - accepted media types include: {listed}"
    )


def check_size(request: Request, bytes_max: int) -> None:
    """Raises 413 for a body over the limit."""
    if len(request.body) > bytes_max:
        raise errors.too_large(f"Request entity too large: limit is {bytes_max}")


def parse_json(body: bytes) -> Any:
    """The JSON value. Raises 400."""
    try:
        return orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise errors.bad_request(f"couldn't get version/kind; json parse error: {error}") from error


def parse(request: Request) -> Any:
    """What the body says, by its content type. Raises 400 and 415."""
    content_type = media_type(request)
    if content_type in JSON_TYPES:
        return parse_json(request.body)
    if content_type in YAML_TYPES:
        return yamljson.load(request.body)
    if content_type == protobuf.MEDIA_TYPE:
        return protobuf.decode(request.body)
    raise unknown_format(_ACCEPTED)


def parse_object(request: Request, kind: Kind) -> Obj:
    """The object of `kind` in the body; apiVersion and kind may be left out as in kube-apiserver. Raises 400."""
    value = parse(request)
    if not isinstance(value, dict):
        raise errors.bad_request(
            f"the object provided is unrecognized (must be of type {kind.kind}): couldn't get version/kind; json parse "
            f"error: json: cannot unmarshal {_go_type(value)} into Go value of type struct"
        )
    return identify(value, kind)


def identify(obj: Obj, kind: Kind) -> Obj:
    """Check the object's apiVersion and kind against those of the URL; absent ones are filled in. Raises 400."""
    api_version, name = obj.get("apiVersion") or kind.api_version, obj.get("kind") or kind.kind
    if name != kind.kind:
        where = "the object provided is unrecognized" if kinds.by_kind(str(name), str(api_version)) is None else ""
        text = f"{api_version}, Kind={name}"
        raise errors.bad_request(f"{where or 'the object in the data'} (must be of type {kind.kind}): {text}")
    if api_version != kind.api_version:
        raise errors.bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version ({kind.api_version})"
        )
    obj["apiVersion"], obj["kind"] = api_version, name
    return obj


def place(obj: Obj, kind: Kind, namespace: str, name: str) -> None:
    """Agree the object's namespace and name with the URL's (`name` empty: a create), in place. Raises 400."""
    metadata = obj["metadata"]
    own = metadata.get("namespace") or ""
    if kind.namespaced:
        if own and own != namespace:
            raise errors.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        metadata["namespace"] = namespace
    elif own:
        raise (
            errors.bad_request("namespace is not allowed on this type")
            if name == ""
            else errors.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        )
    if name:
        if not metadata.get("name"):
            raise errors.bad_request("name must be provided")
        if metadata["name"] != name:
            raise errors.bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
            )


def write_options(query: Mapping[str, str]) -> tuple[bool, str]:
    """dryRun and fieldValidation of a write. Raises 422."""
    if not query:
        return False, "Warn"
    dry_run = query.get("dryRun", "")
    validation = query.get("fieldValidation", "") or "Warn"
    causes: list[errors.Cause] = []
    if dry_run not in ("", "All"):
        causes.append(_unsupported("dryRun", dry_run, ("All",)))
    if validation not in _VALIDATIONS:
        causes.append(_unsupported("fieldValidation", validation, _VALIDATIONS))
    if len(query.get("fieldManager", "")) > 128:
        causes.append(fields.invalid("fieldManager", query["fieldManager"], "may not be more than 128 bytes"))
    if causes:
        raise errors.invalid("CreateOptions", "meta.k8s.io", "", causes)
    return dry_run == "All", validation


def delete_options(request: Request) -> Obj:
    """The DeleteOptions of a delete: its body, or else its query. Raises 400."""
    if request.body:
        value = parse(request)
        if not isinstance(value, dict):
            raise errors.bad_request("the object provided is unrecognized (must be of type DeleteOptions)")
        options = value
    else:
        query = request.query
        options = {key: query[key] for key in ("propagationPolicy",) if query.get(key)}
        if query.get("dryRun"):
            options["dryRun"] = [query["dryRun"]]
        if (seconds := integer(query, "gracePeriodSeconds")) is not None:
            options["gracePeriodSeconds"] = seconds
        if query.get("orphanDependents"):
            options["orphanDependents"] = query["orphanDependents"] in ("true", "1", "True")
    grace = options.get("gracePeriodSeconds")
    if grace is not None and (not isinstance(grace, int) or isinstance(grace, bool)):
        raise errors.bad_request("gracePeriodSeconds must be a number of seconds")
    dry_run = options.get("dryRun") or []
    if not isinstance(dry_run, list) or any(value != "All" for value in dry_run):
        raise errors.invalid("DeleteOptions", "meta.k8s.io", "", [_unsupported("dryRun", str(dry_run), ("All",))])
    return options


def _unsupported(field: str, value: str, known: tuple[str, ...]) -> errors.Cause:
    listed = ", ".join(f'"{text}"' for text in known)
    return errors.Cause("FieldValueNotSupported", field, f'Unsupported value: "{value}": supported values: {listed}')


def _go_type(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, list):
        return "array"
    return "string" if isinstance(value, str) else "number" if isinstance(value, int | float) else "null"
