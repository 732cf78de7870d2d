"""The units as they are shipped, in a booted systemd: scale events to instances, kill -9, start as user kvorum."""
import json
import random
import string
import subprocess
import time

import machine
import pytest
import redis
from harness import find, free_port, wait_until

pytestmark = pytest.mark.long

WEB = """[Unit]
Description=Instance %i of a service
[Service]
ExecStart=/bin/sleep infinity
"""
BROKEN = """[Service]
Type=notify
ExecStart=/bin/false
"""
# As the shipped unit says: who wants the agent to start units decides so by a drop-in.
AGENT_MAY = """[Service]
User=root
PrivateUsers=no
"""


@pytest.fixture(scope="module")
def booted(request, tmp_path_factory):
    why = machine.lacks()
    if why:
        pytest.skip(why)
    port, sentinel = free_port(), free_port()
    m = machine.Machine(str(tmp_path_factory.mktemp("machine")), {
        "/etc/kvorum/kvnode/%d.conf" % port: "port %d\nbind 127.0.0.1\nsave \"\"\n" % port,
        "/etc/kvorum/sentinel/%d.conf" % sentinel: "port %d\nbind 127.0.0.1\nsentinel monitor demo 127.0.0.1 %d 1\n" % (sentinel, port),
        "/etc/kvorum/agent.conf": "node-id n1\ndirectory 127.0.0.1 %d\nroot files /var/lib/kvorum/agent/files\n"
                                  "allow-unit web@*.service\nallow-unit broken@*.service\n" % port,
        "/etc/systemd/system/kvorum-agent.service.d/units.conf": AGENT_MAY,
        "/etc/systemd/system/web@.service": WEB,
        "/etc/systemd/system/broken@.service": BROKEN,
    })
    m.port, m.sentinel_port = port, sentinel
    m.units = ["kvnode@%d.service" % port, "kvorum-sentinel@%d.service" % sentinel, "kvorum-agent.service"]
    try:
        took = m.boot()
        print("booted in %.1f s" % took)
        m.run("systemd-sysusers")
        m.run("systemd-tmpfiles", "--create", check=False)
        began = time.monotonic()
        m.run("systemctl", "start", *m.units, check=False)
        for unit in m.units:
            assert m.show(unit, "ActiveState")["ActiveState"] == "active", m.journal(unit)[-3000:]
        print("three shipped units started in %.2f s" % (time.monotonic() - began))
        m.c = redis.Redis("127.0.0.1", port, decode_responses=True, socket_timeout=10)
        yield m
    finally:
        m.close()


def scale(m, name="web", **doc):
    m.c.set("config:scale:" + name, json.dumps(dict({"v": 1, "instances": 0, "min": 0, "max": 5, "unit": name + "@.service", "cooldown": "0s"}, **doc)))


def apply(m, *names):
    m.c.set("config:agent:default", json.dumps({"v": 1, "apply": list(names)}))


def web(*numbers):
    return ["web@%d.service" % n for n in numbers]


def until_active(m, names, timeout=30, pattern="web@*.service"):
    began = time.monotonic()
    wait_until(lambda: m.active(pattern) == names, timeout, every=0.01,
               what="%s to be active; the agent says:\n%s" % (names, m.journal("kvorum-agent")[-1500:]))
    return time.monotonic() - began


def wait_listening(m):
    """Messages do not wait: the agent must hold the role."""
    wait_until(lambda: m.agent().info("controller")["controller"] == 1, 20, what="the agent to be the controller")
    wait_until(lambda: m.c.pubsub_numsub("scale_events")[0][1] >= 1, 20, what="somebody who listens")


def ack(m, doc):
    value = m.c.hget("cfgack:" + doc, "n1")
    return json.loads(value) if value else None


def wait_ack(m, doc, **want):
    def so():
        a = ack(m, doc)
        return a if a and all(a[k] == v for k, v in want.items()) else None

    return wait_until(so, 20, what="%s of %s; last %r" % (want, doc, ack(m, doc)))


def test_the_shipped_units_run_as_they_should(booted):
    m = booted
    for unit in m.units:
        p = m.show(unit, "ActiveState", "Type", "MainPID", "User", "NRestarts")
        assert (p["ActiveState"], p["Type"], p["NRestarts"]) == ("active", "notify", "0"), (unit, p, m.journal(unit))
        if unit != "kvorum-agent.service":
            assert p["User"] == "kvorum"
            uid = m.run("stat", "-c", "%U", "/proc/%s" % p["MainPID"]).strip()
            assert uid == "kvorum", (unit, uid)


def test_kill_9_is_survived(booted):
    m = booted
    m.c.set("kept", "1")
    for unit in m.units:
        pid = m.show(unit, "MainPID")["MainPID"]
        m.run("kill", "-9", pid)
        began = time.monotonic()

        def back():
            p = m.show(unit, "ActiveState", "MainPID", "NRestarts")
            return p["ActiveState"] == "active" and p["MainPID"] not in ("0", pid) and int(p["NRestarts"]) >= 1

        wait_until(back, 20, what="%s to come back" % unit)
        print("%s is back %.2f s after kill -9" % (unit, time.monotonic() - began))
    assert m.c.ping()


def test_scale_events_start_and_stop_instances(booted):
    m = booted
    scale(m)
    apply(m, "scale:web")
    wait_ack(m, "scale:web", st="ok")
    wait_listening(m)
    assert m.active("web@*.service") == []
    assert m.c.publish("scale_events", "web:3") >= 1
    up = until_active(m, web(1, 2, 3))
    print("web:3 -> three active after %.3f s" % up)
    assert up < 2
    doc = json.loads(m.c.get("config:scale:web"))
    assert doc["instances"] == 3 and list(doc) == ["v", "instances", "min", "max", "unit", "cooldown"]
    m.c.publish("scale_events", "web:1")
    down = until_active(m, web(1))
    print("web:1 -> one active after %.3f s" % down)
    assert down < 2
    m.c.publish("scale_events", "web:9")
    until_active(m, web(1, 2, 3, 4, 5))
    assert json.loads(m.c.get("config:scale:web"))["instances"] == 5, "max"
    wait_ack(m, "scale:web", st="ok", err="")
    log = m.journal("web@*.service")
    stopped = [line for line in log.splitlines() if "Stopped" in line or "Deactivated" in line]
    assert stopped, log
    m.c.publish("scale_events", "web:2")
    until_active(m, web(1, 2))


def test_what_dies_or_is_started_by_hand_is_put_right(booted):
    m = booted
    scale(m, instances=2)
    apply(m, "scale:web")
    until_active(m, web(1, 2))
    m.run("systemctl", "stop", "web@1.service")
    m.run("systemctl", "start", "web@4.service")
    m.run("kill", "-9", m.show("kvorum-agent.service", "MainPID")["MainPID"])       # an agent that starts looks at what is there
    until_active(m, web(1, 2))


def test_drained_before_it_is_stopped(booted):
    m = booted
    scale(m, instances=2)
    m.c.set("config:service:web-2", json.dumps({"v": 1, "name": "web", "port": 8082, "host": "127.0.0.1", "ttl": "4s", "interval": "1s", "rise": 1,
                                                "fall": 1, "check": {"unit": "web@2.service"}}))
    apply(m, "scale:web", "service:web-2")
    until_active(m, web(1, 2))

    def line():
        return next(iter(m.c.hgetall("svcs:web").values()), "")

    wait_until(lambda: "state=up" in line(), 20, what="the instance to be registered; %r" % m.c.hgetall("svcs:web"))
    wait_listening(m)
    m.c.publish("scale_events", "web:1")
    wait_until(lambda: "state=drain" in line(), 10, every=0.005, what="the instance to drain")
    drained = time.monotonic()
    assert m.active("web@*.service") == web(1, 2), "it still works while it drains"
    until_active(m, web(1))
    print("stopped %.2f s after it began to drain (interval 1 s)" % (time.monotonic() - drained))
    assert time.monotonic() - drained >= 0.8
    wait_until(lambda: line() == "", 10, what="the instance to be gone")
    apply(m, "scale:web")


def test_junk_changes_nothing(booted):
    m = booted
    scale(m, instances=2, cooldown="0s")
    apply(m, "scale:web")
    until_active(m, web(1, 2))
    wait_listening(m)
    before = m.c.get("config:scale:web")
    pid = m.show("kvorum-agent.service", "MainPID")["MainPID"]
    keys = set(m.c.scan_iter("config:*"))
    chance = random.Random(7)
    letters = string.printable
    shapes = [lambda: "".join(chance.choice(letters) for _ in range(chance.randrange(40))),
              lambda: "".join(chance.choice(string.ascii_lowercase) for _ in range(9)) + ":%d" % chance.randrange(10000),
              lambda: "web:%d" % chance.randrange(10000, 10 ** 9), lambda: "web:-1", lambda: "web:3;reboot", lambda: "WEB:3", lambda: "web",
              lambda: "web:", lambda: "\x00web:3", lambda: "web:3\n", lambda: "x" * chance.randrange(100000), lambda: "../web:3", lambda: "web@1:3"]
    began = time.monotonic()
    pipe = m.c.pipeline(transaction=False)
    for i in range(10000):
        pipe.publish("scale_events", chance.choice(shapes)())
        if i % 500 == 499:
            pipe.execute()
    pipe.execute()
    m.c.publish("scale_events", "web:3")                       # behind all of them
    until_active(m, web(1, 2, 3))
    print("10,000 junk messages and one that is none: %.2f s" % (time.monotonic() - began))
    assert m.c.get("config:scale:web") == before.replace('"instances": 2', '"instances": 3')
    assert set(m.c.scan_iter("config:*")) == keys
    assert m.show("kvorum-agent.service", "MainPID")["MainPID"] == pid


def test_what_cannot_be_started_is_said(booted):
    m = booted
    scale(m, "broken", instances=1)
    scale(m, "other", instances=1)
    m.c.set("config:scale:set", json.dumps({"v": 1, "instances": 1, "statefulset": "shop/web"}))
    apply(m, "scale:web", "scale:broken", "scale:other", "scale:set")
    assert "broken@1.service" in wait_until(lambda: ack(m, "scale:broken") if (ack(m, "scale:broken") or {}).get("err") else None, 30)["err"]
    assert "not allowed" in wait_until(lambda: ack(m, "scale:other"), 20)["err"]
    assert "not supported here" in wait_until(lambda: ack(m, "scale:set"), 20)["err"]
    assert wait_ack(m, "scale:web", st="ok")
    apply(m, "scale:web")


def test_kvorumctl_sees_the_node(booted):
    m = booted
    r = subprocess.run([find("kvorumctl"), "-d", "127.0.0.1:%d" % m.port, "-o", "json", "nodes"], capture_output=True, text=True, timeout=30)
    items = json.loads(r.stdout)["items"]
    assert [i["node"] for i in items] == ["n1"] and items[0]["ok"] >= 1
    assert len(items[0]["boot"]) == 32
