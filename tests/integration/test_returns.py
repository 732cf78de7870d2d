"""What scripts/bench measures, as conditions: an old primary that is back is put in its place
soon, and a pause shorter than down-after is no failover."""
import os
import signal
import threading
import time

import pytest
from conftest import need
from harness import wait_until

pytestmark = pytest.mark.alone
ENGINES = ["kvnode", "redis-server"]


def role(node):
    with node.connect() as c:
        return c.execute_command("ROLE")[0]


def wait_replica(node, limit):
    t = time.monotonic()
    wait_until(lambda: role(node) == "slave", limit, every=0.002, what="%s to become a replica" % node.name)
    return time.monotonic() - t


@pytest.mark.parametrize("engine", ENGINES)
def test_old_primary_started_again_is_demoted_soon(cluster, engine):
    """Its file says primary. The sentinel that led finds it within the pause between two refused connects
    and needs no more than a sign of life from a majority."""
    need(engine)
    c = cluster(engine=engine, down_after=20000)
    c.wait_settled()
    old = c.primary()
    old.kill()
    c.wait_new_primary(old, timeout=10)
    wait_until(lambda: len({c.primary_addr(s) for s in c.sentinels}) == 1, what="all sentinels to agree")
    old.start()
    # Stock sentinels take ten seconds; two hello periods (4 s) would mean that nobody was certain.
    assert wait_replica(old, 10) < 3.5
    c.wait_roles()


@pytest.mark.parametrize("engine", ENGINES)
def test_old_primary_resumed_is_demoted_soon(cluster, engine):
    need(engine)
    c = cluster(engine=engine, down_after=1000)
    c.wait_settled()
    old = c.primary()
    old.signal(signal.SIGSTOP)
    try:
        c.wait_new_primary(old)
        wait_until(lambda: len({c.primary_addr(s) for s in c.sentinels}) == 1, what="all sentinels to agree")
    finally:
        old.signal(signal.SIGCONT)
    assert wait_replica(old, 10) < 3.5, "the order waits in its socket while it is stopped"
    c.wait_roles()


def test_pauses_shorter_than_down_after_are_none(cluster):
    """Six stops of 0.35 of down-after; the epoch tells whether anybody even asked for votes."""
    c = cluster(down_after=2000)
    c.wait_settled()
    old = c.primary()
    seen = []
    stop = threading.Event()

    def listen():
        p = c.sentinels[0].connect().pubsub(ignore_subscribe_messages=True)
        p.psubscribe("+sdown", "+odown", "+switch-master")
        while not stop.is_set():
            m = p.get_message(timeout=0.1)
            if m:
                seen.append((m["channel"], m["data"]))

    t = threading.Thread(target=listen, daemon=True)
    t.start()
    for _ in range(6):
        os.kill(old.pid, signal.SIGSTOP)
        time.sleep(0.7)      # the pause itself, not a wait for anything
        os.kill(old.pid, signal.SIGCONT)
        wait_until(lambda: role(old) == "master", what="the primary to answer again")
    c.wait_roles()
    stop.set()
    t.join(5)
    assert c.primary() is old
    assert not [e for e in seen if e[1].startswith("master ") or e[0] == "+switch-master"], seen
    for s in c.sentinels:
        with s.connect() as k:
            assert int(k.sentinel_master(c.group)["config-epoch"]) == 0
