"""What no document may be, for every type: refused with a reason, nothing written, nothing set, the agent alive and working."""
import hashlib
import json
import os

import pytest
from conftest import need
from harness import wait_until
from agent_site import FILE, Site, line

GOOD = {
    "files": {"files": [FILE]},
    "env": {"root": "files", "path": "web.env", "env": {"A": "1"}},
    "node": {"set": {"timeout": "30"}},
    "redis": {"host": "127.0.0.1", "port": 7001},
    "service": {"name": "web", "port": 8080},
}

DEEP = 100000


def deep(inside):
    return '{"x":' + "[" * DEEP + inside + "]" * DEEP + "}"


ANY_TYPE = [
    ("", "line 1"),
    ("{", "line 1"),
    ("null", "object"),
    ("[]", "object"),
    ('"text"', "object"),
    ('{"a":1}{"b":2}', "line 1"),
    ('{"a":1,"a":2}', "twice"),
    ('{"a":NaN}', "line 1"),
    ('{"a":"\\ud800"}', "line 1"),
    ('{"a":"\\u0000"}', "line 1"),
    (b'{"a":"\xff\xfe"}', "byte 7 is not UTF-8"),
    (b"\xef\xbb\xbf{}", ""),
    (b"\x00" * 1000, ""),
    ('{"' + "k" * 100000 + '":1}', ""),
    (deep(""), "deep"),
    (deep("1") + "x", "deep"),
    ('{"a":"' + "x" * (10 << 20) + '"}', "262144"),
    ("[" * (10 << 20), "262144"),
    (json.dumps({"n%d" % i: i for i in range(15000)}), "unknown name"),
    ('{"no-such-name":1}', "no-such-name"),
]

OF_TYPE = {
    "files": [
        ({"files": [dict(FILE, path="../../etc/passwd")]}, "path"),
        ({"files": [dict(FILE, path="/etc/passwd")]}, "path"),
        ({"files": [dict(FILE, path="a/../../b")]}, "path"),
        ({"files": [dict(FILE, root="nowhere")]}, "'nowhere' is not named here"),
        ({"files": [dict(FILE, template="{{no.such}}")]}, "'no.such' is unknown"),
        ({"files": [dict(FILE, template="{{>no}}")]}, "no"),
        ({"files": [FILE], "check": [["/bin/sh", "-c", "id"]]}, "not allowed here"),
        ({"files": [FILE], "reload": {"exec": ["/bin/sh"]}}, "not allowed here"),
        ({"files": [FILE] * 65}, "files"),
        ({"files": FILE}, "files"),
    ],
    "env": [
        (dict(GOOD["env"], path="../web.env"), "path"),
        (dict(GOOD["env"], path="/etc/environment"), "path"),
        (dict(GOOD["env"], root="nowhere"), "'nowhere' is not named here"),
        (dict(GOOD["env"], owner="nobody-of-this-name"), "no user"),
        (dict(GOOD["env"], env={"LD_PRELOAD": "a\nb"}), "line break"),
        (dict(GOOD["env"], check=[["/bin/true"]]), "not allowed here"),
        (dict(GOOD["env"], reload={"unit": "sshd.service"}), "not allowed here"),
        (dict(GOOD["env"], from_hash="h\x01"), "from_hash"),
        (dict(GOOD["env"], from_hash="x" * 600), "from_hash"),
    ],
    "node": [
        ({"set": {"dir": "/etc/cron.d"}}, "set.dir"),
        ({"set": {"timeout": "1", "replicaof": "no one"}}, "set.replicaof"),
        ({"set": {"timeout\r\nFLUSHALL": "1"}}, "is not the name"),
        ({"set": {"timeout": "1", "x": "1"}}, "knows no such setting"),
        ({"set": {"s%d" % i: "1" for i in range(65)}}, "set"),
        ({"set": {"timeout": "1"}, "probe": {"unit": "sshd.service"}}, "not allowed here"),
    ],
    "redis": [
        ({}, "neither host"),
        ({"host": "h", "port": 7001, "v": 1}, "v: unknown name"),
        ({"host": ["h"], "port": 7001}, "host"),
        ({"host": "h", "port": 7001, "_meta": {}}, "_meta"),
    ],
    "service": [
        ({"name": "web", "port": 0}, "port"),
        ({"name": "../web", "port": 80}, "name"),
    ],
}


class Place(Site):
    def __init__(self, yard, type):
        need("redis-server")
        self.beside = yard.node("beside", "redis-server")
        super().__init__(yard, agent_lines=["node 127.0.0.1 %d" % self.beside.port, "quiesce-min 0"])
        self.doc = type + ":bad"
        self.redis_doc(7001)
        self.files_doc()
        self.apply(self.doc, "files:demo")
        self.wait_text(line(7001))

    def refused(self, text, reason):
        raw = text if isinstance(text, bytes) else text.encode()
        self.c.set("config:" + self.doc, raw)
        sha = hashlib.sha256(raw).hexdigest()

        def there():
            a = self.ack(self.doc)
            return a if a and a["sha"] == sha and a["st"] != "held" else None

        a = wait_until(there, 60, what="an answer to %.80r; log:\n%s" % (text, self.agent.tail(10)))
        assert a["st"] in ("invalid", "swap_failed") and reason in a["err"] and a["err"], (text[:200], a)
        assert len(a["err"]) < 1000

    def untouched(self):
        assert sorted(os.listdir(self.root)) == ["app.conf"]
        assert self.beside.connect().config_get("timeout")["timeout"] == "0"
        assert not self.c.exists("svcs:web")

    def alive(self):
        """The others go on, and the same document can become good."""
        assert self.agent.is_alive() and self.agent.proc.poll() is None
        self.redis_doc(7002)
        self.wait_text(line(7002))


@pytest.mark.parametrize("type", sorted(GOOD))
def test_refused_with_a_reason(yard, type):
    s = Place(yard, type)
    for text, reason in ANY_TYPE:
        s.refused(text, reason)
    for doc, reason in OF_TYPE[type]:
        if type == "files":          # its only file is another document's
            doc = json.loads(json.dumps(doc).replace('"app.conf"', '"bad.conf"'))
        s.refused(json.dumps(doc), reason)
    # The key holds another type of value.
    for make in (lambda p, k: p.hset(k, "a", "b"), lambda p, k: p.rpush(k, "a"), lambda p, k: p.zadd(k, {"a": 1})):
        s.refused("{", "line 1")
        p = s.c.pipeline()                # at once: a controller may put back what it sees deleted
        p.delete("config:" + s.doc)
        make(p, "config:" + s.doc)
        p.execute()
        s.wait_ack("invalid", doc=s.doc, also=lambda a: "does not exist as a string" in a["err"])
    s.untouched()
    s.alive()
    s.c.delete("config:" + s.doc)
    good = json.dumps(GOOD[type]).replace('"app.conf"', '"bad.conf"')
    s.c.set("config:" + s.doc, good)
    s.wait_ack("ok", doc=s.doc, sha_of="config:" + s.doc)


def test_agent_documents(yard):
    s = Place(yard, "files")
    for text in ("{", "[]", deep(""), '{"apply":' + json.dumps(["files:x%d" % i for i in range(65)]) + "}",
                 '{"apply":["agent:n1"]}', '{"apply":["../x:y"]}', '{"apply":["files:a","files:a"]}',
                 '{"apply":[],"vars":"' + "x" * (10 << 20) + '"}'):
        s.c.set("config:agent:default", text)
        s.wait_ack("invalid", doc="agent:default", sha_of="config:agent:default")
        assert s.stats()["documents"] == 2
    s.alive()
