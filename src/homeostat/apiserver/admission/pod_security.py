"""PodSecurity: Pods keep to the Pod Security Standards that their namespace's labels ask for.

Decides whose namespace and which policy counts, and what becomes of a violation; whether there is one is decided in
`api.podsecurity`. Rule: k8s.io/pod-security-admission/admission.
"""

from __future__ import annotations

from homeostat.api import errors, kinds, meta
from homeostat.api.errors import Cause
from homeostat.api.fields import show
from homeostat.api.podsecurity import profiles, templates
from homeostat.api.podsecurity.check import Violation
from homeostat.api.podsecurity.configuration import Configuration
from homeostat.api.podsecurity.evaluate import details, evaluate
from homeostat.api.podsecurity.levels import MODES, PREFIX, PRIVILEGED, LevelVersion, Policy, policy_of, stricter
from homeostat.api.types import Obj
from homeostat.apiserver.admission.existing_pods import ExistingPods
from homeostat.apiserver.admission.plugin import CREATE, UPDATE, Plugin, refuse
from homeostat.apiserver.contract import Attributes, Reader
from homeostat.kit.log import logger

_NAMESPACES, _PODS = "namespaces", "pods"
# Whatever else can be written of a Pod may change what it runs.
_HARMLESS = frozenset(("exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status"))
_log = logger("audit")


class PodSecurity(Plugin):
    """See the module."""

    name = "PodSecurity"
    validates = templates.PLURALS | {_NAMESPACES, _PODS}

    def __init__(self, reader: Reader, configuration: Configuration) -> None:
        self._reader = reader
        self._configuration = configuration
        self._existing = ExistingPods(reader, configuration.runtime_classes)
        # The policies of namespaces, and what is wrong with their labels, while no Namespace changes.
        self._policies: dict[str, tuple[Policy, list[Cause]]] = {}
        self._revision: int | None = None

    async def validate(self, attributes: Attributes) -> None:
        """Judge a Pod, a template or a namespace's labels.

        Raises 403 for a Pod that violates what its namespace enforces, and 422 for labels that say no level or version.
        """
        if attributes.obj is None or attributes.operation not in (CREATE, UPDATE):
            return
        resource = errors.qualified(attributes.kind.plural, attributes.kind.group)
        if resource == _PODS:
            if attributes.subresource not in _HARMLESS:
                self._judge_pod(attributes, attributes.obj)
        elif attributes.subresource:
            return
        elif resource == _NAMESPACES:
            await self._judge_namespace(attributes, attributes.obj)
        else:
            template = templates.template_of(resource, attributes.obj)
            if template is not None:
                self._judge_template(attributes, template)

    # Pods and templates

    def _judge_pod(self, attributes: Attributes, pod: Obj) -> None:
        if self._is_exempt(attributes, pod):
            return
        policy, problems = self._policy(attributes.namespace)
        if policy.fully_privileged and not problems:
            return
        if attributes.operation == UPDATE and not _runs_something_new(pod, attributes.old or {}):
            return
        found = _Findings(pod)
        self._audit(attributes, policy.audit, found)
        violations = found.by(policy.enforce)
        if violations:
            raise refuse(attributes, f'violates PodSecurity "{policy.enforce}": {details(violations)}')
        _warn(attributes, policy.warn, found)

    def _judge_template(self, attributes: Attributes, template: Obj) -> None:
        """Templates are never refused: their Pods will be."""
        if self._is_exempt(attributes, template):
            return
        policy, _ = self._policy(attributes.namespace)
        found = _Findings(template)
        self._audit(attributes, policy.audit, found)
        _warn(attributes, policy.warn, found)

    def _is_exempt(self, attributes: Attributes, pod: Obj) -> bool:
        exempt = self._configuration
        if attributes.namespace in exempt.namespaces or attributes.user.name in exempt.usernames:
            return True
        return (pod.get("spec") or {}).get("runtimeClassName") in exempt.runtime_classes

    def _audit(self, attributes: Attributes, policy: LevelVersion, found: _Findings) -> None:
        violations = found.by(policy)
        if violations:
            what = f"{attributes.namespace}/{attributes.name or meta.name(attributes.obj or {})}"
            text = f'would violate PodSecurity "{policy}": {details(violations)}'
            who = show(attributes.user.name)
            verb = attributes.operation.lower()
            _log.info("user %s, %s %s %s: %s", who, verb, attributes.kind.plural, what, text)

    def _policy(self, namespace: str) -> tuple[Policy, list[Cause]]:
        """The policy of a namespace, and what is wrong with its labels. Raises 500 when it is not there."""
        revision = self._reader.revision(kinds.NAMESPACE)
        if revision != self._revision:
            self._revision, self._policies = revision, {}
        found = self._policies.get(namespace)
        if found is None:
            obj = self._reader.get(kinds.NAMESPACE, "", namespace)
            if obj is None:
                raise errors.internal(f'failed to lookup namespace "{namespace}"')
            found = self._policies[namespace] = policy_of(meta.labels(obj), self._configuration.defaults)
        return found

    # Namespaces

    async def _judge_namespace(self, attributes: Attributes, namespace: Obj) -> None:
        labels, defaults = meta.labels(namespace), self._configuration.defaults
        new, problems = policy_of(labels, defaults)
        old, old_problems = policy_of(meta.labels(attributes.old or {}), defaults)
        is_new = attributes.operation == CREATE
        if problems and (is_new or problems != old_problems):
            raise errors.invalid("Namespace", "", meta.name(namespace), problems)
        if not is_new and not _is_tightened(new.enforce, old.enforce):
            return
        if meta.name(namespace) in self._configuration.namespaces:
            _add(attributes, _exemption(meta.name(namespace), new, labels, defaults))
        elif not is_new:
            for warning in await self._existing.warnings(meta.name(namespace), new.enforce):
                _add(attributes, warning)


def _is_tightened(new: LevelVersion, old: LevelVersion) -> bool:
    """Whether Pods that were allowed may no longer be."""
    if new == old or new.level == PRIVILEGED:
        return False
    return new.version != old.version or stricter(new.level, old.level)


def _exemption(name: str, policy: Policy, labels: dict[str, str], defaults: Policy) -> str:
    """What to say of labels of a namespace that is exempt; empty when they ask for nothing."""
    if policy.fully_privileged or policy.equivalent(defaults):
        return ""
    asked = [
        f"{mode}={chosen}"
        for mode in MODES
        if (chosen := getattr(policy, mode)).level != PRIVILEGED
        and not labels.keys().isdisjoint((PREFIX + mode, f"{PREFIX}{mode}-version"))
    ]
    return f'namespace "{name}" is exempt from Pod Security, and the policy ({", ".join(asked)}) will be ignored'


class _Findings:
    """What policies have against one Pod: the three modes are mostly about one policy, which is asked once."""

    def __init__(self, pod: Obj) -> None:
        self._pod = pod
        self._found: dict[LevelVersion, list[Violation]] = {}

    def by(self, policy: LevelVersion) -> list[Violation]:
        """What `policy` has against the Pod."""
        found = self._found.get(policy)
        if found is None:
            found = self._found[policy] = evaluate(policy, self._pod)
        return found


def _warn(attributes: Attributes, policy: LevelVersion, found: _Findings) -> None:
    violations = found.by(policy)
    if violations:
        _add(attributes, f'would violate PodSecurity "{policy}": {details(violations)}')


def _add(attributes: Attributes, warning: str) -> None:
    # A write that is retried after a conflict gets here again.
    if warning and warning not in attributes.warnings:
        attributes.warnings.append(warning)


def _runs_something_new(new: Obj, old: Obj) -> bool:
    """Whether an update changes what a Pod runs, or a seccomp annotation, by which old versions of the policies go: of
    the rest of a Pod nothing that counts can be changed."""
    if profiles.seccomp_annotations(new) != profiles.seccomp_annotations(old):
        return True
    after, before = new.get("spec") or {}, old.get("spec") or {}
    for field in ("containers", "initContainers"):
        if _images(after.get(field)) != _images(before.get(field)):
            return True
    known = {each.get("name"): each.get("image") for each in before.get("ephemeralContainers") or ()}
    added = after.get("ephemeralContainers") or ()
    return any(each.get("name") not in known or known[each.get("name")] != each.get("image") for each in added)


def _images(containers: list[Obj] | None) -> list[str]:
    return [each.get("image") or "" for each in containers or ()]
