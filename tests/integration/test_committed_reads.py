"""Reads of a strict group see what was acknowledged, whoever asks whom: a counter that only grows, clients that
stay with their node whatever it is, one that follows the sentinels, and a primary that is stopped, killed, or handed over. What a
client read, or was told of its INCR, may never be undone for anybody who asked afterwards."""
import random
import signal
import socket
import threading
import time

import redis

from harness import wait_until


def parse(buf, at):
    """One reply: (value, where the next begins); errors are Exceptions as values. IndexError, ValueError: not whole yet."""
    end = buf.index(b"\r\n", at)
    kind, word, at = buf[at:at + 1], buf[at + 1:end].decode(), end + 2
    if kind == b"-":
        return Exception(word), at
    if kind in b"+:":
        return word, at
    n = int(word)
    if n < 0:
        return None, at
    if kind == b"$":
        if len(buf) < at + n + 2:
            raise IndexError
        return buf[at:at + n].decode(), at + n + 2
    out = []
    for _ in range(n):
        v, at = parse(buf, at)
        out.append(v)
    return out, at


class Asker:
    """Asks every few milliseconds whether answers come or not: of a stopped node they lie in its socket. Role and value
    are of one moment, for a replica answers old values, and may."""

    def __init__(self, host, port):
        self.sock = socket.create_connection((host, port), 5)
        self.sock.setblocking(False)
        self.asked, self.buf, self.at = [], b"", 0

    def turn(self):
        """[(asked, value)] of what was answered, by a primary."""
        out = []
        if len(self.asked) < 2000:
            self.asked.append(time.monotonic())          # before it is sent
            self.sock.send(b"MULTI\r\nROLE\r\nGET counter\r\nEXEC\r\n")
        try:
            more = self.sock.recv(1 << 16)
            if not more:
                raise ConnectionError("closed")
            self.buf = self.buf[self.at:] + more
            self.at = 0
        except BlockingIOError:
            pass
        while True:
            try:
                replies, at = [], self.at
                for _ in range(4):
                    v, at = parse(self.buf, at)
                    if isinstance(v, Exception) and str(v).startswith("UNCONFIRMED"):
                        raise ConnectionError("UNCONFIRMED")
                    replies.append(v)
            except (IndexError, ValueError):
                return out
            self.at, asked = at, self.asked.pop(0)
            if isinstance(replies[3], list) and replies[3][0][0] == "master":
                out.append((asked, int(replies[3][1] or 0)))


class Watchers:
    """Threads that ask each node all the time, and one that writes; they note when they asked, when they were answered, and what."""

    def __init__(self, group):
        self.group, self.stopping = group, False
        self.seen = []                                   # (asked, answered, value)
        self.lock = threading.Lock()
        self.errors = {}
        self.threads = [threading.Thread(target=self.ask_on, args=(n.port,), daemon=True) for n in group.nodes for _ in range(2)]
        self.threads.append(threading.Thread(target=self.write_on, daemon=True))
        for t in self.threads:
            t.start()

    def failed(self, e):
        word = type(e).__name__ + " " + str(e).split(" ")[0][:30]
        with self.lock:
            self.errors[word] = self.errors.get(word, 0) + 1

    def ask_on(self, port):
        asker = None
        while not self.stopping:
            try:
                asker = asker or Asker("127.0.0.1", port)
                got = asker.turn()
                now = time.monotonic()
                with self.lock:
                    self.seen += [(asked, now, value) for asked, value in got]
            except OSError as e:
                self.failed(e)
                asker = None
            time.sleep(0.02)                             # all that is asked of a stopped node fits into one read of it

    def write_on(self):
        link = None
        while not self.stopping:
            try:
                if link is None:
                    with random.choice(self.group.sentinels).connect(socket_timeout=1) as c:
                        host, port = c.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.group.name)
                    link = redis.Redis(host, int(port), decode_responses=True, socket_timeout=2, retry=None)
                asked = time.monotonic()
                value = int(link.incr("counter"))
                with self.lock:
                    self.seen.append((asked, time.monotonic(), value))
            except (redis.exceptions.RedisError, OSError) as e:
                self.failed(e)
                link = None
            time.sleep(0.002)

    def last(self):
        with self.lock:
            return max((v for _, _, v in self.seen), default=0)

    def go_on(self):
        was = self.last()
        wait_until(lambda: self.last() > was + 50, 60, what="the counter to grow")

    def stop(self):
        self.stopping = True
        for t in self.threads:
            t.join(15)

    def check(self):
        """Nobody who asked after somebody else was answered saw less."""
        by_answer, by_question = sorted(self.seen, key=lambda x: x[1]), sorted(self.seen)
        most, i = (0, 0, 0), 0
        for asked, answered, value in by_question:
            while i < len(by_answer) and by_answer[i][1] < asked:
                most = max(most, by_answer[i], key=lambda x: x[2])
                i += 1
            assert value >= most[2], "%d was read from %.4f to %.4f, %d had been answered at %.4f" % (
                value, asked, answered, most[2], most[1])


def test_reads_never_go_back(group):
    group = group(down_after=800).wait_met()
    group.form("strict")
    group.wait_whole()
    w = Watchers(group)
    w.go_on()
    for fault in ("stop", "hand over", "kill", "stop"):
        old = group.primary()
        if fault == "stop":
            old.signal(signal.SIGSTOP)
        elif fault == "kill":
            old.kill()
        else:
            assert group.order("FAILOVER", group.name, "COORDINATED") == "OK"
        group.wait_other_primary(old)
        w.go_on()
        if fault == "stop":
            old.signal(signal.SIGCONT)                   # what was asked of it meanwhile is in its sockets
        elif fault == "kill":
            old.start()
        group.wait_whole()
        w.go_on()
    w.stop()
    assert len(w.seen) > 300
    w.check()
