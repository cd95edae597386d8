"""The state folder's content before a start: plan, certificates, the nodes' files, the administrator's kubeconfig."""

from __future__ import annotations

from homeostat.cluster import certificates, kubeconfig
from homeostat.cluster.errors import LabError
from homeostat.cluster.state_folder import Folder, replace_file
from homeostat.cluster.topology import Cluster
from homeostat.lab.kinds.choice import kind_of


def prepare(folder: Folder, cluster: Cluster) -> None:
    """Write what the components read: the plan, certificates, manifests, kubeconfig. Raises LabError."""
    kind = kind_of(cluster)
    kind.check_room(folder)
    try:
        folder.save(cluster)
        folder.log.mkdir(parents=True, exist_ok=True)
        certificates.prepare(folder.pki, cluster)
        for node in cluster.nodes():
            kind.write_node(folder, cluster, node)
        kind.give_images(folder, cluster)
        replace_file(folder.kubeconfig, kubeconfig.dump(certificates.admin_kubeconfig(folder.pki, cluster)))
    except OSError as error:
        raise LabError(f"cannot write to {folder.path}: {error.strerror}") from error
