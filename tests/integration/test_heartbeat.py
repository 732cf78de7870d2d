"""node:<id>: what each agent says of itself, and that nobody is woken by it."""
import json
import os
import time

from harness import wait_until


def start(yard, name, directory, *lines):
    root = os.path.join(yard.folder, "root-" + name)
    os.makedirs(root, exist_ok=True)
    return yard.agent(name, ["directory 127.0.0.1 %d" % directory.port, "root files " + root] + list(lines))


def doc(c, name, **value):
    c.set("config:" + name, json.dumps(dict({"v": 1}, **value)))


def text_doc(c, text):
    doc(c, "files:a", files=[{"root": "files", "path": "a", "template": text}])


def test_what_an_agent_says_of_itself(yard):
    directory, node = yard.node("directory", "kvnode"), yard.node("node", "kvnode")
    c = directory.connect()
    text_doc(c, "one")
    doc(c, "agent:n1", apply=["files:a"], labels={"zone": "west", "rack": "7"})
    doc(c, "agent:default", apply=["files:a"])
    n1 = start(yard, "n1", directory, "group edge", "node 127.0.0.1 %d" % node.port)
    start(yard, "n2", directory)
    h = wait_until(lambda: (lambda x: x if x.get("ok") == "1" and x.get("role") == "master" else None)(c.hgetall("node:n1")), what="n1; %r" % c.hgetall("node:n1"))
    assert 0 < c.ttl("node:n1") <= 15
    assert (h["zone"], json.loads(h["labels"]), h["group"]) == ("west", {"zone": "west", "rack": "7"}, "edge")
    assert (h["directory"], h["push"], h["agent-document"]) == ("127.0.0.1:%d" % directory.port, "tracking", "n1")
    assert (h["documents"], h["failed"], h["stuck"], h["busy"]) == ("1", "0", "0", "0") and h["pid"] == str(n1.pid)
    assert abs(int(h["t"]) - time.time() * 1000) < 60000 and len(h["boot"]) == 32 and len(h["fingerprint"]) == 64
    other = wait_until(lambda: (lambda x: x if x.get("ok") == "1" else None)(c.hgetall("node:n2")))
    assert other["role"] == "none" and other["zone"] == "" and other["boot"] == h["boot"]
    assert other["fingerprint"] == h["fingerprint"], "the same documents in the same versions"

    text_doc(c, "two")

    def both():
        a, b = (c.hget("node:" + n, "fingerprint") for n in ("n1", "n2"))
        return a if a == b and a != h["fingerprint"] else None

    wait_until(both, what="both to say that they have another version")
    doc(c, "files:a", files="wrong")
    wait_until(lambda: c.hget("node:n1", "failed") == "1", what="the failure to be told")


def test_nobody_is_woken_by_beats_and_they_end_with_the_agent(yard):
    directory = yard.node("directory", "kvnode")
    c = directory.connect()
    text_doc(c, "x")
    doc(c, "agent:default", apply=["files:a"])
    agents = [start(yard, "n%d" % i, directory, "resync-interval 1h") for i in (1, 2)]
    wait_until(lambda: all(c.hget("node:n%d" % i, "ok") == "1" for i in (1, 2)))
    wait_until(lambda: all(a.info("directory")["directory_state"] == "live" for a in agents) and c.exists("cfgmeta:files:a"))
    last = [None, None]

    def calm():
        now = [a.info("directory")["snapshots"] for a in agents]
        same, last[:] = now == last, now
        return same

    wait_until(calm, every=1, what="nothing more to be read")
    beats = [c.hget("node:n%d" % i, "t") for i in (1, 2)]
    wait_until(lambda: all(c.hget("node:n%d" % i, "t") != b for i, b in zip((1, 2), beats)), 40, what="a further beat of both")
    assert [a.info("directory")["snapshots"] for a in agents] == last
    agents[0].kill()
    killed = time.monotonic()
    wait_until(lambda: not c.exists("node:n1"), 40, what="its hash to be gone")
    assert time.monotonic() - killed < 25 and c.exists("node:n2")
