"""TypeScript types of Kubernetes' built-in kinds, for the Console's pages, made from the schema facts.

    python tools/kube_types.py

Writes one module for each group and version into `web/src/kube/generated` (`core-v1.d.ts` has `Pod`, `meta-v1.d.ts` has
`ObjectMeta`). They are types alone, and are not kept in the repository.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from homeostat.api import facts

Json = dict[str, Any]

TARGET = Path(__file__).parents[1] / "web" / "src" / "kube" / "generated"
_HEAD = "// Made by tools/kube_types.py from the schema facts of Kubernetes: do not edit.\n"
# Definitions that are one value in JSON.
_VALUES = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "string",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "number | string",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "string",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "string",
}
_PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean"}
_FREE = "Readonly<Record<string, unknown>>"


def module_of(name: str) -> str:
    """The module of a definition: `io.k8s.api.core.v1.Pod` is in `core-v1`."""
    *_, group, version, _ = name.split(".")
    return f"{group}-{version}"


def type_of(schema: Json, module: str) -> str:
    """A schema node as a type, in a module."""
    if name := schema.get("$ref"):
        return _VALUES.get(name) or _reference(name, module)
    if schema.get("type") == "array":
        inner = type_of(schema["items"], module)
        return f"readonly ({inner})[]" if " " in inner else f"readonly {inner}[]"
    if properties := schema.get("properties"):
        return f"{{ {' '.join(_fields(properties, schema.get('required', []), module))} }}"
    if isinstance(values := schema.get("additionalProperties"), dict):
        return f"Readonly<Record<string, {type_of(values, module)}>>"
    return _PLAIN.get(schema.get("type", ""), _FREE if schema.get("type") == "object" else "unknown")


def _reference(name: str, module: str) -> str:
    kind = name.rpartition(".")[2]
    return kind if module_of(name) == module else f'import("./{module_of(name)}").{kind}'


def _fields(properties: Json, required: list[str], module: str) -> list[str]:
    found = []
    for field, schema in sorted(properties.items()):
        key = field if re.fullmatch(r"[A-Za-z_]\w*", field) else f'"{field}"'
        found.append(f"readonly {key}{'' if field in required else '?'}: {type_of(schema, module)};")
    return found


def modules(definitions: dict[str, Json]) -> dict[str, str]:
    """The text of each module by its name."""
    texts: dict[str, list[str]] = defaultdict(list)
    for name, schema in sorted(definitions.items()):
        if name in _VALUES:
            continue
        module, kind = module_of(name), name.rpartition(".")[2]
        if properties := schema.get("properties"):
            lines = "".join(f"  {line}\n" for line in _fields(properties, schema.get("required", []), module))
            texts[module].append(f"export interface {kind} {{\n{lines}}}\n")
        else:
            texts[module].append(f"export type {kind} = {type_of(schema, module)};\n")
    return {module: "\n".join([_HEAD, *parts]) for module, parts in texts.items()}


def write(target: Path = TARGET) -> int:
    """Write the modules, and remove those of before; returns how many there are."""
    target.mkdir(parents=True, exist_ok=True)
    made = modules(facts.definitions())
    for old in target.glob("*.d.ts"):
        if old.name.removesuffix(".d.ts") not in made:
            old.unlink()
    for module, text in made.items():
        (target / f"{module}.d.ts").write_text(text, encoding="utf-8")
    return len(made)


if __name__ == "__main__":
    print(f"wrote {write()} modules into {TARGET}")
    sys.exit(0)
