"""One kvnode as a member of its formed group, its sentinels played by hand (ha_play.py): the scenes that the tests of
members share."""
import os
import socket
import threading
import time

import pytest
import redis
from ha_play import Play, hex_id, number
from harness import free_port, wait_until


HAS_DATA = 64                                   # enum ha_flag
TIMING = (100, 1600, 1520, 2000, 100)          # a lease of fifteen heartbeats: busy machines are slow


@pytest.fixture
def play():
    p = Play(timing=TIMING)
    yield p
    p.close()


class Ghost:
    """A member that is nowhere: in M by name only."""

    def __init__(self):
        self.name, self.port = "ghost", free_port()

    def is_alive(self):
        return False


def node_of(yard, name="n", lines=(), **kw):
    return yard.node(name, lines=["state-dir " + os.path.join(yard.folder, name + "-state")] + list(lines), **kw)


def form_with_ghosts(play, node, ghosts=1, mode="async", ballot=1):
    """The node is the primary of a group whose other members never come: its lease is the voters' alone."""
    others = [Ghost() for _ in range(ghosts)]
    for v in play.voters:
        v.attach(node)
    play.look(node)
    for g in others:
        play.ids[g] = (hex_id(), number(), 1)
    play.nodes = [node] + others
    pid, life, incarnation = play.ids[node]
    play.rec = dict(gid=play.gid, ballot=ballot, change=0, epoch=ballot, born=ballot, primary=pid, incarnation=incarnation,
                    mode=mode, k=1, members=play.nodes)
    m = play.voters[0].ask(node, "bind", "bound", ballot=ballot, node=pid, node_life=life)
    assert m.get("ok"), m
    play.store()
    m = play.voters[0].ask(node, "open", "opened", ballot=ballot, rec=play.record_words())
    assert m.get("ok"), m
    with node.connect() as c:
        wait_until(lambda: c.set("formed", "yes"), what="the first lease")
    return play


def status(node):
    with node.connect() as c:
        got = c.execute_command("HA", "STATUS")
    return dict(zip(got[::2], got[1::2]))


def refused(c, *command):
    with pytest.raises(redis.exceptions.ResponseError) as e:
        c.execute_command(*command)
    return str(e.value)


def refusal_of(c, *command):
    try:
        c.execute_command(*command)
    except redis.exceptions.ResponseError as e:
        return str(e)


def pipelined(node, *commands):
    """All at once on one connection; the answers."""
    with socket.create_connection(("127.0.0.1", node.port), 10) as s:
        s.sendall(b"".join((c + "\r\n").encode() for c in commands))
        f = s.makefile("rb")
        return [f.readline().decode().strip() for _ in commands]


class Wire:
    """A control link byte by byte."""

    def __init__(self, node, who=None, group="play", kind="VOTER", life=1, port=None):
        self.id, self.life = who or hex_id(), life
        self.sock = socket.create_connection(("127.0.0.1", port or node.port), 10)
        self.file = self.sock.makefile("rb")
        self.send("HA", "ATTACH", group, kind, self.id, str(life))
        self.attached = self.reply()

    def raw(self, data):
        self.sock.sendall(data)

    def send(self, *words):
        self.raw(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in words))

    def reply(self):
        """The next answer; what is said unasked is skipped. None: closed."""
        while True:
            try:
                line = self.file.readline()
            except OSError:
                return None
            if not line:
                return None
            if line[:1] != b"*":
                return line.decode().strip()
            for _ in range(int(line[1:])):
                n = int(self.file.readline()[1:])
                self.file.read(n + 2)

    def ask(self, *words):
        self.send(*words)
        return self.reply()

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.file.close()
        self.sock.close()


class Pinger(threading.Thread):
    """PING every 20 ms on a control link; how long each took."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.wire, self.took, self.ends = Wire(node), [], False
        self.start()

    def run(self):
        while not self.ends:
            t = time.monotonic()
            if self.wire.ask("PING") != "+PONG":
                return
            self.took.append((t, time.monotonic() - t))
            time.sleep(0.02)

    def stop(self):
        self.ends = True
        self.join(10)
        self.wire.close()
        return [d for _, d in self.took]
