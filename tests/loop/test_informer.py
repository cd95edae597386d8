"""The cache follows the API through breaks, compaction and restarts, and notifies its listeners of what really
changed."""

import asyncio

from homeostat.kit import clock, tasks, virtual
from homeostat.loop.informer import Informer


def follow(api, kind, story):
    """Run `story(informer, changes)` while an informer of `kind` runs."""

    async def main():
        informer = Informer(api.client(), kind)
        changes = []
        informer.listen(lambda old, new: changes.append((name_of(old), name_of(new))))
        running = tasks.spawn(informer.run(), name="informer")
        await informer.synced.wait()
        await story(informer, changes)
        await tasks.stop(running)

    virtual.run(main, seed=1)


def name_of(obj):
    return f"{obj['metadata']['name']}@{obj['metadata']['resourceVersion']}" if obj else None


def test_it_lists_and_then_follows_changes(api, pod):
    api.put(pod, "b")
    api.put(pod, "a")

    async def story(informer, changes):
        assert [obj["metadata"]["name"] for obj in informer.objects.list()] == ["a", "b"]
        assert changes == [(None, "a@2"), (None, "b@1")]
        changes.clear()
        api.put(pod, "a", spec={"nodeName": "n1"})
        api.remove(pod, "b")
        await clock.sleep(1)
        assert changes == [("a@2", "a@3"), ("b@4", None)]
        assert informer.revision == 4
        assert [obj["metadata"]["name"] for obj in informer.objects.on_node("n1")] == ["a"]

    follow(api, pod, story)


def test_a_broken_watch_is_resumed_without_a_new_list(api, pod):
    async def story(informer, changes):
        api.drop_watches()
        api.put(pod, "a")
        await clock.sleep(2)
        assert changes == [(None, "a@1")]
        assert informer.relists == 1

    follow(api, pod, story)


def test_after_compaction_it_lists_again_and_delivers_what_changed_meanwhile(api, pod):
    api.put(pod, "stays")
    api.put(pod, "goes")
    api.put(pod, "changes")
    api.put(pod, "replaced")

    async def story(informer, changes):
        changes.clear()
        api.down = True
        api.drop_watches()
        api.remove(pod, "goes")
        api.put(pod, "changes")
        api.put(pod, "comes")
        api.remove(pod, "replaced")
        api.put(pod, "replaced")
        api.compact()
        await clock.sleep(30)
        assert changes == []
        api.down = False
        await clock.sleep(10)
        assert informer.relists == 2
        assert sorted(changes, key=str) == [
            ("changes@3", "changes@6"),
            ("goes@2", None),
            ("replaced@4", None),
            (None, "comes@7"),
            (None, "replaced@9"),
        ]
        assert [obj["metadata"]["name"] for obj in informer.objects.list()] == ["changes", "comes", "replaced", "stays"]

    follow(api, pod, story)


def test_while_no_api_server_answers_it_tries_again_every_few_seconds_and_keeps_its_cache(api, pod):
    api.put(pod, "a")

    async def story(informer, changes):
        api.down = True
        api.drop_watches()
        await clock.sleep(600)
        assert len(informer.objects) == 1
        api.down = False
        api.put(pod, "b")
        await clock.sleep(8)
        assert len(informer.objects) == 2
        assert informer.relists == 1

    follow(api, pod, story)


def test_repeated_events_are_dropped(api, pod):
    async def story(informer, changes):
        api.put(pod, "a")
        api.put(pod, "a")
        api.remove(pod, "a")
        api.events.extend(api.events[:2])  # the stream repeats the object's whole life
        api.put(pod, "b")
        await clock.sleep(1)
        assert changes == [(None, "a@1"), ("a@1", "a@2"), ("a@3", None), (None, "b@4")]

    follow(api, pod, story)


def test_bookmarks_move_the_revision_on(api, pod, replicaset):
    async def story(informer, changes):
        api.put(replicaset, "other-kind")
        await clock.sleep(61)
        assert informer.revision == 1
        assert changes == []

    follow(api, pod, story)


def test_a_listener_may_leave(api, pod):
    async def story(informer, changes):
        seen = []
        end = informer.listen(lambda old, new: seen.append(name_of(new)))
        api.put(pod, "a")
        await clock.sleep(1)
        end()
        api.put(pod, "b")
        await clock.sleep(1)
        assert seen == ["a@1"]
        assert len(changes) == 2

    follow(api, pod, story)


def test_managed_fields_are_not_kept(api, pod):
    api.put(pod, "a", metadata={"managedFields": [{"manager": "x"}]})

    async def story(informer, changes):
        assert "managedFields" not in informer.objects.list()[0]["metadata"]
        await asyncio.sleep(0)

    follow(api, pod, story)
