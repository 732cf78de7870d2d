#!/usr/bin/python3
"""compare_datasets.py HOST:PORT HOST:PORT [--password P] [--ttl-ms N] [--max N]

Reads both data sets (all databases; strings and hashes, with their deadlines) and says
whether they are equal. Exit code 0: equal, 1: they differ (the differences are listed),
2: could not be compared.

Answers are compared as bytes, a batch at a time; only what differs is taken apart.
Deadlines are compared as instants (PEXPIRETIME), --ttl-ms apart at most (default 0).
"""
import argparse
import re
import socket
import sys

BATCH = 2000
END = b"--end-of-batch--"
END_REPLY = b"$%d\r\n%s\r\n" % (len(END), END)


def request(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def parse(data, at=0):
    """One reply -> (value, where the next begins). Errors are ('!', text)."""
    line_end = data.index(b"\r\n", at)
    kind, rest = data[at:at + 1], data[at + 1:line_end]
    at = line_end + 2
    if kind == b"+":
        return rest, at
    if kind == b"-":
        return ("!", rest), at
    if kind == b":":
        return int(rest), at
    n = int(rest)
    if n < 0:
        return None, at
    if kind == b"$":
        return data[at:at + n], at + n + 2
    out = []
    for _ in range(n):
        v, at = parse(data, at)
        out.append(v)
    return out, at


def parse_all(data):
    out, at = [], 0
    while at < len(data):
        v, at = parse(data, at)
        out.append(v)
    return out


class Server:
    def __init__(self, text, password):
        host, _, port = text.rpartition(":")
        self.name = text
        self.sock = socket.create_connection((host or "127.0.0.1", int(port)), timeout=120)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if password:
            self.ask(request(b"AUTH", password.encode()))

    def send(self, requests):
        self.sock.sendall(requests + request(b"ECHO", END))

    def receive(self):
        parts, tail = [], b""
        while not tail.endswith(END_REPLY):
            piece = self.sock.recv(1 << 20)
            if not piece:
                raise OSError("%s closed the connection" % self.name)
            parts.append(piece)
            tail = (tail + piece)[-len(END_REPLY):]
        return b"".join(parts)[:-len(END_REPLY)]

    def ask(self, requests):
        self.send(requests)
        return self.receive()

    def one(self, *words):
        v = parse(self.ask(request(*words)))[0]
        if isinstance(v, tuple):
            raise OSError("%s answers %s with %s" % (self.name, words[0].decode(), v[1].decode()))
        return v

    def databases(self):
        found = re.findall(rb"^db(\d+):keys=(\d+)", self.one(b"INFO", b"keyspace"), re.M)
        return {int(d): int(n) for d, n in found}

    def keys(self):
        cursor, seen = b"0", set()
        while True:
            cursor, keys = self.one(b"SCAN", cursor, b"COUNT", b"%d" % BATCH)
            fresh = [k for k in keys if k not in seen]
            seen.update(fresh)
            if fresh:
                yield fresh
            if cursor == b"0":
                return


def both(a, b, requests):
    a.send(requests)
    b.send(requests)
    return a.receive(), b.receive()


class Comparison:
    def __init__(self, a, b, ttl_ms, most):
        self.a, self.b, self.ttl_ms, self.most = a, b, ttl_ms, most
        self.differences, self.checked = [], 0

    def differ(self, db, key, what):
        self.differences.append("db %d, key %r: %s" % (db, key, what))
        if len(self.differences) >= self.most:
            raise StopIteration

    def each(self, db, keys, requests, same):
        """Ask both; `same(x, y)` judges pairs whose bytes differ and returns what is wrong, or None."""
        x, y = both(self.a, self.b, requests)
        if x == y:
            return parse_all(x) if same is not None and same.wants_values else None
        xs, ys = parse_all(x), parse_all(y)
        for key, p, q in zip(keys, xs, ys):
            if p != q:
                wrong = same(p, q)
                if wrong:
                    self.differ(db, key, wrong)
        return xs

    def batch(self, db, keys):
        types = self.each(db, keys, b"".join(request(b"TYPE", k) for k in keys), self.same_type)
        self.each(db, keys, b"".join(request(b"PEXPIRETIME", k) for k in keys), self.same_deadline)
        readers = {b"string": b"GET", b"hash": b"HGETALL"}
        known = [(k, readers[t]) for k, t in zip(keys, types) if t in readers]
        for k, t in zip(keys, types):
            if t not in readers and t != b"none":
                self.differ(db, k, "is a %s, which is not compared here" % t.decode())
        self.each(db, [k for k, _ in known], b"".join(request(r, k) for k, r in known), self.same_value)
        self.checked += len(known)

    def same_type(self, x, y):
        return "types %r and %r" % (x, y)
    same_type.wants_values = True

    def same_deadline(self, x, y):
        if isinstance(x, int) and isinstance(y, int) and min(x, y) >= 0 and abs(x - y) <= self.ttl_ms:
            return None
        return "deadlines %r and %r" % (x, y)
    same_deadline.wants_values = False

    def same_value(self, x, y):
        if isinstance(x, list) and isinstance(y, list):
            p, q = dict(zip(x[::2], x[1::2])), dict(zip(y[::2], y[1::2]))
            if p == q and len(x) == len(y):
                return None
            odd = sorted(set(p.items()) ^ set(q.items()))
            return "hashes of %d and %d fields, e.g. %r" % (len(p), len(q), odd[:1])
        return "values %s and %s" % (short(x), short(y))
    same_value.wants_values = False

    def database(self, db, counts):
        for s in (self.a, self.b):
            s.one(b"SELECT", b"%d" % db)
        for keys in self.a.keys():
            self.batch(db, keys)
        if counts[0] == counts[1]:
            return
        for keys in self.b.keys():      # what only the second one has
            x, y = both(self.a, self.b, b"".join(request(b"TYPE", k) for k in keys))
            for k, p, q in zip(keys, parse_all(x), parse_all(y)):
                if p == b"none" and q != b"none":
                    self.differ(db, k, "only on %s" % self.b.name)

    def run(self):
        x, y = self.a.databases(), self.b.databases()
        try:
            for db in sorted(set(x) | set(y)):
                self.database(db, (x.get(db, 0), y.get(db, 0)))
        except StopIteration:
            self.differences.append("... and perhaps more")


def short(v):
    text = repr(v)
    return text if len(text) <= 80 else text[:60] + "... (%d bytes)" % len(v)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("a")
    p.add_argument("b")
    p.add_argument("--password")
    p.add_argument("--ttl-ms", type=int, default=0)
    p.add_argument("--max", type=int, default=20)
    o = p.parse_args()
    try:
        c = Comparison(Server(o.a, o.password), Server(o.b, o.password), o.ttl_ms, o.max)
        c.run()
    except (OSError, ValueError) as e:
        print("cannot compare: %s" % e, file=sys.stderr)
        return 2
    for line in c.differences:
        print(line)
    print("%s: %d keys compared" % ("different" if c.differences else "equal", c.checked))
    return 1 if c.differences else 0


if __name__ == "__main__":
    sys.exit(main())
