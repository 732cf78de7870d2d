"""Failovers seen from outside: a client through the sentinels, real crashes, one primary afterwards."""
import json
import os
import signal
import threading
import time

import pytest
import redis
from conftest import need
from harness import monitor_lines, wait_until

ENGINES = ["kvnode", "redis-server"]


class Application(threading.Thread):
    """What an application does with redis-py's Sentinel class, unmodified: keep writing."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.primary = cluster.client()
        self.running, self.acked, self.errors = True, [], 0

    def run(self):
        n = 0
        while self.running:
            try:
                self.primary.set("app:%d" % n, n)
                self.acked.append((n, time.monotonic()))
            except redis.exceptions.RedisError:
                self.errors += 1
                time.sleep(0.002)
            n += 1

    def wait_progress(self, more=50):
        had = len(self.acked)
        wait_until(lambda: len(self.acked) > had + more, 60, what="the application to write on")

    def stop(self):
        self.running = False
        self.join(10)


@pytest.mark.parametrize("engine", ENGINES)
def test_crash_is_replaced_by_evidence_not_by_timeout(cluster, engine):
    need(engine)
    c = cluster(engine=engine, down_after=20000)
    c.wait_settled()
    old = c.primary()
    t = time.monotonic()
    old.kill()
    new = c.wait_new_primary(old, timeout=18)
    assert time.monotonic() - t < 18, "down-after is 20 s: only evidence can have been this fast"
    # Every sentinel gives the new address, and the old node comes back as a replica.
    wait_until(lambda: {c.primary_addr(s)[1] for s in c.sentinels} == {new.port}, what="all sentinels to agree")
    old.start()
    assert c.wait_roles() is new


def test_evidence_can_be_switched_off(cluster):
    c = cluster(down_after=6000, sentinel_lines=["sentinel crash-evidence demo no"])
    c.wait_settled()
    old = c.primary()
    t = time.monotonic()
    old.kill()
    c.wait_new_primary(old)
    assert time.monotonic() - t > 4.5, "without crash evidence only down-after-milliseconds counts"


def test_busy_primary_is_not_replaced(cluster):
    c = cluster(down_after=5000)
    c.wait_settled()
    old = c.primary()
    old.signal(signal.SIGSTOP)
    time.sleep(1.0)      # shorter than down-after by far: nothing may happen (not a wait for anything)
    old.signal(signal.SIGCONT)
    c.wait_roles()
    assert c.primary() is old


@pytest.mark.parametrize("engine", ENGINES)
def test_client_survives_five_failovers(cluster, engine):
    """kill -9, SIGSTOP, SENTINEL FAILOVER, mixed; every node ends as primary or replica of the one primary."""
    need(engine)
    c = cluster(engine=engine, down_after=3000)
    c.wait_settled()
    app = Application(c)
    app.start()
    app.wait_progress()
    seen = [c.primary().port]
    for how in ("kill", "stop", "failover", "kill", "failover"):
        old = c.primary()
        if how == "kill":
            old.kill()
        elif how == "stop":
            old.signal(signal.SIGSTOP)
        else:
            def asked():
                with c.sentinels[0].connect() as s:
                    return s.execute_command("SENTINEL", "FAILOVER", c.group)
            wait_until(asked, 60, every=0.1, what="SENTINEL FAILOVER to be taken")
        new = c.wait_new_primary(old)
        seen.append(new.port)
        app.wait_progress()
        if how == "kill":
            old.start()
        elif how == "stop":
            old.signal(signal.SIGCONT)
        c.wait_roles(60)
    app.stop()
    assert len(app.acked) > 300
    assert all(a != b for a, b in zip(seen, seen[1:])), seen


def test_minority_does_not_fail_over(cluster):
    c = cluster(down_after=1000)
    c.wait_settled()
    for s in c.sentinels[1:]:
        s.kill()
    old = c.primary()
    old.kill()
    with c.sentinels[0].connect() as s:
        wait_until(lambda: "s_down" in s.sentinel_master("demo")["flags"], what="the remaining sentinel to see it down")
        time.sleep(2.0)  # two down-after periods: time in which a wrong one would have acted
        assert c.primary_addr(c.sentinels[0])[1] == old.port

        def no_quorum():
            try:
                s.sentinel_ckquorum("demo")
            except redis.exceptions.ResponseError as e:
                return "NOQUORUM" in str(e)

        wait_until(no_quorum, what="CKQUORUM to say no")
    for s in c.sentinels[1:]:
        s.start()
    c.wait_new_primary(old)


def test_sentinel_restart_keeps_what_it_knew(cluster, tmp_path):
    c = cluster(down_after=1500)
    c.wait_settled()
    old = c.primary()
    old.kill()
    new = c.wait_new_primary(old)
    wait_until(lambda: {c.primary_addr(s)[1] for s in c.sentinels} == {new.port}, what="all sentinels to agree")
    with c.sentinels[0].connect() as s:
        before = s.sentinel_master("demo")
        myid = s.execute_command("SENTINEL", "MYID")
    # What it learned from another (no vote depends on it) is on disk milliseconds later.
    line = "sentinel config-epoch demo %s" % before["config-epoch"]
    wait_until(lambda: line in open(c.sentinels[0].conf).read(), what="%r in its file" % line)
    c.sentinels[0].kill()
    c.sentinels[0].start()
    with c.sentinels[0].connect() as s:
        assert s.execute_command("SENTINEL", "MYID") == myid
        assert int(s.sentinel_master("demo")["config-epoch"]) >= int(before["config-epoch"])
        assert c.primary_addr(c.sentinels[0])[1] == new.port
    old.start()
    c.wait_roles()


def set_config(conn, kind, component, config):
    conn.set("config:%s:%s" % (kind, component), json.dumps(config))


CONFIGS, CHECKED = {}, {}


def get_config(conn, kind, component, wait=1.0):
    """The book's function (listing 5.15), for Python 3: looks again after `wait` seconds."""
    key = "config:%s:%s" % (kind, component)
    if CHECKED.get(key, 0) < time.time() - wait:
        CHECKED[key] = time.time()
        config = {str(k): v for k, v in json.loads(conn.get(key) or "{}").items()}
        if config != CONFIGS.get(key):
            CONFIGS[key] = config
    return CONFIGS.get(key)


@pytest.mark.parametrize("engine", ENGINES)
def test_book_clients_follow_through_the_directory(cluster, yard, engine):
    """A directory that is a group of its own; config:redis:demo follows the failover, other fields stay."""
    need(engine)
    directory = yard.node("directory", engine)
    c = cluster(engine=engine, down_after=3000,
                sentinel_lines=monitor_lines("dir", directory.port) + ["sentinel directory demo dir"])
    c.wait_settled()
    CONFIGS.clear(), CHECKED.clear()
    with directory.connect() as d:
        set_config(d, "redis", "demo", {"host": "127.0.0.1", "port": c.primary().port, "db": 3})
        config = get_config(d, "redis", "demo", 0)
        redis.Redis(**config).set("k", 1)
        for _ in range(2):
            old = c.primary()
            old.kill()
            new = c.wait_new_primary(old)
            config = wait_until(lambda: (lambda x: x if x["port"] == new.port else None)(get_config(d, "redis", "demo", 0)),
                                what="config:redis:demo to name the new primary")
            assert config == {"host": "127.0.0.1", "port": new.port, "db": 3}
            redis.Redis(**config).set("k", 2)
            assert int(d.hget("cfgmeta:redis:demo", "epoch")) > 0
            old.start()
            c.wait_roles()


def test_missing_directory_document_is_made(cluster):
    c = cluster(sentinel_lines=["sentinel directory demo demo"])
    c.wait_settled()
    old = c.primary()
    old.kill()
    new = c.wait_new_primary(old)
    with new.connect() as d:
        got = wait_until(lambda: d.get("config:redis:demo"), what="config:redis:demo to be made")
        assert json.loads(got) == {"host": "127.0.0.1", "port": new.port}


def test_corrupt_state_does_not_vote_and_says_so(yard):
    node = yard.node("node")
    state = os.path.join(yard.folder, "state")
    os.makedirs(state)
    lines = monitor_lines("demo", node.port, quorum=1) + ["state-dir " + state]
    s = yard.sentinel("sentinel", lines=lines)
    with s.connect() as c:
        wait_until(lambda: c.sentinel_master("demo")["flags"] == "master")
    s.stop()
    files = [f for f in os.listdir(state) if os.path.getsize(os.path.join(state, f)) > 0 and "lock" not in f]
    assert files, "the sentinel kept no state in state-dir"
    path = os.path.join(state, "snapshot")             # a log has room at its end, and nothing in there to be spoiled
    with open(path, "r+b") as f:
        whole = f.read()
        f.seek(len(whole) // 2)
        f.write(bytes([whole[len(whole) // 2] ^ 0x55]))
    spoiled = open(path, "rb").read()
    s.start()
    with s.connect() as c:
        reply = c.execute_command("SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", node.port, 99, "a" * 40)
        assert reply[1] != "a" * 40, "it voted although its state file is corrupt"
    assert open(path, "rb").read() == spoiled, "the corrupt file must be left in place"
    assert "vote" in s.log_text()
