"""Following a tutorial as a person does: its commands are typed into a terminal, in order, and print what it shows.

A `console` block holds commands and what they print. A line that begins with `$ ` is typed at the reader's own prompt,
one that begins with `core@NODE:~# ` on that node, where the command before has logged in; a command continues after a
backslash. A block whose first line says `console within 3 s` is tried again until it prints what is shown.

A `browser` block holds what a person does at the Console meanwhile, a line each; `console_person` says what there is.

What is printed may differ from what is shown in what differs from run to run: `...` stands for any text within a line
and, alone on a line, for any lines; lengths of time are any lengths of time. Names that a cluster makes up (container
IDs, the nodes' network, ports, cluster IPs) are remembered where they are shown first; where the tutorial types one,
the reader's own is typed, and two that differ on the page must differ.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.console_person import LINK

_BLOCK = re.compile(r"^```(console|browser)(?: within (\d+) s)?\n(.*?)^```", re.DOTALL | re.MULTILINE)
_PROMPT = re.compile(r"(?:\$|core@([\w-]+):~#) ")
_LENGTH = r"(?:\d+(?:\.\d+)? s|\d+ seconds?|\d+m\d*s?|\d+s)"
_MADE_UP = r"\b[0-9a-f]{12}\b|\b172\.30\.\d+(?=\.\d)|\b10\.96\.\d+\.\d+\b|\b3\d{4}\b(?=/TCP)"
_DIFFERS = re.compile(rf"(?P<any>\.\.\.)|(?P<length>(?<![\w.]){_LENGTH}\b)|(?P<name>{_MADE_UP})|(?P<blank>[ \t]+)")
# For what a person looks for at the Console, where the page says nothing else.
_PERSON_SECONDS = 15.0
# The pause between two tries: a part of what the page allows, but no more than a person's, and no busy loop.
_PAUSE_PART, _PAUSE_SECONDS_MIN, _PAUSE_SECONDS_MAX = 1 / 60, 0.1, 1.0


@dataclass
class Step:
    """One command, on the node where it is typed (empty: the reader's own machine), and the lines it should print.
    With `within_seconds` it is typed again until it prints them. One in the `browser` is a line that a person follows
    there. The last two are when it was typed, and when its output had been printed (monotonic seconds)."""

    command: str
    node: str = ""
    within_seconds: float = 0.0
    expected: list[str] = field(default_factory=list)
    browser: bool = False
    began: float = 0.0
    ended: float = 0.0


def steps(text: str) -> list[Step]:
    """The commands of a tutorial in Markdown."""
    found: list[Step] = []
    for kind, within, block in _BLOCK.findall(text):
        for line in block.splitlines():
            if kind == "browser":
                found.append(Step(line, within_seconds=float(within or 0), browser=True))
            elif prompt := _PROMPT.match(line):
                found.append(Step(line[prompt.end() :], prompt[1] or "", float(within or 0)))
            elif found[-1].command.endswith("\\"):
                found[-1].command += f"\n{line}"
            else:
                found[-1].expected.append(line)
    # Whoever looks at the browser stays logged in where they are.
    node = ""
    for step in reversed(found):
        node = step.node = node if step.browser else step.node
    return found


class Names:
    """What a tutorial's made-up names are called here."""

    def __init__(self) -> None:
        self.here: dict[str, str] = {}

    def typed(self, command: str) -> str:
        """The command with this cluster's names."""
        return re.sub("|".join(map(re.escape, self.here)), lambda m: self.here[m[0]], command) if self.here else command

    def matches(self, expected: list[str], printed: str) -> bool:
        """Whether this was printed; what it names for the first time is remembered then."""
        pattern, groups = self._pattern(expected)
        match = re.fullmatch(pattern, printed)
        if match is None:
            return False
        new = {name: match[group] for name, group in groups.items()}
        both = self.here | new
        if len(set(both.values())) < len(both):
            return False
        self.here = both
        return True

    def _pattern(self, expected: list[str]) -> tuple[str, dict[str, str]]:
        groups: dict[str, str] = {}
        lines = [r"(?:.*\n)*?" if line == "..." else self._line(line.strip(), groups) for line in expected]
        return "".join(lines), groups

    def _line(self, line: str, groups: dict[str, str]) -> str:
        parts, place = [r"[ \t]*"], 0
        for found in _DIFFERS.finditer(line):
            parts.append(re.escape(line[place : found.start()]))
            parts.append(self._part(found, groups))
            place = found.end()
        return "".join([*parts, re.escape(line[place:]), r"[ \t]*\n"])

    def _part(self, found: re.Match[str], groups: dict[str, str]) -> str:
        text = found[0]
        if found.lastgroup == "any":
            return ".*?"
        if found.lastgroup == "length":
            return _LENGTH
        if found.lastgroup == "blank":
            return r"[ \t]+"
        if text in self.here:
            return re.escape(self.here[text])
        if text in groups:
            return f"(?P={groups[text]})"
        groups[text] = f"name{len(groups)}"
        own = next(form for form in _MADE_UP.split("|") if re.fullmatch(form.partition("(?=")[0], text))
        return f"(?P<{groups[text]}>{own})"


class Terminal:
    """A shell in a terminal of its own. Everything that it shows is written to `log` as well."""

    def __init__(self, folder: Path, environment: dict[str, str], log: Path) -> None:
        ours, its = os.openpty()
        self._ours = ours
        self._log = log.open("w")
        self._node = ""
        quiet = {"TERM": "dumb", "PS1": "", "PS2": "", "HISTFILE": "/dev/null"}
        # What a test runner says of its own terminal is not true of this one.
        environment = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
        shell = ["setsid", "--ctty", "bash", "--norc", "--noprofile", "--noediting", "-i"]
        self._shell = subprocess.Popen(
            shell, cwd=folder, env={**environment, **quiet}, stdin=its, stdout=its, stderr=its, close_fds=True
        )
        os.close(its)
        self.type("stty -echo -onlcr columns 400; set +m", seconds=10)

    def type(self, command: str, *, seconds: float) -> tuple[str, int]:
        """Type a command; what it prints and its exit code. Raises AssertionError when it takes longer."""
        # Not as the shell prints it, so that its echo is not mistaken for it.
        self._write(f'{command}\necho "@@"$?"@"\n')
        return self._until_marked(command, seconds)

    def log_in(self, command: str, node: str, *, seconds: float) -> str:
        """Type a command that opens a shell on `node`; what it prints. Raises AssertionError when there is none."""
        self._write(f'{command}; echo "@@"$?"@"\n')
        found = self._until(re.compile(rf"core@{node}:~# $"), command, seconds)
        printed = self._read[: found.start()]
        # From here on the page says where one is.
        self.type("set +o emacs; PS1=", seconds=seconds)
        return printed

    def log_out(self, *, seconds: float) -> tuple[str, int]:
        """Leave the node; what is printed, and the exit code of the login."""
        self._write("exit\n")
        return self._until_marked("exit", seconds)

    def _until_marked(self, command: str, seconds: float) -> tuple[str, int]:
        found = self._until(re.compile(r"@@(\d+)@\n"), command, seconds)
        return self._read[: found.start()], int(found[1])

    def _until(self, end: re.Pattern[str], command: str, seconds: float) -> re.Match[str]:
        deadline = time.monotonic() + seconds
        self._read = ""
        while not (found := end.search(self._read)):
            left = deadline - time.monotonic()
            assert left > 0, f"not within {seconds:g} s: {command}\n{self._read}"
            if select.select([self._ours], [], [], left)[0]:
                self._take()
        return found

    def _take(self) -> None:
        try:
            data = os.read(self._ours, 65536)
        except OSError:
            raise AssertionError(f"the shell has ended\n{self._read}") from None
        text = data.decode(errors="replace").replace("\r", "")
        self._log.write(text)
        self._log.flush()
        self._read += text

    def _write(self, text: str) -> None:
        self._log.write(f"\n$ {text}")
        os.write(self._ours, text.encode())

    def close(self) -> None:
        """End the shell and what it left in the background."""
        try:
            os.killpg(self._shell.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._shell.kill()
        self._shell.wait(timeout=10)
        os.close(self._ours)
        self._log.close()


# Follows a line of a browser block: the line, the last link that a command printed, and the seconds that it may take.
Person = Callable[[str, str, float], None]


class Reader:
    """Types a tutorial's steps into `terminal` and compares what is printed; `person` is at the browser meanwhile."""

    def __init__(self, terminal: Terminal, *, patience_seconds: float = 120.0, person: Person | None = None) -> None:
        self._terminal = terminal
        self._person = person
        self._link = ""
        self._patience = patience_seconds
        self._node = ""
        self.names = Names()

    def follow(self, step: Step, *, then: str = "") -> str:
        """Type one step; `then` is the node on which the next one is typed. What it printed, or AssertionError."""
        assert step.node == self._node, f"`{step.command}` is typed on {step.node}, but one is on {self._node}"
        command = self.names.typed(step.command)
        step.began = time.monotonic()
        if step.browser:
            assert self._person is not None, "nobody is at the browser"
            self._person(command, self._link, step.within_seconds or _PERSON_SECONDS)
            step.ended = time.monotonic()
            return ""
        while True:
            printed, code = self._type(command, then)
            step.ended = time.monotonic()
            self._link = (LINK.findall(printed) or [self._link])[-1]
            right = self.names.matches(step.expected, printed)
            if right or step.ended > step.began + step.within_seconds:
                break
            time.sleep(min(_PAUSE_SECONDS_MAX, max(_PAUSE_SECONDS_MIN, step.within_seconds * _PAUSE_PART)))
        said = f"$ {command}\nprinted:\n{printed}\nexpected:\n" + "\n".join(step.expected)
        assert right, said
        assert code == 0, f"exit code {code}: {said}"
        return printed

    def _type(self, command: str, then: str) -> tuple[str, int]:
        if then == self._node:
            return self._terminal.type(command, seconds=self._patience)
        self._node = then
        if then:
            return self._terminal.log_in(command, then, seconds=self._patience), 0
        return self._terminal.log_out(seconds=self._patience)
