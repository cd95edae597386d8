"""`homeostat events`: what happened, in all namespaces, newest last."""

from __future__ import annotations

import asyncio

import click
import orjson

from homeostat.api import meta
from homeostat.api.types import Obj
from homeostat.cli.options import known, name_option, output_option
from homeostat.client.contract import Client
from homeostat.cluster.state_folder import LabError
from homeostat.kit import clock
from homeostat.operate.name_checks import did_you_mean


@click.command("events")
@name_option
@output_option
@click.option("-n", "--namespace", default="", help="Only this namespace.")
@click.option("--tail", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@click.option("-f", "--follow", is_flag=True, help="Go on as events happen.")
def command(name: str, output: str, namespace: str, tail: int, *, follow: bool) -> None:
    """What happened, newest last."""
    folder = known(name)

    def show(event: Obj) -> None:
        click.echo(orjson.dumps(event).decode() if output == "json" else _line(event))

    async def run() -> None:
        from homeostat.api.kinds import EVENT
        from homeostat.operate.clients import administering

        async with administering(folder) as client:
            listing = await client.list(EVENT, namespace)
            if not listing.items:
                await _explain_none(client, namespace)
            for event in sorted(listing.items, key=_last_seen)[-tail:]:
                show(event)
            version = listing.resource_version
            while follow:
                async for change in client.watch(EVENT, namespace, resource_version=version):
                    version = change.obj["metadata"]["resourceVersion"]
                    if change.type in ("ADDED", "MODIFIED"):
                        show(change.obj)

    asyncio.run(run())


async def _explain_none(client: Client, namespace: str) -> None:
    """Say that there are no events. Raises LabError when there is no such namespace."""
    from homeostat.api.kinds import NAMESPACE

    names = [meta.name(each) for each in (await client.list(NAMESPACE)).items]
    if namespace and namespace not in names:
        raise LabError(f"there is no namespace {namespace!r}{did_you_mean(namespace, names)}")
    click.echo(f"no events{f' in namespace {namespace!r}' if namespace else ''}", err=True)


def _last_seen(event: Obj) -> float:
    return meta.time_of(event.get("lastTimestamp") or event.get("eventTime"), meta.created_at(event))


def _line(event: Obj) -> str:
    about = event.get("involvedObject") or {}
    place = "/".join(part for part in (about.get("namespace"), about.get("name")) if part)
    age = max(0, int(clock.wall() - _last_seen(event)))
    times = f" (x{event['count']})" if int(event.get("count") or 1) > 1 else ""
    head = f"{age:>6} s ago  {event.get('type', ''):<8}{event.get('reason', ''):<24}{about.get('kind', '')} {place}"
    return f"{head}  {event.get('message', '')}{times}"
