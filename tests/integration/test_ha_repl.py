"""Replication of a formed group over real kvnodes; its sentinels are played by hand (ha_play):
epochs in the stream, who may continue, lives, tails, and what a file carries."""
import glob
import os
import re
import shutil
import signal
import subprocess
import time

import pytest
import redis
from conftest import need
from harness import find, free_port, wait_until
from ha_play import Play

NODE = ["save 3600 1", "repl-backlog-size 1mb"]


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


def copy_of_log_is(nodes):
    return len({digest(n) for n in nodes}) == 1


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
    m = v.ask(nodes[2], "fetch", "sealed", 10, {"ballot": 2}, ballot=2, node=play.ids[nodes[1]][0], addr=("127.0.0.1", nodes[1].port),
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
        m = v.ask(nodes[2], "fetch", "sealed", 15, {"ballot": 3}, ballot=3, node=play.ids[nodes[0]][0], addr=("127.0.0.1", port),
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
        m = play.voters[0].ask(to, "open", "opened", 10, {"epoch": ballot}, ballot=ballot, rec=play.record_words())
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


def test_stock_servers_read_our_files_and_streams(yard, play):
    """redis-server takes the stream of an epoch's primary, and loads the file that carries the table."""
    if not find("redis-server"):
        pytest.skip("redis-server is not installed")
    nodes = nodes_of(yard, 2)
    play.form(nodes, k=1)
    wait_link_up(nodes[1])
    write(nodes[0], 10)
    stock = yard.node("stock", "redis-server", ["replicaof 127.0.0.1 %d" % nodes[0].port])
    wait_link_up(stock)
    write(nodes[0], 10, "more")
    wait_until(lambda: int(field(stock, "slave_repl_offset")) == int(field(nodes[0], "master_repl_offset")), what="stock in step")
    seal(play, 2, *nodes)
    play.promote(nodes[0], 2, seal=[])              # a marker comes down to it, a command it does not know
    play.wait_open(nodes[0])
    wait_link_up(nodes[1], stock)
    write(nodes[0], 10, "epoch2")
    wait_until(lambda: digest(stock) == digest(nodes[0]), what="the same data")
    with nodes[0].connect() as c:
        c.save()
    again = yard.node("again", "redis-server", start=False)
    with open(os.path.join(nodes[0].folder, "dump.rdb"), "rb") as f, open(os.path.join(again.folder, "dump.rdb"), "wb") as g:
        data = f.read()
        assert b"kvorum-epochs" in data
        g.write(data)
    again.start()
    assert digest(again) == digest(nodes[0])


def test_streams_that_may_not_be_taken(yard, play):
    """A member takes nothing from whoever is not the primary of an epoch of its group: not from a wiped node at the
    primary's address, not from a plain one."""
    nodes = nodes_of(yard)
    play.form(nodes, k=1)
    wait_link_up(*nodes[1:])
    write(nodes[0], 10)
    wait_level(play, *nodes)
    before = [digest(n) for n in nodes]
    port = nodes[0].port
    nodes[0].kill()
    yard.node("wiped", port=port)                  # empty, at the same address, of no group
    wait_until(lambda: "not the primary of an epoch" in field(nodes[1], "master_link_down_reason"), what="the refusal to be said")
    time.sleep(0.3)
    assert [digest(n) for n in nodes[1:]] == before[1:]
    assert field(nodes[1], "master_link_status") == "down"


def test_greetings_of_strangers(yard, play):
    """REPLCONF ha-member and its answer; nonsense is refused, and changes nothing."""
    nodes = nodes_of(yard, 2)
    play.form(nodes, k=1)
    wait_link_up(nodes[1])
    with nodes[0].connect() as c:
        life = "5"
        answer = c.execute_command("REPLCONF", "ha-member", "a" * 40, life, str(play.gid), "1", "0")
        assert re.match(r"HA [0-9a-f]{40} %d stream from " % nodes[0].port, answer), answer
        for bad in (["x", life, "1", "1", "0"], ["A" * 40, life, "1", "1", "0"], ["a" * 40, "-1", "1", "1", "0"], ["a" * 40, life],
                    ["a" * 40, life, "1", "1", "0", "0"], ["a" * 40, life, "1", "x", "0"]):
            with pytest.raises(redis.exceptions.ResponseError):
                c.execute_command("REPLCONF", "ha-member", *bad)
        with pytest.raises(redis.exceptions.ResponseError, match="NOMASTERLINK"):     # a tail, of a node that is not sealed
            c.execute_command("REPLCONF", "ha-member", "a" * 40, life, str(play.gid), "1", "9")
            c.execute_command("PSYNC", "?", "-1")
        with pytest.raises(redis.exceptions.ResponseError):
            c.execute_command("HA", "MARKER", "1", "99", "1")
    with nodes[1].connect() as c:                  # a follower feeds nobody
        with pytest.raises(redis.exceptions.ResponseError, match="NOMASTERLINK"):
            c.execute_command("PSYNC", "?", "-1")
    write(nodes[0], 5)
    wait_level(play, *nodes)


def test_who_greeted_before_the_epoch_greets_again(yard, play):
    """PSYNC on a connection that greeted before the epoch began is refused: it has not heard of the stream."""
    nodes = nodes_of(yard, 2)
    with nodes[0].connect() as c:
        c.execute_command("REPLCONF", "ha-member", "a" * 40, "5", "0", "0", "0")
        play.form(nodes, k=1)
        with pytest.raises(redis.exceptions.ResponseError, match="epoch began"):
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


def test_psync_failover_does_not_promote_a_member(yard, play):
    nodes = nodes_of(yard, 2)
    play.form(nodes, k=1)
    wait_link_up(nodes[1])
    with nodes[1].connect() as c:
        with pytest.raises(redis.exceptions.ResponseError, match="formed group"):
            c.execute_command("PSYNC", field(nodes[1], "master_replid"), "1", "FAILOVER")
    assert field(nodes[1], "role") == "slave"


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
    wait_until(lambda: int(field(nodes[0], "connected_slaves")) == 1, 5, what="the silent one to be dropped")
    write(nodes[0], 5, "meanwhile")                # k = 1: the other one confirms
    nodes[2].signal(signal.SIGCONT)
    wait_until(lambda: int(field(nodes[0], "connected_slaves")) == 2, 5, what="it to come back")
    wait_level(play, nodes[0], nodes[2])
    assert int(nodes[0].info("stats")["sync_full"]) == full


def test_debug_reload_nosave_is_refused(yard, play):
    nodes = nodes_of(yard, 2)
    play.form(nodes, k=1)
    with nodes[0].connect() as c:
        c.execute_command("DEBUG", "RELOAD")
        with pytest.raises(redis.exceptions.ResponseError, match="older file"):
            c.execute_command("DEBUG", "RELOAD", "NOSAVE")


def test_a_copy_that_breaks_off_costs_nothing(yard, play):
    """Sealed while a full copy is being loaded: the old data, its position and its life stay. When the copy comes through
    the life is another; no tail was lost, for the copy holds all that there was."""
    nodes = nodes_of(yard, lines=["repl-backlog-size 16kb"])
    play.form(nodes, k=1)
    wait_link_up(*nodes[1:])
    write(nodes[0], 50)
    wait_level(play, *nodes)
    play.seal(nodes[2], 2)                         # stands still while the backlog moves on
    with nodes[0].connect() as c:
        for i in range(20):
            c.set("big:%d" % i, "x" * 4096)
    wait_level(play, nodes[0], nodes[1])
    before = play.look(nodes[2])
    data = digest(nodes[2])
    with nodes[2].connect() as c:
        c.config_set("key-load-delay", 50000)
    seal(play, 2, nodes[0], nodes[1])
    play.promote(nodes[0], 2, seal=[])
    wait_until(lambda: int(nodes[2].info("persistence")["async_loading"]) == 1, what="the copy to be loaded")
    play.seal(nodes[2], 3)
    wait_until(lambda: int(nodes[2].info("persistence")["async_loading"]) == 0, what="it to be given up")
    now = play.look(nodes[2])
    assert (now["life"], now["pos"], digest(nodes[2])) == (before["life"], before["pos"], data)
    with nodes[2].connect() as c:
        c.config_set("key-load-delay", 0)
    seal(play, 3, *nodes)
    play.promote(nodes[0], 3, seal=[])
    wait_link_up(nodes[2])
    wait_level(play, nodes[0], nodes[2])
    assert copy_of_log_is(nodes)
    assert play.look(nodes[2])["life"] != before["life"]
    assert not glob.glob(os.path.join(nodes[2].folder, "tail-*"))


def test_a_disk_that_takes_no_new_life_takes_no_copy(yard, play):
    """R8: a full copy drops history, so the new life is on disk before the old data goes; else the copy is refused."""
    need("strace")
    nodes = nodes_of(yard, lines=["repl-backlog-size 16kb"])
    play.form(nodes, k=1)
    wait_link_up(*nodes[1:])
    write(nodes[0], 50)
    wait_level(play, *nodes)
    play.seal(nodes[2], 2)
    with nodes[0].connect() as c:
        for i in range(20):
            c.set("big:%d" % i, "x" * 4096)
    before, data = play.look(nodes[2]), digest(nodes[2])
    seal(play, 2, nodes[0], nodes[1])
    with nodes[2].connect() as c:
        c.config_set("key-load-delay", 20000)
    play.promote(nodes[0], 2, seal=[])
    wait_until(lambda: int(nodes[2].info("persistence")["async_loading"]) == 1, what="the copy to be loaded")
    broken = subprocess.Popen(["strace", "-f", "-qq", "-p", str(nodes[2].pid), "-o", "/dev/null", "-e", "trace=fdatasync",
                               "-e", "inject=fdatasync:error=EIO"], stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: "refuses a full copy" in field(nodes[2], "master_link_down_reason"), what="the refusal")
        now = play.look(nodes[2])
        assert now["pos"] == before["pos"] and digest(nodes[2]) == data
    finally:
        broken.send_signal(signal.SIGINT)
        broken.wait()
    with nodes[2].connect() as c:
        c.config_set("key-load-delay", 0)
    wait_link_up(nodes[2])
    wait_level(play, nodes[0], nodes[2])
    assert copy_of_log_is(nodes)
    assert play.look(nodes[2])["life"] != before["life"]


def dissolve(play, primary):
    """The last record of the group, to all of its nodes, the primary first."""
    play.rec.update(ballot=play.rec["ballot"] + 1, change=0, dissolved=True)
    for n in [primary] + [n for n in play.nodes if n is not primary]:
        m = play.voters[0].ask(n, "bind", "bound", 10, {"ballot": play.rec["ballot"]}, gid=0, old_gid=play.gid,
                               ballot=play.rec["ballot"], rec=play.record_words())
        assert m.get("ok"), m


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
    time.sleep(2.5)                                # longer than a member may be silent
    after = nodes[0].info("stats")
    assert (after["sync_full"], after["sync_partial_ok"]) == (before["sync_full"], before["sync_partial_ok"]), after
    with nodes[0].connect() as c:
        c.save()
    assert b"kvorum-epochs" not in open(os.path.join(nodes[0].folder, "dump.rdb"), "rb").read()
    with nodes[1].connect() as c:
        c.replicaof("NO", "ONE")
        c.replicaof("127.0.0.1", nodes[0].port)
    wait_link_up(nodes[1])
    again = Play()
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
        assert "stream" not in answer and 0.2 < time.monotonic() - began < 2, answer
        c.execute_command("REPLCONF", "ha-member", "a" * 40, "5", "0", "0", "0")       # of no group: at once
    with nodes[1].connect() as gone:               # leaves while it is held
        gone.connection_pool.get_connection("x").send_command("REPLCONF", "ha-member", "b" * 40, "5", str(play.gid), "1", "0")
    play.store()
    m = play.voters[0].ask(nodes[1], "open", "opened", 10, {"epoch": 2}, ballot=2, rec=play.record_words())
    assert m.get("ok"), m
    play.wait_open(nodes[1])
    wait_link_up(nodes[0], nodes[2])
    wait_level(play, nodes[1], nodes[0], nodes[2])


def test_a_copy_of_the_file_that_went_its_own_way(yard, play):
    """A member's file, given to a plain node that writes on: its log is of no epoch any more, so it does not continue as if
    it were; a member that takes it for its own gets a full copy."""
    nodes = nodes_of(yard, 2)
    play.form(nodes, k=1)
    wait_link_up(nodes[1])
    write(nodes[0], 20)
    with nodes[0].connect() as c:
        c.save()
    other = yard.node("other", start=False, lines=["save 3600 1"])
    shutil.copy(os.path.join(nodes[0].folder, "dump.rdb"), os.path.join(other.folder, "dump.rdb"))
    other.start()
    assert digest(other) == digest(nodes[0])
    write(other, 5, "own")
    with other.connect() as c:
        c.save()
    assert b"kvorum-epochs" not in open(os.path.join(other.folder, "dump.rdb"), "rb").read()
    # as a replica it goes by its replication id, which nobody knows
    with other.connect() as c:
        c.replicaof("127.0.0.1", nodes[0].port)
    wait_link_up(other)
    wait_until(lambda: digest(other) == digest(nodes[0]), what="the same data")
    assert "Full resync from master" in other.log_text()
