"""One kvnode as clients see it: transactions, tracking, keyspace events, expiry, saving, options,
shutdown. What redis-server answers to the same is in test_differential.py."""
import os
import signal
import subprocess
import time
import urllib.request

import pytest
import redis
from harness import find, free_port, wait_until
from wire import Wire


@pytest.fixture
def node(yard):
    return yard.node("node", lines=["enable-debug-command yes", "enable-protected-configs yes"])


def test_transactions(node):
    a, b = node.connect(), node.connect()
    p = a.pipeline()
    p.set("x", 1).incr("x").hset("h", "f", "v").get("x")
    assert p.execute() == [True, 2, 1, "2"]
    with a.pipeline() as p:
        p.watch("x")
        b.set("x", 5)
        p.multi()
        p.set("x", 9)
        with pytest.raises(redis.WatchError):
            p.execute()
    assert a.get("x") == "5"
    w = Wire(node.port)
    assert w.ask("multi")[1] == b"OK"
    assert w.ask("nosuch")[0] == b"-"
    assert w.ask("exec") == (b"-", b"EXECABORT Transaction discarded because of previous errors.")
    assert w.ask("exec") == (b"-", b"ERR EXEC without MULTI")
    # a watched key that expires counts as changed; one that was gone already does not
    w.ask("set", "gone", 1, "px", 800)
    w.ask("watch", "gone")
    time.sleep(0.9)
    w.ask("multi")
    w.ask("ping")
    assert w.ask("exec") == (b"*", None)
    w.ask("watch", "never-there")
    b.flushall()
    w.ask("multi")
    w.ask("ping")
    assert w.ask("exec") == (b"*", [(b"+", b"PONG")])
    w.close()


def test_tracking_by_key_in_resp3(node):
    w, other = Wire(node.port), node.connect()
    w.ask("hello", "3")
    assert w.ask("client", "tracking", "on")[1] == b"OK"
    w.ask("get", "k")
    other.set("k", 1)
    assert w.read() == (b">", [(b"$", b"invalidate"), (b"*", [(b"$", b"k")])])
    other.set("k", 2)                        # told once, forgotten until read again
    w.ask("get", "k")
    w.send("set", "k", 3)                    # its own write: the answer first, then the invalidation
    assert w.read()[1] == b"OK"
    assert w.read()[0] == b">"
    assert w.ask("client", "tracking", "on", "noloop")[1] == b"OK"
    w.ask("get", "k")
    assert w.ask("set", "k", 4)[1] == b"OK"
    w.ask("get", "k")
    other.flushall()
    assert w.read() == (b">", [(b"$", b"invalidate"), (b"_", b"")])
    w.ask("set", "e", 1, "px", 800)
    w.ask("get", "e")
    assert w.read() == (b">", [(b"$", b"invalidate"), (b"*", [(b"$", b"e")])])      # expired
    assert w.ask("client", "trackinginfo")[0] == b"%"
    assert w.ask("client", "getredir") == (b":", b"0")
    w.close()


def test_tracking_redirected_to_a_resp2_subscriber(node):
    data, push, other = Wire(node.port), Wire(node.port), node.connect()
    ident = int(push.ask("client", "id")[1])
    push.ask("subscribe", "__redis__:invalidate")
    assert data.ask("client", "tracking", "on", "redirect", ident)[1] == b"OK"
    assert int(data.ask("client", "getredir")[1]) == ident
    data.ask("mget", "a", "b")
    other.mset({"a": 1, "b": 2})
    got = {push.read()[1][2][1][0][1] for _ in range(2)}
    assert got == {b"a", b"b"}
    data.ask("get", "a")
    other.flushall()
    assert push.read() == (b"*", [(b"$", b"message"), (b"$", b"__redis__:invalidate"), (b"$", None)])
    push.close()
    wait_until(lambda: len(other.client_list()) == 2)
    assert data.ask("client", "tracking", "on", "redirect", 999999)[0] == b"-"
    data.close()


def test_tracking_broadcast(node):
    w, other = Wire(node.port), node.connect()
    w.ask("hello", "3")
    assert w.ask("client", "tracking", "on", "bcast", "prefix", "config:", "prefix", "x")[1] == b"OK"
    other.set("config:redis:demo", "{}")
    assert w.read() == (b">", [(b"$", b"invalidate"), (b"*", [(b"$", b"config:redis:demo")])])
    other.set("elsewhere", 1)
    other.set("x1", 1)
    assert w.read()[1][1] == (b"*", [(b"$", b"x1")])
    assert w.ask("client", "tracking", "on", "bcast", "prefix", "config:a")[0] == b"-"
    assert w.ask("client", "tracking", "off")[1] == b"OK"
    info = other.info("stats")
    assert info["tracking_total_prefixes"] == 0
    w.close()


def test_tracking_opt_in(node):
    w, other = Wire(node.port), node.connect()
    w.ask("hello", "3")
    w.ask("client", "tracking", "on", "optin")
    w.ask("get", "a")
    w.ask("client", "caching", "yes")
    w.ask("get", "b")
    w.ask("get", "c")
    for k in "abc":
        other.set(k, 1)
    assert w.read() == (b">", [(b"$", b"invalidate"), (b"*", [(b"$", b"b")])])
    assert w.ask("ping")[1] == b"PONG"
    w.close()


def test_keyspace_events(node):
    c = node.connect()
    c.config_set("notify-keyspace-events", "KEA")
    assert c.config_get("notify-keyspace-events") == {"notify-keyspace-events": "AKE"}
    s = c.pubsub()
    s.psubscribe("__key*")
    s.get_message(timeout=30)
    c.hset("h", "f", 1)
    c.hdel("h", "f")
    c.set("k", 1, px=50)                     # last: what is told when it expires is behind all the rest
    seen = []

    def collect():
        m = s.get_message(timeout=0.2)
        if m:
            seen.append((m["channel"], m["data"]))
        return ("__keyevent@0__:expired", "k") in seen

    wait_until(collect)
    assert ("__keyspace@0__:k", "set") in seen
    assert ("__keyevent@0__:set", "k") in seen
    assert ("__keyspace@0__:k", "expire") in seen
    assert ("__keyevent@0__:hdel", "h") in seen
    assert ("__keyspace@0__:h", "del") in seen


def test_active_expiry_without_touch(node):
    c = node.connect()
    p = c.pipeline(transaction=False)
    for i in range(20000):
        p.set("e:%d" % i, i, px=200)
        p.set("s:%d" % i, i)
    p.execute()
    wait_until(lambda: c.dbsize() == 20000)
    assert c.info("stats")["expired_keys"] == 20000
    c.execute_command("debug", "set-active-expire", "0")
    c.set("lazy", 1, px=10)
    time.sleep(0.3)
    assert c.dbsize() == 20001
    assert c.get("lazy") is None
    assert c.dbsize() == 20000


def test_scan_sees_everything_while_growing(node):
    c = node.connect()
    p = c.pipeline(transaction=False)
    for i in range(5000):
        p.set("a:%d" % i, 1)
    p.execute()
    seen, cursor, extra = set(), 0, 0
    while True:
        cursor, keys = c.scan(cursor, count=50)
        seen.update(keys)
        for _ in range(100):
            c.set("b:%d" % extra, 1)
            extra += 1
        if cursor == 0:
            break
    assert {"a:%d" % i for i in range(5000)} <= seen
    c.hset("big", mapping={"f%d" % i: i for i in range(3000)})
    assert len(dict(c.hscan_iter("big", count=100))) == 3000
    assert set(c.scan_iter(_type="hash")) == {"big"}


def test_a_restart_keeps_data_and_deadlines(node):
    c = node.connect()
    c.set("s", "v" * 1000)
    c.set("n", 42, ex=1000)
    c.hset("small", mapping={"a": 1, "b": "x"})
    c.hset("big", mapping={"f%d" % i: "v" * 100 for i in range(1000)})
    c.execute_command("select", 3)
    c.set("other-db", 1)
    digest = c.execute_command("debug", "digest")
    assert c.bgsave()
    wait_until(lambda: c.info("persistence")["rdb_bgsave_in_progress"] == 0)
    assert c.info("persistence")["rdb_last_bgsave_status"] == "ok"
    c.close()
    node.stop()
    node.start()
    c = node.connect()
    assert c.execute_command("debug", "digest") == digest
    assert 900 < c.ttl("n") <= 1000
    assert c.object("encoding", "small") == "listpack"
    c.execute_command("debug", "reload")
    assert c.execute_command("debug", "digest") == digest


def test_config_all_or_nothing(node):
    c = node.connect()
    with pytest.raises(redis.ResponseError, match="related to argument 'maxclients'"):
        c.execute_command("config", "set", "hash-max-listpack-entries", "7", "maxclients", "lots")
    assert c.config_get("hash-max-listpack-entries")["hash-max-listpack-entries"] == "512"
    c.execute_command("config", "set", "hash-max-listpack-entries", "7", "maxclients", "200")
    assert c.config_get("hash-max-listpack-*")["hash-max-listpack-entries"] == "7"
    with pytest.raises(redis.ResponseError, match="immutable"):
        c.config_set("databases", 4)
    with pytest.raises(redis.ResponseError, match="Unknown option"):
        c.config_set("nosuch", 4)
    c.config_rewrite()
    node.stop()
    node.start()
    assert node.connect().config_get("maxclients")["maxclients"] == "200"
    port = free_port()
    node.connect().config_set("port", port)
    moved = redis.Redis("127.0.0.1", port)
    assert moved.ping()
    moved.config_set("port", node.port)
    assert node.connect().ping()


def test_password(node):
    c = node.connect()
    c.config_set("requirepass", "s3cret")
    w = Wire(node.port)
    assert w.ask("get", "x") == (b"-", b"NOAUTH Authentication required.")
    assert w.ask("auth", "wrong")[0] == b"-"
    assert w.ask("auth", "s3cret")[1] == b"OK"
    assert w.ask("get", "x") == (b"$", None)
    w.close()
    assert redis.Redis("127.0.0.1", node.port, password="s3cret").ping()
    c.config_set("requirepass", "")


def test_out_of_memory_refuses_writes_only(node):
    c = node.connect()
    c.set("k", "v")
    c.config_set("maxmemory", "1")
    with pytest.raises(redis.ResponseError, match="OOM|command not allowed"):
        c.set("k2", "v")
    assert c.get("k") == "v"
    assert c.delete("k") == 1
    c.config_set("maxmemory", "0")


def test_monitor_slowlog_stats(node):
    c, w = node.connect(), Wire(node.port)
    assert w.ask("monitor")[1] == b"OK"
    c.set("seen", "a b\n")
    line = w.read()[1]
    while b'"SET"' not in line:
        line = w.read()[1]
    assert line.endswith(b'"SET" "seen" "a b\\n"')
    w.close()
    c.config_set("slowlog-log-slower-than", 0)
    c.get("seen")
    assert any(e["command"] in (b"GET seen", "GET seen") for e in c.slowlog_get(10))
    c.slowlog_reset()
    c.config_set("slowlog-log-slower-than", 10000)
    stats = c.info("commandstats")
    assert stats["cmdstat_set"]["calls"] >= 1
    with pytest.raises(redis.ResponseError):
        c.execute_command("incrby", "seen", "x")
    assert "count=" in str(c.info("errorstats")["errorstat_ERR"])
    c.config_resetstat()
    assert "cmdstat_set" not in c.info("commandstats")


def test_client_pause_holds_writes_back(node):
    a, b = Wire(node.port), node.connect()
    b.set("k", 1, px=100)
    began = time.monotonic()
    b.execute_command("client", "pause", 3000, "write")
    a.send("set", "x", 1)
    assert b.get("x") is None
    time.sleep(0.2)
    assert b.get("k") is None and b.dbsize() == 1        # hidden, not dropped
    assert a.read()[1] == b"OK"
    assert time.monotonic() - began > 2.9
    a.close()


def test_signals_save_and_stop(yard, tmp_path):
    n = yard.node("stopper", lines=["save 3600 1"])
    n.connect().set("k", "v")
    pid = n.pid
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not n.is_alive())
    assert "bye bye" in n.log_text()
    n.start()
    assert n.connect().get("k") == "v"
    c = n.connect()
    c.set("k", "w")
    with pytest.raises((redis.ConnectionError, redis.ResponseError)):
        c.execute_command("shutdown", "nosave")
    wait_until(lambda: not n.is_alive())
    n.start()
    assert n.connect().get("k") == "v"


def test_http(yard):
    port = free_port()
    n = yard.node("http", lines=["http-port %d" % port])
    n.connect().set("k", 1)
    with urllib.request.urlopen("http://127.0.0.1:%d/healthz" % port, timeout=30) as r:
        assert r.status == 200 and r.read().startswith(b"ok master")
    with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % port, timeout=30) as r:
        text = r.read().decode()
    assert 'kvnode_keys{db="db0"} 1' in text
    assert "# TYPE kvnode_commands_total counter" in text


@pytest.mark.parametrize("lines,says", [
    (["appendonly yes"], "not supported yet"), (["maxmemory-policy allkeys-lru"], "not supported yet"),
    (["cluster-enabled yes"], "not supported yet"), (["port 99999"], "port"), (["nonsense 1"], "nonsense"),
    (["dir /does/not/exist"], "/does/not/exist"), (["save 1"], "save"), (['user alice on +nonsense'], "nonsense"),
])
def test_wrong_configuration_starts_nothing(tmp_path, lines, says):
    f = tmp_path / "bad.conf"
    f.write_text("bind 127.0.0.1\n" + "\n".join(lines) + "\n")
    r = subprocess.run([find("kvnode"), str(f)], capture_output=True, text=True, timeout=60)
    assert r.returncode == 1
    assert says in r.stderr and len(r.stderr.strip().splitlines()) == 1, r.stderr


def test_port_in_use(yard):
    a = yard.node("first")
    r = subprocess.run([find("kvnode"), "--port", str(a.port), "--bind", "127.0.0.1"], capture_output=True, text=True, timeout=60)
    assert r.returncode == 1
    assert "Failed listening on port" in r.stdout + r.stderr


def test_redis_tools_work(node):
    cli = ["redis-cli", "-p", str(node.port)]
    assert subprocess.run(cli + ["-3", "hgetall", "none"], capture_output=True, text=True).returncode == 0
    r = subprocess.run(cli + ["--bigkeys"], capture_output=True, text=True, timeout=60)
    assert r.returncode == 0 and "Sampled" in r.stdout
    r = subprocess.run(["redis-benchmark", "-p", str(node.port), "-n", "2000", "-q", "-t", "ping,set,get,incr,hset,mset"],
                       capture_output=True, text=True, timeout=60)
    assert r.returncode == 0 and "MSET" in r.stdout
    r = subprocess.run(cli + ["--pipe"], input="SET a 1\r\nSET b 2\r\n", capture_output=True, text=True, timeout=60)
    assert "errors: 0, replies: 2" in r.stdout


def test_the_sample_is_what_the_options_say():
    r = subprocess.run([find("kvnode"), "--print-sample"], capture_output=True, text=True, timeout=60)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "kvnode", "kvnode.conf")) as f:
        assert f.read() == r.stdout, "kvnode/kvnode.conf is out of date: kvnode --print-sample > kvnode/kvnode.conf"


def test_passwords_are_shown_to_nobody(node):
    c, w = node.connect(), Wire(node.port)
    c.config_set("slowlog-log-slower-than", 0)
    w.ask("monitor")
    c.execute_command("config", "set", "masterauth", "top-secret-1")
    c.execute_command("config", "set", "requirepass", "top-secret-2")
    c.execute_command("auth", "default", "top-secret-2")
    c.execute_command("ping")
    told = b""
    while b'"ping"' not in told.lower():
        told += w.read()[1]
    assert b"top-secret" not in told
    assert "top-secret" not in str(c.slowlog_get(50))
    assert "top-secret" not in node.log_text()
    c.config_set("requirepass", "")
    w.close()


def test_a_huge_transaction_is_refused(node):
    c, w = node.connect(), Wire(node.port)
    c.config_set("client-query-buffer-limit", 1 << 20)
    w.ask("multi")
    for _ in range(3):
        w.ask("set", "k", "x" * 600000)
    assert w.ask("exec")[1].startswith(b"EXECABORT")
    w.close()
