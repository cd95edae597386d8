"""What kubectl changes: apply, diff, create, edit, patch, label, annotate, expose, replace, wait and delete."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from tests.support.patience import eventually
from tests.support.real_lab import Lab

pytestmark = [pytest.mark.real]

APP = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {colour: green, size: small}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - {name: main, image: "app:1", command: [sleep, "1000"], env: [{name: A, value: "1"}]}
        - {name: side, image: "side:1", command: [sleep, "1000"]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""


def test_apply_creates_then_changes_only_what_changed(lab: Lab) -> None:
    created = lab.out("apply", "-f", "-", input=APP)
    assert created == "configmap/settings created\ndeployment.apps/web created\nservice/web created\n"
    lab.kubectl("rollout", "status", "deploy/web", "--timeout=30s")
    quiet = eventually(lambda: _settled(lab, "deploy", "web"))

    again = lab.out("apply", "-f", "-", input=APP)
    assert again == "configmap/settings unchanged\ndeployment.apps/web unchanged\nservice/web unchanged\n"
    assert lab.json("get", "deploy", "web")["metadata"]["resourceVersion"] == quiet, (
        "an unchanged object is not written"
    )

    assert lab.kubectl("diff", "-f", "-", input=APP).stdout == ""
    other = APP.replace("colour: green, size: small", "colour: blue").replace("replicas: 1", "replicas: 2")
    difference = lab.kubectl("diff", "-f", "-", input=other, check=False)
    assert difference.returncode == 1
    for line in ("-  colour: green", "+  colour: blue", "-  size: small", "-  replicas: 1", "+  replicas: 2"):
        assert re.search(rf"^{re.escape(line)}$", difference.stdout, re.M), difference.stdout
    changed = lab.out("apply", "-f", "-", input=other)
    assert changed == "configmap/settings configured\ndeployment.apps/web configured\nservice/web unchanged\n"
    assert lab.json("get", "cm", "settings")["data"] == {"colour": "blue"}, "what left the manifest leaves the object"

    tried = lab.out("apply", "-f", "-", "--dry-run=server", input=APP)
    assert "configmap/settings configured (server dry run)" in tried
    assert lab.json("get", "cm", "settings")["data"] == {"colour": "blue"}


def test_apply_keeps_what_others_own(lab: Lab) -> None:
    lab.kubectl("apply", "-f", "-", input=APP)
    lab.kubectl("scale", "deploy/web", "--replicas=3")
    lab.kubectl("label", "deploy/web", "owner=ann")
    lab.kubectl("set", "env", "deploy/web", "-c", "side", "B=2")
    lab.kubectl("apply", "-f", "-", input=APP.replace("app:1", "app:2").replace("  replicas: 1\n", ""))
    deployment = lab.json("get", "deploy", "web")
    assert deployment["metadata"]["labels"] == {"app": "web", "owner": "ann"}
    main, side = deployment["spec"]["template"]["spec"]["containers"]
    assert (main["image"], side["env"]) == ("app:2", [{"name": "B", "value": "2"}])
    # The manifest said replicas before and does not any more: they go back to the default.
    assert deployment["spec"]["replicas"] == 1
    kept = lab.json("get", "deploy", "web")["metadata"]["annotations"]
    assert "kubectl.kubernetes.io/last-applied-configuration" in kept


def _settled(lab: Lab, kind: str, name: str) -> str:
    """The object's version once two looks at it agree."""
    look = ["get", kind, name, "-o", "jsonpath={.metadata.resourceVersion}"]
    before = lab.out(*look)
    return before if lab.out(*look) == before else ""


def test_the_three_patches(lab: Lab) -> None:
    lab.kubectl("apply", "-f", "-", input=APP)
    strategic = '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"side:2"}]}}}}'
    assert lab.out("patch", "deploy", "web", "-p", strategic) == "deployment.apps/web patched\n"
    assert _images(lab) == ["app:1", "side:2"]
    merge = '{"metadata":{"labels":{"app":null,"tier":"front"}},"spec":{"replicas":2}}'
    lab.kubectl("patch", "deploy", "web", "--type=merge", "-p", merge)
    deployment = lab.json("get", "deploy", "web")
    assert (deployment["metadata"]["labels"], deployment["spec"]["replicas"]) == ({"tier": "front"}, 2)
    steps = (
        '[{"op":"test","path":"/spec/replicas","value":2},{"op":"remove","path":"/spec/template/spec/containers/1"}]'
    )
    lab.kubectl("patch", "deploy", "web", "--type=json", "-p", steps)
    assert _images(lab) == ["app:1"]
    # kubectl compares what it saw before with the answer, and a Deployment's status may change in between.
    eventually(lambda: "(no change)" in lab.out("patch", "deploy", "web", "-p", '{"spec":{"replicas":2}}'))
    untrue = '[{"op":"test","path":"/spec/replicas","value":9}]'
    assert "testing value /spec/replicas failed" in lab.refused("patch", "deploy", "web", "--type=json", "-p", untrue)
    status = '{"status":{"conditions":[{"type":"Seen","status":"True"}]}}'
    lab.kubectl("patch", "deploy", "web", "--subresource=status", "--type=merge", "-p", status)


def _images(lab: Lab) -> list[str]:
    return lab.out("get", "deploy", "web", "-o", "jsonpath={.spec.template.spec.containers[*].image}").split()


def test_edit_opens_an_editor_and_applies_what_it_leaves(lab: Lab, tmp_path: Path) -> None:
    lab.kubectl("create", "configmap", "note", "--from-literal=text=before")
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/text: before/text: after/' \"$1\"\n")
    editor.chmod(0o755)
    with_editor = {"KUBE_EDITOR": str(editor)}
    assert lab.kubectl("edit", "cm", "note", env=with_editor).stdout == "configmap/note edited\n"
    assert lab.json("get", "cm", "note")["data"] == {"text": "after"}
    unchanged = lab.kubectl("edit", "cm", "note", env={"KUBE_EDITOR": "true"})
    assert "Edit cancelled, no changes made." in unchanged.stderr + unchanged.stdout


def test_labels_and_annotations_come_and_go(lab: Lab) -> None:
    lab.kubectl("create", "configmap", "note")
    assert lab.out("label", "cm", "note", "a=1", "b=2") == "configmap/note labeled\n"
    assert "already has a value (1), and --overwrite is false" in lab.refused("label", "cm", "note", "a=3")
    assert lab.out("label", "cm", "note", "a=3", "b-", "--overwrite") == "configmap/note labeled\n"
    assert lab.out("annotate", "cm", "-l", "a=3", "why=test") == "configmap/note annotated\n"
    metadata = lab.json("get", "cm", "note")["metadata"]
    assert (metadata["labels"], metadata["annotations"]) == ({"a": "3"}, {"why": "test"})
    assert "b" not in lab.out("get", "cm", "-L", "a,b", "-l", "a=3").splitlines()[1].split()
    wrong = lab.refused("label", "cm", "note", "c=not a label")
    assert "a valid label must be" in wrong


def test_create_makes_every_kind_that_kubectl_knows(lab: Lab, tmp_path: Path) -> None:
    """Its typed commands send protobuf."""
    (tmp_path / "key.txt").write_text("from a file\n")
    space = lab.namespace
    commands = [
        ("deployment", "web", "--image=app:1", "--replicas=2", "--port=80", "--", "sleep", "1000"),
        ("configmap", "conf", "--from-literal=a=1", f"--from-file={tmp_path / 'key.txt'}"),
        ("secret", "generic", "pass", "--from-literal=word=open sesame"),
        ("secret", "docker-registry", "pull", "--docker-username=u", "--docker-password=p"),
        ("serviceaccount", "bob"),
        ("role", "reader", "--verb=get", "--resource=pods,deployments.apps"),
        ("rolebinding", "bob-reads", "--role=reader", f"--serviceaccount={space}:bob", "--user=ann"),
        ("clusterrole", f"{space}-nodes", "--verb=get", "--resource=nodes", "--non-resource-url=/logs"),
        ("clusterrolebinding", f"{space}-nodes", f"--clusterrole={space}-nodes", "--group=team"),
        ("service", "clusterip", "plain", "--tcp=80:8080"),
        ("service", "nodeport", "open", "--tcp=80"),
        ("service", "externalname", "away", "--external-name=example.com"),
        ("poddisruptionbudget", "two", "--selector=app=web", "--min-available=2"),
        ("priorityclass", f"{space}-high", "--value=1000", "--description=first"),
        ("quota", "small", "--hard=pods=5,cpu=2"),
        ("job", "once", "--image=app", "--", "true"),
        ("cronjob", "often", "--image=app", "--schedule=*/5 * * * *", "--", "true"),
        ("ingress", "front", "--rule=example.com/=plain:80,tls=cert"),
    ]
    for command in commands:
        output = lab.out("create", *command)
        assert output.endswith(" created\n"), (command, output)
    assert lab.json("get", "cm", "conf")["data"] == {"a": "1", "key.txt": "from a file\n"}
    word = lab.json("get", "secret", "pass")["data"]["word"]
    assert base64.b64decode(word) == b"open sesame"
    assert lab.json("get", "deploy", "web")["spec"]["replicas"] == 2
    assert lab.json("get", "secret", "pull")["type"] == "kubernetes.io/dockerconfigjson"
    assert lab.json("get", "ingress", "front")["spec"]["rules"][0]["host"] == "example.com"
    rule = lab.json("get", "role", "reader")["rules"]
    assert {group for one in rule for group in one["apiGroups"]} == {"", "apps"}
    assert 'configmaps "conf" already exists' in lab.refused("create", "configmap", "conf")
    assert re.fullmatch(r"(\w|-)+\.(\w|-)+\.(\w|-)+\n?", lab.out("create", "token", "bob", "--audience=api"))
    lab.kubectl("delete", "clusterrole,clusterrolebinding", f"{space}-nodes")
    lab.kubectl("delete", "priorityclass", f"{space}-high")


def test_run_expose_replace_and_autoscale(lab: Lab) -> None:
    assert (
        lab.out("run", "one", "--image=app", "--port=80", "--env=A=1", "--command", "--", "sleep", "9")
        == "pod/one created\n"
    )
    assert lab.out("expose", "pod", "one", "--port=8000", "--target-port=80") == "service/one exposed\n"
    service = lab.json("get", "svc", "one")["spec"]
    assert (service["selector"], service["ports"][0]["targetPort"]) == ({"run": "one"}, 80)
    lab.kubectl("apply", "-f", "-", input=APP)
    assert "deployment.apps/web replaced" in lab.out("replace", "-f", "-", input=APP.replace("app:1", "app:3"))
    assert _images(lab)[0] == "app:3"
    stale = lab.out("get", "cm", "settings", "-o", "yaml")
    lab.kubectl("label", "cm", "settings", "changed=since")
    assert "the object has been modified" in lab.refused("replace", "-f", "-", input=stale)
    scaler = lab.kubectl("autoscale", "deploy", "web", "--max=3", "--cpu-percent=50")
    assert "autoscaled" in scaler.stdout and "nothing will be scaled" in scaler.stderr


def test_wait_for_conditions_fields_and_the_end(lab: Lab) -> None:
    lab.kubectl("run", "one", "--image=app", "--command", "--", "sleep", "1000")
    assert lab.out("wait", "--for=condition=Ready", "pod/one", "--timeout=20s") == "pod/one condition met\n"
    assert "condition met" in lab.out("wait", "--for=jsonpath={.status.phase}=Running", "pod", "--all", "--timeout=9s")
    late = lab.refused("wait", "--for=condition=Ready=False", "pod/one", "--timeout=1s")
    assert "timed out waiting for the condition" in late
    waiting = lab.follow("wait", "--for=delete", "pod/one", "--timeout=30s")
    assert lab.out("delete", "pod", "one", "--grace-period=1", "--wait=false") == 'pod "one" deleted\n'
    assert waiting.wait(timeout=30) == 0


def test_delete_waits_or_not_and_says_what_it_did(lab: Lab) -> None:
    for name in ("a", "b", "c"):
        lab.kubectl("run", name, "--image=app", "--labels=app=gone", "--command", "--", "sleep", "1000")
    lab.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=20s")
    assert 'pod "a" deleted' in lab.out("delete", "pod", "a", "--now")
    assert lab.out("get", "pod", "a", "--ignore-not-found") == ""
    assert 'pods "a" not found' in lab.refused("delete", "pod", "a")
    assert lab.out("delete", "pod", "a", "--ignore-not-found") == ""
    assert '"b" deleted (server dry run)' in lab.out("delete", "pod", "b", "--dry-run=server")
    forced = lab.kubectl("delete", "pod", "b", "--force", "--grace-period=0")
    assert "force deleted" in forced.stdout
    lab.kubectl("delete", "pods", "-l", "app=gone", "--grace-period=1")
    assert lab.out("get", "pods", "-o", "name") == ""


@pytest.mark.parametrize("how", ["background", "foreground", "orphan"])
def test_delete_takes_dependents_along_or_leaves_them(lab: Lab, how: str) -> None:
    lab.kubectl("apply", "-f", "-", input=APP)
    lab.kubectl("rollout", "status", "deploy/web", "--timeout=30s")
    lab.kubectl("delete", "deploy", "web", f"--cascade={how}", "--timeout=30s")
    if how == "orphan":
        replica_set = lab.json("get", "rs")["items"][0]
        eventually(lambda: "ownerReferences" not in lab.json("get", "rs")["items"][0]["metadata"])
        assert len(lab.json("get", "pods")["items"]) == 1
        # Whoever applies the same Deployment again gets the same ReplicaSet back, and no new Pod.
        lab.kubectl("apply", "-f", "-", input=APP)
        eventually(lambda: lab.json("get", "rs")["items"][0]["metadata"].get("ownerReferences"))
        assert lab.json("get", "rs")["items"][0]["metadata"]["uid"] == replica_set["metadata"]["uid"]
    elif how == "foreground":
        assert lab.out("get", "rs,pods", "-o", "name") == "", "the owner goes last"
    else:
        eventually(lambda: lab.out("get", "rs,pods", "-o", "name") == "")


def test_a_namespace_goes_with_everything_in_it(lab: Lab) -> None:
    space = f"{lab.namespace}-team"
    lab.kubectl("create", "namespace", space)
    team = lab.at(space)
    eventually(lambda: team.out("get", "sa", "default", "--ignore-not-found"))
    team.kubectl("apply", "-f", "-", input=APP)
    team.kubectl("rollout", "status", "deploy/web", "--timeout=30s")
    assert f'namespace "{space}" deleted' in lab.out("delete", "namespace", space, "--timeout=40s")
    assert lab.out("get", "namespace", space, "--ignore-not-found") == ""
    assert team.out("get", "all,cm,sa,events", "-o", "name") == ""
    missing = team.refused("create", "configmap", "late")
    assert f'namespaces "{space}" not found' in missing
