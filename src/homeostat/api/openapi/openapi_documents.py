"""The OpenAPI documents that the API serves: v3 by group and version with its index, and v2 as one document.

Made from a catalogue when first asked for and kept as bytes. Their shapes are kube-apiserver's, which clients rely
on: kubectl reads the v3 documents as JSON for `explain`, for the merge keys of `apply`, and to learn from the PATCH
operations that `fieldValidation` and `dryRun` are served. The v2 document is given as JSON, not as protobuf.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import cached_property

import orjson

from homeostat import KUBERNETES_VERSION, __version__
from homeostat.api import facts
from homeostat.api.catalogue import Catalogue
from homeostat.api.openapi.operations import PARAMETERS, PATCH, PATCH_TYPES, Operation, operations, tag
from homeostat.api.types import Obj

_JSON = "application/json"
_PATH_PARAMETERS = {"name": "The name of the object.", "namespace": "The namespace of the object."}
_INFO = {"title": "Kubernetes", "version": KUBERNETES_VERSION}
_KEPT_V2 = ("type", "format", "required", "description")
# The rest is of schemas that a definition brings, which v3 says whole.
_KEPT_V3 = (*_KEPT_V2, "default", "enum", "maximum", "maxItems", "maxLength", "minimum", "minItems", "minLength",
            "nullable", "pattern")  # fmt: skip
_V3_PREFIX = "#/components/schemas/"
_V2_PREFIX = "#/definitions/"


class Documents:
    """The documents of one catalogue, each made when it is first asked for. Groups without defined kinds have the
    documents of the built-in catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._v3: dict[str, bytes] = {}
        self.names: dict[str, tuple[str, str]] = {}
        for group, versions in catalogue.groups.items():
            for version in versions:
                self.names[f"apis/{group}/{version}" if group else f"api/{version}"] = (group, version)

    def v3_hash(self, name: str) -> str:
        """What changes when the document does: the ETag of it, and the `hash` in its URL."""
        text = f"{__version__} {KUBERNETES_VERSION} {name} {orjson.dumps(facts.attribution()).decode()}"
        digest = hashlib.sha256(text.encode())
        group, version = self.names[name]
        for definition in self._catalogue.definitions:
            if definition.group == group:
                digest.update(repr((version, definition)).encode())
        return digest.hexdigest().upper()

    @cached_property
    def v3_index(self) -> bytes:
        """The answer to `/openapi/v3`: where each document is."""
        paths = {name: {"serverRelativeURL": f"/openapi/v3/{name}?hash={self.v3_hash(name)}"} for name in self.names}
        return orjson.dumps({"paths": paths})

    def v3(self, name: str) -> bytes | None:
        """The document behind `/openapi/v3/<name>`, such as `apis/apps/v1`; None where there is none."""
        place, base = self.names.get(name), self._catalogue.base
        if place is None:
            return None
        if base is not None and place[0] in base.groups:
            return base.derived(Documents).v3(name)
        document = self._v3.get(name)
        if document is None:
            document = self._v3[name] = self._make_v3(*place)
        return document

    def _make_v3(self, group: str, version: str) -> bytes:
        found, node = operations(self._catalogue, group, version), self._catalogue.node
        schemas = {used: _definition(used, node, _v3_node) for used in _closure(_named(found), node)}
        security = {"BearerToken": {"type": "apiKey", "name": "authorization", "in": "header"}}
        return orjson.dumps(
            {
                "openapi": "3.0.0",
                "info": _INFO,
                "paths": _paths(found, _v3_operation, _v3_parameter),
                "components": {"schemas": schemas, "securitySchemes": security},
            }
        )

    @cached_property
    def v2(self) -> bytes:
        """The answer to `/openapi/v2`, as JSON: all groups in one document."""
        node = self._catalogue.node
        found = [op for group, version in self.names.values() for op in operations(self._catalogue, group, version)]
        return orjson.dumps(
            {
                "swagger": "2.0",
                "info": _INFO,
                "paths": _paths(found, _v2_operation, _v2_parameter),
                "definitions": {used: _definition(used, node, _v2_node) for used in _closure(_named(found), node)},
                "securityDefinitions": {"BearerToken": {"type": "apiKey", "name": "authorization", "in": "header"}},
            }
        )


# ---- schemas


def _named(found: Iterable[Operation]) -> set[str]:
    """The definitions that operations speak of."""
    return {name for op in found for name in (op.body, op.answer) if name}


def _closure(names: set[str], node_of: Callable[[str], Obj]) -> list[str]:
    """Those definitions and all that they refer to, sorted."""
    todo, found = list(names), set(names)
    while todo:
        name = todo.pop()
        for node in () if name == PATCH else node_of(name).get("properties", {}).values():
            for ref in _references(node):
                if ref not in found:
                    found.add(ref)
                    todo.append(ref)
    return sorted(found)


def _references(node: Obj) -> list[str]:
    inner = [node[part] for part in ("items", "additionalProperties") if isinstance(node.get(part), dict)]
    inner += (node.get("properties") or {}).values()
    own = [node["$ref"]] if "$ref" in node else []
    return own + [ref for child in inner for ref in _references(child)]


def _definition(name: str, node_of: Callable[[str], Obj], form: Callable[[Obj], Obj]) -> Obj:
    """One type, with its prose, its properties in `form`."""
    if name == PATCH:
        return {"description": "A patch, in one of the formats that PATCH takes.", "type": "object"}
    target, prose = node_of(name), facts.descriptions().get(name, {})
    out = form(target)
    if prose.get(""):
        out["description"] = prose[""]
    properties = {
        field: form(node) | ({"description": prose[field]} if field in prose else {})
        for field, node in target.get("properties", {}).items()
    }
    if properties:
        out["properties"] = properties
    return out


def _common(node: Obj, form: Callable[[Obj], Obj], kept: tuple[str, ...]) -> Obj:
    out = {key: node[key] for key in node if key in kept or key.startswith("x-")}
    for part in ("items", "additionalProperties"):
        if isinstance(node.get(part), dict):
            out[part] = form(node[part])
    if isinstance(node.get("properties"), dict):
        out["properties"] = {name: form(child) for name, child in node["properties"].items()}
    return out


def _v3_node(node: Obj) -> Obj:
    """A place in v3's form: a reference is put in `allOf`, so that it may have siblings."""
    out = _common(node, _v3_node, _KEPT_V3)
    if "$ref" in node:
        out["allOf"] = [{"$ref": _V3_PREFIX + node["$ref"]}]
        if facts.definitions().get(node["$ref"], {}).get("properties"):
            out["default"] = {}
    if out.get("format") == "quantity":
        return {"oneOf": [{"type": "string"}, {"type": "number"}]}
    if out.get("format") == "int-or-string":
        return {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}
    return out


def _v2_node(node: Obj) -> Obj:
    out = _common(node, _v2_node, _KEPT_V2)
    if "$ref" in node:
        out["$ref"] = _V2_PREFIX + node["$ref"]
    if out.get("format") == "quantity":
        del out["format"]
    return out


# ---- paths


def _paths(found: list[Operation], form: Callable[[Operation], Obj], parameter: Callable[..., Obj]) -> Obj:
    paths: Obj = {}
    for op in found:
        item = paths.setdefault(op.path, {})
        item[op.method] = form(op)
        if "parameters" not in item:
            own = [
                parameter(name, "path", "string", text)
                for name, text in _PATH_PARAMETERS.items()
                if f"{{{name}}}" in op.path
            ]
            item["parameters"] = [*own, parameter("pretty", "query", *PARAMETERS["pretty"])]
    return paths


def _place(path: str) -> tuple[str, str]:
    """The group and version of a path."""
    parts = path.split("/")
    return ("", parts[2]) if parts[1] == "api" else (parts[2], parts[3])


def _head(op: Operation, parameter: Callable[..., Obj]) -> Obj:
    group, version, kind = op.gvk
    return {
        "operationId": op.id,
        "tags": [tag(*_place(op.path))],
        "description": f"{op.action} {kind}",
        "parameters": [parameter(name, "query", *PARAMETERS[name]) for name in op.query],
        "x-kubernetes-action": op.action,
        "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
    }


def _codes(op: Operation) -> list[tuple[str, str]]:
    created = [("201", "Created")] if op.created and op.method in ("post", "put", "patch") else []
    return [("200", "OK"), *created, ("401", "Unauthorized")]


def _v3_parameter(name: str, place: str, kind: str, text: str) -> Obj:
    out: Obj = {"name": name, "in": place, "description": text, "schema": {"type": kind, "uniqueItems": True}}
    return out | {"required": True} if place == "path" else out


def _v3_operation(op: Operation) -> Obj:
    out = _head(op, _v3_parameter)
    if op.body:
        ref = {"schema": {"$ref": _V3_PREFIX + op.body}}
        kinds = PATCH_TYPES if op.body == PATCH else (_JSON,)
        out["requestBody"] = {"content": dict.fromkeys(kinds, ref), "required": op.method != "delete"}
    if op.answer:
        content = {_JSON: {"schema": {"$ref": _V3_PREFIX + op.answer}}}
    else:
        content = {"text/plain": {"schema": {"type": "string"}}}
    shown = {code: {"description": text, "content": content} for code, text in _codes(op)}
    out["responses"] = shown | {"401": {"description": "Unauthorized"}}
    return out


def _v2_parameter(name: str, place: str, kind: str, text: str) -> Obj:
    out: Obj = {"name": name, "in": place, "description": text, "type": kind, "uniqueItems": True}
    return out | {"required": True} if place == "path" else out


def _v2_operation(op: Operation) -> Obj:
    out = _head(op, _v2_parameter)
    if op.body:
        body = {"name": "body", "in": "body", "schema": {"$ref": _V2_PREFIX + op.body}}
        out["parameters"].insert(0, body | {"required": op.method != "delete"})
    out["consumes"] = list(PATCH_TYPES) if op.body == PATCH else [_JSON]
    out["produces"] = [_JSON] if op.answer else ["text/plain"]
    schema = {"$ref": _V2_PREFIX + op.answer} if op.answer else {"type": "string"}
    shown: Obj = {code: {"description": text, "schema": schema} for code, text in _codes(op)}
    out["responses"] = shown | {"401": {"description": "Unauthorized"}}
    out["schemes"] = ["https"]
    return out
