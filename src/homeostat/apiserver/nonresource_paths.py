"""The paths that are no resources: health, metrics, version, the journal, and those that other parts bring."""

from __future__ import annotations

import platform
from collections.abc import Mapping

import orjson

from homeostat import KUBERNETES_VERSION, __version__
from homeostat.api import errors
from homeostat.apiserver.cache.feed import Feed
from homeostat.apiserver.contract import Call, Parts, SubresourceHandler
from homeostat.apiserver.journal.journal import JournalPath
from homeostat.apiserver.metrics import CONTENT_TYPE, Metrics
from homeostat.apiserver.path.health import ROOTS, Health
from homeostat.wire.message import Request, Response


class Special:
    """Finds what answers a path; the `paths` of `parts` come first, keyed by prefix."""

    def __init__(self, feed: Feed, metrics: Metrics, journal: JournalPath, parts: Parts) -> None:
        self._paths = parts.paths
        self._metrics = metrics
        self._journal = journal
        self._health = Health({"etcd": feed.catch_up}, {"informer-sync": feed.catch_up, **parts.ready})

    async def handle(self, request: Request, call: Call) -> Response:
        """Answer. Raises 404 for an unknown path, 405 for a method other than GET and HEAD."""
        path = request.path
        handler = longest(self._paths, path)
        if handler is not None:
            return await handler(call)
        if request.method not in ("GET", "HEAD"):
            raise errors.path_not_found()
        if path == "/homeostat/journal":
            return await self._journal.handle(request)
        if path == "/metrics":
            return Response(200, self._metrics.text(), {"content-type": CONTENT_TYPE})
        if path.rstrip("/") == "/version":
            return Response(200, orjson.dumps(version()), {"content-type": "application/json"})
        if path.strip("/").partition("/")[0] in ROOTS:
            return await self._health.handle(request)
        raise errors.path_not_found()


def version() -> dict[str, str]:
    """version.Info: the API's version, with ours as build metadata."""
    major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"{KUBERNETES_VERSION}+homeostat-{__version__}",
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "",
        "goVersion": "",
        "compiler": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": f"{platform.system().lower()}/{platform.machine()}",
    }


def longest(paths: Mapping[str, SubresourceHandler], path: str) -> SubresourceHandler | None:
    """The handler of the longest prefix of `path` that ends at a slash."""
    prefix = path.rstrip("/") or "/"
    while prefix:
        if prefix in paths:
            return paths[prefix]
        prefix = prefix.rpartition("/")[0]
    return None
