"""Services: registration, leases, the mirror for old clients, the controller and its death; history of documents."""
import hashlib
import json
import os
import signal
import socket
import threading
import time

import pytest
from conftest import need
from harness import wait_until

ENGINES = ["redis-server", "kvnode"]
TTL = 3.0


# --- an old program, as it stands ---

def register_service(redis_client, service_name, host, port):
    redis_client.hset('services', service_name, f'{host}:{port}')


def discover_service(redis_client, service_name):
    return redis_client.hget('services', service_name)


class Listener:
    """Something that accepts; what a service's check finds."""

    def __init__(self):
        self.open(0)

    def open(self, port):
        self.s = socket.socket()
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.s.bind(("127.0.0.1", port))
        self.s.listen(64)
        self.port = self.s.getsockname()[1]
        self.thread = threading.Thread(target=self.run, args=(self.s,), daemon=True)
        self.thread.start()

    @staticmethod
    def run(s):
        while True:
            try:
                s.accept()[0].close()
            except OSError:
                return

    def close(self):
        try:
            self.s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.s.close()
        self.thread.join()


class Fleet:
    """A directory, and agents that vouch for one instance of `web` each."""

    def __init__(self, yard, engine="redis-server", agents=3, lines=(), node_lines=()):
        need(engine)
        self.yard = yard
        self.node = yard.node("directory", engine, node_lines)
        self.c = self.node.connect()
        self.lines = ["directory 127.0.0.1 %d" % self.node.port, "ping-interval 200ms", "ping-timeout 500ms"] + list(lines)
        self.agents = {}
        for i in range(1, agents + 1):
            self.add("n%d" % i, 8000 + i)

    def add(self, name, port, service="web", **more):
        doc = dict({"v": 1, "name": service, "port": port, "host": "10.0.0.1", "ttl": "%dms" % (TTL * 1000), "interval": "200ms"}, **more)
        self.c.set("config:service:%s" % name, json.dumps(doc))
        self.c.set("config:agent:%s" % name, json.dumps({"v": 1, "apply": ["service:" + name]}))
        self.agents[name] = self.yard.agent(name, self.lines)

    def id(self, name):
        return "%s:%s" % (name, name)

    def web(self):
        return self.c.hgetall("svcs:web")

    def up(self):
        return sorted(k.split(":")[0] for k, v in self.web().items() if "state=up" in v)

    def wait_up(self, *names, timeout=15):
        try:
            wait_until(lambda: self.up() == sorted(names), timeout)
        except AssertionError:
            raise AssertionError("%s, not %s\n%s" % (self.web(), names, self.logs()))

    def holder(self):
        return self.c.get("kvorum:controller")

    def wait_controller(self):
        return wait_until(lambda: self.holder(), what="a controller")

    def wait_known_controller(self):
        """Every agent has seen who it is: none of them is about to ask for a role that was free a moment ago."""
        def known():
            who = self.holder()
            for a in self.agents.values():
                with a.connect() as k:
                    if not who or k.info("controller").get("controller_holder") != who:
                        return False
            return who

        return wait_until(known, what="a controller that every agent knows")

    def logs(self):
        return "\n".join("%s: %s" % (n, a.tail(12)) for n, a in self.agents.items())

    def said(self, word):
        return sum(a.log_text().count(word) for a in self.agents.values())


# --- registration ---

@pytest.mark.parametrize("engine", ENGINES)
def test_registered_mirrored_and_drained(yard, engine):
    f = Fleet(yard, engine)
    f.wait_up("n1", "n2", "n3")
    assert f.web()[f.id("n1")] == "10.0.0.1:8001;w=100;state=up;ttl=3000"
    found = wait_until(lambda: discover_service(f.c, "web"), what="the mirror")
    assert found in ["10.0.0.1:800%d" % i for i in (1, 2, 3)]
    assert f.c.hgetall("svcs.owner") == {"web": found}
    assert 0 < f.c.pttl("lease:web:" + f.id("n1")) <= TTL * 1000
    # Whoever is mirrored stops cleanly: it says drain, it goes, and the mirror names another one.
    gone = "n" + found[-1]
    seen = []
    stop = threading.Thread(target=lambda: f.agents[gone].stop())
    stop.start()
    while stop.is_alive():
        seen.append(f.web().get(f.id(gone), ""))
        time.sleep(0.005)
    assert any("state=drain" in s for s in seen), seen[:5]
    assert f.id(gone) not in f.web() and not f.c.exists("lease:web:" + f.id(gone))
    wait_until(lambda: discover_service(f.c, "web") not in (None, found), 8)
    # A dropped document drains and goes too, the last one takes the name with it.
    rest = [n for n in f.agents if n != gone]
    for n in rest:
        f.c.set("config:agent:%s" % n, json.dumps({"v": 1, "apply": []}))
    wait_until(lambda: f.web() == {}, 10)
    wait_until(lambda: discover_service(f.c, "web") is None, 30)
    assert f.c.hgetall("svcs.owner") == {}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_check_decides(yard, engine):
    f = Fleet(yard, engine, agents=0)
    web = Listener()
    f.add("n1", web.port, host="127.0.0.1", check={"tcp": "127.0.0.1:%d" % web.port}, rise=2, fall=2, zone="a", weight=7, tags=["blue", "eu"])
    f.wait_up("n1")
    assert f.web()[f.id("n1")] == "127.0.0.1:%d;zone=a;w=7;state=up;ttl=3000;tags=blue,eu" % web.port
    web.close()
    wait_until(lambda: f.web() == {}, 10)
    assert f.agents["n1"].log_text().count("state=draining") == 1
    web.open(web.port)
    f.wait_up("n1")
    # Other words of the same address are said at once, without a moment in which it is gone.
    f.c.set("config:service:n1", json.dumps({"v": 1, "name": "web", "port": web.port, "host": "127.0.0.1", "weight": 9, "ttl": "3s",
                                             "interval": "200ms", "rise": 2, "fall": 2, "check": {"tcp": "127.0.0.1:%d" % web.port}}))
    t = time.monotonic()
    while "w=9" not in f.web().get(f.id("n1"), ""):
        assert f.web(), "gone for a moment"
        assert time.monotonic() - t < 5
    web.close()


def test_an_agent_that_is_started_again_keeps_its_line(yard):
    f = Fleet(yard, agents=1)
    web = Listener()
    f.add("n2", web.port, host="127.0.0.1", check={"tcp": "127.0.0.1:%d" % web.port})
    f.wait_up("n1", "n2")
    missing = []
    done = threading.Event()

    def watch():
        c = f.node.connect()
        while not done.is_set():
            if c.hlen("svcs:web") != 2:
                missing.append(c.hgetall("svcs:web"))
            time.sleep(0.002)

    t = threading.Thread(target=watch)
    t.start()
    for _ in range(3):
        for name in ("n1", "n2"):
            f.agents[name].kill()
            f.agents[name].start()
        time.sleep(0.5)
    done.set()
    t.join()
    assert not missing, missing[:3]
    # What does not answer any more after the restart is taken away.
    f.agents["n2"].kill()
    web.close()
    f.agents["n2"].start()
    wait_until(lambda: f.up() == ["n1"], TTL)
    # The document names another service: the old line goes, the new one comes.
    f.c.set("config:service:n1", json.dumps({"v": 1, "name": "api", "port": 9, "host": "10.0.0.1", "ttl": "3s", "interval": "200ms"}))
    wait_until(lambda: f.c.hkeys("svcs:api") == [f.id("n1")] and f.web() == {}, 10)


def test_documents_that_are_wrong(yard):
    f = Fleet(yard, agents=1)
    f.wait_up("n1")
    for bad in ({"name": "web"}, {"name": "a b", "port": 1}, {"name": "web", "port": 70000}, {"name": "web", "port": 1, "ttl": "1ms"},
                {"name": "web", "port": 1, "zone": "a;b"}, {"name": "web", "port": 1, "check": {"unit": "ssh.service"}},
                {"name": "web", "port": 1, "check": {}}, {"name": "web", "port": 1, "tags": ["a;b"]}):
        f.c.set("config:service:n1", json.dumps(dict(bad, v=1)))
        wait_until(lambda: json.loads(f.c.hget("cfgack:service:n1", "n1"))["st"] == "invalid", 5)
        assert f.up() == ["n1"], "what was in force stays"
        f.c.set("config:service:n1", json.dumps({"v": 1, "name": "web", "port": 8001, "host": "10.0.0.1", "ttl": "3s", "interval": "200ms"}))
        wait_until(lambda: json.loads(f.c.hget("cfgack:service:n1", "n1"))["st"] == "ok", 5)


# --- death ---

@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_agent_is_gone_within_ttl_and_a_second(yard, engine):
    f = Fleet(yard, engine, agents=4)
    f.wait_up("n1", "n2", "n3", "n4")
    holder = f.wait_controller()
    time.sleep(TTL)         # the directory must have been there for one ttl before anybody is judged
    victim = [n for n in f.agents if n != holder][0]
    f.agents[victim].kill()
    t = time.monotonic()
    wait_until(lambda: f.id(victim) not in f.web(), TTL + 3, every=0.005)
    took = time.monotonic() - t
    assert took <= TTL + 1.1, took
    assert len(f.web()) == 3
    # It comes back as it was.
    f.agents[victim].start()
    f.wait_up("n1", "n2", "n3", "n4")


def test_the_controllers_death_is_survived(yard):
    f = Fleet(yard, agents=4)
    f.wait_up("n1", "n2", "n3", "n4")
    holder = f.wait_controller()
    f.agents[holder].kill()
    wait_until(lambda: f.holder() not in (None, holder), 12)
    wait_until(lambda: f.id(holder) not in f.web(), 12)
    left = [n for n in f.agents if n != holder]
    assert f.up() == sorted(left)
    # A clean stop hands the role over without waiting for the lease.
    second = f.holder()
    f.agents[second].stop()
    wait_until(lambda: f.holder() not in (None, second), 5)
    assert f.said("self-preservation") == 0


def test_a_controller_that_is_started_again_goes_on(yard):
    f = Fleet(yard, agents=2)
    f.wait_up("n1", "n2")
    holder = f.wait_controller()
    for wait in (0, 1.5, 3.4):
        time.sleep(wait)
        a = f.agents[holder]
        a.kill()
        began = len(a.log_text())
        a.start()
        wait_until(lambda: "+controller" in a.log_text()[began:], 5)
        assert f.holder() == holder
        end = time.monotonic() + 5
        while time.monotonic() < end:
            assert f.holder() == holder
            time.sleep(0.05)
        said = a.log_text()[began:]
        assert said.count("+controller") == 1 and "-controller" not in said, said
    assert f.up() == ["n1", "n2"]


def test_a_fleet_that_sleeps_loses_nobody(yard):
    """All agents but the controller's stop together: their leases lapse, and nobody is taken away."""
    f = Fleet(yard, agents=6)
    f.wait_up(*["n%d" % i for i in range(1, 7)])
    holder = f.wait_controller()
    time.sleep(TTL)
    sleepers = [a for n, a in f.agents.items() if n != holder]
    for a in sleepers:
        a.signal(signal.SIGSTOP)
    end = time.monotonic() + 3 * TTL
    while time.monotonic() < end:
        assert len(f.web()) == 6
        time.sleep(0.05)
    assert not f.c.exists("lease:web:" + f.id([n for n in f.agents if n != holder][0]))
    assert f.said("+self-preservation") == 1
    assert discover_service(f.c, "web") is not None
    for a in sleepers:
        a.signal(signal.SIGCONT)
    wait_until(lambda: f.said("-self-preservation") == 1, 15)
    time.sleep(TTL + 2)
    assert len(f.up()) == 6


def test_all_agents_sleep_and_the_directory_is_away(yard):
    f = Fleet(yard, agents=4, node_lines=["save \"\""])
    f.wait_up("n1", "n2", "n3", "n4")
    f.wait_controller()
    time.sleep(TTL)
    for a in f.agents.values():
        a.signal(signal.SIGSTOP)
    time.sleep(2 * TTL)
    assert len(f.web()) == 4
    for a in f.agents.values():
        a.signal(signal.SIGCONT)
    end = time.monotonic() + 2 * TTL
    while time.monotonic() < end:
        assert len(f.web()) == 4, f.logs()
        time.sleep(0.05)
    # The directory stands still for longer than every lease.
    f.node.signal(signal.SIGSTOP)
    time.sleep(2 * TTL)
    f.node.signal(signal.SIGCONT)
    end = time.monotonic() + 3 * TTL
    while time.monotonic() < end:
        assert len(f.web()) == 4, f.logs()
        time.sleep(0.05)


def test_lines_that_disappear_come_back(yard):
    f = Fleet(yard, agents=3)
    f.wait_up("n1", "n2", "n3")
    f.c.hdel("svcs:web", f.id("n2"))
    f.wait_up("n1", "n2", "n3", timeout=TTL)
    f.c.hset("svcs:web", f.id("n2"), "6.6.6.6:1;state=up")
    wait_until(lambda: f.web()[f.id("n2")].startswith("10.0.0.1:8002"), TTL)
    f.c.flushall()
    f.wait_up("n1", "n2", "n3", timeout=TTL + 5)


def test_two_that_believe_in_the_role(yard):
    """The controller sleeps, another one takes over, the first wakes up: what it still wanted to write is not written."""
    f = Fleet(yard, agents=4)
    f.wait_up("n1", "n2", "n3", "n4")
    holder = f.wait_controller()
    wait_until(lambda: discover_service(f.c, "web"), 8)
    f.agents[holder].signal(signal.SIGSTOP)
    second = wait_until(lambda: f.holder() if f.holder() not in (None, holder) else None, 10)
    wait_until(lambda: f.id(holder) not in f.web(), 10)
    f.c.set("config:redis:x", '{"a": 1}')
    wait_until(lambda: meta(f.c, "redis:x").get("ver") == "1", 5)
    f.agents[holder].signal(signal.SIGCONT)
    f.wait_up("n1", "n2", "n3", "n4")
    end = time.monotonic() + 5
    while time.monotonic() < end:
        assert f.holder() == second and len(f.web()) == 4
        time.sleep(0.05)
    assert meta(f.c, "redis:x")["ver"] == "1" and sorted(log(f.c, "redis:x")) == [1]
    assert f.agents[holder].log_text().count("-controller") == 1
    # Somebody writes over the key by hand: the holder gives way, and nothing breaks.
    f.c.set("kvorum:controller", "somebody", px=2000)
    wait_until(lambda: f.holder() in f.agents, 10)
    f.c.delete("config:redis:x")
    wait_until(lambda: f.c.get("config:redis:x") == '{"a": 1}', 8)


def test_files_over_services(yard):
    """A file over svcs:web follows what comes, drains and goes, and is not read again because leases beat."""
    f = Fleet(yard, agents=0)
    root = os.path.join(yard.folder, "root")
    os.makedirs(root)
    f.c.set("config:files:lb", json.dumps({"v": 1, "files": [{
        "root": "files", "path": "lb", "data": {"b": "svcs:web"}, "template": "{{#b}}{{id}} {{addr}} {{state}}\n{{/b}}"}]}))
    f.c.set("config:agent:reader", json.dumps({"v": 1, "apply": ["files:lb"]}))
    f.add("n1", 8001)
    f.wait_up("n1")
    reader = yard.agent("reader", f.lines + ["root files " + root, "resync-interval 60s", "controller no"])

    def text():
        try:
            with open(os.path.join(root, "lb")) as file:
                return file.read()
        except FileNotFoundError:
            return None

    one, two = "n1:n1 10.0.0.1:8001 up\n", "n2:n2 10.0.0.1:8002 up\n"
    wait_until(lambda: text() == one, 10)
    f.add("n2", 8002, interval="1s")
    wait_until(lambda: text() == one + two, 10)
    with reader.connect() as c:
        before = c.info()["snapshots"]
        time.sleep(2 * TTL)
        assert c.info()["snapshots"] == before, "leases beat, and nobody reads"
    stop = threading.Thread(target=lambda: f.agents["n2"].stop())
    stop.start()
    wait_until(lambda: text() == one + two.replace("up", "drain"), 5, every=0.005)
    stop.join()
    wait_until(lambda: text() == one, 5)
    f.agents["n1"].stop()
    time.sleep(1)
    assert text() == one.replace("up", "drain"), "nothing left to read: the last good file stays"


def test_what_the_agent_tells(yard):
    f = Fleet(yard, agents=0, lines=["http-port 0"])
    web = Listener()
    f.add("n1", web.port, host="127.0.0.1", check={"tcp": "127.0.0.1:%d" % web.port}, fall=2)
    f.wait_up("n1")
    f.wait_controller()
    with f.agents["n1"].connect() as c:
        rows = [dict(zip(r[::2], r[1::2])) for r in c.execute_command("AGENT", "SERVICES")]
        assert rows[0]["service"] == "web" and rows[0]["instance"] == f.id("n1") and rows[0]["state"] == "up" and rows[0]["why"] == ""
        wait_until(lambda: c.info("controller").get("names_mirrored") == 1, 8)
        info = c.info("controller")
        assert info["controller"] == 1 and info["registry_up"] == 1 and info["history_documents"] >= 2
        web.close()
        wait_until(lambda: "refused" in dict(zip(*[iter(c.execute_command("AGENT", "SERVICES")[0])] * 2))["why"], 5)
    # It stops cleanly, and a sanitizer has nothing to say.
    f.agents["n1"].stop()
    assert "ERROR" not in f.agents["n1"].log_text(), f.agents["n1"].tail(30)


# --- the mirror and old clients ---

@pytest.mark.parametrize("engine", ENGINES)
def test_old_clients_keep_their_names(yard, engine):
    need(engine)
    f = Fleet(yard, engine, agents=0)
    register_service(f.c, "web", "192.168.1.1", 80)
    register_service(f.c, "db", "192.168.1.2", 5432)
    f.add("n1", 8001)
    f.add("n2", 8002, "api")
    f.wait_up("n1")
    assert wait_until(lambda: discover_service(f.c, "api"), 8) == "10.0.0.1:8002"
    time.sleep(2)
    assert discover_service(f.c, "web") == "192.168.1.1:80", "an old client's name is not ours"
    assert discover_service(f.c, "db") == "192.168.1.2:5432"
    assert f.c.hgetall("svcs.owner") == {"api": "10.0.0.1:8002"}
    # It gives the name up: the mirror takes it.
    f.c.hdel("services", "web")
    wait_until(lambda: discover_service(f.c, "web") == "10.0.0.1:8001", 5)
    # An old client writes over it: noticed, put right, told once.
    register_service(f.c, "web", "192.168.1.1", 80)
    wait_until(lambda: discover_service(f.c, "web") == "10.0.0.1:8001", 5)
    assert f.said("+overwritten services web") == 1
    assert discover_service(f.c, "db") == "192.168.1.2:5432"


def test_junk_is_left_alone(yard):
    f = Fleet(yard, agents=2)
    f.wait_up("n1", "n2")
    f.wait_controller()
    junk = {"x": "", "y": "not an address", "z": "{\"host\": 1}", "a b": "1.2.3.4:5", "big": "h:1;" + "q" * 5000, "\x00": "\x00\xff"}
    f.c.hset("svcs:web", mapping=junk)
    f.c.hset("svcs:web", "manual", "10.9.9.9:99")
    f.c.set("svcs:string", "no hash")
    f.c.hset("svcs:" + "n" * 300, "x", "h:1")
    f.c.hset("svcs:only", "x", "junk")
    time.sleep(2 * TTL + 2)
    web = f.web()
    for k, v in junk.items():
        assert web[k] == v
    assert web["manual"] == "10.9.9.9:99", "a line without ttl has no lease to lose"
    assert sorted(f.up()) == ["n1", "n2"]
    assert f.c.get("svcs:string") == "no hash" and f.c.hget("services", "only") is None
    f.c.hset("svcs:web", "dead", "10.9.9.8:1;ttl=1000")
    wait_until(lambda: "dead" not in f.web(), 5)


# --- history ---

def meta(c, doc):
    return c.hgetall("cfgmeta:" + doc)


def log(c, doc):
    out = {}
    for ver, text in c.hgetall("cfglog:" + doc).items():
        head, body = text.split("\n", 1)
        sha, t, by = head.split(" ")
        out[int(ver)] = (sha, int(t), by, body)
    return out


@pytest.mark.parametrize("engine", ENGINES)
def test_history_and_restoring(yard, engine):
    need(engine)
    f = Fleet(yard, engine, agents=2)
    f.wait_up("n1", "n2")
    f.wait_known_controller()
    c = f.c
    texts = ['{"host": "10.0.0.%d", "port": 6379}' % i for i in range(1, 6)]
    for i, text in enumerate(texts):
        c.set("config:redis:demo", text)
        wait_until(lambda: meta(c, "redis:demo").get("ver") == str(i + 1), 5)
    m, versions = meta(c, "redis:demo"), log(c, "redis:demo")
    assert m["state"] == "live" and m["by"] == "?" and sorted(versions) == [1, 2, 3, 4, 5]
    assert [versions[v][3] for v in sorted(versions)] == texts and versions[5][0] == m["sha"]
    # Deleted: back at once, the same bytes, the same version.
    gaps = 0
    for how in ("del", "expire", "unlink", "rename"):
        if how == "del":
            c.delete("config:redis:demo")
        elif how == "expire":
            c.pexpire("config:redis:demo", 1)
        elif how == "unlink":
            c.unlink("config:redis:demo")
        else:
            c.rename("config:redis:demo", "elsewhere")
        wait_until(lambda: c.get("config:redis:demo") == texts[4] and c.ttl("config:redis:demo") == -1, 5, every=0.001)
        gaps += 1
        wait_until(lambda: f.said("+restored redis:demo") == gaps, 5)
    assert meta(c, "redis:demo")["ver"] == "5"
    # Flushed: all of it.
    before = {k: c.get(k) for k in c.keys("config:*")}
    c.flushall()
    wait_until(lambda: {k: c.get(k) for k in c.keys("config:*")} == before, 15)
    assert meta(c, "redis:demo")["ver"] == "5" and log(c, "redis:demo")[5][3] == texts[4]
    # Retired by an operator: it stays away, also for the next controller. Written again: it is back.
    p = c.pipeline()
    p.hset("cfgmeta:redis:demo", "state", "retired")
    p.delete("config:redis:demo")
    p.execute()
    holder = f.wait_controller()
    f.agents[holder].stop()
    wait_until(lambda: f.holder() not in (None, holder), 10)
    time.sleep(2)
    assert c.get("config:redis:demo") is None
    c.set("config:redis:demo", texts[0])
    wait_until(lambda: meta(c, "redis:demo").get("state") == "live", 5)
    assert meta(c, "redis:demo")["ver"] == "6"
    # An author who says so, in the same transaction.
    text = texts[1]
    p = c.pipeline()
    p.set("config:redis:demo", text)
    p.hset("cfgmeta:redis:demo", mapping={"said_by": "alice", "said_sha": hashlib.sha256(text.encode()).hexdigest()})
    p.execute()
    wait_until(lambda: meta(c, "redis:demo").get("by") == "alice", 5)
    # What this controller has not seen itself comes from cfglog.
    c.delete("config:redis:demo")
    wait_until(lambda: c.get("config:redis:demo") == text, 5)


def test_history_is_bounded_and_takes_anything(yard):
    f = Fleet(yard, agents=1)
    f.wait_up("n1")
    f.wait_controller()
    c = f.c
    c.set("config:redis:bad", "no json")
    c.set("config:redis:binary", b"\x00\xff\n\n")
    c.set("config:redis:huge", "x" * 3000000)
    c.hset("config:redis:hash", "a", "b")
    c.set("config:nonsense", "1")
    c.set("config:redis:" + "x" * 300, "{}")
    wait_until(lambda: meta(c, "redis:bad").get("state") == "invalid", 5)
    wait_until(lambda: meta(c, "redis:binary").get("state") == "invalid", 5)
    assert meta(c, "redis:huge") == {} and meta(c, "redis:hash") == {}
    c.delete("config:redis:bad")
    wait_until(lambda: meta(c, "redis:bad").get("state") == "vanished", 5)
    assert c.get("config:redis:bad") is None, "what was no document is not brought back"
    for i in range(230):
        c.set("config:redis:often", json.dumps({"port": i}))
        wait_until(lambda: meta(c, "redis:often").get("ver") == str(i + 1), 5, every=0.001)
    assert sorted(log(c, "redis:often")) == list(range(31, 231))
    c.hset("cfgmeta:redis:often", "ver", "z" * 100)
    c.set("config:redis:often", "{}")
    assert f.agents["n1"].is_alive()


def test_many_documents_at_one_time(yard):
    """Ten times what is looked into at one time, written and deleted while the controller is busy with them."""
    f = Fleet(yard, agents=1)
    f.wait_up("n1")
    f.wait_controller()
    c = f.c
    p = c.pipeline(False)
    for i in range(1500):
        p.set("config:redis:d%d" % i, json.dumps({"port": i}))
    p.execute()
    wait_until(lambda: len(c.keys("cfgmeta:redis:d*")) == 1500, 30)
    p = c.pipeline(False)
    for i in range(0, 1500, 2):
        p.delete("config:redis:d%d" % i)
    for i in range(1, 1500, 2):
        p.set("config:redis:d%d" % i, json.dumps({"port": -i}))
    p.execute()
    wait_until(lambda: len(c.keys("config:redis:d*")) == 1500, 30)
    wait_until(lambda: all(c.hget("cfgmeta:redis:d%d" % i, "ver") == "2" for i in range(1, 1500, 2)), 30, every=0.5)
    assert c.get("config:redis:d4") == json.dumps({"port": 4})


# --- rights ---

RIGHTS = ("on >pw resetchannels &__redis__:invalidate &scale_events ~config:* ~cfg* ~svcs:* ~svcs.owner ~services ~lease:* ~node:* "
          "~kvorum:* -@all +hello +auth +ping +role +client|setname +client|tracking +client|caching +client|id +subscribe +unsubscribe "
          "+get +mget +set +del +type +getrange +hset +hget +hdel +hmget +hgetall +scan +multi +exec +watch +unwatch +pexpire +pttl "
          "+expire +config|get")
FOLLOWER = ("on >pw resetchannels &__redis__:invalidate %R~config:* %R~cfgschema:* ~cfgack:* ~svcs:* ~lease:* ~node:* -@all +auth +ping +role "
            "+client|setname +client|tracking +client|id +subscribe +get +mget +set +del +hset +hget +hdel +hgetall +multi +exec +expire")


def test_limited_users(yard):
    need("redis-server")
    f = Fleet(yard, agents=0)
    f.c.execute_command("ACL", "SETUSER", "keeper", *RIGHTS.split())
    f.c.execute_command("ACL", "SETUSER", "follower", *FOLLOWER.split())
    lines = f.lines
    for name, user in (("n1", "follower"), ("n2", "keeper"), ("n3", "follower")):
        f.lines = lines + ["directory-user " + user, "directory-password pw"]
        f.add(name, 8000 + int(name[1]))
    f.wait_up("n1", "n2", "n3")
    assert f.wait_controller() == "n2", "who may not write the key is not it"
    wait_until(lambda: discover_service(f.c, "web"), 8)
    f.c.delete("config:service:n1")
    wait_until(lambda: f.c.exists("config:service:n1"), 5)
    f.agents["n3"].kill()
    wait_until(lambda: f.up() == ["n1", "n2"], TTL * 2 + 3)
    assert f.agents["n1"].log_text().count("will not be it") == 1


def test_a_directory_without_tracking(yard):
    """The ladder's last rung: everything is read every few seconds instead."""
    need("redis-server")
    f = Fleet(yard, agents=0)
    f.c.execute_command("ACL", "SETUSER", "poller", *RIGHTS.replace(" +client|tracking", "").replace(" +config|get", "").split())
    f.lines += ["directory-user poller", "directory-password pw", "poll-interval 200ms"]
    f.add("n1", 8001)
    f.wait_up("n1")
    wait_until(lambda: discover_service(f.c, "web"), 10)
    wait_until(lambda: meta(f.c, "service:n1").get("ver") == "1", 10)
    text = f.c.get("config:service:n1")
    f.c.delete("config:service:n1")
    wait_until(lambda: f.c.get("config:service:n1") == text, 10)
    assert f.said("no broadcast tracking") == 2, "once for each of the controller's two pairs"


# --- a directory that fails over ---

@pytest.mark.parametrize("engine", ENGINES)
def test_failover_of_the_directory(engine, cluster):
    need(engine)
    cluster = cluster(nodes=3, sentinels=3, engine=engine, down_after=1000).wait_settled()
    c = cluster.client()
    lines = ["directory-sentinel %s %d" % at for at in cluster.sentinel_ports()] + \
            ["directory-group demo", "ping-interval 200ms", "ping-timeout 500ms"]
    for i in (1, 2, 3):
        c.set("config:service:n%d" % i, json.dumps({"v": 1, "name": "web", "port": 8000 + i, "host": "10.0.0.1", "ttl": "3s",
                                                    "interval": "200ms"}))
        c.set("config:agent:n%d" % i, json.dumps({"v": 1, "apply": ["service:n%d" % i]}))
    agents = [cluster.yard.agent("n%d" % i, lines) for i in (1, 2, 3)]
    wait_until(lambda: len(c.hgetall("svcs:web")) == 3, 20)
    wait_until(lambda: c.hget("services", "web"), 20)
    old = cluster.primary()
    text = json.dumps({"v": 1, "host": "x", "port": 1})
    c.set("config:redis:late", text)
    wait_until(lambda: c.hget("cfgmeta:redis:late", "ver"), 5)
    old.kill()
    d = cluster.wait_new_primary(old).connect()
    end = time.monotonic() + 12
    while time.monotonic() < end:
        assert len(d.hgetall("svcs:web")) == 3
        assert d.hget("services", "web")
        time.sleep(0.1)
    assert d.get("kvorum:controller") in ("n1", "n2", "n3")
    # Everything still works there: lost lines come back, a lost document too.
    d.delete("svcs:web", "config:redis:late")
    wait_until(lambda: len(d.hgetall("svcs:web")) == 3, 6)
    wait_until(lambda: d.get("config:redis:late") == text, 6)
    assert all(a.is_alive() for a in agents)


def test_a_version_that_a_failover_lost(cluster):
    """The replica slept while a version was written; it becomes the primary, and the controller writes that version again."""
    need("redis-server")
    cluster = cluster(nodes=2, sentinels=3, engine="redis-server", down_after=1500).wait_settled()
    c = cluster.client()
    lines = ["directory-sentinel %s %d" % at for at in cluster.sentinel_ports()] + \
            ["directory-group demo", "ping-interval 200ms", "ping-timeout 500ms"]
    agent = cluster.yard.agent("n1", lines)
    c.set("config:redis:x", '{"port": 1}')
    c.set("config:redis:gone", '{"port": 3}')
    wait_until(lambda: c.hget("cfgmeta:redis:x", "ver") == "1" and c.hget("cfgmeta:redis:gone", "ver") == "1", 10)
    old = cluster.primary()
    replica = [n for n in cluster.nodes if n is not old][0]
    wait_until(lambda: replica.connect().hget("cfgmeta:redis:gone", "ver") == "1", 5)
    c.hset("cfgmeta:redis:gone", "state", "retired")
    c.delete("config:redis:gone")
    wait_until(lambda: not replica.connect().exists("config:redis:gone"), 5)
    replica.signal(signal.SIGSTOP)
    old.connect().execute_command("CLIENT", "KILL", "TYPE", "replica")      # or its socket would keep the writes for it
    c.set("config:redis:x", '{"port": 2}')
    c.set("config:redis:y", '{"port": 7}')
    wait_until(lambda: c.hget("cfgmeta:redis:x", "ver") == "2" and c.hget("cfgmeta:redis:y", "ver") == "1", 5)
    old.kill()
    replica.signal(signal.SIGCONT)
    d = cluster.wait_new_primary(old).connect()
    wait_until(lambda: d.get("config:redis:x") == '{"port": 2}' and d.get("config:redis:y") == '{"port": 7}', 15)
    assert meta(d, "redis:x")["ver"] == "2" and sorted(log(d, "redis:x")) == [1, 2]
    assert "+republished redis:x" in agent.log_text() and "+restored redis:y" in agent.log_text()
    assert d.get("config:redis:gone") is None, "what was retired stays away"
