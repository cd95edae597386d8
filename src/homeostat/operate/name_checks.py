"""Names that a person types: whether a node of that name is there and is a host, and what they may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from homeostat.cluster.state_folder import LabError
from homeostat.cluster.topology import Cluster


def check_host(cluster: Cluster, node: str) -> None:
    """Raises LabError for a node that is not there or is no host."""
    names = [each.name for each in cluster.nodes()]
    if node not in names:
        raise LabError(f"there is no node {node!r}{did_you_mean(node, names)}")
    if not cluster.kind.are_hosts:
        raise LabError("these nodes are processes of this machine: only with `--runtime container` are they hosts")


def did_you_mean(word: str, known_words: Iterable[str]) -> str:
    """The end of an error about an unknown word: a suggestion of the most similar one, or nothing."""
    near = get_close_matches(word, list(known_words), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
