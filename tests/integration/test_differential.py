"""The same random commands to kvnode and to redis-server: every reply must be the same, error
texts included, and so must the fingerprint of the data at the end."""
import os
import random
import socket
import time

import pytest
from harness import wait_until
from wire import Wire

STEPS = int(os.environ.get("KVORUM_DIFFERENTIAL", "6000"))

KEYS = ["k%d" % i for i in range(12)] + ["h%d" % i for i in range(6)] + ["", "long-" + "x" * 60, b"\x00bin\xff"]
INTS = ["0", "1", "-1", "2", "10", "100", "-100", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
        "01", "+1", " 1", "1 ", "", "abc", "1.5", "1e3", "0x10", "-0", "4611686018427387904"]
FLOATS = ["0", "1", "-1", "1.5", "3.0e3", "-2.25", "1e400", "nan", "inf", "-inf", "abc", "", " 1", "1 ", "5.0", "0.1", "1e-10",
          "123456789.123456789", "1e17", "1e20"]
FIELDS = ["f%d" % i for i in range(8)] + ["", "9", "-5", "007", "field" * 20]
VALUES = ["", "a", "hello", "12", "-7", "3.25", "value with blanks", "x" * 44, "y" * 45, "z" * 64, "w" * 65, "v" * 600,
          b"\x00\x01\xfe", "9223372036854775807", "0", "1e3", "00", "-0"]
PATTERNS = ["*", "k*", "h?", "k[0-4]", "k[^1]", "nothing", "*\\*", "", "[", "k[0-"]


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.now = int(time.time())

    def pick(self, of):
        return self.r.choice(of)

    def key(self):
        return self.pick(KEYS)

    def skey(self):
        return self.pick(KEYS[:12] + KEYS[-3:]) if self.r.random() < 0.9 else self.key()

    def hkey(self):
        return self.pick(KEYS[12:18]) if self.r.random() < 0.9 else self.key()

    def value(self):
        return self.pick(VALUES) if self.r.random() < 0.8 else "n" * self.r.randrange(0, 300)

    def seconds(self):
        return self.pick(["100", "1000", "20000", "0", "-1", "abc", "9223372036854775807", "9223372036854775", ""]
                         if self.r.random() < 0.2 else ["100", "1000", "20000"])

    def ms(self):
        return self.pick(["100000", "1000000", "20000000", "0", "-1", "x", "9223372036854775807"]
                         if self.r.random() < 0.2 else ["100000", "1000000", "20000000"])

    def at_s(self):
        return self.pick([self.now + 100, self.now + 5000, self.now - 10, 0, -5, "abc", "9223372036854775807"])

    def at_ms(self):
        return self.pick([(self.now + 100) * 1000, (self.now + 5000) * 1000, (self.now - 10) * 1000, 0, -5, "abc"])

    def ttl_words(self):
        n = self.r.randrange(12)
        if n == 0:
            return ["ex", self.seconds()]
        if n == 1:
            return ["PX", self.ms()]
        if n == 2:
            return ["exat", self.at_s()]
        if n == 3:
            return ["PXAT", self.at_ms()]
        if n == 4:
            return ["KEEPTTL"]
        if n == 5:
            return ["ex"]
        if n == 6:
            return ["persist"]
        return []

    def conditions(self, absolute=False):
        """GT and LT only with instants: two servers do not run a duration's command in the same millisecond."""
        words = []
        for w in ("NX", "xx", "GT", "lt") if absolute else ("NX", "xx"):
            if self.r.random() < 0.15:
                words.append(w)
        if self.r.random() < 0.03:
            words.append("bad")
        return words

    def some(self, f, lo=1, hi=4):
        return [f() for _ in range(self.r.randint(lo, hi))]

    def pairs(self, a, b, lo=1, hi=4):
        out = []
        for _ in range(self.r.randint(lo, hi)):
            out += [a(), b()]
        if self.r.random() < 0.03:
            out.pop()
        return out

    def command(self):
        p, r = self.pick, self.r
        table = [
            (8, lambda: ["set", self.skey(), self.value()] + self.ttl_words() +
                [w for w in ("NX", "XX", "GET") if r.random() < 0.1]),
            (4, lambda: ["get", self.key()]),
            (1, lambda: ["setnx", self.skey(), self.value()]),
            (1, lambda: ["setex", self.skey(), self.seconds(), self.value()]),
            (1, lambda: ["psetex", self.skey(), self.ms(), self.value()]),
            (2, lambda: ["getex", self.skey()] + self.ttl_words()),
            (1, lambda: ["getdel", self.skey()]),
            (1, lambda: ["getset", self.skey(), self.value()]),
            (2, lambda: ["append", self.skey(), self.value()]),
            (1, lambda: ["strlen", self.skey()]),
            (2, lambda: ["setrange", self.skey(), p(["0", "3", "50", "-1", "x", "600000000", "9223372036854775807"]), self.value()]),
            (2, lambda: [p(["getrange", "substr"]), self.skey(), p(["0", "1", "-1", "-5", "100", "x"]), p(["0", "-1", "3", "-10", "1000"])]),
            (1, lambda: ["mget"] + self.some(self.key)),
            (1, lambda: ["mset"] + self.pairs(self.skey, self.value)),
            (1, lambda: ["msetnx"] + self.pairs(self.skey, self.value)),
            (2, lambda: [p(["incr", "decr"]), self.skey()]),
            (2, lambda: [p(["incrby", "decrby"]), self.skey(), p(INTS)]),
            (2, lambda: ["incrbyfloat", self.skey(), p(FLOATS)]),
            (2, lambda: [p(["del", "unlink"])] + self.some(self.key, 1, 3)),
            (2, lambda: [p(["exists", "touch"])] + self.some(self.key)),
            (2, lambda: ["type", self.key()]),
            (2, lambda: [p(["rename", "renamenx"]), self.key(), self.key()]),
            (2, lambda: ["copy", self.key(), self.key()] + [w for w in ("replace",) if r.random() < 0.4] +
                (["db", p(["0", "1", "99", "x"])] if r.random() < 0.3 else [])),
            (1, lambda: ["move", self.key(), p(["0", "1", "1", "16", "x"])]),
            (2, lambda: [p(["expire", "EXPIRE"]), self.key(), self.seconds()] + self.conditions()),
            (1, lambda: ["pexpire", self.key(), self.ms()] + self.conditions()),
            (1, lambda: ["expireat", self.key(), self.at_s()] + self.conditions(True)),
            (1, lambda: ["pexpireat", self.key(), self.at_ms()] + self.conditions(True)),
            (2, lambda: [p(["ttl", "pttl", "expiretime", "pexpiretime"]), self.key()]),
            (1, lambda: ["persist", self.key()]),
            (1, lambda: ["keys", p(PATTERNS)]),
            (1, lambda: ["scan", p(["0", "0", "x", "99999999999999999999"])] +
                p([["count", "1000"], ["match", p(PATTERNS), "count", "1000"], ["type", p(["string", "hash", "zset", "bad"]), "count", "1000"],
                   ["count", "0"], ["count", "x"], ["match"]])),
            (1, lambda: ["dbsize", "wrong arity"] if r.random() < 0.1 else ["hlen", self.key()]),
            (1, lambda: ["object", p(["encoding", "freq"]), self.key()]),
            (1, lambda: ["swapdb", p(["0", "1", "x"]), p(["1", "0", "77"])]),
            (1, lambda: ["select", p(["0", "1", "0", "0", "16", "-1", "x"])]),
            (6, lambda: [p(["hset", "hset", "hmset"]), self.hkey()] + self.pairs(lambda: p(FIELDS), self.value)),
            (1, lambda: ["hsetnx", self.hkey(), p(FIELDS), self.value()]),
            (2, lambda: ["hget", self.hkey(), p(FIELDS)]),
            (1, lambda: ["hmget", self.hkey()] + self.some(lambda: p(FIELDS))),
            (2, lambda: ["hdel", self.hkey()] + self.some(lambda: p(FIELDS))),
            (1, lambda: [p(["hlen", "hkeys", "hvals", "hgetall"]), self.hkey()]),
            (1, lambda: [p(["hstrlen", "hexists"]), self.hkey(), p(FIELDS)]),
            (2, lambda: ["hincrby", self.hkey(), p(FIELDS), p(INTS)]),
            (2, lambda: ["hincrbyfloat", self.hkey(), p(FIELDS), p(FLOATS)]),
            (1, lambda: ["hscan", self.hkey(), "0", "count", "1000"] + (["match", "f*"] if r.random() < 0.5 else [])),
            (1, lambda: ["hrandfield", self.hkey(), p(["0", "1000", "x", "-9223372036854775808"])] +
                p([[], ["withvalues"], ["bad"]])),
            (1, lambda: p([["multi"], ["exec"], ["discard"], ["watch", self.key()], ["unwatch"]])),
            (0.3, lambda: [p(["flushdb", "flushall"])] + p([[], ["sync"], ["async"], ["bad"]])),
            (0.5, lambda: [p(["get", "set", "hset", "expire", "select", "object", "config", "client", "nosuch", "multi", "hgetall"])] +
                self.some(self.value, 0, 2)),
            (0.3, lambda: p([["ping"], ["ping", "x"], ["ping", "x", "y"], ["echo", "hi"], ["echo"], ["hello", "4"], ["auth", "x"], ["auth", "a", "b"],
                             ["config", "get", "maxmemory"], ["config", "set", "nosuch", "1"], ["config", "get", "hash-max-listpack-v*"], ["command", "count", "x"],
                             ["client", "setname", "bad name"], ["client", "getname"], ["client", "kill", "id", "x"], ["client", "no-such"],
                             ["publish", "ch", "msg"], ["pubsub", "numpat"], ["pubsub", "numsub", "a", "b"], ["pubsub", "channels"],
                             ["wait", "0", "x"], ["wait", "0", "10"], ["object", "help"], ["memory", "usage", "no-such-key"], ["replicaof", "no", "one"],
                             ["debug", "digest-value", self.key(), self.key()], ["role"]])),
        ]
        weights = [w for w, _ in table]
        return r.choices(table, weights)[0][1]()


UNORDERED = {"keys", "hkeys", "hvals"}
UNORDERED_PAIRS = {"hgetall", "hrandfield"}


def normal(words, reply):
    """What may differ between two correct servers is taken out."""
    name = str(words[0]).lower()
    tag, v = reply
    if tag == b"-":
        return reply
    if name in UNORDERED and isinstance(v, list):
        return (tag, sorted(v, key=repr))
    if name in UNORDERED_PAIRS and isinstance(v, list):
        if name == "hrandfield" and "withvalues" not in words:
            return (tag, sorted(v, key=repr))
        if v and v[0][0] == b"*":
            return (tag, sorted(v, key=repr))
        return (tag, sorted(zip(v[::2], v[1::2]), key=repr))
    if name in ("scan", "hscan") and isinstance(v, list):
        items = v[1][1]
        if name == "hscan":
            items = list(zip(items[::2], items[1::2]))
        return (tag, [v[0], sorted(items, key=repr)])
    if name in ("ttl", "pttl") and tag == b":" and int(v) > 0:
        return (tag, round(int(v) / (2 if name == "ttl" else 2000.0) / 5))
    if name == "object" and "help" in words:
        return (tag, None)
    if name == "role" and isinstance(v, list):
        return (tag, v[0])
    return reply


def same(words, a, b):
    if str(words[0]).lower() in ("ttl", "pttl", "expiretime", "pexpiretime") and a[0] == b[0] == b":":
        x, y = int(a[1]), int(b[1])
        room = 2 if words[0] in ("ttl", "expiretime") else 2000
        return x == y or (x > 0 and y > 0 and abs(x - y) <= room)
    return normal(words, a) == normal(words, b)


@pytest.fixture
def pair(yard):
    lines = ["enable-debug-command yes", 'save ""']
    return (yard.node("ours", engine="kvnode", lines=lines), yard.node("theirs", engine="redis-server", lines=lines))


def play(pair, seed, resp, steps):
    maker = Maker(seed)
    ours, theirs = Wire(pair[0].port), Wire(pair[1].port)
    told = []
    depth = 0        # inside MULTI the answers come with EXEC, in the order of the queue
    queue = []
    if resp == 3:
        assert ours.ask("hello", "3")[0] == theirs.ask("hello", "3")[0] == b"%"
    for step in range(steps):
        words = maker.command()
        name = str(words[0]).lower()
        told.append(words)
        a, b = ours.ask(*words), theirs.ask(*words)
        if a == b == (b"+", b"QUEUED"):
            queue.append(words)
            continue
        if name == "exec" and isinstance(a[1], list) and isinstance(b[1], list) and len(a[1]) == len(b[1]) == len(queue):
            bad = [(q, x, y) for q, x, y in zip(queue, a[1], b[1]) if not same(q, x, y)]
            queue = []
            assert not bad, "seed %d step %d inside EXEC: %r" % (seed, step, bad[0])
            continue
        if name in ("exec", "discard"):
            queue = []
        assert same(words, a, b), "seed %d step %d: %r\n ours   %r\n theirs %r\n before: %r" % (
            seed, step, words, a, b, told[-6:-1])
    for w in (ours, theirs):
        w.ask("discard")
    for db in (0, 1):
        for w in (ours, theirs):
            w.ask("select", db)
        a, b = ours.ask("keys", "*"), theirs.ask("keys", "*")
        assert sorted(a[1], key=repr) == sorted(b[1], key=repr), "database %d" % db
        for _, key in a[1]:
            x, y = ours.ask("debug", "digest-value", key), theirs.ask("debug", "digest-value", key)
            assert x == y, "seed %d: the value of %r differs: %r %r" % (seed, key, ours.ask("hgetall", key), theirs.ask("hgetall", key))
    # what has expired may still lie there for a moment, on either side
    wait_until(lambda: ours.ask("debug", "digest") == theirs.ask("debug", "digest"), 40, what="equal fingerprints")
    ours.close()
    theirs.close()


@pytest.mark.parametrize("seed,resp", [(1, 2), (2, 3), (3, 2), (4, 3)])
def test_same_answers(pair, seed, resp):
    play(pair, seed, resp, STEPS)


def encode(words):
    out = [b"*%d\r\n" % len(words)]
    for w in words:
        w = w if isinstance(w, bytes) else str(w).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(w), w))
    return b"".join(out)


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_same_answers_in_torn_pipelines(pair, seed):
    """Many requests at once, cut into pieces at any byte; some of them inline."""
    maker, r = Maker(seed), random.Random(seed)
    ours, theirs = Wire(pair[0].port), Wire(pair[1].port)
    for _ in range(60):
        batch, said = [], []
        while len(batch) < 100:
            words = maker.command()
            if str(words[0]).lower() in ("multi", "exec", "discard", "watch", "unwatch", "wait", "replicaof"):
                continue
            if r.random() < 0.1:
                words = ["get", r.choice(KEYS[:12])]
                said.append(b"get %s\r\n" % words[1].encode())
            else:
                said.append(encode(words))
            batch.append(words)
        data = b"".join(said)
        for w in (ours, theirs):
            at = 0
            while at < len(data):
                n = r.choice([1, 2, 7, 50, 500, 5000, 50000])
                w.sock.sendall(data[at:at + n])
                at += n
        for words in batch:
            a, b = ours.read(), theirs.read()
            assert same(words, a, b), "%r\n ours   %r\n theirs %r" % (words, a, b)
    ours.close()
    theirs.close()


def test_garbage_ends_one_connection_only(pair):
    """Bytes that are no requests: an error or a closed connection, and the node goes on."""
    r = random.Random(5)
    steady = Wire(pair[0].port)
    for _ in range(300):
        w = socket.create_connection(("127.0.0.1", pair[0].port))
        w.settimeout(5)
        kind = r.randrange(4)
        if kind == 0:
            data = bytes(r.randrange(256) for _ in range(r.randrange(1, 400)))
        elif kind == 1:
            data = b"*%d\r\n$%d\r\n" % (r.choice([-1, 0, 1, 3, 10 ** 7, 10 ** 12]), r.choice([-5, 0, 3, 10 ** 9, 10 ** 15])) + b"get\r\n" * 3
        elif kind == 2:
            whole = encode(["set", "k", "v"]) * 5
            spot = r.randrange(len(whole))
            data = whole[:spot] + bytes([r.randrange(256)]) + whole[spot + 1:]
        else:
            data = encode(["get", "k"]) * 3 + b"*2\r\n$3\r\nget\r\n$" + bytes(r.choice(b"0123456789-x\r\n") for _ in range(12))
        try:
            w.sendall(data)
            w.shutdown(socket.SHUT_WR)
            while w.recv(65536):
                pass
        except OSError:
            pass
        w.close()
        assert steady.ask("ping") == (b"+", b"PONG")
    steady.close()
