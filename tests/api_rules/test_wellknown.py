"""Names that Kubernetes gives a meaning to are written in one place.

Kubernetes: Well-Known Labels, Annotations and Taints (docs/reference/labels-annotations-taints).
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from homeostat.api.rules import wellknown

NAMES = {name: value for name, value in vars(wellknown).items() if name.isupper() and isinstance(value, str)}
HOME = Path(wellknown.__file__)
SOURCE = HOME.parents[2]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LABEL_HOSTNAME", "kubernetes.io/hostname"),
        ("LABEL_ZONE", "topology.kubernetes.io/zone"),
        ("LABEL_SERVICE_NAME", "kubernetes.io/service-name"),
        ("LABEL_CONTROL_PLANE", "node-role.kubernetes.io/control-plane"),
        ("ANNOTATION_MIRROR", "kubernetes.io/config.mirror"),
        ("ANNOTATION_DELETION_COST", "controller.kubernetes.io/pod-deletion-cost"),
        ("TAINT_NOT_READY", "node.kubernetes.io/not-ready"),
        ("TAINT_UNREACHABLE", "node.kubernetes.io/unreachable"),
        ("TAINT_OUT_OF_SERVICE", "node.kubernetes.io/out-of-service"),
        ("NO_EXECUTE", "NoExecute"),
    ],
)
def test_a_name_is_spelled_as_kubernetes_spells_it(name: str, value: str) -> None:
    assert NAMES[name] == value


def test_no_other_module_spells_a_well_known_name() -> None:
    known = set(NAMES.values())
    found = [
        f"{path.relative_to(SOURCE)}:{node.lineno}: {node.value}"
        for path in SOURCE.rglob("*.py")
        if path != HOME
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in known
    ]
    assert not found


def test_every_well_known_name_is_used() -> None:
    text = "".join(path.read_text() for path in SOURCE.rglob("*.py"))
    assert [name for name in NAMES if f"wellknown.{name}" not in text] == []
