"""Writes `docs/reference/`: the commands, the flags of `--set` and the drills, from the code that defines them.

`python tools/reference.py` writes the pages; `tests/docs/test_reference.py` checks that they are current.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from homeostat.api.flags.flag_settings import CATALOGUE, COMPONENTS, Settings
from homeostat.cli.main import homeostat
from homeostat.drill.contract import Prediction
from homeostat.drill.library import library

FOLDER = Path("docs/reference")
_MADE = "<!-- Made by tools/reference.py; do not edit. -->\n"

# What each fault does, by kind of node (`lab.stages`).
_FAULTS = {
    "kill-container": ("`docker kill ID` on its node", "`kill -9` of its first process"),
    "delete-pod": ("`kubectl delete pod`", "`kubectl delete pod`"),
    "kill-agent": ("`systemctl kill -s KILL kubelet` on the node", "`kill -9` of its kubelet"),
    "power-off": ("`kill -9` of its init: the kernel ends all that runs there", "`kill -9` of all that runs there"),
    "cut": ("its network cable is pulled", "nothing passes its uplink"),
}


def commands() -> str:
    """The page of commands: usage, help and options of each."""
    page = [_MADE, "# The command `homeostat`\n"]
    page.append("Every command takes `-h`. `HOMEOSTAT_NAME` in the environment is the default of `--name`.\n")
    for context in _leaves(click.Context(homeostat, info_name="homeostat")):
        words = context.command_path
        usage = context.command.get_usage(context).removeprefix("Usage: ").replace("\n" + " " * 7, "\n")
        prose = inspect.cleandoc(context.command.help or "")
        page.append(f"## {words}\n\n{prose}\n\n```text\n{usage}\n```\n")
        options = [each for each in context.command.params if isinstance(each, click.Option)]
        rows = [record for each in options if (record := each.get_help_record(context))]
        if rows:
            page.append("| option | |\n|---|---|\n" + "".join(f"| `{_cell(a)}` | {_cell(b)} |\n" for a, b in rows))
    return "\n".join(page)


def _leaves(context: click.Context) -> Iterator[click.Context]:
    """The contexts of all commands that do something, in the order of the help."""
    command = context.command
    if not isinstance(command, click.Group):
        yield context
        return
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from _leaves(click.Context(found, parent=context, info_name=name))


def flags() -> str:
    """The page of flags, by component."""
    page = [_MADE, "# Flags of `homeostat up --set COMPONENT.FLAG=VALUE`\n"]
    page.append(
        "Named as Kubernetes names them, with its defaults. Every flag here is read by its component; an unknown"
    )
    page.append("one is refused with the nearest known one. A cluster keeps its flags until `up` is given others.\n")
    for component in COMPONENTS:
        page.append(f"## {component}\n\n| flag | type | default | what it is |\n|---|---|---|---|")
        for flag in CATALOGUE.values():
            if flag.component == component:
                page.append(f"| `{flag.path}` | {flag.type} | `{flag.default}` | {_cell(flag.doc)} |")
        page.append("")
    return "\n".join(page)


def drills() -> str:
    """The page of drills, with the predictions that Kubernetes' default timings lead to."""
    page = [_MADE, "# Drills\n"]
    page.append("`homeostat drill run NAME` breaks one thing, watches what the loops do about it while clients send")
    page.append("requests all the time, and exits with 1 when a prediction breaks or a request fails that was not in")
    page.append("flight at the fault. They break the app of `examples/hello.yaml` and the cluster under it.")
    page.append("The times below follow from the default flags; a cluster with others gets others. A container that")
    page.append("was killed before is given the crash backoff that it has earned by then.")
    page.append("`homeostat drill run first` runs `api-server`, then `node`.\n")
    page.append("What a fault is depends on what nodes are (`up --runtime`):\n")
    page.append("| fault | nodes that are hosts (`container`) | nodes that are processes (`process`) |\n|---|---|---|")
    page += [f"| `{name}` | {hosts} | {processes} |" for name, (hosts, processes) in _FAULTS.items()]
    page.append("")
    for drill in library(Settings()).values():
        page.append(f"## {drill.name}\n\n{drill.title}. Shows: {drill.loop}.\n")
        undone = f", undone by `{drill.undo}`" if drill.undo else ""
        page.append(f"Fault: `{drill.inject}`{undone}. Predicted:\n")
        page += [f"- {_prediction(each)}" for each in drill.predictions]
        page.append("")
    return "\n".join(page)


def _prediction(prediction: Prediction) -> str:
    low, high = prediction.after_seconds, prediction.within_seconds
    when = f"{low:g} to {high:g} s" if low else f"within {high:g} s"
    return f"{prediction.text}: {when}" + (" of the undoing" if prediction.of_undo else "")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PAGES = {"commands.md": commands, "flags.md": flags, "drills.md": drills}


def main() -> int:
    """Write the pages; returns the exit code."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page())
        print(f"wrote {FOLDER / name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
