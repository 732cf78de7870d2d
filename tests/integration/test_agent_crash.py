"""kill -9 and failing disks at every point of an application, and what the agent does when it is back."""
import json
import os
import random
import subprocess
import time

import pytest
from agent_site import FILE, Site, line, script
from conftest import need
from harness import wait_until


def test_boots_from_its_cache_with_no_network(yard):
    s = Site(yard)
    s.basic(7001)
    s.wait_ack("ok")
    s.agent.kill()
    s.node.kill()
    os.unlink(s.path())
    s.agent.start()
    s.wait_text(line(7001))
    assert s.stats()["directory_state"] == "connecting"
    # A damaged cache is dropped, and said so; the files stay.
    s.agent.kill()
    cache = os.path.join(s.agent.folder, "state", "cache", "files", "demo")
    data = bytearray(open(cache, "rb").read())
    data[-3] ^= 1
    open(cache, "wb").write(bytes(data))
    s.agent.start()
    assert "is damaged" in s.agent.log_text()
    assert s.text() == line(7001)
    s.node.start()
    s.basic(7002)
    s.wait_text(line(7002))
    s.wait_ack("ok", sha_of="config:files:demo")


def test_answers_wait_for_the_directory(yard):
    s = Site(yard)
    s.basic(7001)
    s.wait_ack("ok")
    s.agent.kill()
    s.c.delete("cfgack:files:demo")
    s.agent.start()
    s.wait_ack("ok", sha_of="config:files:demo")
    # A failover may lose the last answers: they come again with each connection.
    s.c.delete("cfgack:files:demo")
    s.node.kill()
    s.node.start()
    s.basic(7001)
    s.wait_ack("ok", sha_of="config:files:demo")


def test_override_outranks_the_directory(yard):
    s = Site(yard)
    s.basic(7001)
    s.wait_ack("ok")
    with open(os.path.join(s.agent.folder, "state", "override", "files", "demo"), "w") as f:
        json.dump({"files": [dict(FILE, template="by hand {{cfg.port}}")]}, f)
    s.resync()
    s.wait_text("by hand 7001")
    s.wait_ack("override")
    s.redis_doc(7002)
    s.wait_text("by hand 7002")


def test_resync_brings_back_what_somebody_changed(yard):
    s = Site(yard)
    s.basic(7001)
    s.wait_ack("ok")
    open(s.path(), "w").write("vandal")
    s.redis_doc(7001)
    s.resync()
    s.wait_text(line(7001))


# --- two files of one version, and the end of the agent in the middle of them ---

def two_files(n):
    body = "version {{cfg.port}}\n" + "x" * 20000 + "\nend {{cfg.port}}\n"
    return {"files": [dict(FILE, path="one", template=body), dict(FILE, path="two", template=body)], **n}


def whole(text):
    """The version of a file, which must be all there."""
    lines = text.split("\n")
    assert len(lines) == 4 and lines[1] == "x" * 20000 and lines[0][8:] == lines[2][4:], "torn: %r...%r" % (text[:40], text[-40:])
    return int(lines[0][8:])


def check_after_crash(s, port, again=0.0):
    for name in ("one", "two"):
        assert s.text(name), "empty or gone: " + name
        whole(s.text(name))
    if random.random() < again:         # and once more, on the way out of the first one
        n = random.randint(1, 12)
        run = s.traced("fsync", "signal=KILL:when=%d" % n)
        time.sleep(0.15)
        s.end_traced(run)
        for name in ("one", "two"):
            whole(s.text(name))
    s.agent.start()
    wait_until(lambda: whole(s.text("one")) == port and whole(s.text("two")) == port, 40, every=0.005,
               what="both files with %d" % port)
    wait_until(lambda: not os.listdir(os.path.join(s.agent.folder, "state", "journal", "files")), what="an end of the journal")
    s.no_leftovers()


def test_kill_9_at_random_points(yard):
    tool = script(yard, "nop", "exit 0\n")
    s = Site(yard, agent_lines=["allow-command " + tool])
    s.redis_doc(7000)
    s.set("config:files:demo", two_files({"check": [[tool]], "reload": {"exec": [tool]}}))
    s.apply("files:demo")
    s.wait_ack("ok")
    rng = random.Random(20260101)
    for n in range(25):
        port = 7001 + n
        s.redis_doc(port)
        time.sleep(rng.uniform(0.015, 0.08))
        s.agent.kill()
        check_after_crash(s, port)


CALLS = ["openat", "openat2", "fsync", "fdatasync", "rename", "renameat", "renameat2", "linkat", "unlink", "unlinkat", "write", "fchmod"]
SHORT = ["fsync", "renameat", "linkat", "unlink"]      # the others with --long


@pytest.mark.parametrize("call", [c if c in SHORT else pytest.param(c, marks=pytest.mark.long) for c in CALLS])
def test_kill_9_at_every_system_call(yard, call):
    """strace ends the agent at the n-th call of one kind, for n = 1, 2, ... until the application gets through."""
    s = Site(yard, start=False)
    s.redis_doc(7000)
    s.set("config:files:demo", two_files({}))
    s.apply("files:demo")
    s.agent.start()
    s.wait_ack("ok")
    s.agent.stop()

    def through(n):
        return (s.text("one") and whole(s.text("one")) == 7000 + n and whole(s.text("two")) == 7000 + n and
                (s.ack() or {}).get("st") == "ok" and s.stats()["acks_waiting"] == 0)

    crashes = s.killed_at_every(call, lambda n: s.redis_doc(7000 + n), through, lambda n: check_after_crash(s, 7000 + n, again=0.3),
                                step=3 if call == "openat" else 1)
    if call in ("fsync", "openat", "write", "unlink"):
        assert crashes > 0, "no crash happened: the injection does not work"


FAULTS = [("fsync", "EIO"), ("fdatasync", "EIO"), ("renameat", "EIO"), ("rename", "ENOSPC"), ("linkat", "EIO"), ("fchmod", "EPERM"),
          ("write", "ENOSPC"), ("openat2", "EMFILE"), ("unlinkat", "EROFS")]


@pytest.mark.parametrize("call,error", [f if f[0] in SHORT else pytest.param(*f, marks=pytest.mark.long) for f in FAULTS])
def test_a_disk_that_fails_at_every_call(yard, call, error):
    """The n-th call of one kind fails, for n = 1, 2, ...: both files are whole and of one version, and a good disk heals all."""
    need("strace")
    s = Site(yard, start=False)
    s.redis_doc(7000)
    s.set("config:files:demo", two_files({}))
    s.apply("files:demo")
    s.agent.start()
    s.wait_ack("ok")
    s.agent.stop()
    for n in range(1, 26):
        port = 7000 + n
        s.redis_doc(port)
        s.c.delete("cfgack:files:demo")
        with open(os.path.join(s.agent.folder, "trace.txt"), "w") as out:
            run = s.traced(call, "error=%s:when=%d" % (error, n), os.path.join(s.agent.folder, "calls"), out)
        try:
            wait_until(lambda: run.poll() is not None or s.ack(), 60, every=0.01, what="an answer, or an end")
        finally:
            subprocess.run(["pkill", "-TERM", "-P", str(run.pid)])
            try:
                run.wait(5)
            except subprocess.TimeoutExpired:      # the call that failed was the loop's own, waking itself for the signal
                subprocess.run(["pkill", "-KILL", "-P", str(run.pid)])
                run.wait(60)
        injected = "INJECTED" in open(os.path.join(s.agent.folder, "calls")).read()
        one, two = whole(s.text("one")), whole(s.text("two"))
        assert one == two, "mixed: %d and %d after %s %d" % (one, two, call, n)
        check_after_crash(s, port)
        s.agent.stop()
        if not injected:
            break
    assert n > 1, "no call failed: the injection does not work"
