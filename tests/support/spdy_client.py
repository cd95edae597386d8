"""A SPDY client as kubectl is one: opens streams at a URL, and keeps what comes on each."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from homeostat.client.direct import ask_at
from homeostat.kit import tasks
from homeostat.wire import spdy
from homeostat.wire.duplex import pair
from homeostat.wire.message import Request, Response


def upgrade_request(*protocols: str, upgrade: str = "SPDY/3.1") -> Request:
    asked = {"connection": "Upgrade", "upgrade": upgrade, "x-stream-protocol-version": ", ".join(protocols)}
    return Request("POST", "", {}, asked)


class SpdyClient:
    """One connection. `received` is what came on each stream by its name, `ended` which streams are over, `frames` all
    that is no data."""

    def __init__(self, response: Response) -> None:
        assert response.upgrade is not None, response
        self.stream, far = pair()
        self._carrier = tasks.spawn(response.upgrade(far), name="carrier")  # type: ignore[arg-type]
        self._writer, self._reader = spdy.FrameWriter(), spdy.FrameReader()
        self.numbers: dict[str, int] = {}
        self.received: defaultdict[str, bytes] = defaultdict(bytes)
        self.ended: set[str] = set()
        self.frames: list[spdy.Frame] = []
        self.closed = False

    @staticmethod
    async def at(url: str, *protocols: str) -> SpdyClient:
        return SpdyClient(await ask_at(url, upgrade_request(*(protocols or ("v4.channel.k8s.io",)))))

    def open(self, name: str, **headers: str) -> None:
        """A stream; its kind is the part of `name` before a dot."""
        number = self.numbers[name] = 2 * len(self.numbers) + 1
        self.stream.write(self._writer.syn_stream(number, {"streamtype": name.partition(".")[0], **headers}))

    def say(self, name: str, data: bytes, *, last: bool = False) -> None:
        self.stream.write(spdy.data_frames(self.numbers[name], data, last=last))

    async def listen(self) -> bool:
        """Take in what comes next; False at the end."""
        data = await self.stream.read()
        names = {number: name for name, number in self.numbers.items()}
        for frame in self._reader.feed(data):
            match frame:
                case spdy.Data(number, piece, last):
                    self.received[names[number]] += piece
                    if last:
                        self.ended.add(names[number])
                case _:
                    self.frames.append(frame)
                    if isinstance(frame, spdy.Reset) and frame.stream in names:
                        self.ended.add(names[frame.stream])
        self.closed = not data
        return bool(data)

    async def until(self, name: str, text: bytes) -> None:
        """Listen until that stream has said `text`."""
        async with asyncio.timeout(20):
            while text not in self.received[name]:
                assert await self.listen(), dict(self.received)

    async def whole(self) -> None:
        """Listen to the end."""
        async with asyncio.timeout(20):
            while await self.listen():
                pass

    async def leave(self) -> None:
        self.stream.close()
        await self._carrier
