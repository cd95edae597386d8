"""The command `homeostat`: each subcommand is one module, loaded when it is called, so that start-up stays short."""

from __future__ import annotations

import importlib
import sys

import click
from click.exceptions import NoArgsIsHelpError

from homeostat.cli.group import Group

_COMMANDS = {
    "up": "boot a cluster, or bring it back",
    "down": "stop a cluster; --purge forgets it",
    "status": "what runs and how it is",
    "console": "a link that signs in to the Console, for this or any other cluster",
    "kubeconfig": "print the cluster's kubeconfig",
    "node": "list, add, remove, replace, stop, start, cut and heal nodes",
    "image": "build images, load them onto nodes, and list them",
    "join-command": "print what a further machine runs to join",
    "join": "make this machine a node of a cluster",
    "ssh": "log in on a node, or run one command there",
    "drill": "list and run failure drills",
    "why": "what led to an object's last change",
    "events": "what happened, newest last",
    "backup": "write a cluster into a file",
    "restore": "make a cluster out of a backup",
    "completion": "print the shell's completion script",
    "version": "print the versions",
}


class _Commands(Group):
    """Finds a command by its module's name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(f"homeostat.cli.commands.{cmd_name.replace('-', '')}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def homeostat() -> None:
    """A self-healing, highly available cluster that speaks the Kubernetes API and breaks itself on purpose."""


def main() -> None:
    """The entry point: errors that a person can fix end as a line or two and an exit code that is not zero."""
    from homeostat.api.errors import ApiError
    from homeostat.client.contract import Unreachable
    from homeostat.cluster.state_folder import LabError
    from homeostat.drill.contract import DrillError

    try:
        code = homeostat.main(prog_name="homeostat", standalone_mode=False)
    except NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        click.echo(_complaint(error), err=True)
        sys.exit(error.exit_code)
    except (LabError, DrillError) as error:
        click.echo(f"homeostat: {error}", err=True)
        sys.exit(1)
    except Unreachable as error:
        click.echo(
            f"homeostat: the API cannot be reached ({error.message}); `homeostat status` says what runs", err=True
        )
        sys.exit(1)
    except ApiError as error:
        click.echo(f"homeostat: the API server says: {error.message}", err=True)
        sys.exit(1)
    except OSError as error:
        # A file or folder of the person's that cannot be used, such as a state folder on a file; all else is a defect.
        if error.filename is None:
            raise
        click.echo(f"homeostat: {error.filename} cannot be used: {error.strerror}", err=True)
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


def _complaint(error: click.ClickException) -> str:
    """What is wrong with the words of a command, in one line, and where the right ones are said, in another."""
    message = " ".join(error.format_message().split())
    context = error.ctx if isinstance(error, click.UsageError) else None
    line = f"homeostat: {message[:1].lower()}{message[1:].removesuffix('.')}"
    return f"{line}\n`{context.command_path} --help` says more" if context else line
