"""A terminal with a program in it, as a person has one."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time


class Terminal:
    """Runs `command` in a terminal of `rows` and `columns`."""

    def __init__(self, command: list[str], env: dict[str, str], rows: int, columns: int) -> None:
        self._master, slave = pty.openpty()
        self.resize(rows, columns)
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env=env, preexec_fn=_own_terminal
        )
        os.close(slave)
        self.seen = ""

    def resize(self, rows: int, columns: int) -> None:
        """As when the window is drawn larger: the kernel signals the program by SIGWINCH."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def until(self, text: str, *, seconds: float = 20) -> str:
        """What is shown up to `text`, which it must show."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < end, f"never {text!r}: {self.seen!r}"
            if select.select([self._master], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self._master, 65536).decode("utf-8", "replace")
                except OSError as error:
                    raise AssertionError(f"ended before {text!r}: {self.seen!r}") from error
        shown, _, self.seen = self.seen.partition(text)
        return shown

    def ends(self, *, seconds: float = 20) -> int:
        """The program's exit code."""
        return self.process.wait(seconds)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self._master)


def _own_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
