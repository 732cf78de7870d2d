"""Replies of a strict group wait for their confirmation: a primary and a replica, sentinels played by hand.

The replica is stopped (SIGSTOP) to see what waits. "Executed" is what a dirty read says.
"""
import signal
import socket
import subprocess
import time

import pytest
import redis

from ha_play import Play
from harness import Yard, wait_until

CLOUD = (500, 4500, 4275, 6000, 250)         # what waits must not wait for too long while a busy machine looks at it


class Group:
    def __init__(self, tmp_path, timing=CLOUD, lines=(), **form):
        self.yard = Yard(folder=str(tmp_path))
        self.primary = self.yard.node("primary", lines=lines)
        self.replica = self.yard.node("replica", lines=["replicaof 127.0.0.1 %d" % self.primary.port] + list(lines))
        wait_until(lambda: self.replica.info("replication")["master_link_status"] == "up")
        self.play = Play(timing=timing)
        self.play.form([self.primary, self.replica], **form)
        self.eyes = self.primary.connect()
        self.stopped = False

    def stop_replica(self):
        self.replica.signal(signal.SIGSTOP)
        self.stopped = True

    def go_on(self):
        self.replica.signal(signal.SIGCONT)
        self.stopped = False

    def ha(self):
        return self.primary.info("ha")

    def close(self):
        self.play.close()
        self.yard.close()


@pytest.fixture
def group(tmp_path):
    g = Group(tmp_path)
    yield g
    g.close()


class Raw:
    """A client that sees bytes."""

    def __init__(self, node):
        self.sock = socket.create_connection(("127.0.0.1", node.port), 10)
        self.got = b""
        self.ended = False

    def send(self, *lines):
        self.sock.sendall("".join(line + "\r\n" for line in lines).encode())

    def pull(self, seconds):
        """What has come, waiting at most so long for more."""
        self.sock.settimeout(max(seconds, 0.001))
        try:
            more = self.sock.recv(1 << 20)
            self.ended = not more
            self.got += more
        except (TimeoutError, socket.timeout):
            pass
        except ConnectionError:
            self.ended = True
        return self.got

    def until(self, want, timeout=30):
        """Exactly these bytes come, no more."""
        end = time.monotonic() + timeout
        while len(self.got) < len(want) and not self.ended and time.monotonic() < end:
            self.pull(0.05)
        assert self.got == want
        self.got = b""

    def until_closed(self, timeout=30):
        end = time.monotonic() + timeout
        while not self.ended and time.monotonic() < end:
            self.pull(0.05)
        assert self.ended
        return self.got

    def silent(self, seconds=0.15):
        """Nothing comes (a few turns of the server are long over then)."""
        assert self.pull(seconds) == b"" and not self.ended


def has_lease(group):
    left = group.ha()["ha_lease_ms"]
    return isinstance(left, int) and left > 0


def executed(group, key, value):
    """By a read that waits for nothing."""
    group.eyes.config_set("ha-read", "dirty")
    wait_until(lambda: group.eyes.get(key) == value, every=0.003)
    group.eyes.config_set("ha-read", "committed")


def test_written_is_executed_and_answered_when_confirmed(group):
    c = Raw(group.primary)
    c.send("SET k 1")
    c.until(b"+OK\r\n")
    group.stop_replica()
    c.send("SET k 2", "PING")
    executed(group, "k", "2")
    c.silent()
    ha = group.ha()
    assert ha["ha_waiting_clients"] == 1 and ha["ha_waiting_bytes"] == len("+OK\r\n+PONG\r\n")
    group.go_on()
    c.until(b"+OK\r\n+PONG\r\n")
    wait_until(lambda: group.replica.connect().get("k") == "2")


def test_unconfirmed_once_and_closed(group):
    group.eyes.config_set("sync-timeout", 300)
    c, other = Raw(group.primary), Raw(group.primary)
    group.stop_replica()
    begin = time.monotonic()
    c.send("PING", "SET k 2", "INCR n", "PING")
    executed(group, "k", "2")
    got = c.until_closed()
    assert 0.25 < time.monotonic() - begin < 4         # not the lease
    assert got.startswith(b"+PONG\r\n-UNCONFIRMED ") and got.count(b"\r\n") == 2
    other.send("PING")
    other.until(b"+PONG\r\n")
    group.go_on()
    other.send("GET n")
    other.until(b"$1\r\n1\r\n")
    assert group.ha()["ha_unconfirmed_clients"] == 1


def test_without_an_option_the_lease_is_the_limit(tmp_path):
    g = Group(tmp_path, timing=(100, 800, 760, 1000, 100))
    try:
        c = Raw(g.primary)
        g.eyes.config_set("sync-timeout", 60000)      # more than the lease is not had
        g.stop_replica()
        begin = time.monotonic()
        c.send("SET k 2")
        assert c.until_closed().startswith(b"-UNCONFIRMED ")
        assert 0.7 < time.monotonic() - begin < 20
    finally:
        g.close()


def test_a_slow_command_costs_nobody_the_confirmation(group):
    """What ran in the turn of a slow command has its whole time from the end of that turn."""
    group.eyes.config_set("sync-timeout", 600)
    slow, c = Raw(group.primary), Raw(group.primary)
    for i in range(5):
        c.send("SET k %d" % i, "INCR n")
        slow.send("DEBUG SLEEP 0.9")
        c.until(b"+OK\r\n:%d\r\n" % (i + 1))
        slow.until(b"+OK\r\n")
        slow.send("INCR m", "DEBUG SLEEP 0.9", "INCR m")
        slow.until(b":%d\r\n+OK\r\n:%d\r\n" % (2 * i + 1, 2 * i + 2))


def test_long_pipelines(group):
    with group.primary.connect() as c:
        for _ in range(5):
            p = c.pipeline(transaction=False)
            for i in range(1000):
                p.set("key%d" % i, i)
                p.get("key%d" % i)
            answers = p.execute()
            assert answers[0::2] == [True] * 1000
            assert answers[1::2] == [str(i) for i in range(1000)]


def test_reads_in_three_modes(group):
    w, r = Raw(group.primary), Raw(group.primary)
    w.send("SET k 1")
    w.until(b"+OK\r\n")
    group.stop_replica()
    r.send("GET k")                          # all of it is confirmed, the lease is there: at once
    r.until(b"$1\r\n1\r\n")
    w.send("SET k 2")
    executed(group, "k", "2")
    r.send("GET other")                      # committed: everything it could have seen
    r.silent()
    leased = Raw(group.primary)
    group.eyes.config_set("ha-read", "leased")
    leased.send("GET k")
    leased.until(b"$1\r\n2\r\n")
    group.eyes.config_set("ha-read", "committed")
    leased.send("SETNX k 3")                 # a write that changes nothing says what it found
    leased.silent()
    group.go_on()
    w.until(b"+OK\r\n")
    r.until(b"$-1\r\n")
    leased.until(b":0\r\n")


def test_reads_without_a_lease(tmp_path):
    g = Group(tmp_path, timing=(100, 800, 760, 1000, 100))
    try:
        c = g.primary.connect()
        c.set("k", 1)
        g.stop_replica()                     # it would promise as well
        g.play.grants(False)
        wait_until(lambda: not has_lease(g), what="the lease to run out")
        with pytest.raises(redis.exceptions.ResponseError, match="MASTERDOWN"):
            c.get("k")
        with pytest.raises(redis.exceptions.ResponseError, match="NOREPLICAS"):
            c.set("k", 2)
        c.config_set("ha-read", "dirty")
        assert c.get("k") == "1"
        c.config_set("ha-read", "committed")
        g.play.grants(True)
        wait_until(lambda: c.get("k") == "1")
    finally:
        g.close()


def test_what_expired_is_a_write(group):
    c, r = Raw(group.primary), Raw(group.primary)
    c.send("SET k 1 PX 1000")
    c.until(b"+OK\r\n")
    group.stop_replica()
    time.sleep(1.1)                          # the time of the key, nobody's condition
    r.send("GET k")                          # finds it expired: its DEL waits for the replica
    r.silent(0.3)
    group.go_on()
    r.until(b"$-1\r\n")


def test_transactions_wait_whole(group):
    c = Raw(group.primary)
    group.stop_replica()
    c.send("MULTI", "SET a 1", "INCR a", "GET a")
    c.until(b"+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n")
    c.send("EXEC")
    c.silent()
    group.go_on()
    c.until(b"*3\r\n+OK\r\n:2\r\n$1\r\n2\r\n")
    c.send("WATCH a", "MULTI", "GET a")
    c.until(b"+OK\r\n+OK\r\n+QUEUED\r\n")
    group.stop_replica()
    other = Raw(group.primary)
    other.send("SET a 5")
    executed(group, "a", "5")
    c.send("EXEC")                           # null tells that somebody wrote: a read
    c.silent()
    group.go_on()
    other.until(b"+OK\r\n")
    c.until(b"*-1\r\n")


def test_a_write_and_an_answer_of_the_disk_wait_for_both(group):
    """CONFIG REWRITE is answered when the disk has it, in its place between what waits for the group."""
    queued = b"+OK\r\n" + b"+QUEUED\r\n" * 3
    c = Raw(group.primary)
    group.stop_replica()
    c.send("MULTI", "SET a 1", "CONFIG REWRITE", "GET a", "EXEC", "CONFIG REWRITE", "PING")
    executed(group, "a", "1")
    wait_until(lambda: "CONFIG REWRITE executed" in group.primary.log_text())
    assert c.pull(0.15) == queued
    c.got = b""
    group.go_on()
    c.until(b"*3\r\n+OK\r\n+OK\r\n$1\r\n1\r\n+OK\r\n+PONG\r\n")
    group.eyes.config_set("sync-timeout", 300)
    group.stop_replica()
    c.send("MULTI", "SET a 2", "CONFIG REWRITE", "GET a", "EXEC")
    assert c.until_closed().startswith(queued + b"-UNCONFIRMED executed here")
    assert group.eyes.info("ha")["ha_waiting_clients"] == 0


def test_it_ends_although_many_wait(tmp_path):
    """Nobody takes over, nothing is confirmed any more: whoever waits is told, or closed, and the process ends."""
    group = Group(tmp_path, lines=["shutdown-timeout 2"])
    try:
        group.stop_replica()
        waiting = [Raw(group.primary) for _ in range(40)]
        for i, c in enumerate(waiting):
            c.send("SET k%d 1" % i, "GET k%d" % i, "PING")
        wait_until(lambda: group.ha()["ha_waiting_clients"] >= 40)
        group.primary.signal(signal.SIGTERM)
        assert group.primary.proc.wait(60) == 0
        for c in waiting:
            assert c.until_closed()[:13] in (b"", b"-UNCONFIRMED ")
    finally:
        group.close()


def test_wait_still_waits(group):
    c = Raw(group.primary)
    c.send("SET k 1", "WAIT 1 0", "PING")
    c.until(b"+OK\r\n:1\r\n+PONG\r\n")
    group.stop_replica()
    c.send("SET k 2", "WAIT 1 0", "PING")
    c.silent()
    group.go_on()
    c.until(b"+OK\r\n:1\r\n+PONG\r\n")
    group.stop_replica()
    c.send("WAIT 2 100")                     # waits for nobody's confirmation, writes nothing
    c.until(b":1\r\n")
    group.go_on()


def test_pushes_stay_in_order(group):
    s, w = Raw(group.primary), Raw(group.primary)
    s.send("HELLO 3")
    while b"modules" not in s.pull(0.05):
        pass
    s.pull(0.1)
    s.got = b""
    s.send("SUBSCRIBE ch")
    s.until(b">3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n")
    group.stop_replica()
    w.send("SET k 1")
    executed(group, "k", "1")
    s.send("SET mine 1")
    executed(group, "mine", "1")
    p = Raw(group.primary)
    p.send("PUBLISH ch hi")                  # no write; comes while the subscriber's own answer waits: behind it
    p.until(b":1\r\n")
    s.silent()
    group.go_on()
    s.until(b"+OK\r\n>3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$2\r\nhi\r\n")
    w.until(b"+OK\r\n")


def test_invalidations_stay_in_order(group):
    s, w = Raw(group.primary), Raw(group.primary)
    s.send("HELLO 3")
    while b"modules" not in s.pull(0.05):
        pass
    s.pull(0.1)
    s.got = b""
    s.send("CLIENT TRACKING ON", "GET k")
    s.until(b"+OK\r\n_\r\n")
    group.stop_replica()
    s.send("SET mine 1")
    executed(group, "mine", "1")
    w.send("SET k 2")
    executed(group, "k", "2")
    s.silent()
    group.go_on()
    s.until(b"+OK\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n")
    w.until(b"+OK\r\n")


def test_quit_kill_off_and_monitor(group):
    quits, off, killed, monitor = (Raw(group.primary) for _ in range(4))
    monitor.send("MONITOR")
    monitor.until(b"+OK\r\n")
    killed.send("CLIENT ID")
    while not killed.pull(0.05).endswith(b"\r\n"):
        pass
    number = killed.got[1:-2].decode()
    killed.got = b""
    group.stop_replica()
    quits.send("SET a 1", "QUIT")
    off.send("CLIENT REPLY OFF", "SET b 1", "SET b 2")
    killed.send("SET c 1")
    executed(group, "b", "2")
    executed(group, "c", "1")
    wait_until(lambda: b'"SET" "c" "1"' in monitor.pull(0.05))
    quits.silent()
    killed.silent()
    group.eyes.execute_command("CLIENT", "KILL", "ID", number)
    assert killed.until_closed() == b""
    off.send("CLIENT REPLY ON")
    off.until(b"+OK\r\n")
    assert group.ha()["ha_waiting_clients"] == 1
    group.go_on()
    assert quits.until_closed() == b"+OK\r\n+OK\r\n"


def test_one_who_never_waits_is_stopped(group):
    """What waits of one client is bounded, and so is what is run of its requests."""
    group.eyes.set("big", "x" * 10000)
    c = Raw(group.primary)
    group.stop_replica()
    c.send("SET k 1", *["GET big"] * 500)
    wait_until(lambda: group.ha()["ha_waiting_stopped"] == 1, every=0.003)
    assert group.ha()["ha_waiting_bytes"] < 7 << 20
    c.send("SET k 2")                        # is not even executed
    group.eyes.config_set("ha-read", "dirty")
    assert group.eyes.get("k") == "1"
    group.eyes.config_set("ha-read", "committed")
    group.go_on()
    c.until(b"+OK\r\n" + b"$10000\r\n%s\r\n" % (b"x" * 10000) * 500 + b"+OK\r\n")
    assert group.ha()["ha_waiting_stopped"] == 0


def test_demoted_unconfirmed_then_readonly_once(group):
    waits, idle, writer = (Raw(group.primary) for _ in range(3))
    for c in (idle, writer):
        c.send("PING")
        c.until(b"+PONG\r\n")
    group.stop_replica()
    waits.send("SET lost 1")
    executed(group, "lost", "1")
    group.play.seal(group.primary, 5)
    assert waits.until_closed().startswith(b"-UNCONFIRMED ")
    writer.send("SET k 1")
    wait_until(lambda: writer.pull(0.05).startswith(b"-NOREPLICAS "))
    writer.got = b""
    group.go_on()
    group.play.promote(group.replica, 6)
    wait_until(lambda: group.ha()["ha_state"] == "follower" and group.primary.info("replication")["master_link_status"] == "up")
    writer.send("SET k 1", "SET k 2")
    got = writer.until_closed()
    assert got.startswith(b"-READONLY ") and got.count(b"\r\n") == 1
    idle.send("PING", "GET k")
    idle.until(b"+PONG\r\n$-1\r\n")
    fresh = Raw(group.primary)               # came knowing what it is
    fresh.send("SET k 1", "PING")
    while not fresh.pull(0.1).endswith(b"+PONG\r\n"):
        pass
    assert fresh.got.startswith(b"-READONLY ")
    with group.replica.connect() as c:
        assert c.set("k", 3)                 # ("lost" may be there: the replica had it in its socket)


def test_benchmark_client(group):
    tool = "redis-benchmark"
    out = subprocess.run([tool, "-p", str(group.primary.port), "-c", "50", "-P", "16", "-n", "100000", "-t", "set,get", "-r",
                          "10000", "-q"], capture_output=True, text=True, timeout=120)
    assert out.returncode == 0 and "SET:" in out.stdout and "GET:" in out.stdout, out.stdout + out.stderr
    ha = group.ha()
    assert ha["ha_waiting_clients"] == 0 and ha["ha_unconfirmed_clients"] == 0
    wait_until(lambda: group.replica.connect().dbsize() == group.primary.connect().dbsize())


def test_one_who_says_no_more_hears_the_answer(group):
    c = Raw(group.primary)
    group.stop_replica()
    c.send("SET k 1", "GET k")
    c.sock.shutdown(socket.SHUT_WR)          # as at the end of a pipe
    executed(group, "k", "1")
    c.silent()
    group.go_on()
    assert c.until_closed() == b"+OK\r\n$1\r\n1\r\n"


def test_alone_in_its_group(tmp_path):
    """k = 0: nobody is waited for, nor asked for a lease."""
    yard = Yard(folder=str(tmp_path))
    play = Play()
    try:
        node = yard.node("alone")
        play.form([node], k=0, mode="prefer")
        play.grants(False)
        c = Raw(node)
        took = []
        for i in range(20):
            begin = time.monotonic()
            c.send("SET k %d" % i, "GET k", "INCR n")
            c.until(b"+OK\r\n$%d\r\n%d\r\n:%d\r\n" % (len(str(i)), i, i + 1))
            took.append(time.monotonic() - begin)
        assert min(took[1:]) < 0.05                          # no tick of the server was waited for
        assert node.info("ha")["ha_waiting_clients"] == 0
    finally:
        play.close()
        yard.close()
