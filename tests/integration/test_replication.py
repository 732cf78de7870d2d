"""Replication, with real programs: kvnode and redis-server in both directions, kvnodes among
themselves; full and partial resync, chains, promotion, restarts, and everything that must stop aloud."""
import os
import random
import socket
import subprocess
import threading
import time

import pytest
import redis
from conftest import need
from harness import wait_until
from replicas import Proxy, compare, fill_every_encoding, follow, same_digest, wait_in_sync, write_some

PAIRS = [("redis-server", "kvnode"), ("kvnode", "redis-server"), ("kvnode", "kvnode")]


@pytest.mark.parametrize("how", ["yes", "no"])
@pytest.mark.parametrize("source,target", PAIRS)
def test_full_sync_of_every_encoding(yard, source, target, how):
    need(source), need(target)
    primary = yard.node("primary", source, ["repl-diskless-sync " + how])
    with primary.connect(decode_responses=False) as c:
        fill_every_encoding(c)
    replica = yard.node("replica", target, follow(primary))
    wait_in_sync(primary, replica)
    with primary.connect(decode_responses=False) as c:
        write_some(c)
    wait_in_sync(primary, replica)
    compare(primary, replica)
    if source == target:
        same_digest(primary, replica)


@pytest.mark.parametrize("source,target", PAIRS)
def test_load_cuts_and_partial_resync(yard, source, target):
    need(source), need(target), need("redis-benchmark")
    primary = yard.node("primary", source, ["repl-backlog-size 64mb"])
    replica = yard.node("replica", target, follow(primary))
    wait_in_sync(primary, replica)
    full = primary.info("stats")["sync_full"]
    bench = subprocess.Popen(["redis-benchmark", "-p", str(primary.port), "-n", "60000", "-r", "5000", "-P", "16", "-q",
                              "-t", "set,incr,hset,mset"], stdout=subprocess.DEVNULL)
    with primary.connect() as c:
        while bench.poll() is None:
            c.execute_command("CLIENT", "KILL", "TYPE", "replica")
            time.sleep(0.3)
    wait_in_sync(primary, replica)
    stats = primary.info("stats")
    assert stats["sync_full"] == full, "a cut link cost a full copy"
    assert stats["sync_partial_ok"] >= 1
    compare(primary, replica)


@pytest.mark.parametrize("engines", [["kvnode"] * 3, ["redis-server", "kvnode", "redis-server"]])
def test_replicas_that_come_at_once_under_load(yard, engines):
    """They join a snapshot that is under way, each with the stream since its fork."""
    for e in engines:
        need(e)
    primary = yard.node("primary")
    with primary.connect() as c:
        c.execute_command("DEBUG", "POPULATE", 10000)
        c.config_set("rdb-key-save-delay", 10)
    stop = threading.Event()

    def load(seed):
        rnd = random.Random(seed)
        with primary.connect() as w:
            while not stop.is_set():
                w.execute_command("SELECT", rnd.choice([0, 1, 9]))
                p = w.pipeline(transaction=bool(rnd.randrange(2)))
                for _ in range(50):
                    p.incr("c:%d" % rnd.randrange(100))
                    p.append("a:%d" % rnd.randrange(100), "x")
                p.execute()

    loaders = [threading.Thread(target=load, args=(i,)) for i in range(3)]
    for t in loaders:
        t.start()
    replicas = [yard.node("replica%d" % i, e, ["repl-timeout 60"]) for i, e in enumerate(engines)]
    try:
        for _ in range(2):
            for r in replicas:
                with r.connect() as c:
                    c.replicaof("NO", "ONE")
                    c.flushall()
                    c.replicaof("127.0.0.1", primary.port)
                time.sleep(0.15)
            for r in replicas:
                wait_until(lambda: r.info("replication")["master_link_status"] == "up", 60)
    finally:
        stop.set()
        for t in loaders:
            t.join()
    wait_in_sync(primary, *replicas)
    for r in replicas:
        compare(primary, r)


@pytest.mark.alone
def test_chain_and_promotion(yard):
    """a <- b <- c; b is promoted: c continues, and a comes back under b, all without a full copy."""
    a = yard.node("a")
    b = yard.node("b", lines=follow(a))
    wait_in_sync(a, b)
    c = yard.node("c", lines=follow(b))
    wait_in_sync(b, c)
    with a.connect(decode_responses=False) as k:
        fill_every_encoding(k)
        write_some(k, 100)
    wait_in_sync(a, b, c)
    same_digest(a, b, c)
    full = [n.info("stats")["sync_full"] for n in (a, b, c)]
    old_id = b.info("replication")["master_replid"]
    with b.connect() as k:
        begin = time.monotonic()
        k.replicaof("NO", "ONE")
        k.set("first", "write")
        took = time.monotonic() - begin
    assert took < 0.1
    r = b.info("replication")
    assert r["role"] == "master" and r["master_replid2"] == old_id and r["master_replid"] != old_id
    with a.connect() as k:
        k.replicaof("127.0.0.1", b.port)
    wait_in_sync(b, a, c)
    with b.connect(decode_responses=False) as k:
        write_some(k, 50, 3)
    wait_in_sync(b, a, c)
    same_digest(a, b, c)
    assert full == [n.info("stats")["sync_full"] for n in (a, b, c)]


def test_chain_through_redis(yard):
    """kvnode <- redis-server <- kvnode <- redis-server, one stream with one count of bytes."""
    need("redis-server")
    nodes = [yard.node("n0", "kvnode")]
    for i, engine in enumerate(["redis-server", "kvnode", "redis-server"]):
        nodes.append(yard.node("n%d" % (i + 1), engine, follow(nodes[-1])))
        wait_in_sync(nodes[-2], nodes[-1])
    with nodes[0].connect(decode_responses=False) as c:
        fill_every_encoding(c)
        write_some(c, 200)
    wait_in_sync(nodes[0], *nodes[1:])
    for n in nodes[1:]:
        compare(nodes[0], n)
    # Redis in the middle becomes the primary; its old one comes back under it.
    with nodes[1].connect() as c:
        c.replicaof("NO", "ONE")
        c.set("after", 1)
    with nodes[0].connect() as c:
        c.replicaof("127.0.0.1", nodes[1].port)
    wait_in_sync(nodes[1], nodes[0], nodes[2], nodes[3])
    for n in (nodes[0], nodes[2], nodes[3]):
        compare(nodes[1], n)


@pytest.mark.alone
def test_repointing_is_a_matter_of_milliseconds(yard):
    a = yard.node("a")
    b, c = yard.node("b", lines=follow(a)), yard.node("c", lines=follow(a))
    wait_in_sync(a, b, c)
    with a.connect() as k:
        k.set("x", 1)
    wait_in_sync(a, b, c)
    with b.connect() as kb, c.connect() as kc:
        kb.replicaof("NO", "ONE")
        begin = time.monotonic()
        kc.replicaof("127.0.0.1", b.port)
        wait_until(lambda: kc.info("replication")["master_link_status"] == "up", every=0.001)
        took = time.monotonic() - begin
    assert b.info("stats")["sync_full"] == 0 and b.info("stats")["sync_partial_ok"] == 1
    assert took < 0.3, took


def test_unknown_command_stops_the_replica(yard):
    need("redis-server")
    primary = yard.node("primary", "redis-server")
    replica = yard.node("replica", lines=follow(primary))
    wait_in_sync(primary, replica)
    with primary.connect() as c:
        c.set("before", 1)
        c.rpush("list", "a")
        c.set("after", 1)
    r = wait_until(lambda: (lambda i: i if i["master_link_status"] == "down" else None)(replica.info("replication")))
    assert "rpush" in str(r["master_link_down_reason"]).lower()
    with replica.connect() as c:
        assert c.get("before") == "1" and c.get("after") is None
        full = primary.info("stats")["sync_full"]
        time.sleep(1.5)          # it does not come back by itself
        assert primary.info("stats")["sync_full"] == full and replica.info("replication")["master_link_status"] == "down"
        with primary.connect() as p:
            p.delete("list")
        c.replicaof("127.0.0.1", primary.port)
        # the same bytes come again: it stops again, and still skips nothing
        wait_until(lambda: replica.log_text().count("CRITICAL") >= 2)
        assert c.get("after") is None
        c.replicaof("NO", "ONE")
        c.replicaof("127.0.0.1", primary.port)     # another history: a full copy, without the list
    wait_in_sync(primary, replica)
    compare(primary, replica)


def test_a_type_we_do_not_keep_is_refused_whole(yard):
    need("redis-server")
    primary = yard.node("primary", "redis-server")
    with primary.connect() as c:
        c.set("s", 1)
        c.sadd("myset", 1, 2, 3)
    replica = yard.node("replica")
    with replica.connect() as c:
        c.set("mine", "kept")
        c.replicaof("127.0.0.1", primary.port)
        r = wait_until(lambda: (lambda i: i if "myset" in str(i.get("master_link_down_reason", "")) else None)(replica.info("replication")))
        assert "a set" in r["master_link_down_reason"]
        assert c.keys("*") == ["mine"] and c.get("mine") == "kept"


def test_a_copy_that_breaks_off_leaves_the_old_data(yard):
    need("redis-server")
    primary = yard.node("primary", "redis-server")
    with primary.connect() as c:
        c.execute_command("DEBUG", "POPULATE", 100000)
    proxy = Proxy(primary.port)
    proxy.cut_after = 1000000
    replica = yard.node("replica")
    with replica.connect() as c:
        c.set("mine", "kept")
        c.replicaof("127.0.0.1", proxy.port)
        wait_until(lambda: replica.log_text().count("Full resync from master") >= 2)
        assert c.get("mine") == "kept" and c.dbsize() == 1
        assert c.info("replication")["master_link_status"] == "down"
        proxy.cut_after = None
        wait_in_sync(primary, replica)
        assert c.get("mine") is None
    compare(primary, replica)
    proxy.close()


@pytest.mark.alone
def test_reads_go_on_during_a_full_copy(yard):
    """key-load-delay makes it slow; the old data is served until the new one is whole."""
    primary = yard.node("primary")
    with primary.connect() as c:
        c.execute_command("DEBUG", "POPULATE", 20000)
    replica = yard.node("replica", lines=["key-load-delay 50"])
    with replica.connect() as c:
        c.set("mine", "kept")
        c.replicaof("127.0.0.1", primary.port)
        wait_until(lambda: c.info("persistence")["async_loading"] == 1, every=0.002)
        begin = time.monotonic()
        assert c.get("mine") == "kept"
        assert time.monotonic() - begin < 0.2
    wait_in_sync(primary, replica)
    same_digest(primary, replica)


@pytest.mark.parametrize("who", ["replica", "primary"])
def test_partial_resync_after_a_clean_restart(yard, who):
    primary = yard.node("primary", lines=["save 3600 1000000"])
    replica = yard.node("replica", lines=follow(primary) + ["save 3600 1000000"])
    wait_in_sync(primary, replica)
    with primary.connect(decode_responses=False) as c:
        fill_every_encoding(c)
        write_some(c, 100)
    wait_in_sync(primary, replica)
    node = replica if who == "replica" else primary
    assert node.stop() == 0
    if who == "replica":
        with primary.connect() as c:
            c.set("meanwhile", 1)
    full = 0 if who == "primary" else primary.info("stats")["sync_full"]
    node.start()
    wait_in_sync(primary, replica)
    assert primary.info("stats")["sync_full"] == full
    same_digest(primary, replica)


def test_what_expired_while_the_primary_was_away(yard):
    """It leaves those keys out when it loads its file, and says DEL to the replica that continues."""
    primary = yard.node("primary", lines=["save 3600 1000000"])
    replica = yard.node("replica", lines=follow(primary))
    wait_in_sync(primary, replica)
    with primary.connect() as c:
        for i in range(50):
            c.set("short:%d" % i, i, px=4000)
            c.set("long:%d" % i, i)
    wait_in_sync(primary, replica)
    assert primary.stop() == 0
    time.sleep(4.1)
    primary.start()
    wait_in_sync(primary, replica)
    assert primary.info("persistence")["rdb_last_load_keys_expired"] == 50
    assert primary.info("stats")["sync_full"] == 0
    same_digest(primary, replica)
    with replica.connect() as c:
        assert c.dbsize() == 50


def test_partial_resync_with_redis_after_its_restart(yard):
    need("redis-server")
    primary = yard.node("primary")
    replica = yard.node("replica", "redis-server", follow(primary) + ["save 3600 1000000"])
    wait_in_sync(primary, replica)
    with primary.connect() as c:
        write_some(c, 50)
        replica.stop()
        c.set("meanwhile", 1)
    replica.start()
    wait_in_sync(primary, replica)
    assert primary.info("stats")["sync_full"] == 1 and primary.info("stats")["sync_partial_ok"] == 1
    compare(primary, replica)


@pytest.mark.alone
def test_wait_and_min_replicas(yard):
    primary = yard.node("primary", lines=["min-replicas-max-lag 2"])
    replica = yard.node("replica", lines=follow(primary))
    wait_in_sync(primary, replica)
    with primary.connect() as c:
        c.set("x", 1)
        begin = time.monotonic()
        assert c.wait(1, 5000) == 1
        assert time.monotonic() - begin < 0.5
        begin = time.monotonic()
        assert c.wait(2, 200) == 1
        assert 0.15 < time.monotonic() - begin < 1
        c.config_set("min-replicas-to-write", 1)
        assert c.set("y", 1)
        replica.kill()
        with pytest.raises(redis.exceptions.ResponseError, match="Not enough good replicas to write"):
            for _ in range(400):
                c.set("y", 2)
                time.sleep(0.02)
        assert c.get("y") is not None
        c.config_set("min-replicas-to-write", 0)
        assert c.set("y", 3)


def test_the_link_can_be_killed_from_the_replica(yard):
    primary = yard.node("primary")
    replica = yard.node("replica", lines=follow(primary))
    wait_in_sync(primary, replica)
    with primary.connect() as p, replica.connect() as c:
        for n, words in enumerate((["127.0.0.1:%d" % primary.port], ["TYPE", "master"], ["ADDR", "127.0.0.1:%d" % primary.port])):
            assert c.execute_command("CLIENT", "KILL", *words) in (True, b"OK", "OK", 1)
            p.set("after", n)
            wait_until(lambda: primary.info("stats")["sync_partial_ok"] == n + 1)
            wait_in_sync(primary, replica)
            assert c.get("after") == str(n)
        assert primary.info("stats")["sync_full"] == 1
        assert c.execute_command("CLIENT", "KILL", "TYPE", "normal") >= 0     # leaves it alone
        assert replica.info("replication")["master_link_status"] == "up"


@pytest.mark.parametrize("source,target", PAIRS)
def test_passwords(yard, source, target):
    need(source), need(target)
    primary = yard.node("primary", source, ["requirepass secret"])
    replica = yard.node("replica", target, follow(primary) + ["masterauth wrong"])
    wait_until(lambda: "Unable to AUTH to MASTER" in replica.log_text())
    with replica.connect() as c:
        assert c.info("replication")["master_link_status"] == "down"
        c.config_set("masterauth", "secret")
        wait_until(lambda: c.info("replication")["master_link_status"] == "up")
        with primary.connect(password="secret") as p:
            p.set("x", 1)
        wait_until(lambda: c.get("x") == "1")


def test_a_replica_says_who_it_is(yard):
    primary = yard.node("primary")
    replica = yard.node("replica", lines=follow(primary) + ["replica-announce-ip 10.9.8.7", "replica-announce-port 7777",
                                                           "replica-priority 7", "replica-announced no"])
    wait_in_sync(primary, replica)
    s = wait_until(lambda: (lambda s: s if s["state"] == "online" and s["lag"] <= 1 else None)(primary.info("replication")["slave0"]))
    assert s["ip"] == "10.9.8.7" and s["port"] == 7777
    r = replica.info("replication")
    assert r["slave_priority"] == 7 and r["replica_announced"] == 0 and r["slave_read_only"] == 1
    with primary.connect() as c:
        role = c.execute_command("ROLE")
        assert role[0] in (b"master", "master") and [str(x) for x in role[2][0][:2]] == ["10.9.8.7", "7777"]
    with replica.connect() as c:
        role = c.execute_command("ROLE")
        assert role[:4] == ["slave", "127.0.0.1", primary.port, "connected"]
        with pytest.raises(redis.exceptions.ReadOnlyError):
            c.set("x", 1)
        c.config_set("replica-read-only", "no")
        assert c.set("x", 1)


def test_host_names_and_stale_data(yard):
    primary = yard.node("primary")
    try:
        name = "localhost" if socket.getaddrinfo("localhost", None, socket.AF_INET) else None
    except OSError:
        name = "127.0.0.1"           # a bare root without /etc/hosts knows no names
    replica = yard.node("replica", lines=["replicaof %s %d" % (name, primary.port)])
    wait_in_sync(primary, replica)
    with primary.connect() as p, replica.connect() as c:
        p.set("x", 1)
        wait_in_sync(primary, replica)
        assert c.info("replication")["master_host"] == name
        primary.kill()
        wait_until(lambda: c.info("replication")["master_link_status"] == "down")
        assert c.get("x") == "1"
        c.config_set("replica-serve-stale-data", "no")
        with pytest.raises(redis.exceptions.ResponseError, match="MASTERDOWN"):
            c.get("x")
        assert "master_link_down_since_seconds" in c.info("replication")


def test_sync_in_the_old_form(yard):
    primary = yard.node("primary")
    with primary.connect() as c:
        c.set("x", "y")
        s = socket.create_connection(("127.0.0.1", primary.port))
        s.settimeout(40)
        s.sendall(b"SYNC\r\n")
        f = s.makefile("rb")
        line = f.readline()
        while line == b"\n":
            line = f.readline()
        assert line.startswith(b"$")
        assert f.read(int(line[1:])).startswith(b"REDIS0010")
        c.set("after", "sync")
        rest = b""
        while b"sync" not in rest:
            rest += f.readline()
        assert b"SELECT" in rest and b"SET" in rest.upper()
        s.close()


def test_redis_cli_rdb(yard):
    need("redis-cli")
    primary = yard.node("primary")
    with primary.connect() as c:
        fill_every_encoding(c)
    path = os.path.join(yard.folder, "taken.rdb")
    r = subprocess.run(["redis-cli", "-p", str(primary.port), "--rdb", path], capture_output=True, text=True, timeout=60)
    assert r.returncode == 0, r.stdout + r.stderr
    r = subprocess.run(["redis-check-rdb", path], capture_output=True, text=True)
    assert r.returncode == 0 and "RDB looks OK" in r.stdout, r.stdout


def test_output_limit_of_replicas(yard):
    """A replica that takes nothing is sent away when too much has gathered for it."""
    primary = yard.node("primary", lines=["client-output-buffer-limit replica 4mb 2mb 1", "repl-backlog-size 1mb"])
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(("127.0.0.1", primary.port))
    s.sendall(b"SYNC\r\n")
    wait_until(lambda: primary.info("replication")["connected_slaves"] == 1)
    with primary.connect() as c:
        for i in range(300):
            c.set("big", "x" * 100000)
        wait_until(lambda: primary.info("replication")["connected_slaves"] == 0)
    s.close()
