"""CONFIG REWRITE is written beside the loop: whoever asked waits for the disk, nobody else does."""
import os
import socket

import pytest
import redis
from harness import Process, faulty, free_port, wait_until


@pytest.fixture(params=["file", "state-dir"])
def slow(request, yard):
    """A node whose disk does not come back while `hold` exists."""
    program = faulty("kvnode")
    if not program:
        pytest.skip("no build with fault points (scripts/build asan kvnode)")
    folder = os.path.join(yard.folder, "node")
    port = free_port()
    lines = ["port %d" % port, "bind 127.0.0.1", 'save ""', "dir " + folder]
    if request.param == "state-dir":
        lines.append("state-dir " + os.path.join(folder, "state"))
    p = Process("node", program, lines, yard.folder, port,
                env={"KVORUM_FAULT": "@" + os.path.join(folder, "hold"), "ASAN_OPTIONS": "detect_leaks=0"})
    p.kind, p.hold = request.param, os.path.join(folder, "hold")
    return yard.add(p)


def busy(p):
    with open(p.hold + ".new", "w") as f:
        f.write("wait")
    os.rename(p.hold + ".new", p.hold)


class Raw:
    def __init__(self, p):
        self.s = socket.create_connection(("127.0.0.1", p.port))
        self.s.settimeout(20)
        self.got = b""

    def say(self, *requests):
        out = b""
        for r in requests:
            words = r.split(" ")
            out += b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words)
        self.s.sendall(out)

    def hear(self, want):
        while len(self.got) < len(want):
            more = self.s.recv(4096)
            assert more, (self.got, want)
            self.got += more
        assert self.got.startswith(want), (self.got, want)
        self.got = self.got[len(want):]

    def silent(self):
        self.s.setblocking(False)
        try:
            assert not self.s.recv(1) and False
        except BlockingIOError:
            pass
        finally:
            self.s.settimeout(20)
        assert not self.got


def test_nobody_else_waits_for_the_disk(slow):
    a, b = Raw(slow), Raw(slow)
    a.say("CONFIG SET maxclients 4321")
    a.hear(b"+OK\r\n")
    busy(slow)
    a.say("PING", "CONFIG REWRITE", "PING")
    a.hear(b"+PONG\r\n")                      # what was answered before does not wait
    for i in range(50):
        b.say("SET k%d v" % i)
        b.hear(b"+OK\r\n")
    a.silent()
    os.unlink(slow.hold)
    a.hear(b"+OK\r\n+PONG\r\n")
    slow.kill()
    slow.start()
    with slow.connect() as c:
        assert c.config_get("maxclients")["maxclients"] == "4321"


def test_an_exec_is_answered_whole_and_in_order(slow):
    a, b = Raw(slow), Raw(slow)
    busy(slow)
    a.say("MULTI", "SET k 1", "CONFIG REWRITE", "GET k", "CONFIG REWRITE", "ECHO end", "EXEC", "ECHO behind")
    b.say("CONFIG REWRITE")
    with slow.connect() as c:
        wait_until(lambda: c.get("k") == "1")        # it ran
        assert c.ping()
    b.silent()
    os.unlink(slow.hold)
    a.hear(b"+OK\r\n" + b"+QUEUED\r\n" * 5 + b"*5\r\n+OK\r\n+OK\r\n$1\r\n1\r\n+OK\r\n$3\r\nend\r\n$6\r\nbehind\r\n")
    b.hear(b"+OK\r\n")


def test_a_transaction_that_ends_its_answers(slow):
    a = Raw(slow)
    busy(slow)
    a.say("MULTI", "CONFIG REWRITE", "CLIENT REPLY OFF", "EXEC", "ECHO unsaid", "CLIENT REPLY ON", "ECHO said")
    a.hear(b"+OK\r\n" + b"+QUEUED\r\n" * 2)
    with slow.connect() as c:
        wait_until(lambda: [x for x in c.client_list() if x["cmd"] == "exec"])
        os.unlink(slow.hold)
        a.hear(b"+OK\r\n$4\r\nsaid\r\n")
        busy(slow)
        a.say("CLIENT REPLY OFF", "MULTI", "CONFIG REWRITE", "CLIENT REPLY ON", "EXEC", "ECHO said")
        wait_until(lambda: [x for x in c.client_list() if x["cmd"] == "exec"])
        os.unlink(slow.hold)
    a.hear(b"*2\r\n+OK\r\n+OK\r\n$4\r\nsaid\r\n")


def test_who_leaves_meanwhile(slow):
    a, b, off = Raw(slow), Raw(slow), Raw(slow)
    off.say("CLIENT REPLY SKIP")
    busy(slow)
    a.say("CONFIG SET maxclients 4322", "CONFIG REWRITE")
    b.say("CLIENT SETNAME victim", "CONFIG REWRITE")
    off.say("CONFIG REWRITE", "ECHO x")
    with slow.connect() as c:
        wait_until(lambda: [x for x in c.client_list() if x["name"] == "victim" and x["cmd"] == "config|rewrite"])
        a.s.close()
        assert c.execute_command("CLIENT", "KILL", "NAME", "victim") == 1
        os.unlink(slow.hold)
        off.hear(b"$1\r\nx\r\n")
        c.config_rewrite()
    slow.kill()
    slow.start()
    with slow.connect() as c:
        assert c.config_get("maxclients")["maxclients"] == "4322"


def test_who_says_no_more_hears_the_answer(slow):
    a = Raw(slow)
    busy(slow)
    a.say("ECHO x", "CONFIG REWRITE")
    a.s.shutdown(socket.SHUT_WR)
    a.hear(b"$1\r\nx\r\n")
    os.unlink(slow.hold)
    a.hear(b"+OK\r\n")
    assert a.s.recv(1) == b""


def test_an_error_stands_in_its_place(slow):
    a = Raw(slow)
    with open(slow.hold, "w") as f:
        f.write("EIO")
    a.say("MULTI", "SET k 1", "CONFIG REWRITE", "GET k", "EXEC")
    a.hear(b"+OK\r\n" + b"+QUEUED\r\n" * 3 + b"*3\r\n+OK\r\n-ERR Rewriting config file: ")
    os.unlink(slow.hold)
    with slow.connect() as c:
        assert c.config_rewrite()
        assert c.info("errorstats")["errorstat_ERR"] == "count=1"
    line, _, rest = a.got.partition(b"\r\n")
    assert rest == b"$1\r\n1\r\n" and b"Input/output error" in line, (line, rest)


def test_a_stop_waits_for_what_is_being_written(slow):
    a = Raw(slow)
    busy(slow)
    a.say("CONFIG SET maxclients 4323", "CONFIG REWRITE")
    a.hear(b"+OK\r\n")
    with slow.connect() as c:
        wait_until(lambda: [x for x in c.client_list() if x["cmd"] == "config|rewrite"])
        with pytest.raises(redis.exceptions.ConnectionError):
            c.execute_command("SHUTDOWN", "NOSAVE")
    assert slow.proc.poll() is None
    os.unlink(slow.hold)
    assert slow.proc.wait(20) == 0
    slow.start()
    with slow.connect() as c:
        assert c.config_get("maxclients")["maxclients"] == "4323"
    assert not [n for n in os.listdir(slow.folder) if ".tmp-" in n]
