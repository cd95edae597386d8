"""Stories of the lists that several clients share."""

from __future__ import annotations

from homeostat.apiserver.read.list_bodies import LastLists

WEB, ALL = ("/registry/core/pods/", "default", "app=web", "", 0, ""), ("/registry/core/pods/", "", "", "", 0, "")


def test_the_same_list_of_the_same_state_is_put_together_once() -> None:
    lists = LastLists(bytes_max=1000)
    lists.keep(7, ALL, b"body")
    assert lists.get(7, ALL) == b"body"
    assert lists.get(7, WEB) is None


def test_after_a_write_nothing_of_the_former_state_is_given_out() -> None:
    lists = LastLists(bytes_max=1000)
    lists.keep(7, ALL, b"old")
    assert lists.get(8, ALL) is None
    lists.keep(8, WEB, b"new")
    assert lists.get(7, ALL) is None
    assert lists.get(8, ALL) is None
    assert lists.get(8, WEB) == b"new"


def test_a_slow_reader_of_an_older_state_does_not_push_out_a_newer_one() -> None:
    lists = LastLists(bytes_max=1000)
    lists.keep(8, ALL, b"new")
    lists.keep(7, ALL, b"old")
    assert lists.get(8, ALL) == b"new"


def test_no_more_bytes_are_kept_than_the_bound() -> None:
    lists = LastLists(bytes_max=300)
    lists.keep(7, ALL, b"x" * 8)
    lists.keep(7, WEB, b"x" * 8)
    assert lists.get(7, ALL) is not None
    assert lists.get(7, WEB) is None
    lists.keep(8, WEB, b"x" * 8)
    assert lists.get(8, WEB) is not None


def test_a_long_selector_counts_as_what_it_takes() -> None:
    lists = LastLists(bytes_max=1000)
    long = ("/registry/core/pods/", "", "a" * 2000, "", 0, "")
    lists.keep(7, long, b"[]")
    assert lists.get(7, long) is None
