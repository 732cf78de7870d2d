"""Who vouches for services dies, sleeps or is cut off: an agent, the controller, all of them, the directory."""
import json
import signal
import time

import pytest
from conftest import need
from fleet import ENGINES, TTL, Fleet, discover_service, log, meta, service
from harness import holds, wait_until


@pytest.mark.alone
@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_agent_is_gone_within_ttl_and_a_second(yard, engine):
    f = Fleet(yard, engine, agents=4)
    f.wait_up("n1", "n2", "n3", "n4")
    holder = f.wait_controller()
    time.sleep(TTL)         # the directory must have been there for one ttl before anybody is judged
    victim = [n for n in f.agents if n != holder][0]
    f.agents[victim].kill()
    t = time.monotonic()
    wait_until(lambda: f.id(victim) not in f.web(), TTL + 3, every=0.005)
    took = time.monotonic() - t
    assert took <= TTL + 1.1, took
    assert len(f.web()) == 3
    # It comes back as it was.
    f.agents[victim].start()
    f.wait_up("n1", "n2", "n3", "n4")


def test_the_controllers_death_is_survived(yard):
    f = Fleet(yard, agents=4)
    f.wait_up("n1", "n2", "n3", "n4")
    holder = f.wait_controller()
    f.agents[holder].kill()
    wait_until(lambda: f.holder() not in (None, holder))
    wait_until(lambda: f.id(holder) not in f.web())
    left = [n for n in f.agents if n != holder]
    f.wait_up(*left)
    # A clean stop hands the role over without waiting for the lease.
    second = f.holder()
    f.agents[second].stop()
    wait_until(lambda: f.holder() not in (None, second), 5)
    assert f.said("self-preservation") == 0


def test_a_controller_that_is_started_again_goes_on(yard):
    f = Fleet(yard, agents=2)
    f.wait_up("n1", "n2")
    holder = f.wait_controller()
    for wait in (0, 1.5, 3.4):
        time.sleep(wait)
        a = f.agents[holder]
        a.kill()
        began = len(a.log_text())
        a.start()
        wait_until(lambda: "+controller" in a.log_text()[began:])
        assert f.holder() == holder
        holds(lambda: f.holder() == holder, 5, f.logs)
        said = a.log_text()[began:]
        assert said.count("+controller") == 1 and "-controller" not in said, said
    assert f.up() == ["n1", "n2"]


def test_a_fleet_that_sleeps_loses_nobody(yard):
    """All agents but the controller's stop together: their leases lapse, and nobody is taken away."""
    f = Fleet(yard, agents=6)
    f.wait_up(*["n%d" % i for i in range(1, 7)])
    holder = f.wait_controller()
    time.sleep(TTL)
    sleepers = [a for n, a in f.agents.items() if n != holder]
    for a in sleepers:
        a.signal(signal.SIGSTOP)
    holds(lambda: len(f.web()) == 6, 3 * TTL)
    assert not f.c.exists("lease:web:" + f.id([n for n in f.agents if n != holder][0]))
    assert f.said("+self-preservation") == 1
    assert discover_service(f.c, "web") is not None
    for a in sleepers:
        a.signal(signal.SIGCONT)
    wait_until(lambda: f.said("-self-preservation") == 1)
    time.sleep(TTL + 2)
    assert len(f.up()) == 6


def test_all_agents_sleep_and_the_directory_is_away(yard):
    f = Fleet(yard, agents=4, node_lines=["save \"\""])
    f.wait_up("n1", "n2", "n3", "n4")
    f.wait_controller()
    time.sleep(TTL)
    for a in f.agents.values():
        a.signal(signal.SIGSTOP)
    time.sleep(2 * TTL)
    assert len(f.web()) == 4
    for a in f.agents.values():
        a.signal(signal.SIGCONT)
    holds(lambda: len(f.web()) == 4, 2 * TTL, f.logs)
    # The directory stands still for longer than every lease.
    f.node.signal(signal.SIGSTOP)
    time.sleep(2 * TTL)
    f.node.signal(signal.SIGCONT)
    holds(lambda: len(f.web()) == 4, 3 * TTL, f.logs)


def test_two_that_believe_in_the_role(yard):
    """The controller sleeps, another one takes over, the first wakes up: what it still wanted to write is not written."""
    f = Fleet(yard, agents=4)
    f.wait_up("n1", "n2", "n3", "n4")
    holder = f.wait_controller()
    wait_until(lambda: discover_service(f.c, "web"))
    f.agents[holder].signal(signal.SIGSTOP)
    second = wait_until(lambda: f.holder() if f.holder() not in (None, holder) else None)
    wait_until(lambda: f.id(holder) not in f.web())
    f.c.set("config:redis:x", '{"a": 1}')
    wait_until(lambda: meta(f.c, "redis:x").get("ver") == "1")
    f.agents[holder].signal(signal.SIGCONT)
    f.wait_up("n1", "n2", "n3", "n4")
    holds(lambda: f.holder() == second and len(f.web()) == 4, 5, f.logs)
    assert meta(f.c, "redis:x")["ver"] == "1" and sorted(log(f.c, "redis:x")) == [1]
    assert f.agents[holder].log_text().count("-controller") == 1
    # Somebody writes over the key by hand: the holder gives way, and nothing breaks.
    f.c.set("kvorum:controller", "somebody", px=2000)
    f.wait_history()
    f.c.delete("config:redis:x")
    wait_until(lambda: f.c.get("config:redis:x") == '{"a": 1}')


@pytest.mark.parametrize("engine", ENGINES)
def test_failover_of_the_directory(engine, cluster):
    need(engine)
    cluster = cluster(nodes=3, sentinels=3, engine=engine, down_after=1000).wait_settled()
    c = cluster.client(socket_timeout=10)
    lines = ["directory-sentinel %s %d" % at for at in cluster.sentinel_ports()] + \
            ["directory-group demo", "ping-interval 200ms", "ping-timeout 1500ms"]
    for i in (1, 2, 3):
        c.set("config:service:n%d" % i, json.dumps(service(8000 + i)))
        c.set("config:agent:n%d" % i, json.dumps({"v": 1, "apply": ["service:n%d" % i]}))
    agents = [cluster.yard.agent("n%d" % i, lines) for i in (1, 2, 3)]
    wait_until(lambda: len(c.hgetall("svcs:web")) == 3)
    wait_until(lambda: c.hget("services", "web"))
    old = cluster.primary()
    text = json.dumps({"v": 1, "host": "x", "port": 1})
    c.set("config:redis:late", text)
    wait_until(lambda: c.hget("cfgmeta:redis:late", "ver"))
    old.kill()
    d = cluster.wait_new_primary(old).connect()
    holds(lambda: len(d.hgetall("svcs:web")) == 3 and d.hget("services", "web"), 12)
    wait_until(lambda: d.get("kvorum:controller") in ("n1", "n2", "n3"))
    # Everything still works there: lost lines come back, a lost document too.
    d.delete("svcs:web", "config:redis:late")
    wait_until(lambda: len(d.hgetall("svcs:web")) == 3)
    wait_until(lambda: d.get("config:redis:late") == text)
    assert all(a.is_alive() for a in agents)
