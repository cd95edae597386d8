"""Owner references: which object owns another.

Kubernetes: Owners and Dependents (docs/concepts/overview/working-with-objects/owners-dependents).
"""

from __future__ import annotations

from typing import Any

import pytest

from homeostat.api import kinds
from homeostat.api.rules import ownership

Obj = dict[str, Any]
OWNER: Obj = {"metadata": {"name": "web", "uid": "u1"}}
PLAIN = {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "u0"}
OF_SET = {
    "apiVersion": "apps/v1",
    "kind": "ReplicaSet",
    "name": "web",
    "uid": "u1",
    "controller": True,
    "blockOwnerDeletion": True,
}


@pytest.mark.parametrize(
    ("references", "controller"),
    [
        (None, None),
        ([], None),
        ([PLAIN], None),
        ([{**PLAIN, "controller": False}], None),
        ([OF_SET], OF_SET),
        ([PLAIN, OF_SET], OF_SET),
    ],
)
def test_the_controller_is_the_owner_that_says_so(references: list[Obj] | None, controller: Obj | None) -> None:
    obj: Obj = {"metadata": {"name": "x"} | ({} if references is None else {"ownerReferences": references})}
    assert ownership.owner_references(obj) == (references or [])
    assert ownership.controller_of(obj) == controller
    assert ownership.controller_uid(obj) == ("u1" if controller else "")
    assert ownership.controlled_by(obj, OWNER) is (controller is not None)


def test_an_object_without_metadata_has_no_owner() -> None:
    assert ownership.owner_references({}) == []
    assert ownership.controller_of({}) is None and ownership.controller_uid({}) == ""


def test_another_object_of_the_owners_name_is_not_the_owner() -> None:
    obj = {"metadata": {"ownerReferences": [OF_SET]}}
    assert not ownership.controlled_by(obj, {"metadata": {"name": "web", "uid": "u2"}})


def test_a_controllers_reference_blocks_its_deletion_and_a_plain_one_does_not() -> None:
    assert ownership.controller_reference(kinds.REPLICASET, OWNER) == OF_SET
    node = {"metadata": {"name": "n1", "uid": "u3"}}
    assert ownership.owner_reference(kinds.NODE, node) == {
        "apiVersion": "v1",
        "kind": "Node",
        "name": "n1",
        "uid": "u3",
    }


@pytest.mark.parametrize(
    ("reference", "kind", "matches"),
    [
        (OF_SET, kinds.REPLICASET, True),
        ({**OF_SET, "apiVersion": "apps/v1beta2"}, kinds.REPLICASET, True),
        ({**OF_SET, "apiVersion": "example.com/v1"}, kinds.REPLICASET, False),
        (OF_SET, kinds.DEPLOYMENT, False),
        ({"apiVersion": "v1", "kind": "Node"}, kinds.NODE, True),
        ({"kind": "Node"}, kinds.NODE, True),
        ({"apiVersion": "apps/v1", "kind": "Node"}, kinds.NODE, False),
    ],
)
def test_a_reference_is_to_a_kind_in_whatever_version(reference: Obj, kind: kinds.Kind, matches: bool) -> None:
    assert ownership.refers_to(reference, kind) is matches
