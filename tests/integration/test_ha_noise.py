"""What strangers, and sentinels gone mad, may say to a member of a formed group."""
import random
import socket
import threading
import time

import pytest
import redis
from ha_play import hex_id, number
from ha_scene import form_with_ghosts, node_of, play, refusal_of, refused, status, Wire  # noqa: F401
from harness import wait_until


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
    wait_until(lambda: refusal_of(c, "SET", "a", "1"), 30)
    play.grants(True)
    wait_until(lambda: c.set("a", "1"), 30)


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
