"""A million strings and hashes, many with an expiry, from Redis to kvnode and from kvnode to Redis;
then a cut link that must be continued, not copied anew."""
import os
import socket
import subprocess
import time

import pytest
from conftest import need
from harness import wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
KEYS = int(os.environ.get("KVORUM_MILLION", "1000000"))


def fill(port, keys):
    """Mass insertion in the protocol itself; replies are read and counted."""
    far = int(time.time()) + 86400
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.settimeout(120)

        def command(*words):
            return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)

        sent = answered = 0
        rest = b""
        for base in range(0, keys, 2000):
            out = []
            for i in range(base, min(base + 2000, keys)):
                if i % 4 == 3:
                    words = [b"HSET", b"h:%d" % i]
                    for f in range(1 + i % 7):
                        words += [b"field:%d" % f, b"%d" % (i * f) if f % 2 else b"text-" * (1 + i % 9)]
                    out.append(command(*words))
                elif i % 4 == 2:
                    out.append(command(b"SET", b"n:%d" % i, b"%d" % (i * 31)))
                else:
                    out.append(command(b"SET", b"s:%d" % i, b"value-%d-" % i * (1 + i % 5)))
                sent += 1
                if i % 5 == 0:
                    name = (b"h:%d" if i % 4 == 3 else b"n:%d" if i % 4 == 2 else b"s:%d") % i
                    out.append(command(b"EXPIREAT", name, b"%d" % (far + i % 1000)))
                    sent += 1
            s.sendall(b"".join(out))
            while answered < sent:
                piece = s.recv(1 << 20)
                assert piece, "the server closed the connection"
                got = rest + piece
                lines = got.split(b"\r\n")
                rest = lines.pop()
                bad = [l for l in lines if l.startswith(b"-")]
                assert not bad, bad[0]
                answered += len(lines)


def compare(a, b):
    r = subprocess.run(["/usr/bin/python3", os.path.join(HERE, "compare_datasets.py"),
                        "127.0.0.1:%d" % a.port, "127.0.0.1:%d" % b.port], capture_output=True, text=True, timeout=900)
    assert r.returncode == 0, r.stdout[-3000:] + r.stderr[-2000:]
    return r.stdout


def in_sync(primary, replica):
    r, p = replica.info("replication"), primary.info("replication")
    return r["master_link_status"] == "up" and int(r["slave_repl_offset"]) == int(p["master_repl_offset"])


@pytest.mark.long
@pytest.mark.parametrize("source,target", [("redis-server", "kvnode"), ("kvnode", "redis-server")])
def test_a_million_keys(yard, source, target):
    need(source), need(target)
    lines = ["repl-backlog-size 16mb"]
    primary = yard.node("primary", source, lines)
    fill(primary.port, KEYS)
    replica = yard.node("replica", target, lines + ["replicaof 127.0.0.1 %d" % primary.port])
    wait_until(lambda: in_sync(primary, replica), 300, every=0.2, what="the full sync")
    print(compare(primary, replica))
    # Cut the link: what was written meanwhile comes by partial resync.
    before = primary.info("stats")
    with primary.connect() as c:
        c.execute_command("CLIENT", "KILL", "TYPE", "replica")
        pipe = c.pipeline(transaction=False)
        for i in range(5000):
            pipe.set("after:%d" % i, i)
            pipe.hset("afterh:%d" % (i % 50), "f%d" % i, i)
        pipe.execute()
    wait_until(lambda: in_sync(primary, replica), 120, every=0.1, what="the partial resync")
    after = primary.info("stats")
    assert int(after["sync_full"]) == int(before["sync_full"]), "the cut link cost a full copy"
    assert int(after["sync_partial_ok"]) > int(before["sync_partial_ok"])
    print(compare(primary, replica))
