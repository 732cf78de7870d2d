"""FAILOVER on a node: kvnode and redis-server hand over to each other under load and lose nothing,
with the same words; what is aborted, refused or late leaves everything as it was."""
import signal
import socket
import time

import pytest
import redis
from conftest import need
from harness import free_port, wait_until
from replicas import Writer, follow, in_sync, same_digest, wait_in_sync

PAIRS = [pytest.param("kvnode", "kvnode", marks=pytest.mark.alone), ("kvnode", "redis-server"), ("redis-server", "kvnode")]


def pair(yard, first, second, lines=()):
    need("redis-server")
    a = yard.node("first", first, lines)
    b = yard.node("second", second, follow(a) + list(lines))
    wait_in_sync(a, b)
    return a, b


def state(node):
    return node.info("replication")["master_failover_state"]


def role(node):
    return node.info("replication")["role"]


def failover(node, *words):
    with node.connect() as c:
        return c.execute_command("FAILOVER", *words)


def error_of(node, *words):
    with node.connect() as c:
        with pytest.raises(redis.exceptions.ResponseError) as e:
            c.execute_command(*words)
        return str(e.value)


@pytest.mark.parametrize("first,second", PAIRS)
def test_nothing_is_lost(yard, first, second):
    a, b = pair(yard, first, second)
    third = yard.node("third", "kvnode", follow(a))
    wait_in_sync(a, third)
    writers = [Writer([a, b], "w%d" % i) for i in range(4)]
    for w in writers:
        w.start()
    wait_until(lambda: all(len(w.acked) > 200 for w in writers), 30)
    full = b.info("stats")["sync_full"]
    failover(a, "TO", "127.0.0.1", b.port, "TIMEOUT", 10000)
    wait_until(lambda: role(b) == "master" and role(a) == "slave", 40)
    seen = [len(w.acked) for w in writers]
    wait_until(lambda: all(len(w.acked) > n + 200 for w, n in zip(writers, seen)), 30)
    for w in writers:
        w.stop_now = True
        w.join()
    with b.connect() as c:
        for w in writers:
            for i in range(0, len(w.acked), 1000):
                keys = w.acked[i:i + 1000]
                assert c.exists(*keys) == len(keys)
    wait_in_sync(b, a)
    same_digest(a, b)
    assert b.info("stats")["sync_full"] == full              # who gave the office needed no copy
    assert state(a) == state(b) == "no-failover"
    wait_until(lambda: in_sync(a, third) and third.info("replication")["master_replid"] == b.info("replication")["master_replid"], 30)
    if first == second == "kvnode":
        assert max(w.longest for w in writers) < 0.5


def test_whoever_is_level_and_back_again(yard):
    a, b = pair(yard, "kvnode", "kvnode")
    for old, new in ((a, b), (b, a)):
        failover(old)
        wait_until(lambda: role(new) == "master" and role(old) == "slave", 40)
        wait_in_sync(new, old)
        with new.connect() as c:
            c.incr("n")
    wait_in_sync(a, b)
    with b.connect() as c:
        assert c.get("n") == "2"


@pytest.mark.parametrize("engine", ["kvnode", "redis-server"])
def test_words(yard, engine):
    """The same questions, the same answers as redis-server gives."""
    a, b = pair(yard, engine, "kvnode")
    lone = yard.node("lone", engine)
    assert error_of(a, "FAILOVER", "ABORT") == "No failover in progress."
    assert error_of(lone, "FAILOVER") == "FAILOVER requires connected replicas."
    assert error_of(a, "FAILOVER", "TO", "127.0.0.1", free_port()) == "FAILOVER target HOST and PORT is not a replica."
    assert error_of(a, "FAILOVER", "TO", "127.0.0.1", b.port, "FORCE") == (
        "FAILOVER with force option requires both a timeout and target HOST and IP.")
    assert error_of(a, "FAILOVER", "TIMEOUT", 100, "FORCE") == (
        "FAILOVER with force option requires both a timeout and target HOST and IP.")
    assert error_of(a, "FAILOVER", "TIMEOUT", 0) == "FAILOVER timeout must be greater than 0"
    assert error_of(a, "FAILOVER", "TIMEOUT", "x") == "value is not an integer or out of range"
    assert error_of(a, "FAILOVER", "TO", "127.0.0.1") == "syntax error"
    assert error_of(a, "FAILOVER", "ABORT", "TIMEOUT", 5) == "syntax error"
    with lone.connect() as c:
        c.execute_command("REPLICAOF", "127.0.0.1", a.port)
    assert error_of(lone, "FAILOVER") == "FAILOVER is not valid when server is a replica."
    assert error_of(a, "PSYNC", "?", -1, "FAILOVER") == "PSYNC FAILOVER can't be sent to a master."
    wait_in_sync(a, lone)
    assert error_of(lone, "PSYNC", "0" * 40, 1, "FAILOVER") == "PSYNC FAILOVER replid must match my replid."
    assert role(lone) == "slave"


def test_abort_while_waiting(yard):
    a, b = pair(yard, "kvnode", "kvnode")
    b.signal(signal.SIGSTOP)
    with a.connect() as c:
        c.set("k", 1)
    failover(a)
    assert state(a) == "waiting-for-sync"
    assert error_of(a, "FAILOVER") == "FAILOVER already in progress."
    assert error_of(a, "REPLICAOF", "NO", "ONE") == "REPLICAOF not allowed while failing over."
    w = Writer([a], "waits")
    w.start()
    time.sleep(0.2)
    assert w.acked == []                                     # writes wait
    with a.connect() as c:
        assert c.get("k") == "1"                             # reads do not
    failover(a, "ABORT")
    wait_until(lambda: len(w.acked) > 10, 40)
    w.stop_now = True
    w.join()
    assert state(a) == "no-failover" and role(a) == "master"
    b.signal(signal.SIGCONT)
    wait_in_sync(a, b)


def test_too_late(yard):
    """A replica that hangs: after TIMEOUT all is as before, with no failed write."""
    a, b = pair(yard, "kvnode", "kvnode")
    b.signal(signal.SIGSTOP)
    with a.connect() as c:
        c.set("k", 1)
    w = Writer([a], "w")
    w.start()
    wait_until(lambda: len(w.acked) > 10, 40)
    failover(a, "TO", "127.0.0.1", b.port, "TIMEOUT", 300)
    wait_until(lambda: state(a) == "no-failover", 40)
    n = len(w.acked)
    wait_until(lambda: len(w.acked) > n + 10, 40)
    w.stop_now = True
    w.join()
    assert role(a) == "master" and w.longest > 0.25
    b.signal(signal.SIGCONT)
    wait_in_sync(a, b)


@pytest.mark.parametrize("first,second", [("kvnode", "kvnode"), ("kvnode", "redis-server")])
def test_forced(yard, first, second):
    """FORCE goes although the target is behind: what it lacked is lost, as with Redis, and it leads."""
    a, b = pair(yard, first, second)
    b.signal(signal.SIGSTOP)
    with a.connect() as c:
        c.set("behind", 1)
    failover(a, "TO", "127.0.0.1", b.port, "TIMEOUT", 200, "FORCE")
    wait_until(lambda: state(a) == "failover-in-progress", 40)
    assert role(a) == "slave"
    b.signal(signal.SIGCONT)
    wait_until(lambda: role(b) == "master" and state(a) == "no-failover", 40)
    wait_in_sync(b, a)
    same_digest(a, b)


def test_refused_by_the_target(yard):
    """The target was promoted by somebody else meanwhile: the office stays where it was."""
    a, b = pair(yard, "kvnode", "kvnode")
    b.signal(signal.SIGSTOP)
    with a.connect() as k:
        k.set("k", 1)
    s = socket.create_connection(("127.0.0.1", b.port))
    s.sendall(b"*3\r\n$9\r\nREPLICAOF\r\n$2\r\nNO\r\n$3\r\nONE\r\n")     # lies in its socket before our PSYNC does
    failover(a, "TO", "127.0.0.1", b.port, "TIMEOUT", 200, "FORCE")
    wait_until(lambda: state(a) == "failover-in-progress", 40)
    b.signal(signal.SIGCONT)
    wait_until(lambda: state(a) == "no-failover", 40)
    s.close()
    assert role(a) == "master"
    assert "can't be sent to a master" in a.log_text()
    with a.connect() as k:
        assert k.set("again", 1)


def test_abort_while_going(yard):
    """The target died before it could be asked: TIMEOUT undoes it; or an operator does."""
    a, b = pair(yard, "kvnode", "kvnode")
    b.signal(signal.SIGSTOP)
    with a.connect() as c:
        c.set("k", 1)
    failover(a, "TO", "127.0.0.1", b.port, "TIMEOUT", 200, "FORCE")
    wait_until(lambda: state(a) == "failover-in-progress", 40)
    b.kill()
    with a.connect() as c:
        assert c.execute_command("FAILOVER", "ABORT")
        assert role(a) == "master" and state(a) == "no-failover"
        assert c.set("k", 2)
    b.start()
    wait_in_sync(a, b)
    same_digest(a, b)


def test_a_pause_of_a_client_stays(yard):
    a, b = pair(yard, "kvnode", "kvnode")
    b.signal(signal.SIGSTOP)
    with a.connect() as c:
        c.set("k", 1)
        c.execute_command("CLIENT", "PAUSE", 6000, "WRITE")
        failover(a, "TIMEOUT", 200)
        wait_until(lambda: state(a) == "no-failover", 40)
        t = time.monotonic()
        c.set("k", 2)
        assert time.monotonic() - t > 1.0
    b.signal(signal.SIGCONT)


def test_leaving_meanwhile(yard):
    """Told to stop while it hands over: the end of the one does not open the door that the other has closed."""
    a, b = pair(yard, "kvnode", "kvnode", ["shutdown-timeout 2"])
    b.signal(signal.SIGSTOP)
    with a.connect() as c:
        c.set("k", 1)
    failover(a, "TIMEOUT", 300)
    a.signal(signal.SIGTERM)
    wait_until(lambda: "scheduling shutdown" in a.log_text(), 30)
    w = Writer([a], "w")
    w.start()
    wait_until(lambda: not a.is_alive(), 40)
    w.stop_now = True
    assert w.acked == []
    b.signal(signal.SIGCONT)


def test_a_hand_over_is_called_off_by_a_bind(yard):
    """A group is being formed while FAILOVER waits for its target: the bound primary does not follow anybody afterwards, and
    its writers do not go on waiting. It could not even be called back, since a bound node takes no plain order."""
    import os
    from ha_play import Play
    a = yard.node("a", lines=["state-dir " + os.path.join(yard.folder, "a-state"), "ha-port %d" % free_port()])
    b = yard.node("b", lines=["replicaof 127.0.0.1 %d" % a.port])
    wait_until(lambda: b.info("replication")["master_link_status"] == "up", 20)
    play = Play()
    try:
        for v in play.voters:
            v.attach(a)
        play.look(a)
        with a.connect() as k:
            b.signal(signal.SIGSTOP)
            k.set("x", 1)
            assert k.execute_command("FAILOVER", "TO", "127.0.0.1", b.port, "TIMEOUT", 60000)
            assert a.info("replication")["master_failover_state"] == "waiting-for-sync"
            pid, life, _ = play.ids[a]
            assert play.voters[0].ask(a, "bind", "bound", ballot=3, node=pid, node_life=life).get("ok")
            b.signal(signal.SIGCONT)
            wait_until(lambda: a.info("replication")["master_failover_state"] == "no-failover", what="the hand-over to be called off")
            assert a.info("replication")["role"] == "master" and b.info("replication")["role"] == "slave"
            wait_until(lambda: k.set("y", 1), what="its writers to go on")
    finally:
        b.signal(signal.SIGCONT)
        play.close()
