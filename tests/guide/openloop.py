"""An open-loop client: it sends a request at every tick, whether or not the former ones were answered, and reports
every one that failed.

    python3 openloop.py NAME=HOST:PORT ...

Needs the standard library alone, so that it runs in a pod as well as beside the cluster. It prints JSON, a line each:
failures when they happen, `{"client", "at", "seconds", "error"}` with `at` the time at which the request was sent
(seconds since 1970), and every second each client's `{"client", "asked", "answered", "slowest"}`, the longest that an
answer took; the last when it is asked to end.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time

EVERY_SECONDS = 0.2
PATIENCE_SECONDS = 5.0
_REPORT_SECONDS = 1.0


class Client:
    """Asks one server."""

    def __init__(self, name: str, host: str, port: int) -> None:
        self.name = name
        self._host, self._port = host, port
        self.asked = self.answered = 0
        self.slowest = 0.0
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self, ending: asyncio.Event) -> None:
        """Send requests until asked to end; then wait for what is under way."""
        loop = asyncio.get_running_loop()
        tick = loop.time()
        while not ending.is_set():
            self.asked += 1
            task = loop.create_task(self._ask())
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
            # A tick that was missed, because this machine was busy, is made up for.
            tick += EVERY_SECONDS
            await asyncio.sleep(max(0.0, tick - loop.time()))
        await asyncio.gather(*self._under_way)

    async def _ask(self) -> None:
        at, began = time.time(), time.monotonic()
        error = ""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                error = await self._request()
        except TimeoutError:
            error = f"no answer within {PATIENCE_SECONDS:g} s"
        except OSError as failure:
            error = f"{type(failure).__name__}: {failure}"
        took = round(time.monotonic() - began, 4)
        if error:
            report({"client": self.name, "at": at, "seconds": took, "error": error})
        else:
            self.answered += 1
            self.slowest = max(self.slowest, took)

    async def _request(self) -> str:
        """One request on a connection of its own; what was wrong, or nothing."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(f"GET / HTTP/1.1\r\nHost: {self._host}\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read()
        finally:
            writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        status = head.split(b" ", 2)[1:2]
        if status != [b"200"]:
            return f"answered {status[0].decode()}" if status else "the connection closed without an answer"
        return "" if body else "the answer has no body"

    def report(self) -> None:
        """Say how it goes."""
        report({"client": self.name, "asked": self.asked, "answered": self.answered, "slowest": self.slowest})


def report(what: dict[str, object]) -> None:
    """Print one line, whole and at once."""
    print(json.dumps(what), flush=True)


async def main(words: list[str]) -> None:
    """Run all clients until SIGTERM."""
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    clients = []
    for word in words:
        name, _, address = word.partition("=")
        host, _, port = address.rpartition(":")
        clients.append(Client(name, host, int(port)))
    running = asyncio.gather(*(client.run(ending) for client in clients))
    while not running.done():
        await asyncio.wait([running], timeout=_REPORT_SECONDS)
        for client in clients:
            client.report()
    running.result()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
