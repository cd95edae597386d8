"""A cluster is lost and made again from its backup: its objects, its tokens, and no way back in time for watchers."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.patience import eventually
from tests.support.ports import own_port
from tests.support.real_lab import HOMEOSTAT, Lab

pytestmark = [pytest.mark.real]

SMALL = ("--runtime", "simulated", "--control-planes", "1", "--workers", "1")


def up(lab: Lab, *options: str) -> None:
    command = [*HOMEOSTAT, "up", "--name", lab.name, *options]
    done = subprocess.run(command, env=lab.env, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr


def ask_with(lab: Lab, token: str, path: str) -> str:
    """What the API answers a client that has the token alone."""
    state = Path(lab.env["XDG_STATE_HOME"]) / "homeostat" / lab.name
    port = json.loads((state / "cluster.json").read_text())["api_port"]
    command = ["kubectl", "--kubeconfig", "/dev/null", "--server", f"https://127.0.0.1:{port}", "--token", token]
    command += ["--certificate-authority", str(state / "pki" / "ca.crt"), "get", "--raw", path]
    done = subprocess.run(command, env=lab.env, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr


def test_a_lost_cluster_comes_back_from_its_backup(new_lab: Callable[[], Lab], tmp_path: Path) -> None:
    lab = new_lab()
    state = Path(lab.env["XDG_STATE_HOME"]) / "homeostat" / lab.name
    backup = tmp_path / "backup"
    up(lab, *SMALL, *own_port())
    lab.kubectl("create", "secret", "generic", "kept", "--from-literal=a=b")
    lab.kubectl("create", "deployment", "web", "--image=x", "--replicas=2")
    lab.kubectl("create", "rolebinding", "reads", "--clusterrole=view", "--serviceaccount=default:default")
    token = lab.out("create", "token", "default").strip()
    seen = lab.json("get", "secret", "kept")["metadata"]["resourceVersion"]
    assert "objects at revision" in lab.homeostat("backup", str(backup)).stdout
    assert "--force overwrites it" in lab.homeostat("backup", str(backup), check=False).stderr
    assert "is running" in lab.homeostat("restore", str(backup), check=False).stderr
    lab.kubectl("create", "secret", "generic", "after-the-backup", "--from-literal=a=b")
    lab.homeostat("down")
    # A second restore is no accident: what the cluster holds is not thrown away unasked.
    assert "--force replaces it" in lab.homeostat("restore", str(backup), check=False).stderr
    shutil.rmtree(state)
    assert "1 masters and 1 workers" in lab.homeostat("restore", str(backup)).stdout
    up(lab, "--runtime", "simulated")
    secrets = lab.json("get", "secrets")["items"]
    assert [secret["metadata"]["name"] for secret in secrets] == ["kept"]
    assert int(secrets[0]["metadata"]["resourceVersion"]) > int(seen) + 1_000_000
    eventually(lambda: lab.json("get", "deployment", "web")["status"].get("readyReplicas") == 2)
    assert '"kind":"PodList"' in ask_with(lab, token, "/api/v1/namespaces/default/pods").replace(" ", "")
    late = f"/api/v1/namespaces/default/secrets?watch=1&resourceVersion={seen}&timeoutSeconds=5"
    assert "too old resource version" in lab.refused("get", "--raw", late)
