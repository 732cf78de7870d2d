"""Plain groups of stock nodes (and of kvnodes beside them): replicas are sealed before one is promoted, whose
history a node has counts, what an order came to is looked at, and how long clients were without is told."""
import os
import signal
import threading
import time

import pytest
import redis
from conftest import need
from harness import free_port, monitor_lines, pairs, wait_until
from told import explain, journal, lacks

ENGINES = ["redis-server", "kvnode"]
HOLE = ("127.0.0.1", 1)


def follows(node):
    r = node.info("replication")
    return (r["master_host"], int(r["master_port"])) if r["role"] == "slave" else None


def logged(c, word):
    return [line for s in c.sentinels for line in s.log_text().splitlines() if word in line]


def fields_of(s, node):
    with s.connect() as c:
        all_ = [pairs(x) for x in c.execute_command("SENTINEL", "REPLICAS", "demo")]
        all_.append(pairs(c.execute_command("SENTINEL", "MASTER", "demo")))
    return next(x for x in all_ if int(x["port"]) == node.port)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_replicas_are_sealed_first(cluster, engine, how):
    """All of them, and then each follows the new primary by a partial resync: nothing was thrown away."""
    need(engine)
    c = cluster(nodes=4, engine=engine, down_after=1000).wait_settled()
    old = c.primary()
    with old.connect() as k:
        for i in range(100):
            k.set("k%d" % i, "v")
        assert k.execute_command("WAIT", 3, 10000) == 3     # a redis-server streams to a new replica only after its first word
    old.signal(how)
    try:
        new = c.wait_new_primary(old)
    finally:
        old.signal(signal.SIGCONT) if how == signal.SIGSTOP else old.kill()
    if how == signal.SIGKILL:
        old.start()
    c.wait_roles()
    assert len(logged(c, "+failover-state-seal-slaves")) == 1
    assert not logged(c, "+role-not-kept")
    stats = new.info("stats")
    others = [n for n in c.nodes if n not in (old, new)]
    assert int(stats["sync_partial_ok"]) >= len(others)
    assert int(stats["sync_full"]) <= 1, "only the old primary may need a copy"
    for n in c.nodes:
        with n.connect() as k:
            assert k.dbsize() == 100
            assert "replicaof 127.0.0.1 1\n" not in open(n.conf).read(), "the seal is still written down"


def test_no_seal_where_it_is_switched_off(cluster):
    need("redis-server")
    c = cluster(engine="redis-server", down_after=1000, sentinel_lines=["sentinel seal-replicas demo no"]).wait_settled()
    assert "not sealed" in explain(c.sentinels[0])["promises"]
    old = c.primary()
    old.kill()
    c.wait_new_primary(old)
    assert not logged(c, "+failover-state-seal-slaves")
    with c.sentinels[0].connect() as k:
        k.execute_command("SENTINEL", "SET", "demo", "seal-replicas", "yes")
    assert "are sealed" in explain(c.sentinels[0])["promises"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_seal_that_was_left_behind_is_undone(cluster, engine):
    """As if the leader of a failover had died after its seals, and the primary came back."""
    need(engine)
    c = cluster(engine=engine, down_after=2000).wait_settled()
    primary = c.primary()
    left = [n for n in c.nodes if n is not primary]
    for n in left:
        with n.connect() as k:
            k.execute_command("REPLICAOF", *HOLE)
    wait_until(lambda: any(("replica", "sealed") in lacks(s) for s in c.sentinels), what="EXPLAIN to name the seal")
    c.wait_roles()
    assert c.primary() is primary
    assert int(primary.info("stats")["sync_partial_ok"]) >= len(left)


def test_ckquorum_and_explain_say_what_a_plain_group_is_worth(cluster):
    c = cluster(engine="redis-server").wait_settled()
    with c.sentinels[0].connect() as k:
        said = k.execute_command("SENTINEL", "CKQUORUM", "demo")
    assert said.startswith("OK 3 usable Sentinels. Quorum and failover authorization can be reached")
    assert "lost with the primary" in said
    assert "any later order or a restart undoes" in explain(c.sentinels[0])["promises"]


def test_a_role_that_is_not_kept_is_told(yard):
    """Nodes without a configuration file: failed over all the same, and every place says that a restart undoes it."""
    need("redis-server")
    import subprocess
    import shutil
    ports = [free_port() for _ in range(3)]
    procs = []
    try:
        for i, p in enumerate(ports):
            args = ["--port", str(p), "--bind", "127.0.0.1", "--save", "", "--repl-diskless-sync-delay", "0", "--dir", yard.folder]
            if i:
                args += ["--replicaof", "127.0.0.1", str(ports[0])]
            procs.append(subprocess.Popen([shutil.which("redis-server")] + args, stdout=subprocess.DEVNULL))
        conn = [redis.Redis("127.0.0.1", p, decode_responses=True) for p in ports]
        wait_until(lambda: all(k.info("replication")["master_link_status"] == "up" for k in conn[1:]), what="the replicas")
        s = [yard.sentinel("s%d" % i, lines=monitor_lines("demo", ports[0], down_after=1000)) for i in range(3)]
        wait_until(lambda: all(int(k.connect().sentinel_master("demo")["num-other-sentinels"]) == 2 for k in s) and
                   all(int(k.connect().sentinel_master("demo")["num-slaves"]) == 2 for k in s), what="the sentinels")
        procs[0].kill()
        procs[0].wait()
        addr = wait_until(lambda: (lambda a: a if int(a[1]) != ports[0] else None)(
            s[0].connect().execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "demo")), what="a new primary")
        new = ports.index(int(addr[1]))
        wait_until(lambda: conn[new].info("replication")["connected_slaves"] == 1, what="the other replica to follow")
        leader = wait_until(lambda: next((x for x in s if "+role-not-kept" in x.log_text()), None), what="it to be told")
        assert "without a config file" in leader.log_text()
        wait_until(lambda: {("primary", "not-kept"), ("node", "not-kept")} <= set(lacks(leader)), what="EXPLAIN to name both")
        with leader.connect() as k:
            assert pairs(k.execute_command("SENTINEL", "MASTER", "demo"))["role-kept"] == "no"
        wait_until(lambda: leader.log_text().count("+role-not-kept") >= 2, what="both to be told")
        assert leader.log_text().count("+role-not-kept") == 2, "once for each node, however many orders it got"
    finally:
        for p in procs:
            p.kill()
            p.wait()


@pytest.mark.parametrize("engine", ENGINES)
def test_who_came_back_empty_is_not_promoted(cluster, engine):
    """A replica that lost its data and its configuration says primary; then the primary goes too. Stock sentinels promote
    the empty one, and wipe the other when it is back."""
    need(engine)
    c = cluster(nodes=2, engine=engine, down_after=1000).wait_settled()
    primary, other = c.nodes
    with primary.connect() as k:
        k.set("precious", "1")
        k.execute_command("BGSAVE")
        wait_until(lambda: k.info("persistence")["rdb_bgsave_in_progress"] == 0, what="the save")
    other.kill()
    for name in os.listdir(other.folder):              # what it had copied lies there, with the replication id in it
        if name.endswith(".rdb"):
            os.unlink(os.path.join(other.folder, name))
    with open(other.conf, "w") as f:
        f.write("".join(line + "\n" for line in other.lines if not line.startswith("replicaof")))
    for s in c.sentinels:      # nobody puts it right before the primary is gone
        with s.connect() as k:
            k.execute_command("SENTINEL", "DEBUG", "PUBLISH-PERIOD", "600000")
    primary.signal(signal.SIGSTOP)
    other.start()
    wait_until(lambda: ("replica", "another-history") in lacks(c.sentinels[0]), what="EXPLAIN to name it")
    wait_until(lambda: logged(c, "-failover-abort-"), what="a try that comes to nothing, be it for want of votes")
    assert c.primary() is primary
    wait_until(lambda: "another-history" in [fields_of(s, other).get("refused") for s in c.sentinels], 60,
               what="whoever looked for a new primary to have refused it for its history")
    primary.signal(signal.SIGCONT)
    for s in c.sentinels:
        with s.connect() as k:
            k.execute_command("SENTINEL", "DEBUG", "PUBLISH-PERIOD", "2000")
    c.wait_roles()
    assert c.primary() is primary
    with other.connect() as k:
        assert k.get("precious") == "1"


def test_a_primary_that_goes_on_feeds_nobody(cluster):
    """Hung for longer than down-after, then it goes on: with min-replicas-to-write its writers are refused soon, though no
    order reached it, for its replicas were drawn off."""
    need("redis-server")
    c = cluster(engine="redis-server", down_after=1000, node_lines=["min-replicas-to-write 1", "min-replicas-max-lag 1"]).wait_settled()
    old = c.primary()
    old.signal(signal.SIGSTOP)
    c.wait_new_primary(old)
    for s in c.sentinels:
        s.signal(signal.SIGSTOP)                       # nobody tells it anything
    old.signal(signal.SIGCONT)
    try:
        def refused():
            with old.connect() as k:
                try:
                    k.set("x", 1)
                except redis.exceptions.ReadOnlyError:
                    return True                        # the order had waited in its socket
                except redis.exceptions.ResponseError as e:
                    return "NOREPLICAS" in str(e)
        wait_until(refused, 20, what="the old primary to refuse writes")
    finally:
        for s in c.sentinels:
            s.signal(signal.SIGCONT)
    c.wait_roles()


@pytest.mark.alone
@pytest.mark.parametrize("engine", ENGINES)
def test_the_outage_is_told(cluster, engine):
    """What the sentinel that led says, against a client that writes all the while."""
    need(engine)
    c = cluster(engine=engine, down_after=1000).wait_settled()
    acks, stop = [], threading.Event()

    def write():
        k = c.client(socket_timeout=0.1, retry=None)
        while not stop.is_set():
            try:
                k.set("w", 1)
                acks.append(time.monotonic())
            except (redis.exceptions.RedisError, OSError):
                pass
            time.sleep(0.002)

    t = threading.Thread(target=write, daemon=True)
    t.start()
    wait_until(lambda: len(acks) > 100, what="writes")
    old = c.primary()
    stopped = time.monotonic()
    old.signal(signal.SIGSTOP)
    try:
        c.wait_new_primary(old)
        n = len(acks)
        wait_until(lambda: len(acks) > n + 20, what="writes to go on")
    finally:
        stop.set()
        t.join(10)
        old.signal(signal.SIGCONT)
    gap = 1000 * max(b - a for a, b in zip(acks, acks[1:]) if b > stopped)
    line = wait_until(lambda: next((l for s in c.sentinels for l in journal(s) if "outage: " in l), None), what="the journal")
    told = int(line.split("took writes for ")[1].split(" ms")[0])
    # one PING period (100 ms) more than the client saw at most; what the client needs to find the new address is not in it
    assert 900 <= told <= gap + 150, (told, gap)
    assert len(logged(c, "+failover-outage demo")) == 1
    c.wait_roles()
    # planned: the proof is the primary's own OK to FAILOVER
    old = c.primary()

    def handed_over():
        """Said again: to a replica that it does not count as online yet a primary does not hand over."""
        if c.primary() not in (None, old):
            return True
        try:
            with c.sentinels[0].connect() as k:
                k.execute_command("SENTINEL", "FAILOVER", "demo", "COORDINATED")
        except redis.exceptions.ResponseError:
            pass
        return False

    wait_until(handed_over, 30, every=0.3, what="the hand-over")
    c.wait_new_primary(old)
    wait_until(lambda: len(logged(c, "+failover-outage demo")) == 2, what="the second outage")
    assert min(int(x.split("+failover-outage demo ")[1].split(" ")[0]) for x in logged(c, "+failover-outage demo")) < 2000


@pytest.mark.alone
@pytest.mark.parametrize("engine", ENGINES)
def test_an_old_primary_that_is_back_is_demoted_at_once(cluster, engine):
    """From its first answer on, several times; 100 ms on a machine that is not busy with other things."""
    need(engine)
    c = cluster(engine=engine, down_after=2000).wait_settled()
    took = []
    for _ in range(5):
        old = c.primary()
        old.kill()
        c.wait_new_primary(old)
        wait_until(lambda: len({c.primary_addr(s) for s in c.sentinels}) == 1, what="all sentinels to agree")
        old.launch()

        def state():
            with old.connect() as k:
                return k.execute_command("ROLE")[0]

        wait_until(state, 20, every=0.001, what="it to answer")
        t = time.monotonic()
        wait_until(lambda: state() == "slave", 10, every=0.002, what="it to be a replica")
        took.append(time.monotonic() - t)
        c.wait_roles()
    assert sorted(took)[len(took) // 2] < 0.25, took
