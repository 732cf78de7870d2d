"""Replicas and what they are held against: in sync, the same keys, the same digest; data of every kind, writers, a proxy
that cuts."""
import os
import random
import socket
import subprocess
import threading
import time

import redis
from harness import free_port, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))


def follow(primary):
    return ["replicaof 127.0.0.1 %d" % primary.port]


def in_sync(primary, replica):
    r, p = replica.info("replication"), primary.info("replication")
    return (r["role"] == "slave" and r["master_link_status"] == "up" and
            int(r["slave_repl_offset"]) == int(p["master_repl_offset"]))


def wait_in_sync(primary, *replicas, timeout=60):
    for r in replicas:
        wait_until(lambda: in_sync(primary, r), timeout, what="%s in sync with %s" % (r.name, primary.name))


def compare(a, b):
    """Equal, key by key; again when not, because a key may expire between the two looks."""
    for _ in range(5):
        r = subprocess.run(["/usr/bin/python3", os.path.join(HERE, "compare_datasets.py"),
                            "127.0.0.1:%d" % a.port, "127.0.0.1:%d" % b.port], capture_output=True, text=True, timeout=300)
        if r.returncode == 0:
            return
        time.sleep(0.4)
    raise AssertionError(r.stdout[-3000:] + r.stderr[-2000:])


def same_digest(*nodes):
    """Keys expire on the primary first, so equality may take a moment."""
    def equal():
        seen = []
        for n in nodes:
            with n.connect() as c:
                seen.append(c.execute_command("DEBUG", "DIGEST"))
        return len(set(seen)) == 1

    wait_until(equal, 40, what="equal digests")


def fill_every_encoding(c, seed=1):
    """Strings and hashes of every form Redis keeps or writes them in, in three databases, some with deadlines."""
    rnd = random.Random(seed)
    for db in (0, 3, 15):
        c.execute_command("SELECT", db)
        p = c.pipeline(transaction=False)
        for n in (0, 1, -1, 12, 127, 128, -128, -129, 32767, 32768, -32769, 2147483647, 2147483648, -2147483649,
                  9223372036854775807, -9223372036854775808):
            p.set("int:%d" % n, n)
        for text in ("", "0012", "+1", "1.5", " 1", "-0", "a" * 44, "a" * 45, "x" * 100000, "\x00\x01\xff" * 30,
                     "12345678901", "123456789012345678901234567890"):
            p.set("text:%d:%s" % (len(text), text[:8]), text)
        p.set("random", bytes(rnd.randrange(256) for _ in range(50000)))
        p.set("squeezable", "abc" * 20000)
        p.append("appended", "raw")
        p.append("appended", "-more")
        p.setrange("ranged", 1000, "x")
        for fields in (1, 2, 100, 128, 129, 512, 513, 3000):
            p.hset("hash:%d" % fields, mapping={("f%d" % i if i % 2 else str(i)): rnd.choice([i, -i * 1000, "v" * (i % 60), 2 ** 40 + i])
                                                for i in range(fields)})
        p.hset("hash:longvalue", mapping={"a": "x" * 65, "b": "1"})
        p.hset("hash:longer", mapping={"a": "x" * 5000, "b" * 300: ""})
        p.hset("hash:binary", mapping={b"\x00\xff": b"\xff\x00", b"": b""})
        for i in range(200):
            p.set("exp:%d" % i, i, ex=3600 + i)
            p.hset("hexp:%d" % i, "f", i)
            p.expire("hexp:%d" % i, 7200 + i)
        for i in range(300):
            p.set("soon:%d" % i, i, px=rnd.randrange(300, 1200))
        p.execute()


def write_some(c, n=500, seed=7):
    """A mixture of every kind of write, transactions included."""
    rnd = random.Random(seed)
    for db in (0, 3):
        c.execute_command("SELECT", db)
        p = c.pipeline(transaction=False)
        for i in range(n):
            k = rnd.randrange(n)
            p.set("w:%d" % k, rnd.random())
            p.incrby("wc:%d" % (k % 10), k)
            p.incrbyfloat("wf:%d" % (k % 10), "0.1")
            p.hset("wh:%d" % (k % 20), "f%d" % k, i)
            p.hincrby("wh:%d" % (k % 20), "n", 3)
            p.hincrbyfloat("wh:%d" % (k % 20), "x", "0.25")
            p.hdel("wh:%d" % (k % 20), "f%d" % (k + 1))
            p.append("wa:%d" % (k % 7), "z")
            p.setrange("wr", k, "q")
            p.expire("w:%d" % k, 1000)
            p.pexpire("w:%d" % (k + 1), 60000)
            p.persist("w:%d" % (k + 2))
            p.set("wp:%d" % k, 1, px=rnd.randrange(1, 400))
            p.set("wx:%d" % k, 1, ex=500)
            p.getdel("w:%d" % rnd.randrange(n))
            p.getex("w:%d" % rnd.randrange(n), ex=77)
            p.setnx("wn:%d" % k, i)
            p.mset({"wm:%d" % k: 1, "wm:%d" % (k + 1): 2})
            if i % 50 == 0:
                p.rename("wa:%d" % (k % 7), "wb:%d" % (k % 7))
                p.copy("wr", "wcopy", replace=True)
                p.move("wm:%d" % k, 9)
                p.unlink("wcopy")
        p.execute(raise_on_error=False)
        t = c.pipeline(transaction=True)
        for i in range(50):
            t.set("t:%d" % i, i)
            t.hset("th", i, i)
        t.execute()


class Proxy:
    """A TCP proxy on loopback that can cut its connections, also after so many bytes from the server."""

    def __init__(self, port):
        self.target, self.port = port, free_port()
        self.cut_after, self.open, self.refuse = None, [], False
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(16)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            if self.refuse:
                c.close()
                continue
            s = socket.create_connection(("127.0.0.1", self.target))
            self.open.append((c, s))
            for a, b, limited in ((c, s, False), (s, c, True)):
                threading.Thread(target=self.pump, args=(a, b, limited), daemon=True).start()

    def pump(self, a, b, limited):
        done = 0
        try:
            while True:
                data = a.recv(65536)
                if not data:
                    break
                done += len(data)
                if limited and self.cut_after is not None and done > self.cut_after:
                    break
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        for pair in self.open:
            for s in pair:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.open.clear()

    def close(self):
        self.listener.close()
        self.cut()


class Writer(threading.Thread):
    """Writes where the office is until told to stop; remembers what was acknowledged."""

    def __init__(self, nodes, name):
        super().__init__(daemon=True)
        self.nodes, self.name, self.acked, self.longest, self.stop_now = nodes, name, [], 0.0, False

    def run(self):
        n, at, last = 0, 0, time.monotonic()
        conns = [x.connect() for x in self.nodes]
        while not self.stop_now:
            key = "%s:%d" % (self.name, n)
            n += 1
            try:
                conns[at].set(key, n)
            except redis.exceptions.RedisError:
                at = (at + 1) % len(conns)
                continue
            now = time.monotonic()
            self.longest = max(self.longest, now - last)
            last = now
            self.acked.append(key)
        for c in conns:
            c.close()
