"""Events are counted up, combined and limited as by client-go's recorder, and never delay their callers."""

from homeostat.kit import clock, virtual
from homeostat.loop.recorder import EventRecorder


def record(api, story):
    async def main():
        recorder = EventRecorder(api.client(), "scheduler", host="m1")
        recorder.start()
        about = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default", "uid": "u"}}
        await story(recorder, about)
        await recorder.stop()

    virtual.run(main, seed=1)


def events(api):
    return [obj for (plural, _, _), obj in api.objects.items() if plural == "events"]


def test_the_same_event_again_raises_the_count(api):
    async def story(recorder, about):
        recorder.record(about, "FailedScheduling", "0/3 nodes", "Warning")
        await clock.sleep(60)
        recorder.record(about, "FailedScheduling", "0/3 nodes", "Warning")
        await clock.sleep(1)
        (event,) = events(api)
        assert event["count"] == 2
        assert event["involvedObject"]["uid"] == "u"
        assert event["source"] == {"component": "scheduler", "host": "m1"}
        assert event["firstTimestamp"] < event["lastTimestamp"]
        assert event["metadata"]["namespace"] == "default"

    record(api, story)


def test_an_expired_event_is_recreated_with_its_count(api):
    async def story(recorder, about):
        recorder.record(about, "Pulled", "image")
        await clock.sleep(1)
        api.objects.clear()
        await clock.sleep(1)
        recorder.record(about, "Pulled", "image")
        await clock.sleep(1)
        assert [event["count"] for event in events(api)] == [2]

    record(api, story)


def test_more_than_ten_similar_events_are_combined(api):
    async def story(recorder, about):
        for number in range(14):
            recorder.record(about, "Unhealthy", f"probe {number}")
        await clock.sleep(1)
        combined = [event for event in events(api) if event["message"].startswith("(combined from similar events): ")]
        assert len(events(api)) == 11
        assert [event["count"] for event in combined] == [4]
        assert combined[0]["message"].endswith("probe 13")

    record(api, story)


def test_one_object_may_emit_25_at_once_and_then_one_every_five_minutes(api):
    async def story(recorder, about):
        for _ in range(100):
            recorder.record(about, "Loud", "same")
        await clock.sleep(1)
        assert events(api)[0]["count"] == 25
        await clock.sleep(299)
        for _ in range(10):
            recorder.record(about, "Loud", "same")
        await clock.sleep(1)
        assert events(api)[0]["count"] == 26
        assert recorder.dropped == 84

    record(api, story)


def test_about_a_cluster_scoped_object_it_goes_to_the_default_namespace(api):
    async def story(recorder, about):
        recorder.record({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}, "NodeReady", "ready")
        await clock.sleep(1)
        assert events(api)[0]["metadata"]["namespace"] == "default"

    record(api, story)


def test_while_the_api_is_away_recording_returns_at_once_and_what_is_too_much_is_dropped(api):
    async def story(recorder, about):
        api.down = True
        for number in range(7000):
            recorder.record(about | {"metadata": {"name": f"p{number}"}}, "Loud", "same")
        assert clock.monotonic() == 0
        assert recorder.dropped >= 1900
        await clock.sleep(10)
        api.down = False
        await clock.sleep(10)
        # Not all at once: others have more urgent things to say to the API.
        assert 500 < len(events(api)) < 1000
        await clock.sleep(100)
        assert len(events(api)) > 4900

    record(api, story)


def test_events_wait_while_their_component_is_busy_but_no_longer_than_five_seconds(api):
    async def main():
        busy = True
        recorder = EventRecorder(api.client(), "scheduler", busy=lambda: busy)
        recorder.start()
        about = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default", "uid": "u"}}
        recorder.record(about, "Scheduled", "one")
        await clock.sleep(4.8)
        assert not events(api)
        await clock.sleep(0.5)
        assert len(events(api)) == 1
        recorder.record(about, "Scheduled", "two")
        await clock.sleep(1)
        assert len(events(api)) == 1
        busy = False
        await clock.sleep(0.2)
        assert len(events(api)) == 2
        await recorder.stop()

    virtual.run(main, seed=1)
