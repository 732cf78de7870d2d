"""A kvnode as a member of its formed group, sentinels played by hand (ha_play.py): bound, opened, leased, sealed,
stuck, told to stop, killed; and what strangers may say to it."""
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest
import redis
from ha_play import Play, hex_id, number
from harness import BIN, TOP, Process, find, free_port, wait_until


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


# ---- bound, opened, sealed -----------------------------------------------------------------------------


def test_a_plain_node_pays_nothing_and_says_so(yard):
    n = yard.node("n")
    with n.connect() as c:
        assert c.info("replication")["ha_port"] == n.port
        assert c.info("ha")["ha_state"] == "plain"
        assert c.execute_command("REPLICAOF", "NO", "ONE")
        assert c.set("a", 1)
    assert status(n)["phase"] == "plain"
    assert not [f for f in os.listdir(os.path.join(yard.folder, "n")) if f.endswith(".record")]


def test_group_of_one(yard, play):
    n = node_of(yard)
    with n.connect() as c:
        c.set("before", "1")
        play.form([n], k=0)
        s = status(n)
        assert (s["phase"], s["sealed"], s["epoch"], s["lease-ms"]) == ("open", 1, 1, "alone")
        assert c.set("a", "1") and c.get("a") == "1" and c.get("before") == "1"
        assert "belongs to a formed group" in refused(c, "REPLICAOF", "NO", "ONE")
        assert "belongs to a formed group" in refused(c, "REPLICAOF", "127.0.0.1", 1)
        m = play.seal(n, 5)
        assert m.get("ok") and m["pos"][0] == 1 and m["pos"][1] > 0
        assert refused(c, "SET", "a", "2").startswith("NOREPLICAS")
        assert refused(c, "GET", "a").startswith("MASTERDOWN")
        assert c.config_set("ha-read", "dirty") and c.get("a") == "1"
        p = c.pipeline(transaction=True)
        p.set("a", "3")
        with pytest.raises(redis.exceptions.ResponseError):
            p.execute()


def test_sealed_for_ever(yard, play):
    """Neither kill -9 nor any older word brings a sealed node back."""
    n = node_of(yard)
    play.form([n], k=0)
    old = play.record_words()
    assert play.seal(n, 9).get("ok")
    for _ in range(3):
        n.kill()
        n.start()
        s = status(n)
        assert (s["phase"], s["sealed"]) == ("fenced", 9)
        with n.connect() as c:
            assert refused(c, "SET", "a", "2").startswith("NOREPLICAS")
        m = play.voters[0].ask(n, "open", "opened", ballot=1, rec=old)
        assert not m.get("ok"), m
        m = play.voters[0].ask(n, "bind", "bound", ballot=50, node=play.ids[n][0], node_life=play.ids[n][1], gid=play.gid + 2)
        assert not m.get("ok") and m["why"] == "opened", m
        assert not play.seal(n, 8).get("ok")
    was = play.ids[n]
    now = play.look(n)
    assert (now["from"], now["gid"]) == (was[0], play.gid)
    assert now["life"] != was[1], "its memory is gone: another life"


def test_clean_stop_keeps_the_life(yard, play):
    n = node_of(yard, lines=["save 3600 1"])
    play.form([n], k=0)
    with n.connect() as c:
        c.set("a", "1")
    was = play.look(n)
    assert n.stop() == 0
    n.start()
    now = play.look(n)
    assert now["life"] == was["life"] and now["incarnation"] != was["incarnation"]
    assert now["state"] == "fenced"
    assert now["pos"][1] == was["pos"][1]
    m = play.promote(n, 4)
    assert m.get("ok")
    with n.connect() as c:
        assert wait_until(lambda: c.set("b", "1"))
        assert c.get("a") == "1"


def test_two_nodes(yard, play):
    a, b = node_of(yard, "a"), node_of(yard, "b")
    with a.connect() as ca, b.connect() as cb:
        ca.set("before", "1")
        cb.execute_command("REPLICAOF", "127.0.0.1", a.port)
        wait_until(lambda: cb.get("before") == "1")
        play.form([a, b])
        assert ca.set("x", "1") and ca.get("x") == "1"
        wait_until(lambda: cb.get("x") == "1")
        assert "read only replica" in refused(cb, "SET", "x", "2")
        # the voters fall silent: the other member carries the lease (R3)
        play.grants(False)
        end = time.monotonic() + 2.5 * TIMING[2] / 1000
        while time.monotonic() < end:
            assert ca.set("x", "2")
            time.sleep(0.02)
        # ... over its own control link
        b.signal(signal.SIGSTOP)
        try:
            with a.connect(socket_timeout=3) as late:
                wait_until(lambda: "NOREPLICAS" in refused(late, "SET", "x", "3"), 10)
        except redis.exceptions.RedisError:
            pass
        finally:
            b.signal(signal.SIGCONT)
        play.grants(True)
        wait_until(lambda: ca.set("x", "4"), 10)


# ---- the lease ---------------------------------------------------------------------------------------------


def test_lease_lapses_and_returns(yard, play):
    n = node_of(yard)
    form_with_ghosts(play, n)
    with n.connect() as c:
        for _ in range(30):
            assert c.set("a", "1") and c.get("a") == "1"
            time.sleep(0.05)
        play.grants(False)
        t = time.monotonic()
        no = wait_until(lambda: refusal_of(c, "SET", "b", "2"), 5)
        assert time.monotonic() - t <= TIMING[2] / 1000 + 0.5
        assert no.startswith("NOREPLICAS") and "lease" in no
        assert refused(c, "SET", "a", "2").startswith("NOREPLICAS")
        assert refused(c, "GET", "a").startswith("MASTERDOWN")
        assert status(n)["lease-ms"] == "none"
        play.grants(True)
        assert wait_until(lambda: c.get("a"), 5) == "1", "what was refused was not executed"
        assert c.set("a", "3")


def refusal_of(c, *command):
    try:
        c.execute_command(*command)
    except redis.exceptions.ResponseError as e:
        return str(e)


def test_one_voter_is_no_majority(yard, play):
    n = node_of(yard)
    form_with_ghosts(play, n)
    play.voters[1].grants = play.voters[2].grants = False
    with n.connect() as c:
        wait_until(lambda: refusal_of(c, "SET", "a", "2"), 5)
        play.voters[2].grants = True
        assert wait_until(lambda: c.set("a", "2"), 5)


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


def test_slow_command_neither_dead_nor_deposed(yard, play):
    """Stuck below stall-max: PING is answered and the lease renewed, by the control thread alone."""
    n = node_of(yard, lines=["stall-max 4000"])
    form_with_ghosts(play, n)
    p = Pinger(n)
    before = sum(1 for _, m in play.voters[0].heard if m["kind"] == "renew")
    got = pipelined(n, "DEBUG SLEEP 1.9", "SET after sleep", "GET after")
    assert got[:2] == ["+OK", "+OK"], got
    renews = sum(1 for _, m in play.voters[0].heard if m["kind"] == "renew") - before
    assert renews >= 8, "only %d renewals were asked in 1.9 s" % renews
    took = p.stop()
    assert len(took) > 20 and max(took) < 0.5, max(took)


def test_stuck_for_too_long_is_dead(yard, play):
    """Beyond stall-max nothing is answered and nothing renewed; what comes after it is refused (T6)."""
    n = node_of(yard, lines=["stall-max 500"])
    form_with_ghosts(play, n)
    p = Pinger(n)
    got = pipelined(n, "DEBUG SLEEP 3", "SET after sleep")
    assert got[0] == "+OK" and got[1].startswith("-NOREPLICAS"), got
    with n.connect() as c:
        assert wait_until(lambda: c.set("a", "1"), 5), "its voters still grant: it goes on"
    took = p.stop()
    assert max(took) > 1.2, "a PING was answered while it was stuck: %s" % max(took)
    assert status(n)["phase"] == "open"


def test_paused_process_asks_for_its_lease_first(yard, play):
    n = node_of(yard)
    form_with_ghosts(play, n)
    with socket.create_connection(("127.0.0.1", n.port), 10) as s:
        n.signal(signal.SIGSTOP)
        s.sendall(b"SET stale 1\r\n")
        time.sleep(TIMING[2] / 1000 + 0.4)
        play.grants(False)                     # else the control thread may have a new one before the command runs
        n.signal(signal.SIGCONT)
        assert s.recv(200).startswith(b"-NOREPLICAS")


# ---- told to stop ------------------------------------------------------------------------------------------------


def test_sigterm_asks_for_a_hand_over(yard, play):
    n = node_of(yard, lines=["shutdown-timeout 20"])
    form_with_ghosts(play, n)
    n.signal(signal.SIGTERM)
    wait_until(lambda: (play.voters[0].last(n, "status") or {}).get("flags", 0) & 32, what="a status that wants out")
    with n.connect() as c:
        assert c.set("meanwhile", "1"), "it serves until another takes over"
    assert n.is_alive()
    play.voters[0].say(n, "seal", ballot=3, epoch=1)
    n.proc.wait(10)
    assert n.proc.returncode == 0
    assert "takes over" in n.log_text()


def test_shutdown_that_is_aborted(yard, play):
    n = node_of(yard, lines=["shutdown-timeout 60"])
    form_with_ghosts(play, n)
    n.signal(signal.SIGTERM)
    wait_until(lambda: (play.voters[0].last(n, "status") or {}).get("flags", 0) & 32, what="a status that wants out")
    with n.connect() as c:
        assert c.execute_command("SHUTDOWN", "ABORT")
        wait_until(lambda: not play.voters[0].last(n, "status").get("flags", 0) & 32, what="a status that stays")
        assert c.set("a", "1")


def test_sigterm_without_a_taker(yard, play):
    n = node_of(yard, lines=["shutdown-timeout 1"])
    form_with_ghosts(play, n)
    t = time.monotonic()
    n.signal(signal.SIGTERM)
    n.proc.wait(10)
    assert n.proc.returncode == 0 and time.monotonic() - t > 0.8


# ---- waiting for a group, ports, passwords -------------------------------------------------------------------------


def test_waits_for_its_group(yard):
    n = node_of(yard, lines=["ha-group orders", "replicaof 127.0.0.1 1"])
    assert status(n)["phase"] == "fenced"
    with n.connect() as c:
        assert refused(c, "SET", "a", "1").startswith("NOREPLICAS")
        assert refused(c, "GET", "a").startswith("MASTERDOWN")
        assert c.info("replication")["connected_slaves"] == 0
    w = Wire(n, group="others")
    assert w.attached.startswith("-ERR") and "ha-group" in w.attached
    w.close()
    play = Play("orders")
    try:
        play.form([n], k=0)
        with n.connect() as c:
            assert c.set("a", "1")
    finally:
        play.close()


def test_keys_without_an_offset_are_data(yard):
    """Who is formed first from nodes that wait is the one that has data: also when it never had a replica."""
    n = node_of(yard)
    play = Play("orders")
    try:
        for v in play.voters:
            v.attach(n)
        assert not play.voters[0].ask(n, "look", "status").get("flags", 0) & HAS_DATA
        with n.connect() as c:
            c.set("a", "1")
            assert c.info("replication")["master_repl_offset"] == 0
        assert play.voters[0].ask(n, "look", "status").get("flags", 0) & HAS_DATA
    finally:
        play.close()


def test_port_of_its_own(yard):
    port = free_port()
    n = yard.node("n", lines=["ha-port %d" % port, "requirepass secret"])
    with n.connect(password="secret") as c:
        assert c.info("replication")["ha_port"] == port
    w = Wire(n, port=port)
    assert w.attached.startswith("-NOAUTH")
    assert w.ask("AUTH", "secret") == "+OK"
    assert w.ask("HA", "ATTACH", "g", "VOTER", w.id, "1") == "+OK"
    assert w.ask("PING") == "+PONG"
    assert w.ask("SET", "a", "1").startswith("-ERR") and w.reply() is None
    w.close()


def test_full_house_has_places_for_control_links(yard):
    port = free_port()
    n = yard.node("n", lines=["ha-port %d" % port, "maxclients 20"])
    guests = [socket.create_connection(("127.0.0.1", n.port), 5) for _ in range(40)]
    try:
        refusals = 0
        for g in guests:
            g.settimeout(0.3)
            g.sendall(b"PING\r\n")
            try:
                refusals += b"max number of clients" in g.recv(200)
            except (socket.timeout, ConnectionError):
                refusals += 1
        assert refusals == 20, refusals
        w = Wire(n, port=port)
        assert w.attached == "+OK" and w.ask("PING") == "+PONG"
        w.close()
    finally:
        for g in guests:
            g.close()


def test_acl_keeps_others_away(yard):
    n = yard.node("n", lines=["user app on nopass ~* +@all -@admin -@dangerous"])
    with n.connect(username="app", password="x") as c:
        for words in [("ATTACH", "g", "VOTER", hex_id(), "1"), ("STATUS",)]:
            with pytest.raises(redis.exceptions.NoPermissionError):
                c.execute_command("HA", *words)


# ---- strangers and noise -----------------------------------------------------------------------------------------------


def test_what_comes_behind_attach_is_read(yard):
    n = yard.node("n")
    with socket.create_connection(("127.0.0.1", n.port), 5) as s:
        s.sendall(b"HA ATTACH g VOTER %s 1\r\nPING\r\nPING\r\n" % hex_id().encode())
        f = s.makefile("rb")
        seen = []
        while seen.count(b"+PONG\r\n") < 2:
            line = f.readline()
            assert line, seen
            seen.append(line)
        assert seen[0] == b"+OK\r\n"


def unharmed(play, n, c):
    assert status(n)["phase"] == "open"
    assert c.set("still", "here")


def test_hostile_lines(yard, play):
    n = node_of(yard)
    form_with_ghosts(play, n)
    c = n.connect()
    w = Wire(n)
    me, gid, rec = w.id, play.gid, play.record_words()
    bad = ["", "x", "seal", "seal from", "seal from %s" % me, "seal from nobody life 1 gid 1 ballot 9",
           "seal from %s life 1 gid 18446744073709551616 ballot 9" % me,
           "seal from %s life 1 gid %d ballot 18446744073709551615" % (me, gid),
           "seal from %s life 1 life 2 gid %d ballot 9" % (me, gid), "seal from %s life 1 gid %d ballot 9 color red" % (me, gid),
           "seal from %s life 1 gid %d ballot -9" % (me, gid), "renew from %s life 1 gid %d epoch 9 ms 100000" % (me, gid),
           "ack from %s life 1 gid %d epoch 1 pos 1 9999999" % (me, gid), "stream from %s life 1 gid %d epoch 9" % (me, gid),
           "status from %s life 1 gid %d" % (me, gid), "open from %s life 1 gid %d ballot 9 rec gid" % (me, gid),
           "open from %s life 1 gid %d rec %s member x" % (me, gid, rec), "open from %s life 1 rec %s" % (hex_id(), rec),
           "open from %s life 1 gid %d ballot 1 rec %s" % (me, gid, rec.replace(" timing", " fsync yes timing")),
           "look from %s life 1" % hex_id(), "\x00\x01\xff", "seal from %s life 1 gid %d\r\nballot 9" % (me, gid)]
    for line in bad:
        got = w.ask("HA", "MSG", line)
        assert got and got.startswith("-ERR"), (line, got)
    unharmed(play, n, c)
    # well formed, and not for us: another group, an older ballot, an epoch that never was, the same again
    for line in ["seal from %s life 1 gid %d ballot 99 epoch 1" % (me, gid + 1), "seal from %s life 1 gid %d ballot 1 epoch 1" % (me, gid),
                 "end from %s life 1 gid %d epoch 7" % (me, gid), "bind from %s life 1 gid %d ballot 99 node %s node_life 1" % (me, gid + 1, me),
                 "bind from %s life 1 gid %d ballot 1 node %s node_life 1" % (me, gid, me), "finish from %s life 1 gid %d ballot 5" % (me, gid),
                 "resume from %s life 1 gid %d ballot 5" % (me, gid), "lease from %s life 1 gid %d epoch 1 nonce 1 ok yes" % (me, gid),
                 "open from %s life 1 gid %d ballot 1 rec %s" % (me, gid, rec), "fetch from %s life 1 gid %d ballot 9 node %s addr 127.0.0.1 1 pos 9 9" % (me, gid, me)]:
        assert w.ask("HA", "MSG", line) == "+OK", line
    unharmed(play, n, c)
    assert w.ask("PING") == "+PONG"
    assert w.ask("FLUSHALL").startswith("-ERR") and w.reply() is None
    w.close()
    unharmed(play, n, c)


def test_noise_on_control_links(yard, play):
    n = node_of(yard)
    form_with_ghosts(play, n)
    c = n.connect()
    rng = random.Random(7)
    for data in [b"*3\r\n$2\r\nHA\r\n$3\r\nMSG\r\n$70000\r\n" + b"x" * 70000 + b"\r\n", b"*300\r\n", b"*2\r\n$-5\r\n", b"$$$$\r\n" * 100,
                 b"x" * 200000, b"*3\r\n$2\r\nHA\r\n$3\r\nMSG\r\n$10\r\nlook", bytes(rng.randrange(256) for _ in range(5000))]:
        w = Wire(n)
        try:
            w.raw(data)
            w.sock.settimeout(0.5)
            while w.file.read1(4096):
                pass
        except OSError:
            pass
        w.close()
        unharmed(play, n, c)
    for words in [("HA", "ATTACH"), ("HA", "ATTACH", "g", "KING", hex_id(), "1"), ("HA", "ATTACH", "g", "VOTER", "short", "1"),
                  ("HA", "ATTACH", "g", "VOTER", hex_id().upper().replace("0", "A"), "1"), ("HA", "ATTACH", "g", "VOTER", hex_id(), "x"),
                  ("HA", "ATTACH", "g", "NODE", hex_id(), "1"), ("HA", "MSG", "look"), ("HA", "MARKER", "1", "2", "3"), ("HA", "NOTHING")]:
        refused(c, *words)
    unharmed(play, n, c)


def random_line(rng, me, play, nodes, life=1):
    """Well formed, of the right group more often than not, and mad."""
    kind = rng.choice(["look", "bind", "seal", "fetch", "open", "lease", "joint", "committed", "stop", "resume", "finish", "follow", "end"])
    ids = [play.ids[n][0] for n in nodes] + [hex_id()]
    out = [kind, "from", me, "life", str(life), "gid", str(play.gid if rng.random() < 0.8 else number())]
    small = lambda: str(rng.randint(1, 30))
    for name, value in [("ballot", small), ("epoch", small), ("promised", small), ("change", lambda: str(rng.randint(0, 2))),
                        ("node", lambda: rng.choice(ids)), ("node_life", lambda: str(play.ids[nodes[0]][1])),
                        ("incarnation", lambda: str(play.ids[nodes[0]][2])), ("nonce", small), ("ms", lambda: str(rng.randint(1, 900))),
                        ("addr", lambda: "127.0.0.1 %d" % rng.choice([n.port for n in nodes] + [1])), ("pos", lambda: "%s %d" % (small(), rng.randint(0, 5000))),
                        ("ok", lambda: "yes"), ("ended", lambda: "yes"), ("unproved", lambda: "yes")]:
        if rng.random() < 0.6:
            out += [name, value()]
    if rng.random() < 0.7:
        e = rng.randint(1, 30)
        primary = rng.choice(nodes)
        out.append("rec " + play.record_words(epoch=e, ballot=e + rng.randint(0, 3), change=rng.randint(0, 2), born=min(e, play.rec["born"]),
                                              primary=play.ids[primary][0], incarnation=play.ids[primary][2], mode=rng.choice(["async", "prefer", "strict"])))
    return " ".join(out)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mad_sentinels(yard, play, seed):
    """Whatever sentinels order, in whatever order: a node goes on, and never forgets its seal."""
    a, b = node_of(yard, "a"), node_of(yard, "b")
    with b.connect() as cb:
        cb.execute_command("REPLICAOF", "127.0.0.1", a.port)
        wait_until(lambda: cb.info("replication")["master_link_status"] == "up")
    play.form([a, b])
    rng = random.Random(seed)
    wires = {n: Wire(n) for n in (a, b)}
    sealed = {a: 0, b: 0}
    stop = threading.Event()

    def writer(n):
        while not stop.is_set():
            try:
                with n.connect(socket_timeout=2) as c:
                    for i in range(50):
                        refusal_of(c, "SET", "k%d" % i, "v")
            except (redis.exceptions.RedisError, OSError):
                pass

    threads = [threading.Thread(target=writer, args=(n,), daemon=True) for n in (a, b)]
    for t in threads:
        t.start()
    try:
        for i in range(1500):
            n = rng.choice((a, b))
            w = wires[n]
            got = w.ask("HA", "MSG", random_line(rng, w.id, play, [a, b]))
            assert got is not None, n.tail()
            if i % 100 == 0:
                for x in (a, b):
                    s = status(x)
                    assert s["sealed"] >= sealed[x], "a seal was forgotten"
                    sealed[x] = s["sealed"]
            if i % 500 == 499:
                n.kill()
                n.start()
                wires[n] = Wire(n)
                assert status(n)["sealed"] >= sealed[n]
    finally:
        stop.set()
        for t in threads:
            t.join(5)
    for n in (a, b):
        assert n.is_alive() and status(n)["id"] == play.ids[n][0]
        assert n.stop() == 0


def test_sixty_links(yard, play):
    n = node_of(yard)
    form_with_ghosts(play, n)
    c = n.connect()
    wires = [Wire(n) for _ in range(60)]
    took = [w for w in wires if w.attached == "+OK"]
    assert 40 <= len(took) < 60, len(took)
    assert all(w.ask("PING") == "+PONG" for w in took)
    unharmed(play, n, c)
    v = play.voters[0]
    v.links.pop(n).close()
    v.attach(n)                            # whoever is in V finds a place
    unharmed(play, n, c)
    for w in wires:
        w.close()
    wait_until(lambda: int(c.info("ha")["ha_control_links"]) == 3, what="the others to be gone")
    play.grants(False)
    wait_until(lambda: refusal_of(c, "SET", "a", "1"), 5)
    play.grants(True)
    wait_until(lambda: c.set("a", "1"), 5)


def test_voters_come_and_go(yard, play):
    n = node_of(yard)
    form_with_ghosts(play, n)
    with n.connect() as c:
        for i in range(40):
            v = play.voters[i % 3]
            v.links.pop(n).close()
            v.attach(n)
            assert c.set("a", str(i)), "one voter at a time may leave"
            time.sleep(0.03)


# ---- killed at every call that its own state rests on --------------------------------------------------------------------


def faulty_program():
    for folder in (os.environ.get("KVORUM_FAULTY_BIN"), os.path.join(TOP, "build", "asan", "bin"), BIN):
        path = folder and os.path.join(folder, "kvnode")
        if path and os.access(path, os.X_OK) and b"KVORUM_FAULT" in open(path, "rb").read():
            return path
    return None


class Sweep:
    """One node is bound, opened and sealed, and killed at the n-th call that its record rests on. What it was heard to
    say must hold when it starts again."""

    def __init__(self, yard, program, form):
        self.yard, self.program, self.form, self.port, self.n = yard, program, form, free_port(), 0

    def victim(self, plan):
        self.n += 1
        name = "victim%d" % self.n
        folder = os.path.join(self.yard.folder, name)
        lines = ["port %d" % self.port, "bind 127.0.0.1", "dir " + folder, 'save ""']
        if self.form == "state-dir":
            lines.append("state-dir " + os.path.join(folder, "state"))
        return self.yard.add(Process(name, self.program, lines, self.yard.folder, self.port,
                                     env={"KVORUM_FAULT": plan, "ASAN_OPTIONS": "detect_leaks=0"}), start=False)

    def drive(self, play, v):
        """Bind, open, then seals that rise. What was heard: {"bound": ballot, "sealed": highest that was promised}."""
        heard = {"bound": 0, "sealed": 0, "id": None}
        voter = play.voters[0]
        try:
            m = play.look(v)
            heard["id"] = m["from"]
            pid, life, incarnation = play.ids[v]
            play.nodes = [v]
            play.rec = dict(gid=play.gid, ballot=1, change=0, epoch=1, born=1, primary=pid, incarnation=incarnation, mode="strict",
                            k=0, members=[v])
            play.store()
            steps = [("bind", "bound", dict(ballot=1, node=pid, node_life=life)),
                     ("open", "opened", dict(ballot=1, rec=play.record_words()))]
            steps += [("seal", "sealed", dict(ballot=b, epoch=1)) for b in range(3, 8)]
            for kind, answer, fields in steps:
                m = voter.ask(v, kind, answer, 5, **fields)
                if kind == "bind" and m.get("ok"):
                    heard["bound"] = 1
                if kind == "open" and m.get("ok"):
                    heard["sealed"] = 1
                if kind == "seal":                       # also `leased`: it is persisted before it says that
                    heard["sealed"] = max(heard["sealed"], m.get("sealed", 0))
        except (AssertionError, OSError, ConnectionError, KeyError):
            pass
        return heard

    def launch(self, v, strace):
        if not strace:
            v.launch()
            return
        call, n = strace
        v.out = open(v.log, "ab")
        v.proc = subprocess.Popen(["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e",
                                   "inject=%s:signal=KILL:when=%d" % (call, n), v.program, v.conf], cwd=v.folder,
                                  stdin=subprocess.DEVNULL, stdout=v.out, stderr=subprocess.STDOUT)
        v.out.close()
        Process.live.append(v)

    def run_once(self, plan, strace=None):
        v, play = self.victim(plan), Play(voters=1)
        plan = plan or strace
        try:
            self.launch(v, strace)
            try:
                wait_until(lambda: v.proc.poll() is not None or v.answers(), 30, every=0.01, what="the start, or the end, of " + v.name)
            except AssertionError:
                if v.proc.poll() is None:
                    raise
            heard = self.drive(play, v) if v.proc.poll() is None else {"bound": 0, "sealed": 0, "id": None}
            struck = v.proc.poll() is not None
            if struck:
                assert v.proc.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), "%s: ended with %s\n%s" % (plan, v.proc.returncode, v.tail())
            v.kill()
            play.close()
            self.check(v, heard, plan, play.gid)
        finally:
            play.close()
            v.kill()
            if v in Process.live:
                Process.live.remove(v)
            self.yard.processes.remove(v)
            shutil.rmtree(v.folder, ignore_errors=True)
        return struck

    def check(self, v, heard, plan, gid):
        v.env["KVORUM_FAULT"] = ""
        v.start()
        s = status(v)
        if heard["bound"] or heard["sealed"]:
            assert s["group"] == str(gid), "%s: forgot its group: %r, heard %r\n%s" % (plan, s, heard, v.tail())
            assert s["phase"] == "fenced", (plan, s)
            assert s["id"] == heard["id"], "%s: another node" % plan
            with v.connect() as c:
                assert refused(c, "SET", "a", "1").startswith("NOREPLICAS")
        assert s["sealed"] >= heard["sealed"], "%s: sealed %s, was heard to promise %s" % (plan, s["sealed"], heard["sealed"])
        assert not s["record-trouble"]


@pytest.mark.parametrize("form", ["state-dir", "beside-the-data"])
def test_killed_at_every_write_of_its_record(yard, form):
    program = faulty_program()
    if not program:
        pytest.skip("no build with fault points (scripts/build asan kvnode)")
    s, n, quiet = Sweep(yard, program, form), 1, 0
    while quiet < 2 and n < 400:
        struck = s.run_once("%d:%s" % (n, ("kill", "short", "lose")[n % 3]))
        quiet = 0 if struck else quiet + 1
        n += 1
    print("%s: %d places" % (form, n - 1))
    assert n > 10, "only %d calls were seen: nothing was swept" % n


@pytest.mark.long
@pytest.mark.parametrize("form", ["state-dir", "beside-the-data"])
def test_killed_at_every_system_call(yard, form):
    """The program as it ships."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed (scripts/deps test)")
    s, total = Sweep(yard, find("kvnode"), form), 0
    for call in ("write", "fdatasync", "fsync", "rename", "openat", "unlink"):
        n, quiet = 1, 0
        while quiet < 2 and n < 300:
            struck = s.run_once("", strace=(call, n))
            quiet = 0 if struck else quiet + 1
            n += 1
        total += n
    assert total > 20


def test_disk_that_refuses(yard, play):
    """Nothing is promised that is not on disk; when the disk is back, it is."""
    program = faulty_program()
    if not program:
        pytest.skip("no build with fault points (scripts/build asan kvnode)")
    switch = os.path.join(yard.folder, "switch")
    port = free_port()
    lines = ["port %d" % port, "bind 127.0.0.1", "dir " + os.path.join(yard.folder, "n"), 'save ""',
             "state-dir " + os.path.join(yard.folder, "n", "state")]
    n = yard.add(Process("n", program, lines, yard.folder, port, env={"KVORUM_FAULT": "@" + switch, "ASAN_OPTIONS": "detect_leaks=0"}))
    form_with_ghosts(play, n)
    with open(switch, "w") as f:
        f.write("ENOSPC")
    v = play.voters[0]
    v.heard = []
    v.say(n, "seal", ballot=6, epoch=1)
    wait_until(lambda: status(n)["record-trouble"], what="the trouble to show")
    time.sleep(0.3)
    assert not v.last(n, "sealed", ok=True), v.heard
    os.unlink(switch)
    m = play.seal(n, 6, timeout=10)
    wait_until(lambda: play.seal(n, 6).get("ok") or play.seal(n, 6).get("why") == "leased", 10)
    n.kill()
    n.env["KVORUM_FAULT"] = ""
    n.start()
    assert status(n)["sealed"] == 6, m
    assert re.search("No space left", n.log_text())
