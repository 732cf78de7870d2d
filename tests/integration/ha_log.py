"""kvnodes of a formed group and their logs, the sentinels played by hand (ha_play.py): what the tests of streams, tails and
copies share."""
import os

import pytest
from ha_play import Play
from ha_scene import TIMING
from harness import wait_until

NODE = ["save 3600 1", "repl-backlog-size 1mb"]


@pytest.fixture
def play():
    p = Play(timing=TIMING)
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


def wait_link_up(*nodes, timeout=40):
    for n in nodes:
        wait_until(lambda: n.info("replication")["master_link_status"] == "up", timeout, what="%s to follow" % n.name)


def field(node, name, section="replication"):
    return node.info(section)[name]


def position(play, node):
    return tuple(play.look(node)["pos"])


def wait_level(play, a, *others):
    """All at the same position as a."""
    for b in others:
        wait_until(lambda: position(play, a) == position(play, b), 40, what="%s level with %s" % (b.name, a.name))


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
        wait_until(lambda: play.seal(n, ballot).get("ok"), 40, what="%s sealed in %d" % (n.name, ballot))


def copy_of_log_is(nodes):
    return len({digest(n) for n in nodes}) == 1


def dissolve(play, primary):
    """The last record of the group, to all of its nodes, the primary first."""
    play.rec.update(ballot=play.rec["ballot"] + 1, change=0, dissolved=True)
    for n in [primary] + [n for n in play.nodes if n is not primary]:
        m = play.voters[0].ask(n, "bind", "bound", 30, {"ballot": play.rec["ballot"]}, gid=0, old_gid=play.gid,
                               ballot=play.rec["ballot"], rec=play.record_words())
        assert m.get("ok"), m
