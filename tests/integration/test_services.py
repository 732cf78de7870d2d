"""Services: registration, what an agent says of its own, the mirror for old clients, rights."""
import hashlib
import json
import os
import threading
import time

import pytest
from conftest import need
from fleet import ENGINES, TTL, Fleet, Listener, discover_service, meta, register_service
from harness import wait_until


# --- registration ---

@pytest.mark.parametrize("engine", ENGINES)
def test_registered_mirrored_and_drained(yard, engine):
    f = Fleet(yard, engine)
    f.wait_up("n1", "n2", "n3")
    assert f.web()[f.id("n1")] == "10.0.0.1:8001;w=100;state=up;ttl=3000"
    found = wait_until(lambda: discover_service(f.c, "web"), what="the mirror")
    assert found in ["10.0.0.1:800%d" % i for i in (1, 2, 3)]
    wait_until(lambda: f.c.hgetall("svcs.owner") == {"web": found})
    assert 0 < f.c.pttl("lease:web:" + f.id("n1")) <= TTL * 1000
    # Whoever is mirrored stops cleanly: it says drain, it goes, and the mirror names another one.
    gone = "n" + found[-1]
    f.document(gone, 8000 + int(found[-1]), interval="2s")       # drains for as long: who looks sees it
    sha = hashlib.sha256(f.c.get("config:service:" + gone).encode()).hexdigest()
    wait_until(lambda: (lambda a: a["sha"] == sha and a["st"] == "ok")(json.loads(f.c.hget("cfgack:service:" + gone, gone))))
    seen = []
    stop = threading.Thread(target=lambda: f.agents[gone].stop())
    stop.start()
    while stop.is_alive():
        seen.append(f.web().get(f.id(gone), ""))
        time.sleep(0.005)
    assert any("state=drain" in s for s in seen), seen[:5]
    assert f.id(gone) not in f.web() and not f.c.exists("lease:web:" + f.id(gone))
    wait_until(lambda: discover_service(f.c, "web") not in (None, found))
    # A dropped document drains and goes too, the last one takes the name with it.
    rest = [n for n in f.agents if n != gone]
    for n in rest:
        f.c.set("config:agent:%s" % n, json.dumps({"v": 1, "apply": []}))
    wait_until(lambda: f.web() == {})
    wait_until(lambda: discover_service(f.c, "web") is None)
    wait_until(lambda: f.c.hgetall("svcs.owner") == {})


@pytest.mark.parametrize("engine", ENGINES)
def test_a_check_decides(yard, engine):
    f = Fleet(yard, engine, agents=0)
    web = Listener()
    f.add("n1", web.port, host="127.0.0.1", check={"tcp": "127.0.0.1:%d" % web.port}, rise=2, fall=2, zone="a", weight=7, tags=["blue", "eu"])
    f.wait_up("n1")
    assert f.web()[f.id("n1")] == "127.0.0.1:%d;zone=a;w=7;state=up;ttl=3000;tags=blue,eu" % web.port
    web.close()
    wait_until(lambda: f.web() == {})
    assert f.agents["n1"].log_text().count("state=draining") == 1
    web.open(web.port)
    f.wait_up("n1")
    # Other words of the same address are said at once, without a moment in which it is gone.
    f.document("n1", web.port, host="127.0.0.1", weight=9, rise=2, fall=2, check={"tcp": "127.0.0.1:%d" % web.port})
    t = time.monotonic()
    while "w=9" not in f.web().get(f.id("n1"), ""):
        assert f.web(), "gone for a moment"
        assert time.monotonic() - t < 40
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
    wait_until(lambda: f.up() == ["n1"], 20)
    # The document names another service: the old line goes, the new one comes.
    f.document("n1", 9, "api")
    wait_until(lambda: f.c.hkeys("svcs:api") == [f.id("n1")] and f.web() == {})


def test_documents_that_are_wrong(yard):
    f = Fleet(yard, agents=1)
    f.wait_up("n1")
    for bad in ({"name": "web"}, {"name": "a b", "port": 1}, {"name": "web", "port": 70000}, {"name": "web", "port": 1, "ttl": "1ms"},
                {"name": "web", "port": 1, "zone": "a;b"}, {"name": "web", "port": 1, "check": {"unit": "ssh.service"}},
                {"name": "web", "port": 1, "check": {}}, {"name": "web", "port": 1, "tags": ["a;b"]}):
        f.c.set("config:service:n1", json.dumps(dict(bad, v=1)))
        wait_until(lambda: json.loads(f.c.hget("cfgack:service:n1", "n1"))["st"] == "invalid")
        assert f.up() == ["n1"], "what was in force stays"
        f.document("n1", 8001)
        wait_until(lambda: json.loads(f.c.hget("cfgack:service:n1", "n1"))["st"] == "ok")


def test_lines_that_disappear_come_back(yard):
    f = Fleet(yard, agents=3)
    f.wait_up("n1", "n2", "n3")
    f.c.hdel("svcs:web", f.id("n2"))
    f.wait_up("n1", "n2", "n3")
    f.c.hset("svcs:web", f.id("n2"), "6.6.6.6:1;state=up")
    wait_until(lambda: f.web()[f.id("n2")].startswith("10.0.0.1:8002"))
    f.c.flushall()
    f.wait_up("n1", "n2", "n3")


def test_files_over_services(yard):
    """A file over svcs:web follows what comes, drains and goes, and is not read again because leases beat."""
    f = Fleet(yard, agents=0)
    root = os.path.join(yard.folder, "root")
    os.makedirs(root)
    f.c.set("config:files:lb", json.dumps({"v": 1, "files": [{
        "root": "files", "path": "lb", "data": {"b": "svcs:web"}, "template": "{{#b}}{{id}} {{addr}} {{state}}\n{{/b}}"}]}))
    f.c.set("config:agent:reader", json.dumps({"v": 1, "apply": ["files:lb"]}))
    f.add("n1", 8001, interval="3s", ttl="9s")          # so long it drains: a reader that is slow sees it, too
    f.wait_up("n1")
    reader = yard.agent("reader", f.lines + ["root files " + root, "resync-interval 1h", "ping-timeout 5s", "controller no"])

    def text():
        try:
            with open(os.path.join(root, "lb")) as file:
                return file.read()
        except FileNotFoundError:
            return None

    one, two = "n1:n1 10.0.0.1:8001 up\n", "n2:n2 10.0.0.1:8002 up\n"
    wait_until(lambda: text() == one)
    f.add("n2", 8002, interval="3s", ttl="9s")
    wait_until(lambda: text() == one + two)
    with reader.connect() as c:
        def calm():
            n = c.info()["snapshots"]
            time.sleep(1)
            return n if c.info()["snapshots"] == n else None

        before = wait_until(calm, what="nothing more to be read")
        time.sleep(2 * TTL)
        assert c.info()["snapshots"] == before, "leases beat, and nobody reads"
    stop = threading.Thread(target=lambda: f.agents["n2"].stop())
    stop.start()
    wait_until(lambda: text() == one + two.replace("up", "drain"), every=0.005)
    stop.join()
    wait_until(lambda: text() == one)
    f.agents["n1"].stop()
    wait_until(lambda: text() == one.replace("up", "drain"))
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
        wait_until(lambda: c.info("controller").get("names_mirrored") == 1)
        wait_until(lambda: (lambda i: i["controller"] == 1 and i["registry_up"] == 1 and i["history_documents"] >= 2)(c.info("controller")))
        web.close()
        wait_until(lambda: "refused" in dict(zip(*[iter(c.execute_command("AGENT", "SERVICES")[0])] * 2))["why"])
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
    assert wait_until(lambda: discover_service(f.c, "api")) == "10.0.0.1:8002"
    time.sleep(2)
    assert discover_service(f.c, "web") == "192.168.1.1:80", "an old client's name is not ours"
    assert discover_service(f.c, "db") == "192.168.1.2:5432"
    assert f.c.hgetall("svcs.owner") == {"api": "10.0.0.1:8002"}
    # It gives the name up: the mirror takes it.
    f.c.hdel("services", "web")
    wait_until(lambda: discover_service(f.c, "web") == "10.0.0.1:8001")
    # An old client writes over it: noticed, put right, told once.
    register_service(f.c, "web", "192.168.1.1", 80)
    wait_until(lambda: discover_service(f.c, "web") == "10.0.0.1:8001")
    wait_until(lambda: f.said("+overwritten services web") == 1)
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
    f.wait_up("n1", "n2")
    assert f.c.get("svcs:string") == "no hash" and f.c.hget("services", "only") is None
    f.c.hset("svcs:web", "dead", "10.9.9.8:1;ttl=1000")
    wait_until(lambda: "dead" not in f.web())


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
    wait_until(lambda: discover_service(f.c, "web"))
    f.wait_history()
    f.c.delete("config:service:n1")
    wait_until(lambda: f.c.exists("config:service:n1"))
    f.agents["n3"].kill()
    wait_until(lambda: f.up() == ["n1", "n2"], 40)
    assert f.agents["n1"].log_text().count("will not be it") == 1


def test_a_directory_without_tracking(yard):
    """The ladder's last rung: everything is read every few seconds instead."""
    need("redis-server")
    f = Fleet(yard, agents=0)
    f.c.execute_command("ACL", "SETUSER", "poller", *RIGHTS.replace(" +client|tracking", "").replace(" +config|get", "").split())
    f.lines += ["directory-user poller", "directory-password pw", "poll-interval 200ms"]
    f.add("n1", 8001)
    f.wait_up("n1")
    wait_until(lambda: discover_service(f.c, "web"))
    wait_until(lambda: meta(f.c, "service:n1").get("ver") == "1")
    text = f.c.get("config:service:n1")
    f.c.delete("config:service:n1")
    wait_until(lambda: f.c.get("config:service:n1") == text)
    assert f.said("no broadcast tracking") == 2, "once for each of the controller's two pairs"
