"""How a node ends: everything that it answered is in its file, replicas go on from there, and nothing makes it wait for ever."""
import os
import signal
import socket
import threading
import time

import pytest
import redis
from harness import wait_until
from replicas import follow, same_digest, wait_in_sync

SAVES = ["save 3600 1000000"]


def request(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def until_closed(s):
    got = b""
    while True:
        try:
            more = s.recv(65536)
        except ConnectionResetError:
            more = b""
        if not more:
            return got
        got += more


@pytest.mark.parametrize("behind", [1, 3000])
def test_what_comes_behind_the_last_save_is_not_answered(yard, behind):
    """In the same turn, from whoever asked for the end and from somebody else."""
    node = yard.node("node", lines=SAVES)
    s = socket.create_connection(("127.0.0.1", node.port))
    s.settimeout(20)
    s.sendall(request(b"SET", b"before", b"1") + request(b"SHUTDOWN") +
              b"".join(request(b"SET", b"behind:%d" % i, b"1") for i in range(behind)))
    got = until_closed(s)
    assert node.proc.wait(60) == 0
    assert got == b"+OK\r\n", got[:100]
    node.start()
    with node.connect() as c:
        assert c.keys() == ["before"]


def test_what_was_answered_while_it_ended_is_there(yard):
    node = yard.node("node", lines=SAVES)
    answered, stop = {}, []

    def write(n):
        i = 0
        try:
            with node.connect() as c:
                while True:
                    i += 1
                    with c.pipeline(transaction=False) as p:
                        for k in range(50):
                            p.set("%d:%d" % (n, k), i)
                        p.execute()
                    answered[n] = i
        except (redis.exceptions.RedisError, OSError):
            pass

    for round in range(5):
        answered.clear()
        threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
        for t in threads:
            t.start()
        wait_until(lambda: len(answered) == 4)
        assert node.stop() == 0
        for t in threads:
            t.join()
        node.start()
        with node.connect() as c:
            wait_until(lambda: c.info("persistence")["loading"] == 0)
            for n, i in answered.items():
                for k in range(50):
                    assert int(c.get("%d:%d" % (n, k))) >= i, (n, k, i)


def test_clean_restarts_need_no_full_copy(yard):
    """Of a replica and of the primary, while writers are at it: replicas that have everything go on from where they are."""
    primary = yard.node("primary", lines=SAVES)
    replicas = [yard.node("replica%d" % i, lines=follow(primary) + SAVES) for i in range(2)]
    for r in replicas:
        wait_in_sync(primary, r)
    stop = []

    def write():
        i = 0
        while not stop:
            try:
                with primary.connect() as c:
                    while not stop:
                        i += 1
                        c.set("k%d" % (i % 100), i)
                        c.set("short%d" % (i % 10), i, px=5)
            except (redis.exceptions.RedisError, OSError):
                time.sleep(0.02)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for node in replicas:
            full = primary.info("stats")["sync_full"]
            assert node.stop() == 0
            node.start()
            wait_until(lambda: node.info("replication")["master_link_status"] == "up")
            assert primary.info("stats")["sync_full"] == full == 2
        for _ in range(3):
            assert primary.stop() == 0
            primary.start()
            for r in replicas:
                wait_until(lambda: r.info("replication")["master_link_status"] == "up")
            assert primary.info("stats")["sync_full"] == 0
    finally:
        stop.append(1)
        writer.join()
    for r in replicas:
        wait_in_sync(primary, r)
        same_digest(primary, r)


def test_a_background_save_does_not_hold_up_the_end(yard):
    node = yard.node("node", lines=SAVES + ["rdb-key-save-delay 100000"])
    with node.connect() as c:
        for i in range(100):
            c.set("k%d" % i, i)
        c.bgsave()
        c.config_set("rdb-key-save-delay", 0)
        c.set("last", 1)
        child = wait_until(lambda: int(open("/proc/%d/task/%d/children" % (node.pid, node.pid)).read().split()[0]))
    os.kill(child, signal.SIGSTOP)
    begin = time.monotonic()
    assert node.stop() == 0
    assert time.monotonic() - begin < 30
    assert not [n for n in os.listdir(node.folder) if n.startswith("temp-")]
    node.start()
    with node.connect() as c:
        assert c.get("last") == "1" and c.dbsize() == 101


def test_asking_again_does_not_prolong_the_wait(yard):
    primary = yard.node("primary", lines=SAVES + ["shutdown-timeout 4"])
    replica = yard.node("replica", lines=follow(primary))
    wait_in_sync(primary, replica)
    replica.signal(signal.SIGSTOP)
    with primary.connect() as c:
        c.set("k", 1)
    begin = time.monotonic()
    asking = []
    while primary.proc.poll() is None:
        assert time.monotonic() - begin < 15, primary.tail()
        try:
            s = socket.create_connection(("127.0.0.1", primary.port))
            s.sendall(request(b"SHUTDOWN"))
            asking.append(s)
        except OSError:
            pass
        time.sleep(0.3)
    assert primary.proc.returncode == 0
    assert time.monotonic() - begin < 9
    replica.signal(signal.SIGCONT)
