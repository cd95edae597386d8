"""Which Pod Security policy a namespace has: labels, defaults, configuration. And where templates are.

Rules: k8s.io/pod-security-admission/api (PolicyToEvaluate, ParseVersion) and admission/api/validation.
"""

from __future__ import annotations

import orjson
import pytest

from homeostat.api.flags.flag_settings import SettingsError, parse_settings
from homeostat.api.podsecurity import configuration
from homeostat.api.podsecurity.levels import PREFIX, LevelVersion, Policy, policy_of
from homeostat.api.podsecurity.templates import template_of
from homeostat.operate.setting_files import with_contents

NOTHING = Policy()
LEVEL = "must be one of privileged, baseline, restricted"
VERSION = 'must be "latest" or "v1.x"'


def texts(labels: dict[str, str], defaults: Policy = NOTHING) -> tuple[str, str, str]:
    policy, problems = policy_of({PREFIX + key: value for key, value in labels.items()}, defaults)
    assert not problems
    return str(policy.enforce), str(policy.audit), str(policy.warn)


@pytest.mark.parametrize(
    ("labels", "enforce", "audit", "warn"),
    [
        ({}, "privileged:latest", "privileged:latest", "privileged:latest"),
        # Whoever enforces is warned of templates too.
        ({"enforce": "baseline"}, "baseline:latest", "privileged:latest", "baseline:latest"),
        (
            {"enforce": "restricted", "enforce-version": "v1.22"},
            *("restricted:v1.22", "privileged:latest", "restricted:v1.22"),
        ),
        (
            {"enforce": "restricted", "enforce-version": "v1.22", "warn-version": "v1.30"},
            *("restricted:v1.22", "privileged:latest", "restricted:v1.30"),
        ),
        ({"enforce": "restricted", "warn": "baseline"}, "restricted:latest", "privileged:latest", "baseline:latest"),
        ({"enforce": "baseline", "warn": "restricted"}, "baseline:latest", "privileged:latest", "restricted:latest"),
        ({"audit": "restricted", "audit-version": "v1.0"}, "privileged:latest", "restricted:v1.0", "privileged:latest"),
        ({"enforce-version": "v1.25"}, "privileged:v1.25", "privileged:latest", "privileged:latest"),
    ],
)
def test_labels_say_what_is_enforced_audited_and_warned_about(labels, enforce, audit, warn):
    assert texts(labels) == (enforce, audit, warn)


def test_labels_count_before_the_defaults():
    defaults = Policy(LevelVersion("baseline", "v1.30"), LevelVersion("restricted"), LevelVersion("restricted"))
    assert texts({}, defaults) == ("baseline:v1.30", "restricted:latest", "restricted:latest")
    assert texts({"enforce": "privileged"}, defaults)[0] == "privileged:v1.30"
    assert texts({"enforce": "restricted", "audit": "privileged"}, defaults) == (
        *("restricted:v1.30", "privileged:latest", "restricted:latest"),
    )


@pytest.mark.parametrize(
    ("label", "value", "why"),
    [
        *((mode, value, LEVEL) for mode in ("enforce", "audit", "warn") for value in ("", "Baseline", "secure")),
        *(
            ("enforce-version", value, VERSION)
            for value in ("", "v1", "1.25", "v1.25.0", "v2.0", "v1.01", "v1.-1", "Latest", "v1.9223372036854775808")
        ),
        ("audit-version", "newest", VERSION),
        ("warn-version", "v1.x", VERSION),
    ],
)
def test_a_label_that_says_no_level_or_version_is_named(label, value, why):
    policy, problems = policy_of({PREFIX + label: value}, NOTHING)
    (problem,) = problems
    assert problem.text() == f'metadata.labels[{PREFIX}{label}]: Invalid value: "{value}": {why}'
    # What is enforced is enforced in full, what is only said is not said.
    assert policy.enforce.level == ("restricted" if label == "enforce" else "privileged")
    assert policy.audit.level == policy.warn.level == "privileged"


def test_problems_come_in_the_order_of_the_modes():
    labels = {f"{mode}{part}": "?" for mode in ("warn", "audit", "enforce") for part in ("-version", "")}
    _, problems = policy_of({PREFIX + key: value for key, value in labels.items()}, NOTHING)
    order = ["enforce", "enforce-version", "audit", "audit-version", "warn", "warn-version"]
    assert [problem.field for problem in problems] == [f"metadata.labels[{PREFIX}{name}]" for name in order]


def test_versions_of_privileged_do_not_differ():
    assert LevelVersion("privileged", "v1.0").equivalent(LevelVersion("privileged"))
    assert not LevelVersion("baseline", "v1.0").equivalent(LevelVersion("baseline"))


# Configuration

OWN = {"apiVersion": "pod-security.admission.config.k8s.io/v1", "kind": "PodSecurityConfiguration"}


def held(**own: object) -> dict[str, object]:
    plugin = {"name": "PodSecurity", "configuration": OWN | own}
    return {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration", "plugins": [plugin]}


def test_a_configuration_is_read_alone_or_inside_an_admission_configuration():
    own = {
        "defaults": {"enforce": "baseline", "enforce-version": "v1.36", "warn": "restricted"},
        "exemptions": {"usernames": ["robot"], "namespaces": ["kube-system"], "runtimeClasses": ["sandboxed"]},
    }
    read = configuration.read(OWN | own)
    assert read == configuration.read(held(**own))
    assert read.defaults == Policy(LevelVersion("baseline", "v1.36"), LevelVersion(), LevelVersion("restricted"))
    assert (read.usernames, read.namespaces, read.runtime_classes) == ({"robot"}, {"kube-system"}, {"sandboxed"})
    assert configuration.read(OWN) == configuration.from_json("") == configuration.Configuration()


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ([], "the admission configuration: expected an object, found list"),
        (OWN | {"kind": "Pod"}, "found pod-security.admission.config.k8s.io/v1, Pod"),
        (OWN | {"extra": 1}, 'unknown field "extra"'),
        (OWN | {"defaults": {"enforce": "none"}}, f'defaults.enforce: Invalid value: "none": {LEVEL}'),
        (OWN | {"defaults": {"warn-version": 1}}, f"defaults.warn-version: Invalid value: 1: {VERSION}"),
        (OWN | {"defaults": {"enforced": "baseline"}}, 'unknown field "defaults.enforced"'),
        (OWN | {"exemptions": {"usernames": [""]}}, "exemptions.usernames[0]: Invalid value"),
        (OWN | {"exemptions": {"usernames": "robot"}}, "exemptions.usernames: expected a list of names"),
        (OWN | {"exemptions": {"namespaces": ["a", "a"]}}, 'exemptions.namespaces[1]: Duplicate value: "a"'),
        (OWN | {"exemptions": {"namespaces": ["A"]}}, 'exemptions.namespaces[0]: Invalid value: "A"'),
        (OWN | {"exemptions": {"runtimeClasses": ["a_b"]}}, 'exemptions.runtimeClasses[0]: Invalid value: "a_b"'),
        (held() | {"plugins": []}, "plugins: expected one named PodSecurity"),
        (held() | {"plugins": [{"name": "EventRateLimit"}]}, "configures no plugin but PodSecurity"),
        (held() | {"plugins": [{"name": "PodSecurity", "path": "x.yaml"}]}, "plugins[0].path"),
        (held() | {"apiVersion": "v1"}, "expected apiVersion apiserver.config.k8s.io/v1"),
    ],
)
def test_a_bad_configuration_is_refused_in_words(document, why):
    with pytest.raises(configuration.ConfigurationError) as refused:
        configuration.read(document)
    assert why in str(refused.value)
    with pytest.raises(SettingsError) as refused_flag:
        parse_settings([f"apiserver.admission-control-config-file={orjson.dumps(document).decode()}"])
    assert str(refused_flag.value) == f"apiserver.admission-control-config-file: {refused.value}"


def test_up_keeps_the_content_of_the_file(tmp_path):
    file = tmp_path / "admission.yaml"
    file.write_text(
        "apiVersion: pod-security.admission.config.k8s.io/v1\nkind: PodSecurityConfiguration\n"
        "defaults:\n  enforce: baseline\n"
    )
    settings = parse_settings(with_contents([f"apiserver.admission-control-config-file={file}"]))
    file.unlink()
    kept = settings.from_dict(settings.to_dict()).text("apiserver", "admission-control-config-file")
    assert configuration.from_json(kept).defaults.enforce == LevelVersion("baseline")


@pytest.mark.parametrize(("content", "why"), [(None, "cannot read"), ("a: [", "is no YAML")])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content, why):
    file = tmp_path / "admission.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match=why) as refused:
        with_contents([f"apiserver.admission-control-config-file={file}"])
    assert str(file) in str(refused.value)


def test_other_settings_stay_as_they_are():
    given = ["apiserver.event-ttl=2h", "nonsense", "apiserver.admission-control-config-file="]
    assert with_contents(given) == given


# Templates


@pytest.mark.parametrize(
    ("resource", "obj", "found"),
    [
        ("deployments.apps", {"spec": {"template": {"spec": 1}}}, {"spec": 1}),
        ("podtemplates", {"template": {"spec": 2}}, {"spec": 2}),
        ("cronjobs.batch", {"spec": {"jobTemplate": {"spec": {"template": {"spec": 3}}}}}, {"spec": 3}),
        ("replicationcontrollers", {"spec": {}}, None),
        ("deployments.example.com", {"spec": {"template": {"spec": 1}}}, None),
        ("pods", {"spec": {}}, None),
    ],
)
def test_a_template_is_found_where_its_kind_has_it(resource, obj, found):
    assert template_of(resource, obj) == found
