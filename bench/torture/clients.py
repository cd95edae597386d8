"""The clients: writers, readers and watchers that note all they did and saw.

Every write is sent once, never again by itself: of one without an answer nobody knows whether it took effect, and the
checks say so. Objects are ConfigMaps with one value and one label, `side`, that selectors ask for.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import orjson

from bench.torture.counters import COUNTER, count_of, counted
from bench.torture.history import Change, History, Key, Listing, Operation, Outcome, Selection, Stream
from homeostat.api import meta
from homeostat.api.errors import ApiError
from homeostat.api.kinds import CONFIGMAP
from homeostat.api.types import Obj
from homeostat.client.contract import Client
from homeostat.wire.message import Request

SIDES = ("left", "right")
_PAUSE_SECONDS = (0.0, 0.04)
_REQUEST_SECONDS_MAX = 20.0
_REGISTERS = 5
# How many revisions back a watch may begin again; the history of the cluster is far longer.
_BACK_MAX = 400


def body(key: Key, value: str, side: str, *, expected: int = 0) -> Obj:
    """The object of a register."""
    metadata: Obj = {"namespace": key[0], "name": key[1], "labels": {"side": side}}
    if expected:
        metadata["resourceVersion"] = str(expected)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"value": value}}


def value_of(obj: Obj) -> str:
    """What a register holds."""
    return str((obj.get("data") or {}).get("value", ""))


class Writer:
    """One client that does one thing after another until it is stopped."""

    def __init__(
        self, name: str, client: Client, history: History, chance: random.Random, namespaces: list[str]
    ) -> None:
        self._name, self._client, self._history, self._chance = name, client, history, chance
        self._namespaces = namespaces
        self._count = 0
        # Of each register, the last revision that this client has seen.
        self._seen: dict[Key, int] = {}
        self._own: list[tuple[Key, str]] = []

    async def run(self) -> None:
        """Until cancelled."""
        steps: list[Callable[[], Awaitable[None]]] = [
            self._read,
            self._write,
            self._swap,
            self._increment,
            self._create,
            self._delete,
        ]
        while True:
            step = self._chance.choices([*steps, self._list], weights=[25, 15, 25, 10, 10, 6, 4])[0]
            await step()
            await asyncio.sleep(self._chance.uniform(*_PAUSE_SECONDS))

    def _register(self) -> Key:
        return self._chance.choice(self._namespaces), f"register-{self._chance.randrange(_REGISTERS)}"

    def _value(self) -> str:
        self._count += 1
        return f"{self._name}-{self._count}"

    async def _read(self) -> None:
        key = self._register()
        status, answer, operation = await self._send("read", key, "GET")
        if status == 200:
            operation = replace(operation, value=value_of(answer), revision=meta.resource_version(answer))
            self._seen[key] = operation.revision
        elif status != 404:
            return
        self._history.operations.append(operation)

    async def _write(self) -> None:
        """Replace whatever is there; the first write of a register creates it."""
        key, value = self._register(), self._value()
        sent = body(key, value, self._chance.choice(SIDES))
        status, answer, operation = await self._send("write", key, "PUT", sent, value=value)
        if status == 404:
            self._history.operations.append(operation)
            value = self._value()
            sent = body(key, value, self._chance.choice(SIDES))
            _, answer, operation = await self._send("write", key, "POST", sent, value=value)
        self._note(operation, answer)

    async def _swap(self) -> None:
        """Replace what was seen last, or be refused."""
        key, value = self._register(), self._value()
        expected = self._seen.get(key, 0)
        if not expected:
            return await self._read()
        sent = body(key, value, self._chance.choice(SIDES), expected=expected)
        _, answer, operation = await self._send("cas", key, "PUT", sent, value=value, expected=expected)
        self._note(operation, answer)
        if operation.outcome is not Outcome.DONE:
            self._seen.pop(key, None)
        return None

    async def _increment(self) -> None:
        """Read a counter and write one more, or be refused: with every acknowledged increment it counts one."""
        key = self._chance.choice(self._namespaces), COUNTER
        status, answer, operation = await self._send("read", key, "GET")
        if status == 404:
            value = counted(0, self._value())
            _, answer, operation = await self._send("write", key, "POST", body(key, value, SIDES[0]), value=value)
        elif status == 200:
            self._history.operations.append(
                replace(operation, value=value_of(answer), revision=meta.resource_version(answer))
            )
            value, expected = counted(count_of(value_of(answer)) + 1, self._value()), meta.resource_version(answer)
            sent = body(key, value, self._chance.choice(SIDES), expected=expected)
            _, answer, operation = await self._send("cas", key, "PUT", sent, value=value, expected=expected)
        else:
            return
        self._note(operation, answer)

    async def _create(self) -> None:
        self._count += 1
        key = self._chance.choice(self._namespaces), f"{self._name}-{self._count}"
        sent = body(key, key[1], self._chance.choice(SIDES))
        status, answer, operation = await self._send("create", key, "POST", sent, value=key[1])
        if status == 409:
            # Nobody else writes that name: this server has made it and then denied it.
            operation = replace(operation, answer="AlreadyExists, of a name that is used once")
        self._note(operation, answer)
        if operation.outcome is Outcome.DONE:
            self._own.append((key, str(meta.uid(answer))))

    async def _delete(self) -> None:
        if not self._own:
            return
        key, uid = self._own.pop(self._chance.randrange(len(self._own)))
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid}}
        _, _, operation = await self._send("delete", key, "DELETE", options)
        self._history.operations.append(operation)

    async def _list(self) -> None:
        await take_list(self._client, self._history, self._name, self._chance.choice(self._namespaces))

    def _note(self, operation: Operation, answer: Obj) -> None:
        if operation.outcome is Outcome.DONE:
            operation = replace(operation, revision=meta.resource_version(answer))
            if operation.kind != "create":
                self._seen[operation.key] = operation.revision
        self._history.operations.append(operation)

    async def _send(
        self, kind: str, key: Key, method: str, sent: Obj | None = None, *, value: str | None = None, expected: int = 0
    ) -> tuple[int, Obj, Operation]:
        """One request, sent once: its status (0: no answer), the decoded answer, and what is known of it."""
        path = CONFIGMAP.path(key[0]) if method == "POST" else CONFIGMAP.path(*key)
        headers = {"accept": "application/json", "content-type": "application/json", "user-agent": "torture"}
        request = Request(method, path, {}, headers, orjson.dumps(sent) if sent is not None else b"")
        operation = Operation(self._name, kind, key, time.monotonic(), value=value, expected=expected)
        try:
            status, answer = await ask(self._client, request)
        except asyncio.CancelledError:
            # The end of the run: it was sent, so it may have taken effect.
            self._history.operations.append(operation)
            raise
        outcome = Outcome.DONE if 200 <= status < 300 else Outcome.REFUSED if 400 <= status < 500 else Outcome.UNKNOWN
        if status == 429:
            outcome = Outcome.UNKNOWN
        if kind == "read" and status == 404:
            outcome = Outcome.DONE
        returned = time.monotonic() if outcome is not Outcome.UNKNOWN else operation.returned
        return (
            status,
            answer,
            replace(operation, returned=returned, outcome=outcome, answer=str(answer.get("message", ""))),
        )


async def ask(client: Client, request: Request) -> tuple[int, Obj]:
    """Status and decoded answer; status 0 without one."""
    try:
        async with asyncio.timeout(_REQUEST_SECONDS_MAX):
            response = await client.raw(request)
            body_ = response.body if isinstance(response.body, bytes) else b"".join([c async for c in response.body])
        answer = orjson.loads(body_)
    except (ApiError, OSError, TimeoutError, orjson.JSONDecodeError) as error:
        return 0, {"message": str(error) or type(error).__name__}
    return response.status, answer if isinstance(answer, dict) else {}


async def take_list(client: Client, history: History, name: str, namespace: str) -> bool:
    """List a namespace and note it; whether that came about."""
    invoked = time.monotonic()
    status, answer = await ask(client, Request("GET", CONFIGMAP.path(namespace), {}, {"accept": "application/json"}))
    if status != 200:
        return False
    items = {
        (meta.namespace(obj), meta.name(obj)): (meta.resource_version(obj), value_of(obj))
        for obj in answer.get("items") or []
        if _ours(obj)
    }
    revision = int(answer["metadata"]["resourceVersion"])
    history.listings.append(Listing(name, namespace, invoked, time.monotonic(), revision, items))
    return True


def _ours(obj: Obj) -> bool:
    return meta.labels(obj).get("side") in SIDES


class Watcher:
    """Watches one selection; its connections end at random and begin again at a revision that it has passed."""

    def __init__(
        self, name: str, client: Client, history: History, chance: random.Random, selection: Selection
    ) -> None:
        self._name, self._client, self._history, self._chance = name, client, history, chance
        self._selection = selection
        self._whole = selection == Selection()
        self.passed = 0

    async def run(self, begin: int) -> None:
        """Until cancelled; the first connection begins after revision `begin`."""
        after = begin
        while True:
            stream = Stream(self._name, self._selection, after)
            self._history.streams.append(stream)
            seconds = 600.0 if self._whole else self._chance.expovariate(1 / 4)
            try:
                async with asyncio.timeout(seconds):
                    await self._connection(stream)
            except TimeoutError:
                pass
            except (ApiError, OSError) as error:
                if isinstance(error, ApiError) and error.code == 410:
                    after = await self._newest()
                    continue
                # Not all of them at once: what they cost a server that has just come back, its clients wait for.
                await asyncio.sleep(0.2 + self._chance.random())
            after = max(stream.passed, after)
            if not self._whole and self._chance.random() < 0.5:
                after = max(begin, after - self._chance.randrange(_BACK_MAX))

    async def _connection(self, stream: Stream) -> None:
        """Take what comes until the connection ends."""
        selection = self._selection
        events = self._client.watch(
            CONFIGMAP,
            selection.namespace,
            resource_version=str(stream.after),
            labels=f"side={selection.side}" if selection.side else "side in (left, right)",
            fields=f"metadata.name={selection.name}" if selection.name else "",
        )
        async for event in events:
            revision = meta.resource_version(event.obj)
            if event.type != "BOOKMARK":
                key = (meta.namespace(event.obj), meta.name(event.obj))
                side = meta.labels(event.obj).get("side", "")
                stream.changes.append(Change(revision, event.type, key, value_of(event.obj), side))
            stream.passed = max(stream.passed, revision)
            self.passed = max(self.passed, revision)

    async def _newest(self) -> int:
        while True:
            try:
                return int((await self._client.list(CONFIGMAP, "default", limit=1)).resource_version)
            except (ApiError, OSError):
                await asyncio.sleep(0.2)
