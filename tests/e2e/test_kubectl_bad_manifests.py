"""Manifests that are wrong, given to kubectl: it and the server say what is wrong, and nothing comes of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.real_lab import Lab

pytestmark = [pytest.mark.real]


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ('{"apiVersion":"v1","kind":"Gadget","metadata":{"name":"x"}}', 'no matches for kind "Gadget" in version "v1"'),
        ("apiVersion: toys.example/v1\nkind: Gadget\nmetadata: {name: x}", 'no matches for kind "Gadget" in version'),
        ("apiVersion: apps/v9\nkind: Deployment\nmetadata: {name: x}", 'no matches for kind "Deployment" in version'),
        ("kind: ConfigMap\nmetadata: {name: x}", "apiVersion not set"),
        ("apiVersion: v1\nmetadata: {name: x}", "kind not set"),
        ("a: [b", "error converting YAML to JSON"),
        ("just text", "invalid object to validate"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndat: {a: b}", 'unknown field "dat"'),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: 1}",
            "cannot unmarshal number into Go struct",
        ),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: X_y}", 'metadata.name: Invalid value: "X_y"'),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {namespace: nowhere, name: x}", "does not match the namespace"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: []}", "spec.containers: Required value"),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: 70000}]}",
            "spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535",
        ),
    ],
)
def test_a_wrong_manifest(cluster: Lab, manifest: str, words: str) -> None:
    assert words in cluster.refused("apply", "-f", "-", input=manifest)
    there = cluster.out("get", "cm,pods,svc", "-o", "name").split()
    assert there == ["configmap/kube-root-ca.crt", "service/kubernetes"]


def test_unknown_fields_are_refused_dropped_or_warned_of_as_asked(lab: Lab) -> None:
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndat: {a: b}"
    assert 'unknown field "dat"' in lab.refused("create", "--validate=strict", "-f", "-", input=manifest)
    warned = lab.kubectl("create", "--validate=warn", "-f", "-", input=manifest)
    assert warned.stdout == "configmap/x created\n" and 'Warning: unknown field "dat"' in warned.stderr
    ignored = lab.kubectl("replace", "--validate=ignore", "-f", "-", input=manifest)
    assert ignored.stderr == "" and "dat" not in lab.json("get", "cm", "x")


def test_good_parts_of_a_manifest_are_applied_though_others_are_bad(lab: Lab) -> None:
    maps = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}} for name in ("one", "B A D", "two")]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": maps})
    done = lab.kubectl("apply", "-f", "-", input=listed, check=False)
    assert done.returncode == 1
    assert done.stdout == "configmap/one created\nconfigmap/two created\n"
    assert 'The ConfigMap "B A D" is invalid' in done.stderr


def test_an_edit_that_breaks_the_object_is_handed_back(lab: Lab, tmp_path: Path) -> None:
    lab.kubectl("create", "deployment", "web", "--image=app", "--replicas=0")
    editor = tmp_path / "editor"
    seen = tmp_path / "seen"
    editor.write_text(f"#!/bin/sh\ncp $1 {seen}\nsed -i 's/replicas: 0/replicas: -1/' $1\n")
    editor.chmod(0o755)
    # The editor is opened again over the refused text with the reason on top; left as it is, the edit ends.
    with_editor = {"KUBE_EDITOR": str(editor), "TMPDIR": str(tmp_path)}
    done = lab.kubectl("edit", "deploy", "web", check=False, env=with_editor)
    assert done.returncode == 1 and 'deployments.apps "web" is invalid' in done.stderr
    assert "spec.replicas: Invalid value: -1: must be greater than or equal to 0" in seen.read_text()
    assert lab.json("get", "deploy", "web")["spec"]["replicas"] == 0


def test_server_side_apply_is_refused_by_name(lab: Lab) -> None:
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}"
    words = lab.refused("apply", "--server-side", "-f", "-", input=manifest)
    assert "Server-side apply not available on the server" in words
