"""Faults as data: what breaks, where, for how long, and what a client may feel of it.

A fault is a shell script that runs on the node it is meant for and undoes itself there when its time is over, so that
it ends even when this program is killed; or an order to the supervisor, for what a node cannot do to itself (lose its
power, lose its cable).
"""

from __future__ import annotations

from dataclasses import dataclass

ONE_MASTER, ETCD_LEADER, LEADING_MANAGER, TWO_MASTERS, ALL_MASTERS = "master", "leader", "manager", "two", "all"


@dataclass(frozen=True, slots=True)
class Fault:
    """`where` chooses the nodes. `begin` and `end` are shell commands on each ({others}: the addresses of the other
    masters); `order` is `power` or `cut` instead. `gap_seconds` is the longest time without an answer that the project
    accepts; with `without_quorum` it counts from the fault's end.
    """

    name: str
    where: str
    seconds: float
    gap_seconds: float = 1.0
    begin: str = ""
    end: str = ""
    order: str = ""
    without_quorum: bool = False

    def script(self, others: list[str]) -> str:
        """What runs on a node: break, wait, repair."""
        addresses = " ".join(others)
        end = f"sleep {self.seconds:g}; {self.end}" if self.end else ""
        return f"{self.begin}; {end}".replace("{others}", addresses)


def _signal(name: str, process: str) -> str:
    """A signal to all processes of a name (as the kernel has it, cut at 15 characters)."""
    each = f'read -r comm < "$each/comm" && [ "$comm" = "{process[:15]}" ] && kill -{name} "${{each#/proc/}}"'
    return f"for each in /proc/[0-9]*; do {{ {each}; }} 2>/dev/null; done; true"


def _rules(verb: str, rule: str) -> str:
    return f"for to in {{others}}; do iptables -{verb} {rule}; done"


_ONE_WAY = "OUTPUT -p tcp -d $to -m multiport --dports 2379,2380 -j DROP"
_LOSS = "INPUT -s $to -m statistic --mode random --probability 0.2 -j DROP"
# As programs that a person starts on a machine: together in one control group (of the first version, or the second).
_AS_A_USER = (
    "[ -d /sys/fs/cgroup/cpu ] && group=/sys/fs/cgroup/cpu/user.slice || group=/sys/fs/cgroup/user.slice; "
    "{ mkdir -p $group; echo $$ > $group/cgroup.procs; } 2> /dev/null"
)
_BUSY = f"{_AS_A_USER}; for each in 1 2 3 4; do timeout 6 sh -c 'while :; do :; done' & done; wait"


def _pause(name: str, process: str, where: str, seconds: float) -> Fault:
    return Fault(name, where, seconds, begin=_signal("STOP", process), end=_signal("CONT", process))


FAULTS = (
    Fault("kill-api-server", ONE_MASTER, 1.0, begin=_signal("KILL", "kube-apiserver")),
    _pause("pause-api-server", "kube-apiserver", ONE_MASTER, 6.0),
    Fault("kill-etcd-leader", ETCD_LEADER, 1.0, begin=_signal("KILL", "etcd")),
    _pause("pause-etcd-leader", "etcd", ETCD_LEADER, 6.0),
    Fault("kill-all-etcd", ALL_MASTERS, 1.0, gap_seconds=5.0, begin=_signal("KILL", "etcd")),
    Fault("cut-master", ONE_MASTER, 8.0, order="cut"),
    Fault("cut-etcd-leader", ETCD_LEADER, 8.0, order="cut"),
    Fault("power-off-master", ONE_MASTER, 6.0, order="power"),
    Fault("power-off-two-masters", TWO_MASTERS, 6.0, gap_seconds=5.0, order="power", without_quorum=True),
    Fault("drop-from-etcd-leader", ETCD_LEADER, 8.0, begin=_rules("A", _ONE_WAY),
          end=_rules("D", _ONE_WAY)),
    Fault("drop-to-etcd", ONE_MASTER, 8.0, begin=_rules("A", _ONE_WAY),
          end=_rules("D", _ONE_WAY)),
    Fault("lose-packets", ONE_MASTER, 8.0, begin=_rules("A", _LOSS), end=_rules("D", _LOSS)),
    Fault("starve-master", ONE_MASTER, 1.0, begin=_BUSY),
    _pause("pause-controller-manager", "kube-controller-manager", LEADING_MANAGER, 22.0),
)  # fmt: skip
