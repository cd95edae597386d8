"""What can be done to each resource over HTTP, as plain records: the source of the OpenAPI documents' paths.

One record for each path and method, in the words of Kubernetes' published document (operation ids, actions, parameter
names), so that client generators give the names that people know. Neutral between OpenAPI v2 and v3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from homeostat.api.catalogue import Catalogue
from homeostat.api.kinds import Kind, Subresource
from homeostat.api.shape.schema import definition_of

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
STATUS = _META + "Status"
DELETE_OPTIONS = _META + "DeleteOptions"
PATCH = _META + "Patch"
PATCH_TYPES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)

# Query parameters: name -> (type, what it does).
PARAMETERS = {
    "allowWatchBookmarks": ("boolean", "Ask for bookmark events in a watch."),
    "command": ("string", "The command and its arguments, one parameter each."),
    "container": ("string", "The container; needed where the Pod has several."),
    "continue": ("string", "The token of the page to go on from."),
    "dryRun": ("string", "All: go through every stage but store nothing."),
    "fieldManager": ("string", "The name of whoever makes the change."),
    "fieldSelector": ("string", "Only objects whose fields have these values."),
    "fieldValidation": ("string", "What to do about unknown or duplicate fields: Ignore, Warn or Strict."),
    "follow": ("boolean", "Go on as the log grows."),
    "gracePeriodSeconds": ("integer", "How long the object has to end; 0 ends it at once."),
    "labelSelector": ("string", "Only objects with these labels."),
    "limit": ("integer", "The most objects in one answer."),
    "limitBytes": ("integer", "The most bytes of the log."),
    "orphanDependents": ("boolean", "Deprecated: use propagationPolicy."),
    "path": ("string", "The path of the proxied request."),
    "ports": ("integer", "The ports to forward."),
    "pretty": ("string", "Indent the output."),
    "previous": ("boolean", "The log of the container's previous run."),
    "propagationPolicy": ("string", "What becomes of dependents: Orphan, Background or Foreground."),
    "resourceVersion": ("string", "How fresh the answer must be."),
    "resourceVersionMatch": ("string", "How resourceVersion is meant: Exact or NotOlderThan."),
    "sendInitialEvents": ("boolean", "Begin a watch with the objects that are there."),
    "sinceSeconds": ("integer", "Only lines not older than this."),
    "stderr": ("boolean", "Pass standard error."),
    "stdin": ("boolean", "Pass standard input."),
    "stdout": ("boolean", "Pass standard output."),
    "tailLines": ("integer", "Only this many lines from the end."),
    "timeoutSeconds": ("integer", "End the call after this time."),
    "timestamps": ("boolean", "Begin each line with its time."),
    "tty": ("boolean", "Give the process a terminal."),
    "watch": ("boolean", "Stream changes instead of listing."),
}
_SELECT = ("continue", "fieldSelector", "labelSelector", "limit", "resourceVersion", "resourceVersionMatch")
_LIST = ("allowWatchBookmarks", *_SELECT, "sendInitialEvents", "timeoutSeconds", "watch")
_WRITE = ("dryRun", "fieldManager", "fieldValidation")
_DELETE = ("dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy")
_STREAMS = ("container", "stderr", "stdin", "stdout", "tty")
_CONNECT = {"exec": ("command", *_STREAMS), "attach": _STREAMS, "portforward": ("ports",), "proxy": ("path",)}
_LOG = ("container", "follow", "limitBytes", "previous", "sinceSeconds", "tailLines", "timestamps")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `body` and `answer` are definitions; an empty answer is text, an empty body none."""

    path: str
    method: str
    action: str
    id: str
    gvk: tuple[str, str, str]
    query: tuple[str, ...] = ()
    body: str = ""
    answer: str = STATUS
    created: bool = False  # whether 201 is an answer too


# API verb -> (method, action, the operation id's verb), for single objects and for collections.
_OBJECT = {
    "get": ("get", "get", "read"),
    "update": ("put", "put", "replace"),
    "patch": ("patch", "patch", "patch"),
    "delete": ("delete", "delete", "delete"),
    "create": ("post", "post", "create"),
}
_COLLECTION = {
    "list": ("get", "list", "list"),
    "create": ("post", "post", "create"),
    "deletecollection": ("delete", "deletecollection", "delete"),
}


def _words(group: str) -> list[str]:
    return [word.capitalize() for word in (group or "core").removesuffix(".k8s.io").split(".")]


def _camel(kind: Kind) -> str:
    """`RbacAuthorizationV1`: how operation ids name a group and version."""
    return "".join(_words(kind.group)) + kind.version.capitalize()


def tag(group: str, version: str) -> str:
    """`rbacAuthorization_v1`: how client generators name the class of a group's operations."""
    first, *rest = _words(group)
    return f"{first.lower()}{''.join(rest)}_{version}"


def _noun(kind: Kind) -> str:
    return ("Namespaced" if kind.namespaced else "") + kind.kind


def _place(kind: Kind) -> str:
    """The path of the kind's collection, with the namespace as a parameter."""
    return kind.path("{namespace}" if kind.namespaced else "")


def _of_verb(kind: Kind, path: str, verb: str, shape: tuple[str, str, str], name: str) -> Operation:
    """The operation of one verb; `name` is the rest of its id."""
    method, action, _ = shape
    own = definition_of(kind)
    gvk = (kind.group, kind.version, kind.kind)
    if verb == "list":
        return Operation(path, method, action, name, gvk, _LIST, answer=own + "List")
    if verb == "deletecollection":
        return Operation(
            path,
            method,
            action,
            name,
            gvk,
            (*_SELECT, *_DELETE, "sendInitialEvents", "timeoutSeconds"),
            body=DELETE_OPTIONS,
        )
    if verb == "delete":
        return Operation(path, method, action, name, gvk, _DELETE, body=DELETE_OPTIONS)
    if verb == "get":
        return Operation(path, method, action, name, gvk, answer=own)
    body = PATCH if verb == "patch" else own
    return Operation(path, method, action, name, gvk, _WRITE, body=body, answer=own, created=True)


def _of_kind(kind: Kind) -> Iterator[Operation]:
    group, noun, place = _camel(kind), _noun(kind), _place(kind)
    for verb, shape in _COLLECTION.items():
        if verb in kind.verbs:
            middle = "Collection" if verb == "deletecollection" else ""
            yield _of_verb(kind, place, verb, shape, f"{shape[2]}{group}{middle}{noun}")
    if kind.namespaced and "list" in kind.verbs:
        name = f"list{group}{kind.kind}ForAllNamespaces"
        yield _of_verb(kind, kind.path(), "list", _COLLECTION["list"], name)
    for verb, shape in _OBJECT.items():
        if verb in kind.verbs and verb != "create":
            yield _of_verb(kind, f"{place}/{{name}}", verb, shape, f"{shape[2]}{group}{noun}")
    for sub in kind.parts:
        yield from _of_subresource(kind, sub)


def _of_subresource(kind: Kind, sub: Subresource) -> Iterator[Operation]:
    path = f"{_place(kind)}/{{name}}/{sub.name}"
    group, noun, gvk = _camel(kind), _noun(kind), (sub.group, sub.version, sub.kind)
    tail = sub.name.capitalize()
    if sub.name in _CONNECT:
        for verb in sorted(sub.verbs):
            method = _OBJECT[verb][0]
            name = f"connect{group}{method.capitalize()}{noun}{tail}"
            yield Operation(path, method, "connect", name, gvk, _CONNECT[sub.name], answer="")
        return
    if sub.name == "log":
        yield Operation(path, "get", "get", f"read{group}{noun}Log", gvk, _LOG, answer="")
        return
    body = definition_of(sub)
    for verb in (verb for verb in _OBJECT if verb in sub.verbs):
        method, action, word = _OBJECT[verb]
        name = f"{word}{group}{noun}{tail}"
        if verb == "get":
            yield Operation(path, method, action, name, gvk, answer=body)
        else:
            sent = PATCH if verb == "patch" else body
            yield Operation(path, method, action, name, gvk, _WRITE, body=sent, answer=body, created=True)


def operations(catalogue: Catalogue, group: str, version: str) -> list[Operation]:
    """Every operation of a group and version, in the order of its resources."""
    return [op for kind in catalogue.of_group_version(group, version) for op in _of_kind(kind)]
