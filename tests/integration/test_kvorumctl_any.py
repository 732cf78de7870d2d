"""kvorumctl where there is nothing else: any SENTINEL command, passwords out of files, and what it says when it cannot."""
import json
import os
import socket
import subprocess
import threading
import time

import pytest

from formed import FormedGroup
from harness import find, free_port, monitor_lines, wait_until


def ctl(*words, env=None, typed=None):
    e = {k: v for k, v in os.environ.items() if not k.startswith("KVORUM_")}
    return subprocess.run([find("kvorumctl")] + [str(w) for w in words], capture_output=True, text=True, timeout=60, input=typed,
                          env=dict(e, **(env or {})))


@pytest.fixture
def closed(yard):
    """A node and a sentinel that both want a password."""
    node = yard.node("node", lines=["requirepass n0de"])
    s = yard.sentinel("sentinel", lines=monitor_lines("demo", node.port, 1) + ["sentinel auth-pass demo n0de", "requirepass s3cret"])
    return node, s, "127.0.0.1:%d" % s.port


def test_any_command(closed):
    node, s, at = closed
    r = ctl("-s", at, "-a", "s3cret", "sentinel", "myid")
    assert r.returncode == 0 and len(r.stdout.strip()) == 40, r
    r = ctl("-s", at, "-a", "s3cret", "sentinel", "get-master-addr-by-name", "demo")
    assert r.stdout.split() == ["127.0.0.1", str(node.port)], r
    r = ctl("-s", at, "-a", "s3cret", "-o", "json", "sentinel", "masters")
    o = json.loads(r.stdout)
    assert o["kind"] == "Reply" and o["reply"][0][:2] == ["name", "demo"], o
    r = ctl("-s", at, "-a", "s3cret", "sentinel", "masters")
    assert r.stdout.splitlines()[0] == "-" and "  name" in r.stdout.splitlines() and "  demo" in r.stdout.splitlines(), r
    r = ctl("-s", at, "-a", "s3cret", "sentinel", "get-master-addr-by-name", "nobody")
    assert r.returncode == 0 and r.stdout == "(nil)\n", r
    r = ctl("-s", at, "-a", "s3cret", "sentinel", "set", "demo", "quorum", "2")
    assert r.returncode == 0 and r.stdout == "OK\n", r
    for words, said in ((("master", "nobody"), "No such master"), (("nonsense",), "nonsense"), (("drop", "demo", "127.0.0.1", "1"), "NOTFORMED")):
        r = ctl("-s", at, "-a", "s3cret", "sentinel", *words)
        assert r.returncode == 4 and said in r.stderr and not r.stdout, (words, r)
    r = ctl("-s", at, "sentinel")
    assert r.returncode == 2 and "usage: kvorumctl sentinel" in r.stderr, r


def test_passwords_out_of_files(closed, tmp_path):
    node, s, at = closed
    good, wrong, empty = tmp_path / "good", tmp_path / "wrong", tmp_path / "empty"
    good.write_text("s3cret\r\nsecond line\n")
    wrong.write_text("no\n")
    empty.write_text("\n")
    of_node = tmp_path / "node"
    of_node.write_text("n0de")
    words = ("-s", at, "--pass-file", good, "--node-pass-file=%s" % of_node, "-o", "json", "status")
    r = wait_until(lambda: (lambda x: x if x.returncode == 0 else None)(ctl(*words)), what="a sentinel that has met its node")
    assert json.loads(r.stdout)["groups"][0]["primary"]["offset"] is not None, r
    r = ctl("status", env={"KVORUM_SENTINEL": at, "KVORUM_PASSWORD_FILE": str(good), "KVORUM_NODE_PASSWORD_FILE": str(of_node)})
    assert r.returncode == 0 and "offset" in r.stdout, r
    # What stands on the command line outranks the environment, whatever form it has.
    r = ctl("-s", at, "-a", "s3cret", "status", env={"KVORUM_PASSWORD_FILE": str(wrong)})
    assert r.returncode == 0, r
    r = ctl("-s", at, "--pass-file", wrong, "status")
    assert r.returncode == 4 and "WRONGPASS" in r.stderr, r
    r = ctl("-s", at, "status")
    assert r.returncode == 4 and "NOAUTH" in r.stderr and "--pass-file" in r.stderr, r
    for path, said in ((empty, "is empty"), (tmp_path / "none", "o such file")):
        r = ctl("-s", at, "--pass-file", path, "status")
        assert r.returncode == 2 and str(path) in r.stderr and said in r.stderr, r
    for r in (ctl("-s", at, "-a", "s3cret", "-A", "wrong", "config", "list"), ctl("-s", at, "-a", "s3cret", "config", "list")):
        assert r.returncode in (1, 4) and ("WRONGPASS" in r.stderr or "NOAUTH" in r.stderr) and "n0de" not in r.stderr, r


def test_nobody_there():
    r = ctl("-s", "127.0.0.1:%d,127.0.0.1:%d" % (free_port(), free_port()), "status")
    assert r.returncode == 3 and r.stderr.count("refused") == 2 and "-s host:port" in r.stderr, r
    r = ctl("-s", "nobody.invalid", "status")
    assert r.returncode == 3 and "nobody.invalid" in r.stderr, r
    with socket.socket() as s:                       # it listens and says nothing
        s.bind(("127.0.0.1", 0))
        s.listen()
        r = ctl("-s", "127.0.0.1:%d" % s.getsockname()[1], "-t", "200ms", "status")
    assert r.returncode == 3 and "not answered in time" in r.stderr, r


class Slow(threading.Thread):
    """A sentinel whose FAILOVER is answered after three seconds, as that of a formed group is when it is decided."""

    def __init__(self):
        super().__init__(daemon=True)
        self.s = socket.create_server(("127.0.0.1", 0))
        self.port = self.s.getsockname()[1]
        self.moved = False
        self.start()

    def run(self):
        while True:
            k, _ = self.s.accept()
            threading.Thread(target=self.talk, args=(k.makefile("rwb"),), daemon=True).start()

    def talk(self, f):
        while True:
            head = f.readline()
            if not head:
                return
            words = []
            for _ in range(int(head[1:])):
                n = int(f.readline()[1:])
                words.append(f.read(n + 2)[:-2].decode().lower())
            if words[:2] == ["sentinel", "failover"]:
                time.sleep(3)
                self.moved = True
                f.write(b"+OK\r\n")
            elif words[:2] == ["sentinel", "get-master-addr-by-name"]:
                port = b"7002" if self.moved else b"7001"
                f.write(b"*2\r\n$9\r\n127.0.0.1\r\n$4\r\n" + port + b"\r\n")
            elif words[:2] == ["sentinel", "myid"]:
                f.write(b"$40\r\n" + b"a" * 40 + b"\r\n")
            else:
                f.write(b"+OK\r\n")
            f.flush()


def test_a_failover_that_takes_longer_than_an_answer_may():
    s = Slow()
    r = ctl("-s", "127.0.0.1:%d" % s.port, "-t", "1s", "failover", "demo")
    assert r.returncode == 0 and "127.0.0.1:7001 -> 127.0.0.1:7002" in r.stdout, r


def test_what_is_not_decided_now_goes_on_being_tried(request):
    """A mode is a setting: without a majority it is not in force, it stays, and whoever asked is told both."""
    g = FormedGroup()
    try:
        g.wait_met().form("strict")
        g.wait_whole()
        assert g.master()["member-drop-after"] == "60000" and "profile" not in g.master()
        for s in g.sentinels[1:]:
            s.kill()
        wait_until(lambda: not g.can(), what="a majority to be missing")
        r = ctl("-s", "127.0.0.1:%d" % g.sentinels[0].port, "form", g.name, "prefer")
        assert r.returncode == 5 and "goes on being tried" in r.stderr, r
        r = ctl("-s", "127.0.0.1:%d" % g.sentinels[0].port, "journal", g.name, "5", "all")
        assert r.returncode == 0 and r.stdout and r.stderr.count("left out") == 2 == len(r.stderr.splitlines()), r
        assert g.master()["mode"] == "strict"
        for s in g.sentinels[1:]:
            s.start()
        wait_until(lambda: all(g.master(s)["mode"] == "prefer" for s in g.sentinels), 90, what="the mode that was asked for")
    finally:
        from conftest import _finish
        _finish(request, [g.yard])
