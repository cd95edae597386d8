"""The controller manager's loops and the settings that reach them."""

from homeostat.api.catalogue import Catalogue
from homeostat.api.flags.flag_settings import Settings, parse_settings
from homeostat.controllers.nodes.node_health import Options
from homeostat.controllers.registry import Authority, all_loops, node_options


def test_every_loop_has_a_name_of_its_own_and_says_what_it_watches():
    loops = all_loops(Settings(), Authority("PEM", "https://api", lambda request: request))
    names = [loop.name for loop in loops]
    assert len(names) == len(set(names)) == 22
    assert all(loop.watching(Catalogue.builtin()) for loop in loops)


def test_without_an_authority_nothing_is_published_or_signed():
    names = {loop.name for loop in all_loops(Settings())}
    assert not names & {"root-ca-certificate-publisher", "bootstrapsigner", "csrsigning"}


def test_defaults_are_those_of_kubernetes_and_settings_change_them():
    assert node_options(Settings()) == Options(5.0, 50.0, 60.0, 0.1, 0.01, 0.55, 50)
    changed = parse_settings(["controller-manager.node-monitor-grace-period=8s"])
    assert node_options(changed).grace_seconds == 8.0


def test_loops_of_two_calls_share_no_memory():
    one, two = all_loops(Settings()), all_loops(Settings())
    health = [next(loop for loop in loops if loop.name == "node-lifecycle") for loops in (one, two)]
    assert health[0].decide is not health[1].decide


def test_addresses_for_load_balancers_are_given_only_out_of_a_pool():
    changed = parse_settings(["controller-manager.load-balancer-addresses=172.30.0.200-172.30.0.250"])
    assert "service-lb" in [loop.name for loop in all_loops(changed)]
    assert "service-lb" not in [loop.name for loop in all_loops(Settings())]
