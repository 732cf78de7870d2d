"""Copies, files and strangers around a formed group (its sentinels played by hand): who may take a stream, what a full copy
costs, what a file carries, and what is refused."""
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
from ha_log import copy_of_log_is, digest, field, nodes_of, play, seal, wait_level, wait_link_up, write  # noqa: F401
from harness import find, wait_until


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


def test_psync_failover_does_not_promote_a_member(yard, play):
    nodes = nodes_of(yard, 2)
    play.form(nodes, k=1)
    wait_link_up(nodes[1])
    with nodes[1].connect() as c:
        with pytest.raises(redis.exceptions.ResponseError, match="formed group"):
            c.execute_command("PSYNC", field(nodes[1], "master_replid"), "1", "FAILOVER")
    assert field(nodes[1], "role") == "slave"


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
        c.config_set("key-load-delay", 60000)
    play.promote(nodes[0], 2, seal=[])
    wait_until(lambda: int(nodes[2].info("persistence")["async_loading"]) == 1, what="the copy to be loaded")
    broken = subprocess.Popen(["strace", "-f", "-qq", "-p", str(nodes[2].pid), "-o", "/dev/null", "-e", "trace=fdatasync,fsync",
                               "-e", "inject=fdatasync,fsync:error=EIO"],     # fsync: of a state that is written anew after a failure
                              stdin=subprocess.DEVNULL)
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
