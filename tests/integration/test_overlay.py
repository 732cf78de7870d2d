"""kvnode with state-dir: the configuration file is never written, and what CONFIG REWRITE keeps is read after it."""
import os
import signal

import pytest
import redis
from harness import Process, faulty, find, free_port, wait_until


def node(yard, name, lines=(), start=True, **kw):
    state = os.path.join(yard.folder, name, "state")
    return yard.node(name, lines=["state-dir " + state] + list(lines), start=start, **kw)


def config(p):
    with open(p.conf) as f:
        return f.read()


def test_role_settings_and_users_survive_and_the_file_stays(yard):
    primary = yard.node("primary", lines=['requirepass "se cret\\""'])
    n = node(yard, "node", ["maxclients 500", "maxmemory-policy noeviction", "hash-max-listpack-entries 99"])
    before = config(n)
    with n.connect() as c:
        c.execute_command("REPLICAOF", "127.0.0.1", primary.port)
        c.config_set("maxclients", 600)
        c.config_set("hash-max-listpack-value", 33)
        c.config_set("save", "60 5 10 7")
        c.config_set("masterauth", "se cret\"")
        c.execute_command("ACL", "SETUSER", "ann", "on", ">pw", "~a*", "+get")
        c.config_rewrite()
    n.kill()
    n.start()
    with n.connect() as c:
        wait_until(lambda: c.info("replication")["master_link_status"] == "up")
        assert c.info("replication")["master_port"] == primary.port
        assert c.config_get("max*s")["maxclients"] == "600"
        assert c.config_get("hash-max-listpack*")["hash-max-listpack-value"] == "33"
        assert c.config_get("save")["save"] == "60 5 10 7"
        assert c.config_get("masterauth")["masterauth"] == "se cret\""
        assert any(u.startswith("user ann ") for u in c.acl_list())
        c.execute_command("REPLICAOF", "NO", "ONE")
        c.config_set("save", "")
        c.acl_deluser("ann")
        c.config_rewrite()
    assert config(n) == before
    n.stop()
    with open(n.conf, "w") as f:                 # somebody edits one line: that one counts, the others stay
        f.write(before.replace("maxclients 500", "maxclients 700"))
    n.start()
    with n.connect() as c:
        assert c.info("replication")["role"] == "master"
        assert c.config_get("save")["save"] == ""
        assert c.config_get("max*s")["maxclients"] == "700"
        assert c.config_get("hash-max-listpack*")["hash-max-listpack-value"] == "33"
        assert not any(u.startswith("user ann ") for u in c.acl_list())
    assert "'maxclients' was changed at run time" in n.log_text()


def test_two_nodes_do_not_share_a_state_folder(yard):
    a = node(yard, "node")
    b = Process("other", find("kvnode"), ["port %d" % free_port(), "state-dir " + os.path.join(yard.folder, "node", "state")], yard.folder)
    b.launch()
    assert b.proc.wait(60) == 1
    assert "held by process %d" % a.pid in b.log_text()


def test_a_damaged_record_is_named_and_left_alone(yard):
    n = node(yard, "node")
    with n.connect() as c:
        c.config_set("maxclients", 600)
        c.config_rewrite()
        c.config_set("maxclients", 601)
        c.config_rewrite()
    n.kill()
    path = os.path.join(yard.folder, "node", "state", "log.1")
    with open(path, "r+b") as f:
        f.seek(100)
        b = f.read(1)
        f.seek(100)
        f.write(bytes([b[0] ^ 1]))
    n.launch()
    assert n.proc.wait(60) == 1
    assert path in n.log_text() and "damaged at byte 64" in n.log_text()


def test_a_plain_node_without_state_dir_writes_nothing(yard):
    n = yard.node("node")
    n.stop()
    assert sorted(os.listdir(n.folder)) == ["log.txt", "node.conf"]


def test_killed_while_it_rewrites(yard):
    """At every call: afterwards it starts and follows the old primary, or the new one, and what was answered with OK is there."""
    program = faulty("kvnode")
    if not program:
        pytest.skip("no build with fault points (scripts/build asan kvnode)")
    port, n, struck = free_port(), 1, True
    while struck and n < 200:
        name = "node%d" % n
        lines = ["port %d" % port, "bind 127.0.0.1", 'save ""', "dir " + os.path.join(yard.folder, name),
                 "state-dir " + os.path.join(yard.folder, name, "state")]
        plan = "%d:%s" % (n, ("kill", "short", "lose")[n % 3])
        p = yard.add(Process(name, program, lines, yard.folder, port, env={"KVORUM_FAULT": plan, "ASAN_OPTIONS": "detect_leaks=0"}), start=False)
        p.launch()
        sure = tried = 0
        try:
            wait_until(lambda: p.proc.poll() is not None or p.answers(), 30, every=0.01)
            if p.proc.poll() is None:
                with p.connect() as c:
                    for i in range(1, 6):
                        tried = i
                        c.execute_command("REPLICAOF", "127.0.0.1", i)
                        c.config_rewrite()
                        sure = i
        except (redis.exceptions.RedisError, OSError, AssertionError):
            wait_until(lambda: p.proc.poll() is not None, 30)
        struck = p.proc.poll() is not None
        if struck:
            assert p.proc.returncode == -signal.SIGKILL, (plan, p.tail())
        p.kill()
        p.env["KVORUM_FAULT"] = ""
        p.start()
        follows = int(p.info("replication").get("master_port", 0))
        assert sure <= follows <= tried, (plan, sure, follows, tried)
        p.kill()
        n += 1
    assert n > 8
