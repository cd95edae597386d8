"""Deployments and other workloads, Jobs and CronJobs: selectors, templates, strategies, and what never changes."""

import pytest

from homeostat.api import kinds
from tests.support.rules import change_faults, container, faults, named, template, workload

CONTROLLERS = [
    (kinds.DEPLOYMENT, "deployment"),
    (kinds.REPLICASET, "deployment"),
    (kinds.DAEMONSET, "daemonset"),
    (kinds.STATEFULSET, "statefulset"),
]


def workload_faults(kind, **spec):
    return faults(kind, workload(kind.kind, **spec))


@pytest.mark.parametrize(("kind", "said"), CONTROLLERS)
def test_a_selector_says_something_and_matches_the_template(kind, said):
    assert workload_faults(kind) == []
    assert workload_faults(kind, selector=None) == ["spec.selector: Required value"]
    assert workload_faults(kind, selector={}) == [
        f"spec.selector: Invalid value: {{}}: empty selector is invalid for {said}"
    ]
    assert workload_faults(kind, selector={"matchLabels": {"app": "db"}}) == [
        'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`'
    ]
    expressions = [{"key": "app", "operator": "In", "values": ["web", "db"]}]
    assert workload_faults(kind, selector={"matchExpressions": expressions}) == []


@pytest.mark.parametrize(("kind", "_said"), CONTROLLERS)
def test_a_controllers_pods_run_always(kind, _said):
    assert workload_faults(kind, template=template(restartPolicy="Never")) == [
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'
    ]
    (deadline,) = workload_faults(kind, template=template(activeDeadlineSeconds=5))
    assert deadline.startswith("spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in")


def test_a_template_is_judged_like_a_pod():
    found = workload_faults(
        kinds.DEPLOYMENT, template=template({"app": "web", "x": "-"}, containers=[container(image="")])
    )
    assert found[0].startswith('spec.template.labels: Invalid value: "-"')
    assert found[1] == "spec.template.spec.containers[0].image: Required value"
    assert workload_faults(kinds.DEPLOYMENT, template=None) == ["spec.template: Required value"]
    (debug,) = workload_faults(kinds.DEPLOYMENT, template=template(ephemeralContainers=[container("d")]))
    assert debug.endswith("ephemeral containers not allowed in pod template")


@pytest.mark.parametrize("operator", ["In", "Exists", "Like"])
def test_selector_expressions(operator):
    values = ["x"] if operator == "Exists" else []
    expression = {"key": "app", "operator": operator, "values": values}
    selector = {"matchLabels": {"app": "web"}, "matchExpressions": [expression]}
    wrong = [text for text in workload_faults(kinds.DEPLOYMENT, selector=selector) if "matchExpressions" in text]
    where = "spec.selector.matchExpressions[0]"
    assert (
        wrong
        == {
            "In": [f"{where}.values: Required value: must be specified when `operator` is 'In' or 'NotIn'"],
            "Exists": [
                f"{where}.values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            ],
            "Like": [f'{where}.operator: Invalid value: "Like": not a valid selector operator'],
        }[operator]
    )


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"replicas": -1}, ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"]),
        ({"strategy": {"type": "Recreate"}}, []),
        (
            {"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}},
            ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
        ),
        (
            {"strategy": {"type": "Slowly"}},
            ['spec.strategy.type: Unsupported value: "Slowly": supported values: "Recreate", "RollingUpdate"'],
        ),
        ({"strategy": {"rollingUpdate": {"maxUnavailable": "25%", "maxSurge": 0}}}, []),
        (
            {"strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": "0%"}}},
            ["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"],
        ),
        (
            {"strategy": {"rollingUpdate": {"maxUnavailable": "101%", "maxSurge": 1}}},
            ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%'],
        ),
        (
            {"strategy": {"rollingUpdate": {"maxUnavailable": 1, "maxSurge": -1}}},
            ["spec.strategy.rollingUpdate.maxSurge: Invalid value: -1: must be greater than or equal to 0"],
        ),
        (
            {"progressDeadlineSeconds": 10, "minReadySeconds": 10},
            ["spec.progressDeadlineSeconds: Invalid value: 10: must be greater than minReadySeconds"],
        ),
        (
            {"revisionHistoryLimit": -1},
            ["spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0"],
        ),
    ],
)
def test_deployments(spec, expected):
    assert workload_faults(kinds.DEPLOYMENT, **spec) == expected


def test_a_percentage_is_digits_and_a_sign():
    (text,) = workload_faults(kinds.DEPLOYMENT, strategy={"rollingUpdate": {"maxUnavailable": "half", "maxSurge": 1}})
    assert 'Invalid value: "half": a valid percent string must be a numeric string followed by an ending' in text


def test_daemonsets_surge_or_shrink_but_not_both():
    def rolling(**fields):
        return workload_faults(kinds.DAEMONSET, updateStrategy={"type": "RollingUpdate", "rollingUpdate": fields})

    where = "spec.updateStrategy.rollingUpdate"
    assert rolling(maxUnavailable=1, maxSurge=0) == []
    assert rolling(maxUnavailable=0, maxSurge=0) == [
        f"{where}.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"
    ]
    assert rolling(maxUnavailable=1, maxSurge=1) == [
        f"{where}.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero"
    ]
    (unknown,) = workload_faults(kinds.DAEMONSET, updateStrategy={"type": "Never"})
    assert unknown.endswith('Unsupported value: "Never": supported values: "OnDelete", "RollingUpdate"')


@pytest.mark.parametrize("kind", [kinds.DEPLOYMENT, kinds.REPLICASET, kinds.DAEMONSET])
def test_a_selector_never_changes(kind):
    def change(obj):
        obj["spec"]["selector"] = {"matchLabels": {"app": "web", "b": "c"}}
        obj["spec"]["template"] = template({"app": "web", "b": "c"})

    assert change_faults(kind, workload(kind.kind), change) == [
        'spec.selector: Invalid value: {"matchLabels":{"app":"web","b":"c"}}: field is immutable'
    ]
    assert change_faults(kind, workload(kind.kind), lambda obj: obj["spec"].update(replicas=5)) == []


def test_a_status_is_written_without_looking_at_the_spec():
    broken = workload(replicas=-1)
    assert change_faults(kinds.DEPLOYMENT, broken, lambda obj: obj.update(status={"replicas": 1}), "status") == []


def test_a_statefulset_may_change_only_some_fields():
    old = workload("StatefulSet", serviceName="a")
    assert change_faults(kinds.STATEFULSET, old, lambda obj: obj["spec"].update(replicas=3)) == []
    (text,) = change_faults(kinds.STATEFULSET, old, lambda obj: obj["spec"].update(serviceName="b"))
    assert text.startswith("spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals',")
    (policy,) = faults(kinds.STATEFULSET, workload("StatefulSet", podManagementPolicy="Odd"))
    assert policy.endswith('Unsupported value: "Odd": supported values: "OrderedReady", "Parallel"')


def test_a_replication_controller_selects_by_a_plain_map():
    spec = {"replicas": 1, "selector": {"app": "web"}, "template": template()}
    assert faults(kinds.REPLICATIONCONTROLLER, named(kinds.REPLICATIONCONTROLLER, spec=spec)) == []
    other = named(kinds.REPLICATIONCONTROLLER, spec=spec | {"selector": {"app": "db"}})
    assert faults(kinds.REPLICATIONCONTROLLER, other)[0].endswith("`selector` does not match template `labels`")
    none = named(kinds.REPLICATIONCONTROLLER, spec=spec | {"selector": {}})
    assert faults(kinds.REPLICATIONCONTROLLER, none) == ["spec.selector: Required value"]


def job(**spec):
    own = {"selector": {"matchLabels": {"app": "web"}}, "template": template(restartPolicy="Never")}
    return named(kinds.JOB, spec={**own, **spec})


def test_jobs_end():
    assert faults(kinds.JOB, job()) == []
    assert faults(kinds.JOB, job(template=template())) == [
        'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'
    ]
    assert faults(kinds.JOB, job(parallelism=-1)) == [
        "spec.parallelism: Invalid value: -1: must be greater than or equal to 0"
    ]
    assert faults(kinds.JOB, job(completionMode="Indexed")) == [
        "spec.completions: Required value: when completion mode is Indexed"
    ]
    (fixed,) = change_faults(
        kinds.JOB, job(), lambda obj: obj["spec"].update(template=template(restartPolicy="OnFailure"))
    )
    assert fixed.startswith("spec.template: Invalid value: ")
    assert fixed.endswith("field is immutable")
    assert change_faults(kinds.JOB, job(), lambda obj: obj["spec"].update(parallelism=3, suspend=True)) == []


def cronjob(schedule, name="tick", **spec):
    inner = {"spec": {"template": template(restartPolicy="Never")}}
    return named(kinds.CRONJOB, name, spec={"schedule": schedule, "jobTemplate": inner, **spec})


@pytest.mark.parametrize(
    "schedule", ["* * * * *", "*/5 0-6 1,15 jan-mar mon", "@daily", "@every 1h30m", "0 0 1 1 0", "? ? ? ? ?"]
)
def test_good_schedules(schedule):
    assert faults(kinds.CRONJOB, cronjob(schedule)) == []


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("", "Required value"),
        ("* * * *", 'Invalid value: "* * * *": expected exactly 5 fields, found 4: [* * * *]'),
        ("60 * * * *", 'Invalid value: "60 * * * *": end of range (60) above maximum (59): 60'),
        ("* * 0 * *", 'Invalid value: "* * 0 * *": beginning of range (0) below minimum (1): 0'),
        ("5-2 * * * *", 'Invalid value: "5-2 * * * *": beginning of range (5) beyond end of range (2): 5-2'),
        ("*/0 * * * *", 'Invalid value: "*/0 * * * *": step of range should be a positive number: */0'),
        ("x * * * *", 'Invalid value: "x * * * *": failed to parse int from x: invalid syntax'),
        ("1- * * * *", 'Invalid value: "1- * * * *": failed to parse 1-'),
        ("@never", 'Invalid value: "@never": unrecognized descriptor: @never'),
    ],
)
def test_bad_schedules(schedule, message):
    assert faults(kinds.CRONJOB, cronjob(schedule)) == [f"spec.schedule: {message}"]


def test_a_cronjob_leaves_room_in_its_name():
    (text,) = faults(kinds.CRONJOB, cronjob("@daily", "x" * 53))
    assert text.endswith("must be no more than 52 characters")
    (policy,) = faults(kinds.CRONJOB, cronjob("@daily", concurrencyPolicy="Maybe"))
    assert policy == (
        'spec.concurrencyPolicy: Unsupported value: "Maybe": supported values: "Allow", "Forbid", "Replace"'
    )
