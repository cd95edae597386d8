"""What docker made of a kubelet's pods, as pure tables: names, states, filters, and how things are written."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from homeostat.shell.command_flags import Flag, parse, switches
from homeostat.shell.command_flags import texts as text_flags
from homeostat.shell.docker.change_commands import signal_number
from homeostat.shell.docker.exec_command import process_spec, user_of
from homeostat.shell.docker.ps_filters import Filters
from homeostat.shell.docker.show_commands import fixed_time
from homeostat.shell.docker.stats_command import cpu_percent
from homeostat.shell.engine import formats
from homeostat.shell.engine.containers import Box, Detail, boxes_of, find, ports_text, status_text, successor
from homeostat.shell.tool_error import ToolError

NOW = 1_800_000_000 * 10**9
SECOND = 10**9


def pod(name: str = "web", *, attempt: int = 0, state: int = 0, created: int = 1, **labels: str) -> Any:
    meta = SimpleNamespace(name=name, uid=f"u-{name}", namespace="default", attempt=attempt)
    return SimpleNamespace(id=f"pod-{name}-{attempt}", metadata=meta, state=state, created_at=created, labels=labels)


def container(name: str, of: Any, *, attempt: int = 0, state: int = 1, created: int = 2, **labels: str) -> Any:
    return SimpleNamespace(
        id=f"{name}-{attempt}-{of.metadata.name}",
        pod_sandbox_id=of.id,
        metadata=SimpleNamespace(name=name, attempt=attempt),
        image=SimpleNamespace(image="registry/app:1"),
        image_ref="sha256:abcdef0123456789",
        state=state,
        created_at=created,
        labels=labels,
    )


class Eyes:
    """What is known of containers beside the list."""

    def __init__(self, paused: set[str] = frozenset(), **details: Detail) -> None:  # type: ignore[assignment]
        self._paused, self._details = paused, details

    def detail(self, box: Box) -> Detail:
        return self._details.get(box.id.partition("-")[0], Detail())

    def paused(self, box: Box) -> bool:
        return box.id in self._paused

    def image_name(self, box: Box) -> str:
        return box.image


def test_names_are_those_of_the_dockershim() -> None:
    """`k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT`; a sandbox is the container POD (dockershim/naming.go)."""
    one = pod("web-7", attempt=2)
    names = [box.name for box in boxes_of([one], [container("app", one, attempt=5)])]
    assert names == ["k8s_app_web-7_default_u-web-7_5", "k8s_POD_web-7_default_u-web-7_2"]


def test_the_newest_comes_first_and_sandboxes_are_among_them() -> None:
    one = pod(created=5)
    boxes = boxes_of([one], [container("old", one, created=7), container("new", one, created=9)])
    assert [box.id for box in boxes] == ["new-0-web", "old-0-web", "pod-web-0"]
    assert [box.sandbox for box in boxes] == [False, False, True]


def test_labels_identify_the_pod_even_where_the_kubelet_did_not() -> None:
    one = pod()
    (box, holder) = boxes_of([one], [container("app", one, tier="front")])
    assert box.labels["io.kubernetes.pod.name"] == "web"
    assert box.labels["io.kubernetes.pod.uid"] == "u-web"
    assert box.labels["io.kubernetes.container.name"] == "app"
    assert box.labels["io.kubernetes.docker.type"] == "container"
    assert box.labels["tier"] == "front"
    assert holder.labels["io.kubernetes.docker.type"] == "podsandbox"


def test_a_container_whose_sandbox_is_gone_keeps_what_its_labels_say() -> None:
    lost = container("app", pod(), **{"io.kubernetes.pod.name": "web"})
    (box,) = boxes_of([], [lost])
    assert box.name == "k8s_app_web___0"


def ids(*names: str) -> list[Box]:
    return [Box(name, "p", f"k8s_{name}", "i", "", "running", 1) for name in names]


def test_a_container_is_found_by_id_beginning_or_name() -> None:
    boxes = ids("abc1", "abd2", "abc")
    assert find(boxes, "abd").id == "abd2"
    assert find(boxes, "abc").id == "abc", "a whole ID is never ambiguous"
    assert find(boxes, "k8s_abd2").id == "abd2"
    assert find(boxes, "/k8s_abd2").id == "abd2"
    with pytest.raises(ToolError, match="multiple IDs found with provided prefix: ab"):
        find(boxes, "ab")
    for word in ("x", ""):
        with pytest.raises(ToolError, match="No such container: "):
            find(boxes, word)


STATUSES = {
    "Up 3 seconds": ("running", Detail(started=NOW - 3 * SECOND), False),
    "Up 2 hours (Paused)": ("running", Detail(started=NOW - 7300 * SECOND), True),
    "Exited (137) 5 seconds ago": ("exited", Detail(exit_code=137, finished=NOW - 5 * SECOND), False),
    "Exited (0)": ("exited", Detail(), False),
    "Created": ("created", Detail(), False),
    "Dead": ("unknown", Detail(), False),
}


@pytest.mark.parametrize("text", STATUSES)
def test_status_texts(text: str) -> None:
    state, detail, paused = STATUSES[text]
    box = Box("a", "p", "k8s_a", "i", "", state, NOW - 100 * SECOND)
    assert status_text(box, detail, paused=paused, now=NOW) == text


def test_ports_are_those_of_the_host() -> None:
    ports = [
        {"container_port": 80, "host_port": 8080},
        {"protocol": 1, "container_port": 53, "host_port": 53, "host_ip": "10.0.0.1"},
        {"container_port": 9000},
    ]
    assert ports_text(Detail(config={"port_mappings": ports})) == "0.0.0.0:8080->80/tcp, 10.0.0.1:53->53/udp"


def test_the_successor_is_the_same_container_of_the_same_pod() -> None:
    one, other = pod("web"), pod("other")
    found = boxes_of(
        [one, other],
        [
            container("app", one, state=2, created=1),
            container("app", one, attempt=1, created=5),
            container("side", one, created=6),
            container("app", other, created=7),
        ],
    )
    old = find(found, "app-0-web")
    assert successor(found, old) == find(found, "app-1-web")
    assert successor(found, find(found, "app-1-web")) is None


ONE, OTHER = pod("web", app="web"), pod("db", state=1, created=3)
ALL = boxes_of(
    [ONE, OTHER],
    [
        container("app", ONE, created=4),
        container("once", ONE, state=2, created=5),
        container("made", OTHER, state=0, created=6),
    ],
)
EYES = Eyes({"app-0-web"}, once=Detail(exit_code=3), app=Detail(mounts=(("/srv/data", "/data", False),)))
FILTERS = {
    ("name=.*app_web.*",): {"app-0-web"},
    ("name=^/?k8s_POD",): {"pod-web-0", "pod-db-0"},
    ("name=^/k8s_app",): {"app-0-web"},
    ("name=once", "name=made"): {"once-0-web", "made-0-db"},
    ("name=web", "status=exited"): {"once-0-web"},
    ("id=pod-w",): {"pod-web-0"},
    ("label=app",): {"pod-web-0"},
    ("label=app=web", "label=io.kubernetes.pod.name=web"): {"pod-web-0"},
    ("label=app=db",): set(),
    ("status=paused",): {"app-0-web"},
    ("status=running",): {"pod-web-0"},
    ("status=created", "status=exited"): {"made-0-db", "once-0-web", "pod-db-0"},
    ("exited=3",): {"once-0-web"},
    ("exited=0",): {"pod-db-0"},
    ("ancestor=registry/app:1",): {"app-0-web", "once-0-web", "made-0-db"},
    ("ancestor=abcdef",): {"app-0-web", "once-0-web", "made-0-db"},
    ("volume=/data",): {"app-0-web"},
    ("volume=/srv/data",): {"app-0-web"},
    ("since=app-0-web",): {"once-0-web", "made-0-db"},
    ("before=app-0-web", "since=pod-web"): {"pod-db-0"},
    (): {box.id for box in ALL},
}


@pytest.mark.parametrize("words", FILTERS, ids=" ".join)
def test_filters(words: tuple[str, ...]) -> None:
    """One key's values are alternatives; keys, and labels, come together (docker ps, Filtering)."""
    assert {box.id for box in Filters(words).keep(ALL, EYES)} == FILTERS[words]


BAD = {
    "name": "bad format of filter",
    "colour=red": "invalid filter 'colour'",
    "status=asleep": "invalid filter 'status=asleep'",
    "exited=x": "invalid filter 'exited=x'",
    "name=(": "invalid regular expression",
    "network=x": "not supported on this node",
}


@pytest.mark.parametrize("word", BAD)
def test_filters_that_are_refused(word: str) -> None:
    with pytest.raises(ToolError) as refused:
        Filters([word])
    assert BAD[word] in refused.value.text


def test_only_a_status_shows_ended_ones_without_being_asked() -> None:
    assert Filters(["status=running"]).all
    assert not Filters(["exited=0"]).all


DURATIONS = {
    0.4: "Less than a second", 1: "1 second", 59: "59 seconds", 60: "About a minute", 119: "About a minute",
    120: "2 minutes", 3599: "59 minutes", 3600: "About an hour", 5400: "2 hours", 47 * 3600: "47 hours",
    48 * 3600: "2 days", 13 * 86400: "13 days", 14 * 86400: "2 weeks", 59 * 86400: "8 weeks", 60 * 86400: "2 months",
    729 * 86400: "24 months", 730 * 86400: "2 years",
}  # fmt: skip


@pytest.mark.parametrize("seconds", DURATIONS)
def test_durations_are_written_as_docker_does(seconds: float) -> None:
    """docker/go-units, HumanDuration."""
    assert formats.human_duration(seconds) == DURATIONS[seconds]


def test_sizes_are_written_as_docker_does() -> None:
    """docker/go-units: decimal with four digits, three for images; binary in `docker stats`."""
    assert [formats.human_size(size) for size in (0, 999, 1000, 1234567, 5e9)] == [
        "0B",
        "999B",
        "1kB",
        "1.235MB",
        "5GB",
    ]
    assert formats.human_size(1234567, digits=3) == "1.23MB"
    assert [formats.binary_size(size) for size in (512, 1536, 64 << 20)] == ["512B", "1.5KiB", "64MiB"]


def test_times(monkeypatch: pytest.MonkeyPatch) -> None:
    assert formats.go_time(0) == "0001-01-01T00:00:00Z"
    assert formats.go_time(1_800_000_000_120_000_000) == "2027-01-15T08:00:00.12Z"
    assert formats.parse_go_time("2027-01-15T08:00:00.123456789Z") == pytest.approx(1_800_000_000.123456789)
    assert formats.parse_go_time("2027-01-15T09:00:00+01:00") == 1_800_000_000
    assert formats.parse_go_time("") == 0
    assert formats.ago(10, 0) == "N/A"
    assert fixed_time("2027-01-15T08:00:00.5Z") == "2027-01-15T08:00:00.500000000Z"
    assert fixed_time("2027-01-15T08:00:00-05:00") == "2027-01-15T08:00:00.000000000-05:00"


def test_columns_are_aligned() -> None:
    assert formats.columns([["ID", "NAMES"], ["0123456789abc", "x"]]) == ["ID              NAMES", "0123456789abc   x"]
    assert formats.columns([]) == []


SIGNALS = {"KILL": 9, "SIGTERM": 15, "hup": 1, "10": 10, "RTMIN+3": 37}


@pytest.mark.parametrize("word", SIGNALS)
def test_signals_by_name_and_number(word: str) -> None:
    assert signal_number(word) == SIGNALS[word]


@pytest.mark.parametrize("word", ["FOO", "0", "65", "RTMIN+99", "", "-9"])
def test_what_is_no_signal(word: str) -> None:
    with pytest.raises(ToolError, match="Invalid signal: "):
        signal_number(word)


FLAGS = [*switches("all/a", "quiet/q"), *text_flags("format", "last/n"), Flag("filter", "f", "list")]
LINES: dict[tuple[str, ...], tuple[dict[str, Any], list[str]]] = {
    ("-aq", "x"): ({"all": True, "quiet": True}, ["x"]),
    ("--all=false", "-q=true"): ({"all": False, "quiet": True}, []),
    ("-n5", "--format", "{{.ID}}"): ({"last": "5", "format": "{{.ID}}"}, []),
    ("-n", "5", "--format={{.ID}}"): ({"last": "5", "format": "{{.ID}}"}, []),
    ("-qn=5", "-f", "a=1", "--filter", "b=2", "-fc=3"): ({"last": "5", "filter": ["a=1", "b=2", "c=3"]}, []),
    ("x", "-a", "--", "-q", "--nix"): ({"all": True, "quiet": False}, ["x", "-q", "--nix"]),
    ("-",): ({}, ["-"]),
}


@pytest.mark.parametrize("argv", LINES, ids=" ".join)
def test_command_lines_are_read_as_pflag_does(argv: tuple[str, ...]) -> None:
    values, words = LINES[argv]
    line = parse(argv, FLAGS)
    assert line.words == words
    assert {name: line.values[name] for name in values} == values


def test_a_commands_own_flags_are_left_alone() -> None:
    line = parse(["-a", "box", "ls", "-l", "--", "-q"], FLAGS, to_first_word=True)
    assert line.words == ["box", "ls", "-l", "--", "-q"]


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["--nix"], "unknown flag: --nix"),
        (["-az"], "unknown shorthand flag: 'z' in -az"),
        (["--format"], "flag needs an argument: --format"),
        (["-n"], "flag needs an argument: 'n' in -n"),
        (["--all=perhaps"], 'invalid argument "perhaps" for "--all" flag'),
    ],
)
def test_command_lines_that_are_refused(argv: list[str], text: str) -> None:
    with pytest.raises(ToolError) as refused:
        parse(argv, FLAGS)
    assert refused.value.text.startswith(text)
    assert refused.value.code == 125


def test_the_process_of_an_exec_is_the_containers_with_other_words() -> None:
    own = {"args": ["app"], "env": ["PATH=/bin", "A=1"], "cwd": "/srv", "user": {"uid": 7}, "terminal": False}
    made = process_spec({"process": own}, ["sh"], env=["A=2", "B=3", "C"], tty=True)
    assert made["args"] == ["sh"] and made["terminal"] is True
    assert made["env"] == ["PATH=/bin", "A=2", "B=3", "TERM=xterm"]
    assert (made["cwd"], made["user"]) == ("/srv", {"uid": 7})
    assert own["args"] == ["app"], "the container's own is as it was"


def test_users_of_a_container_by_name_and_number(tmp_path: Any) -> None:
    (tmp_path / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:app:/:/bin/sh\n")
    (tmp_path / "group").write_text("staff:x:50:\n")
    assert user_of("app", tmp_path) == {"uid": 1000, "gid": 1001}
    assert user_of("1000", tmp_path) == {"uid": 1000, "gid": 1001}
    assert user_of("42", tmp_path) == {"uid": 42, "gid": 0}
    assert user_of("app:7", tmp_path) == {"uid": 1000, "gid": 7}
    with pytest.raises(ToolError, match="unable to find user nix"):
        user_of("nix", tmp_path)
    with pytest.raises(ToolError, match="unable to find group nix"):
        user_of("app:nix", tmp_path)


def test_the_share_of_a_core_is_what_was_used_between_two_looks() -> None:
    def look(at: int, used: int) -> Any:
        return SimpleNamespace(cpu=SimpleNamespace(timestamp=at, usage_core_nano_seconds=SimpleNamespace(value=used)))

    assert cpu_percent(look(0, 0), look(2 * SECOND, SECOND)) == 50.0
    assert cpu_percent(look(0, 5), look(0, 5)) == 0.0
    assert cpu_percent(None, look(0, 0)) is None
