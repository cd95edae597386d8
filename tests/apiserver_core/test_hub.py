"""The hub against a model: for any writes, its history and its watchers' view equal what really happened."""

from __future__ import annotations

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.api.kinds import CONFIGMAP
from homeostat.api.selecting.label_selectors import parse
from homeostat.apiserver.cache import stored_form
from homeostat.apiserver.cache.cached_objects import maker
from homeostat.apiserver.cache.hub import Hub
from homeostat.apiserver.cache.selection import Selection
from homeostat.apiserver.cache.watchers import Watcher
from homeostat.apiserver.settings import Settings
from homeostat.store.contract import Event

NAMES = ("a", "b", "c", "d")
NAMESPACES = ("one", "one-2", "two")
WRITES = st.lists(
    st.tuples(st.sampled_from(NAMESPACES), st.sampled_from(NAMES), st.sampled_from(("web", "db", "gone"))), max_size=40
)


def event(namespace, name, app, revision):
    metadata = {"name": name, "namespace": namespace, "labels": {"app": app}}
    body = stored_form.encode({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    key = CONFIGMAP.key(namespace, name)
    return Event(key, stored_form.frame(b"{}", body, 7.0), revision, app == "gone")


def apply(writes, hub, after_each):
    """Apply the writes that are possible; `after_each(revision, state)` sees the model."""
    state = {}
    revision = 10
    for namespace, name, app in writes:
        if app == "gone" and (namespace, name) not in state:
            continue
        revision += 1
        hub.apply(event(namespace, name, app, revision))
        if app == "gone":
            del state[namespace, name]
        else:
            state[namespace, name] = (app, revision)
        after_each(revision, dict(state))


def seen(view, namespace=""):
    return {
        (item.namespace, item.name): (item.labels["app"], item.revision)
        for item in view.items(view.keys(namespace, ""))
    }


@given(WRITES)
@settings(max_examples=150, deadline=None)
def test_every_earlier_revision_within_the_window_is_seen_as_it_was(writes):
    hub = Hub(CONFIGMAP.prefix, 10, Settings(window_events=12), maker({}))
    states = {10: {}}
    apply(writes, hub, states.__setitem__)
    for revision, state in states.items():
        view = hub.at(revision)
        if view is None:
            assert revision < hub.window.start
            continue
        assert revision >= hub.window.start or revision == hub.revision
        assert seen(view) == state
        for namespace in NAMESPACES:
            assert seen(view, namespace) == {key: value for key, value in state.items() if key[0] == namespace}


@given(WRITES, st.integers(0, 40))
@settings(max_examples=150, deadline=None)
def test_a_watcher_that_joins_anywhere_ends_with_what_it_selects(writes, join_after):
    hub = Hub(CONFIGMAP.prefix, 10, Settings(), maker({}))
    watchers = []

    def join(revision, state):
        if revision - 10 == join_after:
            watcher = Watcher(Selection("one", parse("app=web"), ()), revision, events_max=1000, bytes_max=1 << 20)
            hub.watchers.add(watcher)
            watchers.append((watcher, dict(state)))

    join(10, {})
    final = {}

    def after(revision, state):
        final.clear()
        final.update(state)
        join(revision, state)

    apply(writes, hub, after)
    for watcher, state in watchers:
        selected = {key: value for key, value in state.items() if key[0] == "one" and value[0] == "web"}
        for line in watcher.take().splitlines():
            answer = orjson.loads(line)
            metadata = answer["object"]["metadata"]
            key = metadata["namespace"], metadata["name"]
            # ADDED only of what was not selected, the others only of what was.
            assert (answer["type"] == "ADDED") is (key not in selected)
            if answer["type"] == "DELETED":
                del selected[key]
            else:
                selected[key] = (metadata["labels"]["app"], int(metadata["resourceVersion"]))
        assert selected == {key: value for key, value in final.items() if key[0] == "one" and value[0] == "web"}


def test_the_window_is_bounded_by_bytes_too():
    hub = Hub(CONFIGMAP.prefix, 0, Settings(window_bytes=1000), maker({}))
    for revision in range(1, 50):
        hub.apply(event("one", "a", "web", revision))
    kept = hub.window.after(hub.window.start)
    assert kept is not None
    assert 1 <= len(kept) < 10
    assert hub.window.after(hub.window.start - 1) is None
