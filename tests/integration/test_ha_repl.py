"""Replication of a formed group over real kvnodes; its sentinels are played by hand (ha_play):
epochs in the stream, who may continue, lives, tails, and what a file carries."""
import glob
import os
import random
import re
import threading
import time

import pytest
import redis
from harness import Yard, find, free_port, wait_until
from ha_play import Play

NODE = ["save 3600 1", "repl-backlog-size 1mb"]


@pytest.fixture
def yard():
    y = Yard("ha-repl")
    yield y
    y.close()


@pytest.fixture
def play():
    p = Play()
    yield p
    p.close()


def nodes_of(yard, n=3, lines=()):
    """n kvnodes with a state-dir, the first one primary of the others, in sync."""
    nodes = []
    for i in range(n):
        extra = NODE + ["state-dir %s" % os.path.join(yard.folder, "node%d" % (i + 1), "state")] + list(lines)
        if i:
            extra.append("replicaof 127.0.0.1 %d" % nodes[0].port)
        nodes.append(yard.node("node%d" % (i + 1), lines=extra))
    for r in nodes[1:]:
        wait_link_up(r)
    return nodes


def wait_link_up(*nodes, timeout=20):
    for n in nodes:
        wait_until(lambda: n.info("replication")["master_link_status"] == "up", timeout, what="%s to follow" % n.name)


def field(node, name, section="replication"):
    return node.info(section)[name]


def position(play, node):
    return tuple(play.look(node)["pos"])


def wait_level(play, a, *others):
    """All at the same position as a."""
    for b in others:
        wait_until(lambda: position(play, a) == position(play, b), 10, what="%s level with %s" % (b.name, a.name))


def digest(node):
    with node.connect() as c:
        return c.execute_command("DEBUG", "DIGEST")


def write(node, n, prefix="k"):
    """n answered writes."""
    with node.connect() as c:
        for i in range(n):
            c.set("%s:%d" % (prefix, i), "v%d" % i)


def seal(play, ballot, *nodes):
    """Counted seals: promises run out first."""
    for n in nodes:
        wait_until(lambda: play.seal(n, ballot).get("ok"), 10, what="%s sealed in %d" % (n.name, ballot))


def test_the_epoch_begins_in_the_stream(yard, play):
    """Formed without a gap: old data stays, replicas continue by partial sync, the marker is confirmed, writes are."""
    nodes = nodes_of(yard)
    write(nodes[0], 20, "before")
    play.form(nodes, k=1)
    for n in nodes[1:]:
        assert int(field(n, "master_link_down_since_seconds") if field(n, "master_link_status") != "up" else 0) < 5
    wait_link_up(*nodes[1:])
    stats = nodes[0].info("stats")
    assert int(stats["sync_full"]) == 2 and int(stats["sync_partial_ok"]) >= 2, stats
    write(nodes[0], 20)
    wait_level(play, *nodes)
    assert position(play, nodes[0])[0] == 1
    m = play.look(nodes[0])
    assert m["acked"] == m["pos"][1], m            # everything is confirmed
    assert len({digest(n) for n in nodes}) == 1


def test_failover_and_return(yard, play):
    """kill -9 of the primary: both others are sealed, the longer one is opened, the other continues; the old one returns
    empty-handed (its memory is gone), under a new life, and gets a full copy."""
    nodes = nodes_of(yard)
    play.form(nodes, k=1)
    wait_link_up(*nodes[1:])
    write(nodes[0], 50)
    wait_level(play, *nodes)
    life = play.look(nodes[0])["life"]
    full = [int(n.info("stats")["sync_full"]) for n in nodes]
    nodes[0].kill()
    seal(play, 2, nodes[1], nodes[2])
    play.promote(nodes[1], 2, seal=[])
    play.wait_open(nodes[1])
    wait_link_up(nodes[2])
    write(nodes[1], 50, "after")
    wait_level(play, nodes[1], nodes[2])
    assert int(nodes[1].info("stats")["sync_full"]) == full[1], "node3 continues, without a full copy"
    assert position(play, nodes[1])[0] == 2
    nodes[0].launch()
    wait_until(lambda: field(nodes[0], "ha_state") == "fenced", what="the old primary to be born fenced")
    with nodes[0].connect() as c:
        with pytest.raises(redis.exceptions.ResponseError):
            c.set("x", 1)
    assert play.look(nodes[0])["life"] != life, "a memory that is gone is another life"
    play.follow(nodes[0])
    wait_link_up(nodes[0])
    wait_level(play, nodes[1], nodes[0])
    assert len({digest(n) for n in nodes}) == 1


def test_a_diverged_primary_saves_its_tail(yard, play):
    """Cut off from its replicas the primary goes on writing for itself; sealed and told to follow, it drops that tail:
    a file holds it, INFO says how much it was, and it lives a new life."""
    nodes = nodes_of(yard)
    play.form(nodes, k=1)
    wait_link_up(*nodes[1:])
    write(nodes[0], 10)
    wait_level(play, *nodes)
    common = position(play, nodes[0])[1]
    for n in nodes[1:]:                            # both are sealed: they take nothing of epoch 1 any more
        play.seal(n, 2)
    with nodes[0].connect() as c:                  # never confirmed: written, and not answered
        c2 = nodes[0].connect(socket_timeout=0.3)
        for i in range(5):
            with pytest.raises((redis.exceptions.TimeoutError, redis.exceptions.ConnectionError, redis.exceptions.ResponseError)):
                c2.set("lost:%d" % i, "x" * 10)
        c2.close()
        assert c.execute_command("HA", "STATUS") is not None
    life = play.look(nodes[0])["life"]
    assert position(play, nodes[0])[1] > common
    seal(play, 2, *nodes[1:])
    play.promote(nodes[1], 2, seal=[])
    play.wait_open(nodes[1])
    wait_link_up(nodes[0], nodes[2])
    write(nodes[1], 10, "after")
    wait_level(play, nodes[1], nodes[0], nodes[2])
    assert len({digest(n) for n in nodes}) == 1
    assert play.look(nodes[0])["life"] != life, "a full copy drops history: another life"
    info = nodes[0].info("replication")
    assert int(info["last_tail_commands"]) == 5 and int(info["last_tail_from"]) == common and int(info["last_tail_whole"]) == 1, info
    files = glob.glob(os.path.join(nodes[0].folder, "tail-1-*.resp"))
    assert len(files) == 1, files
    text = open(files[0]).read()
    assert text.startswith("kvorum-tail group %d epoch 1 fork %d first %d end" % (play.gid, common, common + 1)), text[:200]
    assert text.count("lost:") == 5
    with nodes[0].connect() as c:
        assert c.get("lost:0") is None
