"""Configuration files as people have them: saved by editors of other systems, written by hand, shared with data nodes."""
import os
import re
import shutil
import subprocess

import pytest
import redis

from conftest import need
from harness import TOP, find, free_port, wait_until

ODD = "\ufeffPORT\t%(port)d\r\n" \
      "# überwacht von: 監視, written in an editor of another system\r\n" \
      "\r\n" \
      "   bind   '127.0.0.1'   \r\n" \
      "dir \"%(dir)s\"\r\n" \
      "  # a comment that is set in\r\n" \
      "SENTINEL  Resolve-Hostnames  NO\r\n" \
      "sentinel down-after-milliseconds \"orders\" 4321\r\n" \
      "Sentinel Monitor \"orders\" \t127.0.0.1 %(node)d \"1\"\r\n" \
      "sentinel monitor 'größe' 127.0.0.1 %(node)d 1\r\n" \
      "sentinel auth-pass orders \"p#a \\x73s\\\"\"\r\n" \
      "sentinel rename-command orders CONFIG \"config of \\\"ours\\\"\"\r\n" \
      "user default on nopass ~* &* +@all\r\n" \
      "user admin on >s3cret ~* &* +@all\r\n" \
      "maxmemory-samples 5\r\n" \
      "list-max-listpack-size -2"


def groups(c):
    return {m["name"]: m for m in c.sentinel_masters().values()}


def test_a_file_from_another_system(yard):
    """Byte order mark, CRLF, tabs, quotes, escapes, capitals, no end of the last line: read, rewritten, and read again."""
    node = yard.node("node")
    s = yard.sentinel("sentinel", start=False)
    text = ODD % {"port": s.port, "dir": s.folder, "node": node.port}
    with open(s.conf, "wb") as f:
        f.write(text.encode())
    for again in (False, True):
        s.start()
        with s.connect() as c:
            g = groups(c)
            assert set(g) == {"orders", "größe"}
            assert g["orders"]["down-after-milliseconds"] == 4321
            with s.connect(username="admin", password="s3cret") as k:
                assert k.ping()
            assert c.execute_command("SENTINEL", "SET", "orders", "parallel-syncs", "3" if not again else "4") in ("OK", True)
            assert c.execute_command("SENTINEL", "FLUSHCONFIG") in ("OK", True)
        kept = open(s.conf, "rb").read().decode()
        assert "überwacht von: 監視" in kept and "# a comment that is set in" in kept
        assert 'auth-pass orders "p#a \\x73s\\""' in kept and kept.count("sentinel monitor") + kept.count("Sentinel Monitor") == 2
        assert len(re.findall("(?im)^\ufeff?port", kept)) == 1
        assert "parallel-syncs orders %d" % (4 if again else 3) in kept
        s.stop()


@pytest.mark.parametrize("line, words", [
    ("sentinel monitor orders 127.0.0.1 6379", "monitor"),
    ("sentinel monitor orders 127.0.0.1 6379 0", "Quorum"),
    ("sentinel monitor orders nobody.invalid 6379 1", "resolve-hostnames yes"),
    ("sentinel down-after-milliseconds orders 1000", "sentinel monitor orders"),
    ("sentinel downafter orders 1000", "downafter"),
    ("sentinel auth-pass orders \"open", "unbalanced quotes"),
    ("tls-port 26380", "not supported yet"),
    ("appendonly yes", "not supported yet"),
    ("prot 26379", "did you mean 'port'"),
    ("port 26379 26380", "takes one value"),
])
def test_a_wrong_line_is_named(tmp_path, line, words):
    f = tmp_path / "sentinel.conf"
    f.write_text("# one\n# two\n%s\n" % line)
    r = subprocess.run([find("kvorum-sentinel"), str(f), "--check-config"], capture_output=True, text=True, timeout=60)
    assert r.returncode == 1 and words in r.stderr and len(r.stderr.splitlines()) == 1, r
    # What only shows when all lines were read names the group, everything else its line.
    assert "sentinel.conf:3: " in r.stderr or "'sentinel " in r.stderr, r


@pytest.mark.parametrize("program", ["kvorum-sentinel", "kvnode"])
def test_every_directive_of_redis_is_known(yard, program):
    """Used, accepted with a warning, or refused by name: none is 'not a known directive'."""
    need("redis-server")
    with yard.node("node", "redis-server").connect() as c:
        names = set(c.config_get("*"))
    assert len(names) > 150
    docs = subprocess.run([find(program), "--print-docs"], capture_output=True, text=True, timeout=60).stdout
    unknown = sorted(names - set(re.findall(r"`([a-z0-9_-]+)`", docs)))
    # Old spellings of what is accepted and not used are not in the pages: ask.
    left = []
    for name in unknown:
        f = os.path.join(yard.folder, "ask.conf")
        with open(f, "w") as out:
            out.write("%s 1\n" % name)
        r = subprocess.run([find(program), f, "--check-config"], capture_output=True, text=True, timeout=60)
        if "not a known directive" in r.stderr:
            left.append(name)
    assert not left


def test_the_sample_is_what_the_options_say():
    """Below its own lines the shipped sample has every directive, as the table has it."""
    sample = open(os.path.join(TOP, "sentinel", "kvorum-sentinel.conf")).read()
    said = subprocess.run([find("kvorum-sentinel"), "--print-sample"], capture_output=True, text=True, timeout=60).stdout
    assert sample.split("# --- every directive")[1].split("\n\n", 1)[1].strip() == said.strip()
    r = subprocess.run([find("kvorum-sentinel"), "-", "--check-config"], input=sample, capture_output=True, text=True, timeout=60)
    assert r.returncode == 0, r


def test_stock_sentinels_file_of_debian_runs_as_it_stands(yard):
    """Only its folders are others here: it goes to the background, writes its pidfile and log, and ends with SIGTERM."""
    stock = "/etc/redis/sentinel.conf"
    if not os.access(stock, os.R_OK):
        pytest.skip("no /etc/redis/sentinel.conf on this machine (scripts/deps test)")
    node = yard.node("node")
    s = yard.sentinel("sentinel", start=False)
    with open(stock) as f:
        text = f.read()
    for old, new in (("/run/sentinel", s.folder), ("/var/log/redis", s.folder), ("/var/lib/redis", s.folder),
                     ("port 26379", "port %d" % s.port), ("127.0.0.1 6379 2", "127.0.0.1 %d 1" % node.port)):
        text = text.replace(old, new)
    with open(s.conf, "w") as f:
        f.write(text)
    pidfile = os.path.join(s.folder, "redis-sentinel.pid")
    assert subprocess.run([s.program, s.conf], timeout=30).returncode == 0        # the one that stays is its child
    try:
        with wait_until(lambda: s.connect() if s.connect().ping() else None, what="it to answer") as c:
            assert groups(c)["mymaster"]["port"] == node.port
        pid = int(open(pidfile).read())
        os.kill(pid, 1)                                # SIGHUP: the log is opened again
        os.rename(os.path.join(s.folder, "redis-sentinel.log"), os.path.join(s.folder, "old.log"))
        os.kill(pid, 1)
        wait_until(lambda: os.path.exists(os.path.join(s.folder, "redis-sentinel.log")), what="another log file")
    finally:
        pid = int(open(pidfile).read())
        os.kill(pid, 15)
        wait_until(lambda: not os.path.exists("/proc/%d" % pid) or "zombie" in open("/proc/%d/status" % pid).read(), what="its end")
    assert not os.path.exists(pidfile)
    kept = open(s.conf).read()
    assert "sentinel myid" in kept and "sentinel known-replica" not in kept


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root and unshare")
def test_a_file_that_cannot_be_rewritten(yard):
    """In a read-only mount: it watches and answers, does not vote, and says what would help."""
    node = yard.node("node")
    s = yard.sentinel("sentinel", lines=["sentinel monitor m 127.0.0.1 %d 1" % node.port], start=False)
    s.args = [s.program, s.conf]
    s.program, s.conf = "unshare", "-m"
    s.args = ["sh", "-c", 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$1" "$2"', s.folder] + s.args
    s.start()
    with s.connect() as c:
        info = c.info("sentinel")
        assert info["kvorum_votes"] == "no" and "'state-dir'" in info["kvorum_save_trouble"], info
        assert "Read-only file system" in c.sentinel_master("m")["observer"]
        with pytest.raises(redis.exceptions.ResponseError, match="state-dir"):
            c.execute_command("SENTINEL", "FLUSHCONFIG")
        assert c.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "m") == ["127.0.0.1", str(node.port)]
