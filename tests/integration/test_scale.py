"""Scale documents and scale events, with a systemctl that only pretends: what is asked of it, in which order, and what is
said when it cannot be done. (A real systemd: test_nspawn.py.)"""
import json
import os
import random
import string
import time

import pytest
from conftest import need
from harness import wait_until

SYSTEMCTL = r"""#!/bin/sh
# units/<name> holds a state; broken/<name> is one that fails; calls: what was asked
cd "%s" || exit 1
echo "$*" >> calls
verb=; names=
for w; do
    case $w in
        --|--no-*|-p|Id|ActiveState|Result|--quiet) ;;
        *) if [ -z "$verb" ]; then verb=$w; else names="$names $w"; fi ;;
    esac
done
case $verb in
    show) for f in units/*; do
              [ -e "$f" ] || continue
              printf 'Id=%%s\nActiveState=%%s\nResult=%%s\n\n' "${f#units/}" "$(cat "$f")" "$([ "$(cat "$f")" = failed ] && echo exit-code || echo success)"
          done ;;
    start) for n in $names; do
               if [ -e "broken/$n" ]; then echo failed > "units/$n"; else echo active > "units/$n"; fi
           done ;;
    stop) for n in $names; do rm -f "units/$n"; done ;;
    is-active) for n in $names; do
                   s=$(cat "units/$n" 2>/dev/null || echo inactive); echo "$s"; [ "$s" = active ] || exit 3
               done ;;
    *) echo "verb $verb?"; exit 1 ;;
esac
"""


class Host:
    """An agent and its pretended systemd."""

    def __init__(self, site, name, *lines, systemctl=None):
        self.folder = os.path.join(site.yard.folder, "systemd-" + name)
        for d in ("units", "broken"):
            os.makedirs(os.path.join(self.folder, d))
        if systemctl is None:
            systemctl = os.path.join(self.folder, "systemctl")
            with open(systemctl, "w") as f:
                f.write(SYSTEMCTL % self.folder)
            os.chmod(systemctl, 0o755)
        self.site, self.name = site, name
        self.agent = site.yard.agent(name, ["directory 127.0.0.1 %d" % site.node.port, "systemctl " + systemctl,
                                            "allow-unit web@*.service"] + list(lines))

    def active(self):
        found = []
        for n in os.listdir(os.path.join(self.folder, "units")):
            try:
                with open(os.path.join(self.folder, "units", n)) as f:
                    if f.read().strip() == "active":
                        found.append(n)
            except FileNotFoundError:
                pass                     # stopped between the two
        return sorted(found)

    def calls(self, verb):
        try:
            with open(os.path.join(self.folder, "calls")) as f:
                return [line.split() for line in f if " %s " % verb in line]
        except FileNotFoundError:
            return []

    def ack(self, doc="scale:web"):
        value = self.site.c.hget("cfgack:" + doc, self.name)
        return json.loads(value) if value else None

    def wait(self, *numbers, timeout=40):
        want = sorted("web@%d.service" % n for n in numbers)
        wait_until(lambda: self.active() == want, timeout, what="%s; %s are; ack %r\n%s" % (want, self.active(), self.ack(), self.agent.tail(10)))

    def wait_ack(self, st, doc="scale:web", timeout=40):
        try:
            return wait_until(lambda: self.ack(doc) if (self.ack(doc) or {}).get("st") == st else None, timeout)
        except AssertionError:
            raise AssertionError("no %s but %r\n%s" % (st, self.ack(doc), self.agent.tail(10)))


class Site:
    def __init__(self, yard, engine="kvnode"):
        need(engine)
        self.yard = yard
        self.node = yard.node("directory", engine)
        self.c = self.node.connect()

    def doc(self, document="scale:web", /, **fields):
        self.c.set("config:" + document, json.dumps(dict({"v": 1}, **fields)))

    def scale(self, instances, **fields):
        self.doc(**dict({"instances": instances, "unit": "web@.service"}, **fields))

    def apply(self, *names):
        self.doc("agent:default", apply=list(names))

    def wait_controller(self):
        """Somebody holds the role, and listens."""
        def one():
            return any(p.info("controller")["controller"] == 1 for p in self.yard.processes if p.socket_path and p.is_alive())

        wait_until(lambda: one() and self.c.pubsub_numsub("scale_events")[0][1] > 0, what="a controller")


@pytest.fixture
def site(yard):
    s = Site(yard)
    s.apply("scale:web")
    return s


def test_instances_are_started_and_the_highest_stopped_first(site):
    site.scale(3)
    h = Host(site, "n1")
    h.wait(1, 2, 3)
    h.wait_ack("ok")
    assert h.calls("start") == [["--no-ask-password", "--no-block", "start", "--"] + ["web@%d.service" % i for i in (1, 2, 3)]]
    site.scale(1)
    h.wait(1)
    assert [c[-1] for c in h.calls("stop")] == ["web@3.service", "web@2.service"]
    site.scale(0)
    h.wait()
    h.wait_ack("ok")
    site.scale(2)
    h.wait(1, 2)
    assert h.active() == ["web@1.service", "web@2.service"]
    site.apply()
    wait_until(lambda: "released" in h.agent.log_text())
    assert h.active() == ["web@1.service", "web@2.service"], "what is no longer ours is left as it is"


def test_what_is_there_counts_not_what_was_done(site):
    site.scale(2)
    h = Host(site, "n1")
    h.wait(1, 2)
    h.wait_ack("ok")
    units = os.path.join(h.folder, "units")
    os.unlink(os.path.join(units, "web@1.service"))
    for stranger in ("web@7.service", "web@foo.service", "web@01.service", "other@9.service"):
        with open(os.path.join(units, stranger), "w") as f:
            f.write("active\n")
    with h.agent.connect() as c:
        c.execute_command("AGENT", "RESYNC")
    want = ["other@9.service", "web@01.service", "web@1.service", "web@2.service", "web@foo.service"]
    wait_until(lambda: h.active() == want, what="only numbers of ours are ours; %s" % h.active())
    os.unlink(os.path.join(units, "web@2.service"))
    h.agent.kill()
    h.agent.start()
    wait_until(lambda: h.active() == want, what="an agent that starts to look")


def test_agents_share_them_as_the_document_says(site):
    hosts = [Host(site, "n%d" % i) for i in (1, 2, 3)]
    site.scale(5, assign={"n1": 2, "n2": 3})
    for h, k in zip(hosts, (2, 3, 0)):
        h.wait(*range(1, k + 1))
        h.wait_ack("ok")
    site.wait_controller()
    site.c.publish("scale_events", "web:10")
    for h, k in zip(hosts, (4, 6, 0)):
        h.wait(*range(1, k + 1))
    assert json.loads(site.c.get("config:scale:web"))["assign"] == {"n1": 2, "n2": 3}
    assert all(not h.calls("stop") for h in hosts), "more of them stops none"


def test_what_does_not_come_up_is_said(site):
    h = Host(site, "n1")
    broken = os.path.join(h.folder, "broken", "web@2.service")
    open(broken, "w").close()
    site.scale(3)
    a = h.wait_ack("reload_failed")
    assert "web@2.service" in a["err"] and "exit-code" in a["err"]
    assert h.active() == ["web@1.service", "web@3.service"], "the others are up"
    assert len(h.calls("start")) == 1, "not again and again"
    os.unlink(broken)
    with h.agent.connect() as c:
        c.execute_command("AGENT", "RESYNC")
    h.wait_ack("ok")
    h.wait(1, 2, 3)


@pytest.mark.parametrize("fields, word", [
    ({"unit": "db@.service"}, "not allowed"), ({"unit": None, "statefulset": "shop/web"}, "not supported here"),
    ({"unit": "web.service"}, "template"), ({"instances": 9, "max": 5}, "within"), ({"unit": "web@.service", "statefulset": "a/b"}, ""),
    ({"speed": 1}, "speed"), ({"unit": "web@.service;reboot"}, "template"), ({"instances": 100000}, "instances")])
def test_what_cannot_be_is_refused(site, fields, word):
    doc = dict({"instances": 1, "unit": "web@.service"}, **fields)
    site.doc(**{k: v for k, v in doc.items() if v is not None})
    h = Host(site, "n1")
    assert word in h.wait_ack("invalid")["err"]
    assert not h.calls("start")
    site.scale(1)
    h.wait(1)


def test_two_documents_do_not_fight_over_a_unit(site):
    h = Host(site, "n1")
    site.scale(1)
    h.wait(1)
    site.doc("scale:other", instances=5, unit="web@.service")
    site.apply("scale:web", "scale:other")
    assert "scale:web" in h.wait_ack("invalid", "scale:other")["err"]
    h.wait(1)


@pytest.mark.parametrize("systemctl", ["/nonexistent/systemctl", "/usr/bin/systemctl"])
def test_where_there_is_no_systemd(site, systemctl):
    if os.path.isdir("/run/systemd/system") and os.path.exists(systemctl):
        pytest.skip("systemd runs here")
    if systemctl == "/usr/bin/systemctl" and not os.path.exists(systemctl):
        pytest.skip("no systemctl here")
    site.scale(1)
    h = Host(site, "n1", systemctl=systemctl)
    assert "not supported here" in h.wait_ack("reload_failed")["err"]
    assert h.agent.connect().ping()


def test_an_instance_drains_before_it_is_stopped(site):
    h = Host(site, "n1")
    site.scale(2)
    site.doc("service:web-2", name="web", host="127.0.0.1", port=8082, ttl="7s", interval="2500ms", rise=1, fall=1,
             check={"unit": "web@2.service"})
    site.apply("scale:web", "service:web-2")
    h.wait(1, 2)

    def line():
        return next(iter(site.c.hgetall("svcs:web").values()), "")

    wait_until(lambda: "state=up" in line(), what="the instance to be registered")
    site.scale(1)
    wait_until(lambda: "state=drain" in line(), every=0.002, what="it to drain; " + h.agent.tail(5))
    assert h.active() == ["web@1.service", "web@2.service"] and not h.calls("stop")
    began = time.monotonic()
    h.wait(1)
    assert time.monotonic() - began > 1.5, "one interval of its checks, less what it took to see it drain"
    # wanted again while it drains: it is not stopped
    site.scale(2)
    h.wait(1, 2)
    wait_until(lambda: "state=up" in line(), what="the instance to be registered again; %s" % site.c.hgetall("svcs:web"))
    stops = len(h.calls("stop"))
    site.scale(1)
    wait_until(lambda: "state=drain" in line(), every=0.002)
    site.scale(2)
    wait_until(lambda: "state=up" in line(), what="it to take work again")
    h.wait_ack("ok")
    assert len(h.calls("stop")) == stops and h.active() == ["web@1.service", "web@2.service"]


# --- events ---

def test_events_change_one_number(site):
    text = '{ "unit":"web@.service","instances" : 2,\n "max":6, "min":1,"cooldown":"0s","v":1}'
    site.c.set("config:scale:web", text)
    h = Host(site, "n1")
    h.wait(1, 2)
    site.wait_controller()
    for n, became in ((4, 4), (0, 1), (9999, 6), (6, 6), (3, 3)):
        site.c.publish("scale_events", "web:%d" % n)
        wait_until(lambda: site.c.get("config:scale:web") == text.replace(": 2", ": %d" % became), what="%d" % became)
        h.wait(*range(1, became + 1))


def test_the_last_word_within_a_cooldown_counts(site):
    site.scale(1, cooldown="3s")
    Host(site, "n1")
    site.wait_controller()
    seen = [1]

    def instances():
        n = json.loads(site.c.get("config:scale:web"))["instances"]
        if seen[-1] != n:
            seen.append(n)
        return n

    site.c.publish("scale_events", "web:2")
    wait_until(lambda: instances() == 2)
    first = time.monotonic()
    for n in (3, 4, 5, 6, 7):
        site.c.publish("scale_events", "web:%d" % n)
    wait_until(lambda: instances() == 7)
    assert time.monotonic() - first > 1.5 and seen == [1, 2, 7], seen


def test_junk_changes_nothing(site):
    site.scale(2, cooldown="0s")
    h = Host(site, "n1")
    h.wait(1, 2)
    site.wait_controller()
    site.doc("scale:wrong", instances="many", unit="web@.service")
    before = {k: site.c.get(k) for k in site.c.scan_iter("config:*")}
    site.c.lpush("config:scale:list", "x") if site.node.program.endswith("redis-server") else site.c.hset("config:scale:list", "x", "y")
    chance = random.Random(3)
    pipe = site.c.pipeline(transaction=False)
    for i in range(10000):
        pipe.publish("scale_events", chance.choice([
            "".join(chance.choice(string.printable) for _ in range(chance.randrange(30))), "web:%d" % chance.randrange(10000, 10 ** 7),
            "%s:3" % "".join(chance.choice(string.ascii_lowercase) for _ in range(8)), "wrong:3", "list:3", "web:-1", "web:3 ", "WEB:3"]))
    pipe.execute()
    site.c.publish("scale_events", "web:3")
    wait_until(lambda: json.loads(site.c.get("config:scale:web"))["instances"] == 3, what="the one that is none to count")
    h.wait(1, 2, 3)
    for k, v in before.items():
        if k != "config:scale:web":
            assert site.c.get(k) == v, k
    assert set(site.c.scan_iter("config:*")) == set(before) | {"config:scale:list"}
    assert h.agent.is_alive() and len(h.agent.log_text().splitlines()) < 60


def test_the_next_controller_hears_events(site):
    hosts = [Host(site, "n1"), Host(site, "n2")]
    site.scale(1, cooldown="0s")
    site.wait_controller()
    by = site.c.get("kvorum:controller")
    first = next(h for h in hosts if h.name == by)
    other = next(h for h in hosts if h is not first)
    first.agent.kill()
    wait_until(lambda: site.c.get("kvorum:controller") == other.name, what="the other one to be the controller")

    def told():
        site.c.publish("scale_events", "web:2")
        return json.loads(site.c.get("config:scale:web"))["instances"] == 2

    wait_until(told, what="it to hear")
    other.wait(1, 2)
    first.agent.start()
    first.wait(1, 2)
