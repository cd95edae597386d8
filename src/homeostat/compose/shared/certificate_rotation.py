"""Certificates that change while their users run: files are read again, and the lab's own are renewed in time.

`follow` runs in every component: it looks at the files of its contexts and makes later handshakes use their current
content . `renew` runs where the cluster's authority is, beside the relay: it renews certificates when most of their
life is over (or when they have ended, as after a machine has slept), and copies them to the nodes.
"""

from __future__ import annotations

import asyncio

from homeostat.cluster import certificates, kubeconfig
from homeostat.cluster.state_folder import Folder, LabError, replace_file
from homeostat.cluster.topology import Cluster
from homeostat.kit import chance, clock
from homeostat.kit.log import logger
from homeostat.wire import tls

_FOLLOW_SECONDS = 10.0
_RENEW_SECONDS = 60.0

_log = logger("certificates")


async def follow() -> None:
    """For ever: use what the files of certificates hold now."""
    while True:
        await clock.sleep(_FOLLOW_SECONDS * chance.uniform(0.9, 1.1))
        for file in tls.refresh():
            _log.info("%s has changed and is in use from now on", file)


async def renew(folder: Folder) -> None:
    """Run for ever: renew old certificates of the lab, and copy them to the nodes."""
    while True:
        await clock.sleep(_RENEW_SECONDS * chance.uniform(0.9, 1.1))
        try:
            made = await asyncio.to_thread(renew_once, folder)
        except (LabError, OSError) as error:
            _log.error("certificates cannot be renewed: %s", error)
            continue
        if made:
            _log.info("renewed certificates: %s", ", ".join(made))


def renew_once(folder: Folder) -> list[str]:
    """Renew what is due, and copy it to the nodes that have a folder of their own; what was made.

    Raises LabError and OSError.
    """
    cluster = folder.load()
    made = certificates.prepare(folder.pki, cluster)
    _deliver(folder, cluster)
    if certificates.ADMIN.file in made:
        replace_file(folder.kubeconfig, kubeconfig.dump(certificates.admin_kubeconfig(folder.pki, cluster)))
    return made


def _deliver(folder: Folder, cluster: Cluster) -> None:
    for node in cluster.nodes():
        own = folder.node(node.name) / "etc" / "kubernetes" / "pki"
        if own.is_dir():
            certificates.deliver(folder.pki, own, cluster, node)
