"""A kvnode as a member of its formed group, sentinels played by hand: bound, opened, leased, sealed, stuck, told to stop."""
import os
import signal
import socket
import time

import pytest
import redis
from ha_play import Play, hex_id, number
from ha_scene import form_with_ghosts, HAS_DATA, node_of, Pinger, pipelined, play, refusal_of, refused, status, TIMING, Wire  # noqa: F401
from harness import free_port, wait_until


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
                wait_until(lambda: "NOREPLICAS" in refused(late, "SET", "x", "3"), 30)
        except redis.exceptions.RedisError:
            pass
        finally:
            b.signal(signal.SIGCONT)
        play.grants(True)
        wait_until(lambda: ca.set("x", "4"), 30)


# ---- the lease ---------------------------------------------------------------------------------------------


@pytest.mark.alone
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


def test_one_voter_is_no_majority(yard, play):
    n = node_of(yard)
    form_with_ghosts(play, n)
    play.voters[1].grants = play.voters[2].grants = False
    with n.connect() as c:
        wait_until(lambda: refusal_of(c, "SET", "a", "2"), 30)
        play.voters[2].grants = True
        assert wait_until(lambda: c.set("a", "2"), 30)


@pytest.mark.alone
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
        assert wait_until(lambda: c.set("a", "1"), 30), "its voters still grant: it goes on"
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
    n.proc.wait(40)
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
    n.proc.wait(40)
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
    one = n.connect()                       # of the twenty: whoever came before it has left
    wait_until(lambda: one.info("clients")["connected_clients"] == 1)
    guests = [socket.create_connection(("127.0.0.1", n.port), 10) for _ in range(39)]
    try:
        refusals = 0
        for g in guests:
            g.settimeout(10)
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
