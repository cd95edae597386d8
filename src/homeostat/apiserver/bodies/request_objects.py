"""From a request's body and parameters to decoded objects, with kube-apiserver's words for what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from homeostat.api import errors, facts, fields
from homeostat.api.documents import json_documents, yaml_documents
from homeostat.api.kinds import Kind, Subresource
from homeostat.api.shape.schema import definition_of
from homeostat.api.shape.structural import Misshapen, Shape, conform
from homeostat.api.types import Obj
from homeostat.apiserver.bodies import protobuf
from homeostat.apiserver.contract import info_of
from homeostat.apiserver.path.query_numbers import integer
from homeostat.wire.message import Request

JSON_TYPES = ("application/json", "")
YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml")
_ACCEPTED = ("application/json", "application/yaml", protobuf.MEDIA_TYPE)
_NO_KIND = "couldn't get version/kind"
# How Kubernetes' own messages name where the built-in kinds are registered.
_SCHEME = "pkg/api/legacyscheme/scheme.go:30"
# How much of a body that is no object its refusal quotes.
_SHOWN_BYTES = 30
_SHOWN_NAME = 253
# How much of an object that a patch made its refusal quotes, in characters.
_SHOWN_PATCHED_MAX = 16 * 1024
# Versions that are not served any more, whose bodies are still taken.
_OTHER_VERSIONS = frozenset({("policy/v1beta1", "Eviction"), ("meta.k8s.io/v1", "DeleteOptions")})
_DELETE_OPTIONS = Subresource("", "", "v1", "DeleteOptions")
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


def parse(request: Request, kind: str) -> Any:
    """What the body says, by its content type; `kind` is what it must be of. Raises 400, 413 and 415."""
    content_type, body = media_type(request), request.body
    if content_type == protobuf.MEDIA_TYPE:
        return protobuf.decode(body)
    try:
        if content_type in JSON_TYPES:
            return json_documents.from_json(body)
        if content_type in YAML_TYPES:
            return yaml_documents.load(body)
    except json_documents.TooLarge as error:
        raise errors.too_large(f"Request entity too large: {error}") from error
    except json_documents.DocumentError as error:
        what = "error converting YAML to JSON" if content_type in YAML_TYPES else f"{_NO_KIND}; json parse error"
        raise unrecognized(kind, f"{what}: {error}", body) from error
    raise unknown_format(_ACCEPTED)


def parse_object(request: Request, kind: Kind | Subresource) -> Obj:
    """The object in the body; apiVersion and kind may be left out as in kube-apiserver. Raises 400, 413 and 415."""
    return identify(parse_struct(request, kind.kind), kind)


def parse_struct(request: Request, kind: str) -> Obj:
    """The object in the body, whose kind and apiVersion, where it has them, are text. Raises 400, 413 and 415."""
    value = parse(request, kind)
    if not isinstance(value, dict):
        why = f"json: cannot unmarshal {_go_type(value)} into Go value of type struct"
        raise unrecognized(kind, f"{_NO_KIND}; json parse error: {why}", request.body)
    if why := _odd_head(value):
        raise unrecognized(kind, f"{_NO_KIND}; json parse error: {why}", request.body)
    return value


def _odd_head(obj: Obj) -> str:
    """What is wrong with an object whose apiVersion or kind is no text; empty for nothing."""
    for field in ("apiVersion", "kind"):
        found = obj.get(field)
        if found is not None and not isinstance(found, str):
            return f"json: cannot unmarshal {_go_type(found)} into Go struct field .{field} of type string"
    return ""


def patched(obj: Obj, kind: Kind | Subresource) -> Obj:
    """What a patch made, as an object of `kind`. Raises 400 (Misshapen where it is of none, or of another one)."""
    if why := _odd_head(obj):
        raise Misshapen(why, f"{_NO_KIND}; json parse error: {why}")
    return identify(obj, kind)


def bad_patch(obj: Obj, error: Misshapen) -> errors.ApiError:
    """422 for a patch that made `obj`, which cannot be of its kind (handlers/patch.go, applyPatchToCurrentObject)."""
    text = orjson.dumps(obj).decode()
    shown = text if len(text) <= _SHOWN_PATCHED_MAX else f"{text[:_SHOWN_PATCHED_MAX]}..."
    return errors.invalid("", "", "", [fields.invalid("patch", shown, error.why)])


def unrecognized(kind: str, why: str, body: bytes) -> errors.ApiError:
    """400 for a body of which not even the kind is known (transformDecodeError)."""
    shown = body[:_SHOWN_BYTES]
    text = shown.decode("utf-8", "replace") if body.startswith(b"{") else shown.hex()
    summary = f"{text} ..." if len(body) > _SHOWN_BYTES else text or "<empty>"
    return errors.bad_request(f"the object provided is unrecognized (must be of type {kind}): {why} ({summary})")


def identify(obj: Obj, kind: Kind | Subresource) -> Obj:
    """Check the object's apiVersion and kind against those of the URL; absent ones are filled in. Raises 400."""
    api_version: str = obj.get("apiVersion") or kind.api_version
    name: str = obj.get("kind") or kind.kind
    if name != kind.kind:
        raise _cannot_handle(name, api_version, kind.kind, kind.group)
    if api_version != kind.api_version and not _is_same(name, api_version, kind):
        if not facts.definition_named(api_version, name) and not (isinstance(kind, Kind) and kind.custom):
            raise _cannot_handle(name, api_version, kind.kind, kind.group)
        raise errors.bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version ({kind.api_version})"
        )
    obj["apiVersion"], obj["kind"] = api_version, name
    return obj


def _is_same(name: str, api_version: str, kind: Kind | Subresource) -> bool:
    """Whether that version's kind is the same type: DeleteOptions are part of every group."""
    return (api_version, name) in _OTHER_VERSIONS or facts.definition_named(api_version, name) == definition_of(kind)


def _cannot_handle(name: str, api_version: str, wanted: str, group: str) -> Misshapen:
    """400 for an object of another kind, or of one that does not exist."""
    known = facts.definition_named(api_version, name)
    name, api_version = name[:_SHOWN_NAME], api_version[:_SHOWN_NAME]
    version = api_version.rpartition("/")[2]
    if not known:
        why = f'no kind "{name}" is registered for version "{api_version}" in scheme "{_SCHEME}"'
    else:
        why = f"converting ({version}.{name}) to ({(group or 'core').partition('.')[0]}.{wanted}): unknown conversion"
    return Misshapen(f'{name} in version "{version}" cannot be handled as a {wanted}: {why}', why)


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


_OPTIONS_KINDS = {"update": "UpdateOptions", "patch": "PatchOptions"}


def write_options(query: Mapping[str, str], verb: str) -> tuple[bool, str]:
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
        raise errors.invalid(_OPTIONS_KINDS.get(verb, "CreateOptions"), "meta.k8s.io", "", causes)
    return dry_run == "All", validation


def typed(obj: Obj, shape: Shape, *, field_validation: str = "Ignore", body: bytes = b"") -> tuple[Obj, list[str]]:
    """A body that is not stored, in the shape of its kind, with metadata; and what to warn of. Raises 400."""
    found = conform(shape, obj, field_validation=field_validation, body=body)
    if "metadata" in shape.schema.properties:
        obj.setdefault("metadata", {})
    return obj, found.problems


def delete_options(request: Request) -> Obj:
    """The DeleteOptions of a delete: its body, or else its query. Raises 400, 413, 415 and 422."""
    if request.body:
        options, _ = typed(parse_object(request, _DELETE_OPTIONS), info_of(request).catalogue.shape(_DELETE_OPTIONS))
    else:
        query = request.query
        options = {key: query[key] for key in ("propagationPolicy",) if query.get(key)}
        if query.get("dryRun"):
            options["dryRun"] = [query["dryRun"]]
        if (seconds := integer(query, "gracePeriodSeconds")) is not None:
            options["gracePeriodSeconds"] = seconds
        if query.get("orphanDependents"):
            options["orphanDependents"] = query["orphanDependents"] in ("true", "1", "True")
    dry_run = options.get("dryRun") or []
    if any(value != "All" for value in dry_run):
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
