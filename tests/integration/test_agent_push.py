"""From a write in the directory to a file: the first rendering, pushes, what a template sees, every rung of the ladder."""
import os
import random
import signal
import time

import pytest
from agent_site import ENGINES, FILE, Site, line, script
from harness import wait_until


@pytest.mark.parametrize("engine", ENGINES)
def test_first_rendering_and_push(yard, engine):
    s = Site(yard, engine)
    wait_until(lambda: s.stats()["directory_state"] == "live", what="a live directory")
    s.basic(7001)
    s.wait_text(line(7001))
    a = s.wait_ack("ok", sha_of="config:files:demo")
    assert a["diff"] == {"+": 1, "-": 0} and a["err"] == "" and a["seq"] > 0
    assert s.wait_ack("ok", doc="agent:default")
    for port in range(7002, 7012):
        t = time.monotonic()
        s.redis_doc(port)
        s.wait_text(line(port))
        assert time.monotonic() - t < 10, "a push must not wait for a resync, once a minute"
    assert s.stats()["directory_rung"] == "tracking"
    s.no_leftovers()


@pytest.mark.parametrize("engine", ENGINES)
def test_many_writes_end_with_the_last_one(yard, engine):
    """Per-key tracking reports once: reports during a read must not be lost."""
    s = Site(yard, engine)
    s.basic(7000)
    s.wait_text(line(7000))
    for n in range(600):
        s.redis_doc(8000 + n)
        if n % 7 == 0:
            time.sleep(random.random() * 0.03)
    s.wait_text(line(8599), timeout=30)
    assert s.stats()["resync_found_changes"] == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_everything_a_template_sees(yard, engine):
    s = Site(yard, engine, agent_lines=["group edge"])
    s.c.hset("app_config", mapping={"API_URL": "http://x/?a=1&b", "MAX": "1000"})
    s.set("config:tmpl:app", {"v": 1, "text": "{{>head}}{{#cfg.nodes}}- {{host}} on {{node.id}}\n{{/cfg.nodes}}url={{app.API_URL}}\n"
                                              "zone={{vars.zone}} role={{labels.role}} {{none ?? left out}}\n",
                              "parts": {"head": "# {{node.group}}\n"}})
    s.set("config:list:web", {"nodes": [{"host": "a"}, {"host": "b"}]})
    s.set("config:files:web", {"files": [{"root": "files", "path": "sub/deep/web.conf", "mode": "0600", "from": "config:tmpl:app",
                                          "data": {"cfg": "config:list:web", "app": "hash:app_config"}},
                                         {"root": "files", "path": "plain", "engine": "none", "template": "{{as it is}}"}]})
    s.set("config:agent:edge", {"apply": ["files:web"], "vars": {"zone": "a"}, "labels": {"role": "x"}})
    s.apply()
    s.wait_text("# edge\n- a on n1\n- b on n1\nurl=http://x/?a=1&b\nzone=a role=x left out\n", "sub/deep/web.conf")
    s.wait_text("{{as it is}}", "plain")
    assert os.stat(s.path("sub/deep/web.conf")).st_mode & 0o777 == 0o600
    s.c.hset("app_config", "API_URL", "new")
    wait_until(lambda: "url=new\n" in s.text("sub/deep/web.conf"), 30, what="a change in the hash")
    s.set("config:agent:edge", {"apply": ["files:web"], "vars": {"zone": "b"}, "labels": {"role": "x"}})
    wait_until(lambda: "zone=b" in s.text("sub/deep/web.conf"), 30, what="a change of vars")
    # The node's own document outranks its group's.
    s.set("config:agent:n1", {"apply": []})
    wait_until(lambda: s.stats()["documents"] == 0, 30, what="the document to be released")
    assert s.text("plain") is not None, "files that are named no more stay"


def test_nothing_differs_means_no_reload(yard):
    log = os.path.join(yard.folder, "reloads")
    tool = script(yard, "reload", "echo x >> %s\n" % log)
    s = Site(yard, agent_lines=["allow-command " + tool])
    s.basic(7001, reload={"exec": [tool]})
    s.wait_ack("ok", sha_of="config:files:demo")
    assert open(log).read() == "x\n"
    s.redis_doc(7001, db=0)                                    # other bytes, the same file
    s.files_doc(reload={"exec": [tool]}, probe_ok=5)           # another document, the same file
    s.wait_ack("ok", sha_of="config:files:demo")
    assert open(log).read() == "x\n"


def test_a_newer_version_waits_for_the_one_under_way(yard):
    slow = script(yard, "slow", "sleep 1.5\n")
    s = Site(yard, agent_lines=["allow-command " + slow])
    s.basic(7001, check=[[slow]])
    wait_until(lambda: s.stats()["documents_busy"] == 1, what="the check to run")
    for port in (7002, 7003, 7004):
        s.redis_doc(port)
        time.sleep(0.03)
    s.wait_text(line(7004))
    wait_until(lambda: s.stats()["documents_busy"] == 0, what="the end")
    assert s.text() == line(7004)
    s.no_leftovers()


@pytest.mark.parametrize("rung,node_lines", [
    ("keyspace", ["user default on nopass ~* &* +@all -client|tracking", "notify-keyspace-events KA"]),
    ("polling", ["user default on nopass ~* &* +@all -client|tracking"])])
def test_ladder(yard, rung, node_lines):
    s = Site(yard, "redis-server", node_lines, ["poll-interval 100ms"])
    s.basic(7001)
    s.wait_text(line(7001))
    assert s.stats()["directory_rung"] == rung
    for port in (7002, 7003, 7004):
        s.redis_doc(port)
        s.wait_text(line(port), timeout=30)
    s.c.hset("h", "a", "1")
    s.set("config:files:demo", {"files": [dict(FILE, template="{{h.a}}", data={"h": "hash:h"})]})
    s.wait_text("1", timeout=30)
    s.c.hset("h", "a", "2")
    s.wait_text("2", timeout=30)


def test_stays_connected(yard):
    """Longer than any of the timers: nothing but the first connection."""
    s = Site(yard, agent_lines=["ping-interval 300ms", "ping-timeout 3s", "resync-interval 400ms"])
    s.basic(7001)
    s.wait_ack("ok")
    s.wait_resyncs(10)
    i = s.stats()
    assert i["connects"] == 1 and i["directory_state"] == "live", i


@pytest.mark.parametrize("engine", ENGINES)
def test_both_connections_are_watched(yard, engine):
    """The listening connection dies alone, or the directory freezes: the agent opens both anew."""
    s = Site(yard, engine, agent_lines=["ping-interval 200ms", "ping-timeout 1s"])
    s.basic(7001)
    s.wait_text(line(7001))
    for i in range(4):
        mine = wait_until(lambda: (lambda m: m if len(m) == 2 else None)([x for x in s.c.client_list() if x["name"] == "agent-n1"]),
                          what="both connections")
        victim = sorted(mine, key=lambda x: int(x["id"]))[i % 2]
        s.c.execute_command("CLIENT", "KILL", "ID", victim["id"])
        s.redis_doc(7100 + i)
        s.wait_text(line(7100 + i), timeout=30)
    s.node.signal(signal.SIGSTOP)
    wait_until(lambda: s.stats()["directory_state"] != "live", 30, what="the agent to notice the silence")
    s.node.signal(signal.SIGCONT)
    wait_until(lambda: s.stats()["directory_state"] == "live", 30, what="the directory to be live again")
    s.redis_doc(7200)
    s.wait_text(line(7200), timeout=30)
