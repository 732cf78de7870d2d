"""Corners of a data node that somebody ran into: each once, as small as it shows."""
import os
import signal
import socket
import struct

import pytest
import redis
from harness import free_port, wait_until
from replicas import follow, same_digest, wait_in_sync


def request(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def test_a_prefix_of_any_bytes_is_forgotten_with_its_client(yard):
    node = yard.node("node")
    with node.connect() as c, node.connect(single_connection_client=True) as t:
        t.execute_command("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", b"a\0b", "PREFIX", b"c\0")
        with pytest.raises(redis.exceptions.ResponseError, match="overlaps"):
            t.execute_command("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", b"a\0bc")
        t.execute_command("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", b"a\0b")
        assert t.execute_command("CLIENT", "TRACKINGINFO")[-1] == ["a\0b", "c\0"]
        assert c.info("stats")["tracking_total_prefixes"] == 2
        t.execute_command("CLIENT", "TRACKING", "OFF")
        assert c.info("stats")["tracking_total_prefixes"] == 0


def test_readers_that_left_are_forgotten(yard):
    """A key that never changes, read by clients that come and go."""
    node = yard.node("node")
    with node.connect() as c:
        c.set("k", 1)
        for i in range(1000):
            s = socket.create_connection(("127.0.0.1", node.port))
            s.sendall(request(b"HELLO", b"3") + request(b"CLIENT", b"TRACKING", b"ON") + request(b"GET", b"k"))
            got = b""
            while not got.endswith(b"$1\r\n1\r\n"):
                got += s.recv(4096)
            s.close()
        wait_until(lambda: c.info("clients")["connected_clients"] == 1)
        assert c.info("stats")["tracking_total_items"] < 200
        c.set("k", 2)
        assert c.info("stats")["tracking_total_items"] == 0


def test_client_kill_knows_every_user(yard):
    node = yard.node("node")
    with node.connect() as c:
        c.execute_command("ACL", "SETUSER", "ann", "on", ">pw", "~*", "+@all")
        with node.connect(username="ann", password="pw") as a:
            assert a.ping()
            assert c.execute_command("CLIENT", "KILL", "USER", "ann") == 1
        assert c.execute_command("CLIENT", "KILL", "USER", "ann") == 0
        with pytest.raises(redis.exceptions.ResponseError, match="No such user"):
            c.execute_command("CLIENT", "KILL", "USER", "bob")


def test_random_fields_without_end(yard):
    node = yard.node("node")
    with node.connect() as c:
        c.hset("h", "f", "v")
        with pytest.raises(redis.exceptions.ResponseError, match="out of range"):
            c.execute_command("HRANDFIELD", "h", "-9223372036854775807")
        assert len(c.execute_command("HRANDFIELD", "h", "-1000")) == 1000


@pytest.mark.parametrize("what", ["dbfilename", "dir"])
def test_another_file_name_during_a_copy(yard, what):
    """A copy for a replica is being written when the name of the file, or its folder, changes: the replica gets what was written."""
    primary = yard.node("primary", lines=["rdb-key-save-delay 20000", "enable-protected-configs yes"])
    other = os.path.join(primary.folder, "other")
    os.mkdir(other)
    with primary.connect() as c:
        c.set("wrong", "data")
        c.config_set("rdb-key-save-delay", 0)
        if what == "dbfilename":
            c.config_set("dbfilename", "other.rdb")
        else:
            c.config_set("dir", other)
        c.save()
        c.config_set("dbfilename", "dump.rdb")
        c.config_set("dir", primary.folder)
        c.delete("wrong")
        for i in range(100):
            c.set("k%d" % i, i)
        c.config_set("rdb-key-save-delay", 20000)
        replica = yard.node("replica", lines=follow(primary))
        wait_until(lambda: c.info("persistence")["rdb_bgsave_in_progress"] == 1)
        if what == "dbfilename":
            c.config_set("dbfilename", "other.rdb")
        else:
            c.config_set("dir", other)
    wait_in_sync(primary, replica)
    same_digest(primary, replica)
    assert not [n for n in os.listdir(primary.folder) + os.listdir(other) if n.startswith("temp-")]


def test_replicas_that_vanish_while_they_are_fed(yard):
    """With a reset, at any moment of a copy: the primary goes on, and the next one gets its copy."""
    primary = yard.node("primary", lines=["rdbcompression no"])
    with primary.connect() as c:
        c.execute_command("DEBUG", "POPULATE", 30000, "key", 1000)
        for i in range(60):
            s = socket.create_connection(("127.0.0.1", primary.port))
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            s.sendall(request(b"PSYNC", b"?", b"-1"))
            got = b""
            s.settimeout(20)
            while b"$" not in got:
                got += s.recv(4096)
            for _ in range(i % 20):
                s.recv(300000)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
        assert c.ping()
        wait_until(lambda: c.info("replication")["connected_slaves"] == 0)
    replica = yard.node("replica", lines=follow(primary))
    wait_in_sync(primary, replica)
    same_digest(primary, replica)


def test_a_slow_replica_does_not_fill_the_memory_of_writers(yard):
    """What waits for replicas does not count for maxmemory."""
    primary = yard.node("primary", lines=["client-output-buffer-limit replica 0 0 0", "repl-backlog-size 16kb"])
    replica = yard.node("replica", lines=follow(primary))
    wait_in_sync(primary, replica)
    with primary.connect() as c:
        replica.signal(signal.SIGSTOP)
        used = c.info("memory")["used_memory"]
        c.config_set("maxmemory", used + (4 << 20))
        value = "x" * 100000
        for i in range(400):
            c.set("k", value)
        assert c.info("memory")["used_memory"] > used + (4 << 20)
        replica.signal(signal.SIGCONT)
        wait_in_sync(primary, replica)
        with pytest.raises(redis.exceptions.ResponseError, match="OOM"):
            for i in range(100):
                c.set("k%d" % i, value)


def test_many_die_together(yard):
    """CLIENT KILL of everybody, some of whom wait or are fed."""
    node = yard.node("node")
    replica = yard.node("replica", lines=follow(node))
    wait_in_sync(node, replica)
    with node.connect() as c:
        waiting = []
        for i in range(50):
            s = socket.create_connection(("127.0.0.1", node.port))
            s.sendall(request(b"WAIT", b"7", b"0") if i % 2 else request(b"SUBSCRIBE", b"x"))
            waiting.append(s)
        wait_until(lambda: c.info("clients")["connected_clients"] >= 51)
        for kind in ("normal", "pubsub", "replica"):
            c.execute_command("CLIENT", "KILL", "TYPE", kind)
        wait_until(lambda: c.info("clients")["connected_clients"] <= 2)
        wait_in_sync(node, replica)


def test_clients_leave_descriptors_for_sentinels(yard):
    """Few files may be open: clients that pile up are refused, and whoever comes to the control port is still let in."""
    ha = free_port()
    node = yard.node("node", lines=["ha-port %d" % ha], start=False)
    wrapper = os.path.join(yard.folder, "few")
    with open(wrapper, "w") as f:
        f.write('#!/bin/sh\nulimit -n 300\nexec %s "$@"\n' % node.program)
    os.chmod(wrapper, 0o755)
    node.program = wrapper
    node.start()
    many = [socket.create_connection(("127.0.0.1", node.port)) for _ in range(400)]
    with redis.Redis("127.0.0.1", ha, decode_responses=True, socket_timeout=10) as c:
        assert c.ping()
        assert c.bgsave()
        wait_until(lambda: c.info("persistence")["rdb_bgsave_in_progress"] == 0)
        assert c.info("persistence")["rdb_last_bgsave_status"] == "ok"
    assert "needs more open files" in node.log_text()
    del many
