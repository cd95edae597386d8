"""What `make up` does after the set-up: boot the cluster, launch the sample app, run the first drill, say what is next.

    python -m tools.first_drill [NAME [DRILL ...]]

NAME is $HOMEOSTAT_NAME, or `homeostat`, by default, as with the commands. Safe to repeat: a cluster that runs is used
as it is, an app that is there is left alone. No kubectl is needed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from tools import kubectl

from homeostat.api.catalogue import Catalogue
from homeostat.api.errors import ApiError
from homeostat.api.kinds import SERVICE
from homeostat.cli.commands.drill import FIRST
from homeostat.cluster.state_folder import Folder, LabError
from homeostat.drill.contract import DrillError
from homeostat.drill.report import text
from homeostat.kit import clock
from homeostat.lab.links import published_services
from homeostat.operate.clients import administering
from homeostat.operate.down import is_running
from homeostat.operate.drills import run_drills

HELLO = Path(__file__).parents[1] / "examples" / "hello.yaml"
COMMAND = Path(sys.executable).parent / "homeostat"
NAMESPACE = "default"
_PATIENCE_SECONDS = 30.0
_READY_SECONDS = 90.0


async def launch(folder: Folder) -> str:
    """Create the sample app's objects; those that exist stay. Returns its URL on this host once it has a ready pod.
    Raises ApiError, and LabError when no pod becomes ready in time."""
    async with administering(folder) as client:
        service = ""
        for obj in yaml.safe_load_all(HELLO.read_text()):
            obj["metadata"].setdefault("namespace", NAMESPACE)
            kind = Catalogue.builtin().by_kind(obj["kind"], obj["apiVersion"])
            assert kind is not None
            deadline = clock.monotonic() + _PATIENCE_SECONDS
            while True:
                try:
                    await client.create(kind, obj)
                    break
                except ApiError as error:
                    if error.reason == "AlreadyExists":
                        break
                    # A cluster of a second's age may still be making its first namespace.
                    if clock.monotonic() > deadline:
                        raise
                    await clock.sleep(0.1)
            if kind == SERVICE:
                service = f"{NAMESPACE}/{obj['metadata']['name']}"
    return await published_url(folder, service)


async def published_url(folder: Folder, service: str) -> str:
    """Where this host finds a Service, once it has a ready endpoint. Raises LabError."""
    deadline = clock.monotonic() + _READY_SECONDS
    while clock.monotonic() < deadline:
        for entry in published_services.read(folder.published):
            if entry.open and entry.service == service:
                return entry.url
        await clock.sleep(0.1)
    text = f"no pod of the sample app became ready within {_READY_SECONDS:.0f} s; `kubectl get pods` and "
    raise LabError(text + f"`homeostat events{folder.naming}` say why")


def cluster_name(arguments: Sequence[str]) -> str:
    """The first of the arguments, or what the commands take without --name."""
    return arguments[0] if arguments else os.environ.get("HOMEOSTAT_NAME") or "homeostat"


def main() -> int:
    """The whole first minute; the exit code."""
    folder = Folder.of(cluster_name(sys.argv[1:]))
    if is_running(folder):
        print(f"cluster {folder.name!r} is running already")
    elif (code := subprocess.run([COMMAND, "up", "--name", folder.name], check=False).returncode) != 0:
        return code
    try:
        url = asyncio.run(launch(folder))
        print(f"\nThe sample app is launched (examples/hello.yaml) at {url}. Now it is broken on purpose,")
        print("while one client asks the app 20 times a second and another reads from the API:\n")
        reports = asyncio.run(
            run_drills(folder, sys.argv[2:] or list(FIRST), say=lambda line: print(f"  {line}", flush=True))
        )
    except (ApiError, DrillError, LabError) as error:
        print(f"homeostat: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            f"\nhomeostat: interrupted; the cluster runs on, and `homeostat down{folder.naming}` stops it",
            file=sys.stderr,
        )
        return 130
    for report in reports:
        print("\n" + "\n".join(text(report, timeline=False)))
    print(after(folder, url))
    return 0 if all(report.passed for report in reports) else 1


def after(folder: Folder, url: str) -> str:
    """What to type next: it works in the shell that `make up` was typed in."""
    context = folder.load().context
    home = str(COMMAND)
    which = folder.naming
    make = "make down" if not which else f"make down HOMEOSTAT_NAME={folder.name}"
    return f"""
The cluster runs on. kubectl's context is {context!r}. Try:

  {home + " console" + which} --open
  curl {url}
  {kubectl_words()}
  {home} status{which}
  {home} drill list{which}
  {home} drill run container{which}
  {home} why pod/NAME{which}
  {make:<33}(and `make up` brings it back with all its objects)
"""


def kubectl_words() -> str:
    """The command that watches all pods, with the path of the kubectl where the shell would find none or an old one."""
    found = kubectl.chosen()
    if found is None:
        return f"kubectl ...                      ({kubectl.missing()})"
    word = "kubectl" if found == shutil.which("kubectl") else found
    return f"{word} get pods -A -o wide -w"


if __name__ == "__main__":
    sys.exit(main())
