"""Settings: Kubernetes' names and defaults, typed, stored, and refused with the nearest known name."""

from pathlib import Path

import pytest

import homeostat
from homeostat.api.flags.flag_settings import CATALOGUE, COMPONENTS, Settings, SettingsError, parse_settings


def test_kubernetes_defaults_hold_when_nothing_is_set():
    settings = Settings()
    assert settings.duration("controller-manager", "node-monitor-grace-period") == 50
    assert settings.duration("controller-manager", "node-monitor-period") == 5
    assert settings.integer("apiserver", "default-unreachable-toleration-seconds") == 300
    assert settings.number("controller-manager", "unhealthy-zone-threshold") == 0.55
    assert settings.number("controller-manager", "node-eviction-rate") == 0.1
    assert settings.duration("scheduler", "leader-elect-renew-deadline") == 10
    assert settings.integer("kubelet", "container-log-max-size") == 10 * 1024 * 1024
    assert settings.ports("apiserver", "service-node-port-range") == (30000, 32767)


def test_every_default_is_valid_and_every_flag_is_documented():
    for flag in CATALOGUE.values():
        Settings({(flag.component, flag.name): flag.default})
        assert flag.component in COMPONENTS
        assert len(flag.doc) > 20, flag.path


def test_no_flag_is_silently_ignored():
    root = Path(homeostat.__file__).parent
    readers = [path.read_text() for path in root.rglob("*.py") if path.name != "flagcatalogue.py"]
    ignored = [flag.path for flag in CATALOGUE.values() if not any(f'"{flag.name}"' in text for text in readers)]
    assert ignored == []


def test_what_is_set_is_read_by_type():
    settings = parse_settings(
        [
            "controller-manager.node-monitor-grace-period=8s",
            "apiserver.default-unreachable-toleration-seconds=5",
            "scheduler.--pod-max-backoff-seconds=3",
            "kubelet.container-log-max-size=1Mi",
        ]
    )
    assert settings.duration("controller-manager", "node-monitor-grace-period") == 8
    assert settings.integer("apiserver", "default-unreachable-toleration-seconds") == 5
    assert settings.integer("scheduler", "pod-max-backoff-seconds") == 3
    assert settings.integer("kubelet", "container-log-max-size") == 1 << 20
    assert settings.given("scheduler", "pod-max-backoff-seconds")
    assert not settings.given("scheduler", "pod-initial-backoff-seconds")


def test_the_last_of_two_assignments_counts():
    settings = parse_settings(["kubelet.max-pods=5", "kubelet.max-pods=7"])
    assert settings.integer("kubelet", "max-pods") == 7
    assert settings.with_values({("kubelet", "max-pods"): "9"}).integer("kubelet", "max-pods") == 9
    assert settings.integer("kubelet", "max-pods") == 7


def test_settings_are_stored_as_text_and_come_back_equal():
    settings = parse_settings(["kubelet.max-pods=5", "apiserver.event-ttl=2h"])
    assert settings.to_dict() == {"apiserver": {"event-ttl": "2h"}, "kubelet": {"max-pods": "5"}}
    again = Settings.from_dict(settings.to_dict())
    assert again == settings
    assert hash(again) == hash(settings)
    assert again != Settings()


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        (
            "controller-manager.node-monitor-graceperiod=8s",
            'unknown flag "node-monitor-graceperiod" of controller-manager; '
            "did you mean controller-manager.node-monitor-grace-period?",
        ),
        (
            "controler-manager.node-monitor-period=5s",
            'unknown component "controler-manager"; the components are apiserver, controller-manager, scheduler, '
            "kubelet, kube-proxy; did you mean controller-manager.node-monitor-period?",
        ),
        (
            "foo.bar=1",
            'unknown component "foo"; the components are apiserver, controller-manager, scheduler, kubelet, kube-proxy',
        ),
        (
            "kubelet.node-stat=1s",
            'unknown flag "node-stat" of kubelet; did you mean kubelet.node-status-update-frequency?',
        ),
        (
            "kubelet.node-monitor-period=1s",
            'unknown flag "node-monitor-period" of kubelet; did you mean controller-manager.node-monitor-period?',
        ),
        ("kubelet.xyzzy=1", 'unknown flag "xyzzy" of kubelet; docs/reference/flags.md lists the flags'),
        ("kubelet.max-pods=many", 'kubelet.max-pods: "many" is not a whole number'),
        ("kubelet.max-pods=0", 'kubelet.max-pods: "0" is too small: the least is 1'),
        ("apiserver.event-ttl=5", 'apiserver.event-ttl: "5" is not a duration such as 50s, 1m30s or 200ms'),
        ("apiserver.event-ttl=1ms", 'apiserver.event-ttl: "1ms" is too small: the least is 1s'),
        (
            "apiserver.service-node-port-range=9-2",
            'apiserver.service-node-port-range: "9-2" is not a range of ports such as 30000-32767',
        ),
        (
            "apiserver.service-cluster-ip-range=10.0.0.0/33",
            'apiserver.service-cluster-ip-range: "10.0.0.0/33" is not an address range such as 10.96.0.0/16',
        ),
        (
            "controller-manager.node-eviction-rate=nan",
            'controller-manager.node-eviction-rate: "nan" is not a number',
        ),
        ("kubelet.container-log-max-size=big", 'kubelet.container-log-max-size: "big" is not a size such as 10Mi'),
    ],
)
def test_a_bad_setting_says_what_would_be_right(assignment, message):
    with pytest.raises(SettingsError) as problem:
        parse_settings([assignment])
    assert str(problem.value) == message


@pytest.mark.parametrize("assignment", ["", "x", "kubelet=3", "kubelet.max-pods"])
def test_what_is_no_assignment_is_shown_one(assignment):
    with pytest.raises(SettingsError, match=r"expected COMPONENT\.FLAG=VALUE"):
        parse_settings([assignment])
