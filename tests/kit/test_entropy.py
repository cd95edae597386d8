"""Real chance: fetched in blocks, never the same twice, not even in a forked child."""

from __future__ import annotations

import os

from homeostat.kit import chance
from homeostat.kit.world import RealWorld


def test_no_draw_comes_twice():
    drawn = [chance.uuid4() for _ in range(1_000)]
    assert len(set(drawn)) == len(drawn)


def test_a_draw_has_as_many_bits_as_were_asked_for():
    source = RealWorld().random
    for bits in (1, 7, 8, 64, 127, 128, 129, 1_000):
        drawn = [source.getrandbits(bits) for _ in range(200)]
        assert min(drawn) >= 0 and max(drawn).bit_length() <= bits
        assert max(drawn).bit_length() > bits - 8 and len(set(drawn)) > 1
    assert source.getrandbits(0) == 0
    assert {source.randrange(3) for _ in range(200)} == {0, 1, 2}


def test_a_forked_child_draws_its_own():
    source = RealWorld().random
    source.getrandbits(128)  # A block is there.
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, b"%032x" % source.getrandbits(128))
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(read, 64)
    os.close(read)
    os.close(write)
    assert len(theirs) == 32
    assert theirs not in [b"%032x" % source.getrandbits(128) for _ in range(200)]
