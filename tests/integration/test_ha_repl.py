"""Replication of a formed group over real kvnodes; its sentinels are played by hand (ha_play):
epochs in the stream, who may continue, lives, tails."""
import glob
import os
import signal
import time

import pytest
import redis
from ha_log import copy_of_log_is, digest, dissolve, field, nodes_of, play, position, seal, wait_level, wait_link_up, write  # noqa: F401
from ha_play import Play
from harness import free_port, wait_until


def test_the_epoch_begins_in_the_stream(yard, play):
    """Formed without a gap: old data stays, replicas continue by partial sync, the marker is confirmed, writes are."""
    nodes = nodes_of(yard)
    write(nodes[0], 20, "before")
    play.form(nodes, k=1)
    for n in nodes[1:]:
        assert int(n.info("replication").get("master_link_down_since_seconds", 0)) < 5
    wait_link_up(*nodes[1:])
    stats = nodes[0].info("stats")
    assert int(stats["sync_full"]) == 2 and int(stats["sync_partial_ok"]) >= 2, stats
    write(nodes[0], 20)
    wait_level(play, *nodes)
    assert position(play, nodes[0])[0] == 1
    wait_until(lambda: (lambda m: m["acked"] == m["pos"][1])(play.look(nodes[0])), what="everything to be confirmed")
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


def test_the_shorter_one_fetches_the_tail(yard, play):
    """Two are sealed at different lengths; the shorter one takes the tail of the longer one by a partial sync, answers its
    seal again with the longer position, is opened, and the longer one follows it. Nobody makes a full copy."""
    nodes = nodes_of(yard)
    play.form(nodes, k=1)
    wait_link_up(*nodes[1:])
    write(nodes[0], 10)
    wait_level(play, *nodes)
    seal(play, 2, nodes[2])                        # stands still here
    write(nodes[0], 25, "more")
    wait_level(play, nodes[0], nodes[1])
    nodes[0].kill()
    seal(play, 2, nodes[1])
    longer, shorter = position(play, nodes[1]), position(play, nodes[2])
    assert longer > shorter
    v = play.voters[0]
    m = v.ask(nodes[2], "fetch", "sealed", 30, {"ballot": 2}, ballot=2, node=play.ids[nodes[1]][0], addr=("127.0.0.1", nodes[1].port),
              pos=longer)
    assert m.get("ok") and tuple(m["pos"]) == longer, m
    play.promote(nodes[2], 2, seal=[])
    play.wait_open(nodes[2])
    wait_link_up(nodes[1])
    write(nodes[2], 5, "after")
    wait_level(play, nodes[2], nodes[1])
    assert copy_of_log_is(nodes[1:])
    assert "Full resync from master" not in nodes[2].log_text().split("Fetching the tail")[1]
    assert int(nodes[2].info("stats")["sync_full"]) == 0


def test_a_fetch_that_cannot_be(yard, play):
    """The source is gone, or of another ballot: the seal is answered all the same, with what there is."""
    nodes = nodes_of(yard)
    play.form(nodes, k=1)
    wait_link_up(*nodes[1:])
    write(nodes[0], 10)
    wait_level(play, *nodes)
    seal(play, 3, nodes[2])
    here = position(play, nodes[2])
    v = play.voters[0]
    for port in (free_port(), nodes[0].port, nodes[1].port):       # nobody; the primary itself; one that is not sealed
        m = v.ask(nodes[2], "fetch", "sealed", 30, {"ballot": 3}, ballot=3, node=play.ids[nodes[0]][0], addr=("127.0.0.1", port),
                  pos=(1, here[1] + 100))
        assert m.get("ok") and tuple(m["pos"]) == here, (port, m)
    seal(play, 3, nodes[1])
    play.promote(nodes[1], 3, seal=[])
    wait_link_up(nodes[2])


def test_who_missed_two_epochs_continues(yard, play):
    """A replica that slept through two epochs is unknown by its replication id, but its position is in the table."""
    nodes = nodes_of(yard)
    play.form(nodes, k=1)
    wait_link_up(*nodes[1:])
    write(nodes[0], 10)
    wait_level(play, *nodes)
    life = play.look(nodes[2])["life"]
    play.seal(nodes[2], 2)                          # stands still, and is not told whom to follow
    for ballot, to in ((2, nodes[1]), (3, nodes[0])):
        others = [n for n in nodes[:2] if n is not to]
        seal(play, ballot, *nodes[:2])
        play.look(to)
        pid, _, incarnation = play.ids[to]
        play.rec.update(ballot=ballot, change=0, epoch=ballot, primary=pid, incarnation=incarnation)
        play.store()
        m = play.voters[0].ask(to, "open", "opened", 30, {"epoch": ballot}, ballot=ballot, rec=play.record_words())
        assert m.get("ok"), m
        play.follow(others[0])
        play.wait_open(to)
        write(to, 10, "e%d" % ballot)
        wait_level(play, to, others[0])
    before = int(nodes[0].info("stats")["sync_full"])
    play.follow(nodes[2])
    wait_link_up(nodes[2])
    wait_level(play, nodes[0], nodes[2])
    assert int(nodes[0].info("stats")["sync_full"]) == before
    assert play.look(nodes[2])["life"] == life
    assert copy_of_log_is(nodes)
    with nodes[2].connect() as c:
        assert c.get("e2:3") == "v3" and c.get("e3:3") == "v3"


def test_a_clean_stop_keeps_life_and_place(yard, play):
    """A replica that is stopped saves; it comes back with the same life and table and continues."""
    nodes = nodes_of(yard)
    play.form(nodes, k=1)
    wait_link_up(*nodes[1:])
    write(nodes[0], 10)
    wait_level(play, *nodes)
    life, place = play.look(nodes[2])["life"], position(play, nodes[2])
    full = int(nodes[0].info("stats")["sync_full"])
    assert nodes[2].stop() == 0
    write(nodes[0], 10, "meanwhile")
    nodes[2].launch()
    wait_until(lambda: field(nodes[2], "ha_state") == "fenced", what="born fenced")
    m = play.look(nodes[2])
    assert m["life"] == life and tuple(m["pos"]) == place, m
    play.follow(nodes[2])
    wait_link_up(nodes[2])
    wait_level(play, nodes[0], nodes[2])
    assert int(nodes[0].info("stats")["sync_full"]) == full
    assert copy_of_log_is(nodes)


def test_a_bound_node_starts_sealed_whatever_its_file_says(yard, play):
    """Role, replication and expiry stand still until it is told whom to follow."""
    nodes = nodes_of(yard)
    play.form(nodes, k=1)
    wait_link_up(*nodes[1:])
    with nodes[0].connect() as c:
        c.set("soon", "x", px=600)
    write(nodes[0], 3)
    wait_level(play, *nodes)
    nodes[1].stop()
    with open(nodes[1].conf, "a") as f:
        f.write("replicaof 127.0.0.1 %d\n" % nodes[2].port)
    nodes[1].launch()
    wait_until(lambda: field(nodes[1], "ha_state") == "fenced", what="born fenced")
    place = position(play, nodes[1])
    info = nodes[1].info("replication")
    assert info["role"] == "slave" and info["master_link_status"] == "down", info
    time.sleep(0.8)                                # the key's deadline passes
    with nodes[1].connect() as c:
        assert "loading:0" and c.execute_command("ROLE")[0] == "slave"
    assert position(play, nodes[1]) == place
    # nobody is fed by it
    with nodes[1].connect() as c:
        with pytest.raises(redis.exceptions.ResponseError, match="NOMASTERLINK"):
            c.execute_command("PSYNC", "?", "-1")


def test_plain_nodes_save_tails_too(yard):
    """No group at all: the primary that was replaced while it went on writing drops that tail into a file."""
    nodes = [yard.node("a")]
    nodes.append(yard.node("b", lines=["replicaof 127.0.0.1 %d" % nodes[0].port]))
    wait_link_up(nodes[1])
    write(nodes[0], 10)
    wait_until(lambda: digest(nodes[0]) == digest(nodes[1]), what="the same data")
    with nodes[1].connect() as c:
        c.replicaof("NO", "ONE")
    write(nodes[0], 7, "lost")
    write(nodes[1], 3, "kept")
    with nodes[0].connect() as c:
        c.replicaof("127.0.0.1", nodes[1].port)
    wait_link_up(nodes[0])
    wait_until(lambda: digest(nodes[0]) == digest(nodes[1]), what="the same data")
    info = nodes[0].info("replication")
    assert int(info["last_tail_commands"]) == 7 and int(info["last_tail_whole"]) == 1, info
    text = open(os.path.join(nodes[0].folder, info["last_tail_file"])).read()
    assert text.startswith("kvorum-tail group 0 epoch 0 ") and text.count("lost:") == 7
    with nodes[0].connect() as c:                  # a copy of something else is no loss of that kind
        c.replicaof("NO", "ONE")
    other = yard.node("other")
    write(other, 5, "other")
    with nodes[0].connect() as c:
        c.replicaof("127.0.0.1", other.port)
    wait_link_up(nodes[0])
    assert len(glob.glob(os.path.join(nodes[0].folder, "tail-*.resp"))) == 1


def test_a_member_that_is_silent_loses_its_link(yard, play):
    """A replica's host that vanishes leaves a connection that looks alive; two times down-after without an
    acknowledgement end it. One that was only slow comes back and continues."""
    nodes = nodes_of(yard)
    play.form(nodes, k=1)
    wait_link_up(*nodes[1:])
    write(nodes[0], 5)
    wait_level(play, *nodes)
    full = int(nodes[0].info("stats")["sync_full"])
    nodes[2].signal(signal.SIGSTOP)
    wait_until(lambda: int(field(nodes[0], "connected_slaves")) == 1, 30, what="the silent one to be dropped")
    write(nodes[0], 5, "meanwhile")                # k = 1: the other one confirms
    nodes[2].signal(signal.SIGCONT)
    wait_until(lambda: int(field(nodes[0], "connected_slaves")) == 2, 30, what="it to come back")
    wait_level(play, nodes[0], nodes[2])
    assert int(nodes[0].info("stats")["sync_full"]) == full


def test_plain_again_nobody_is_sent_away(yard, play):
    """Dissolved: replicas go on as they were, the log has no epochs any more, plain orders are taken; formed once more
    under another id it begins anew."""
    nodes = nodes_of(yard)
    play.form(nodes, k=1)
    wait_link_up(*nodes[1:])
    write(nodes[0], 10)
    wait_level(play, *nodes)
    before = nodes[0].info("stats")
    dissolve(play, nodes[0])
    wait_until(lambda: all(field(n, "ha_state") == "plain" for n in nodes), what="plain nodes")
    write(nodes[0], 10, "plain")
    time.sleep(2.5 * play.timing[3] / 1000)        # longer than a member may be silent
    after = nodes[0].info("stats")
    assert (after["sync_full"], after["sync_partial_ok"]) == (before["sync_full"], before["sync_partial_ok"]), after
    with nodes[0].connect() as c:
        c.save()
    assert b"kvorum-epochs" not in open(os.path.join(nodes[0].folder, "dump.rdb"), "rb").read()
    with nodes[1].connect() as c:
        c.replicaof("NO", "ONE")
        c.replicaof("127.0.0.1", nodes[0].port)
    wait_link_up(nodes[1])
    again = Play(timing=play.timing)
    try:
        again.form(nodes, k=1, ballot=play.rec["ballot"] + 1)
        wait_link_up(*nodes[1:])
        write(nodes[0], 10, "again")
        wait_level(again, *nodes)
        assert position(again, nodes[0])[0] == play.rec["ballot"] + 1
        assert copy_of_log_is(nodes)
    finally:
        again.close()


def test_told_before_it_is_opened(yard, play):
    """A member that hears whom to follow before that one was opened does not go away again: it is answered when the epoch
    begins, or a little later that there is none."""
    nodes = nodes_of(yard)
    play.form(nodes, k=1)
    wait_link_up(*nodes[1:])
    write(nodes[0], 5)
    wait_level(play, *nodes)
    seal(play, 2, *nodes)
    play.look(nodes[1])
    pid, _, incarnation = play.ids[nodes[1]]
    play.rec.update(ballot=2, change=0, epoch=2, primary=pid, incarnation=incarnation)
    play.follow(nodes[0])
    play.follow(nodes[2])
    with nodes[1].connect() as c:                  # a stranger of this group, by hand: held, and then told that there is none
        began = time.monotonic()
        answer = c.execute_command("REPLCONF", "ha-member", "a" * 40, "5", str(play.gid), "1", "0")
        assert "stream" not in answer and 0.2 < time.monotonic() - began < 8, answer
        c.execute_command("REPLCONF", "ha-member", "a" * 40, "5", "0", "0", "0")       # of no group: at once
    with nodes[1].connect() as gone:               # leaves while it is held
        gone.connection_pool.get_connection("x").send_command("REPLCONF", "ha-member", "b" * 40, "5", str(play.gid), "1", "0")
    play.store()
    m = play.voters[0].ask(nodes[1], "open", "opened", 30, {"epoch": 2}, ballot=2, rec=play.record_words())
    assert m.get("ok"), m
    play.wait_open(nodes[1])
    wait_link_up(nodes[0], nodes[2])
    wait_level(play, nodes[1], nodes[0], nodes[2])
