"""The second half of a restore into etcd: members run only inside the cluster, so an API server fills them.

`homeostat restore` empties the members' folders and leaves the backup beside each master's plan. When the masters boot,
the API server of the first fills the new members before it serves; those of the others wait until it has. etcd itself
remembers which backup was restored last (the base of its revisions), so all of this happens once.
"""

from __future__ import annotations

import asyncio

from homeostat.compose.shared import etcd_members
from homeostat.compose.shared.place import Place
from homeostat.kit import clock
from homeostat.kit.log import logger
from homeostat.store import archive
from homeostat.store.contract import StoreError
from homeostat.store.etcd import seed

# In a master's /etc/kubernetes.
FILE = "restore.backup"
_RETRY_SECONDS = 0.5

_log = logger("restore")


async def finish(place: Place, stop: asyncio.Event) -> None:
    """See the module; returns at once where no backup waits. Raises ArchiveError on a damaged one."""
    file = place.folder.path / FILE
    if not file.exists():
        return
    found = archive.Reader(file)
    base = found.header.base
    is_first = place.here().name == place.cluster.masters()[0].name
    endpoints, tls = etcd_members.endpoints(place.cluster, place.here()), etcd_members.client_files(place.folder.pki)
    while not stop.is_set():
        try:
            if await seed.base_of(endpoints, tls=tls) == base:
                return
            if is_first:
                await seed.clear(endpoints, tls=tls)
                newest = await seed.seed(endpoints, base, found.entries(), tls=tls)
                _log.info("restored %d objects; the revision is %d", found.header.entries, newest)
                return
            _log.info("waiting until the API server of %s has restored", place.cluster.masters()[0].name)
        except StoreError as error:
            _log.warning("the restore is waiting: %s", error)
        await clock.sleep(_RETRY_SECONDS)
