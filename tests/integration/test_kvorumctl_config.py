"""kvorumctl config, nodes, services, resolve: plain keys underneath, said so that people and programs can use it."""
import csv
import hashlib
import io
import json
import os
import subprocess
import time

import pytest
from conftest import need
from harness import find, free_port, wait_until

DOC = '{"v":1,"files":[{"root":"files","path":"a.conf","template":"x = %d\\n"}]}'


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


class Directory:
    """One data node that is the directory, asked without sentinels."""

    def __init__(self, yard, engine="kvnode", lines=()):
        need(engine)
        self.yard = yard
        self.node = yard.node("directory", engine, lines)
        self.c = self.node.connect()

    def ctl(self, *words, text=None, env=None, rc=0):
        r = subprocess.run([find("kvorumctl"), "-d", "127.0.0.1:%d" % self.node.port] + list(words), input=text,
                           capture_output=True, text=True, timeout=60, env=dict(os.environ, USER="anna", **(env or {})))
        assert rc is None or r.returncode == rc, r
        return r

    def json(self, *words, rc=0):
        return json.loads(self.ctl("-o", "json", *words, rc=rc).stdout)

    def agent(self, name, *lines):
        root = os.path.join(self.yard.folder, "root-" + name)
        os.makedirs(root)
        return self.yard.agent(name, ["directory 127.0.0.1 %d" % self.node.port, "root files " + root] + list(lines))


@pytest.fixture(params=["kvnode", "redis-server"])
def directory(yard, request):
    return Directory(yard, request.param)


def test_set_and_get_byte_for_byte(directory):
    d = directory
    text = ' {"b": 1,\n "a": "\u00e4 \\"x\\""}'
    out = d.ctl("config", "set", "list:web", text).stdout
    assert "config:list:web" in out and sha(text)[:8] in out
    assert d.c.get("config:list:web") == text
    assert d.ctl("config", "get", "list:web").stdout == text + "\n"
    assert d.ctl("config", "get", "list", "web").stdout == text + "\n", "two words name the same document"
    d.ctl("config", "set", "list:other", "-", text='{"from":"stdin"}\n')
    assert d.c.get("config:list:other") == '{"from":"stdin"}'
    assert d.c.hgetall("cfgmeta:list:web") == {"said_by": "anna", "said_sha": sha(text)}
    d.ctl("--by", "deploy 7", "config", "set", "list:web", "{}")
    assert d.c.hget("cfgmeta:list:web", "said_by") == "deploy_7"


def test_what_is_no_document_is_not_sent(directory):
    d = directory
    d.c.set("config:list:web", "{}")
    deep = '{"a":' * 40 + "1" + "}" * 40
    for bad, word in [("{", "JSON"), ("[1]", "object"), ('{"a":1,"a":2}', "twice"), ('{"x":{"a":1,"a":2}}', "twice"), (deep, "deep"),
                      ('{"a":"%s"}' % ("x" * 300000), "262144"), ("{} {}", "JSON"), ('{"a":NaN}', "JSON"), ("", "JSON")]:
        r = d.ctl("config", "set", "list:web", "-", text=bad, rc=1)
        assert word in r.stderr and not r.stdout, (bad[:30], r)
    assert d.c.get("config:list:web") == "{}"
    r = subprocess.run([find("kvorumctl"), "-d", "127.0.0.1:%d" % d.node.port, "config", "set", "list:web"],
                       input=b'{"a":"\xff\xfe"}', capture_output=True, timeout=30)
    assert r.returncode == 1 and b"UTF-8" in r.stderr
    for bad in ["list", "list:", ":web", "List:web", "list:we b", "list:..", "list:a:b", "x" * 33 + ":a", "list:" + "a" * 129]:
        assert "document" in d.ctl("config", "get", bad, rc=2).stderr


def test_only_if_it_is_what_was_seen(directory):
    d = directory
    r = d.ctl("config", "set", "list:web", "{}", "--if-sha", sha("{}"), rc=4)
    assert "does not exist" in r.stderr and d.c.get("config:list:web") is None
    d.ctl("config", "set", "list:web", '{"n":1}', "--if-sha", "absent")
    r = d.ctl("config", "set", "list:web", '{"n":2}', "--if-sha", "absent", rc=4)
    assert sha('{"n":1}')[:8] in r.stderr
    d.ctl("config", "set", "list:web", '{"n":2}', "--if-sha", sha('{"n":1}')[:8])
    d.ctl("config", "set", "list:web", '{"n":3}', "--if-sha", sha('{"n":1}'), rc=4)
    assert d.c.get("config:list:web") == '{"n":2}'
    d.ctl("config", "set", "list:web", "{}", "--if-sha", "12", rc=2)


def test_many_writers_with_if_sha_lose_no_update(directory):
    """Each reads, adds one, writes only over what it read: the end is the number of those that were told it worked."""
    d = directory
    d.c.set("config:list:n", '{"n":0}')
    script = """
import json, subprocess, hashlib, sys
ctl = [sys.argv[1], "-d", sys.argv[2], "config"]
done = 0
for i in range(15):
    was = subprocess.run(ctl + ["get", "list:n"], capture_output=True, text=True).stdout.rstrip("\\n")
    new = json.dumps({"n": json.loads(was)["n"] + 1})
    r = subprocess.run(ctl + ["set", "list:n", new, "--if-sha", hashlib.sha256(was.encode()).hexdigest()], capture_output=True)
    assert r.returncode in (0, 4), r
    done += r.returncode == 0
print(done)
"""
    args = ["/usr/bin/python3", "-c", script, find("kvorumctl"), "127.0.0.1:%d" % d.node.port]
    all_of_them = [subprocess.Popen(args, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    done = sum(int(p.communicate(timeout=300)[0]) for p in all_of_them)
    assert json.loads(d.c.get("config:list:n"))["n"] == done > 0


def test_an_author_needs_no_right_to_what_is_known(yard):
    d = Directory(yard)
    d.c.execute_command("ACL", "SETUSER", "web", "on", ">pw", "~config:list:web", "+@all")
    d.ctl("--node-user", "web", "-A", "pw", "config", "set", "list:web", '{"n":1}')
    assert d.c.get("config:list:web") == '{"n":1}' and not d.c.exists("cfgmeta:list:web")
    d.ctl("--node-user", "web", "-A", "pw", "config", "set", "list:web", '{"n":2}', "--if-sha", sha('{"n":1}'))
    r = d.ctl("--node-user", "web", "-A", "pw", "config", "set", "list:other", "{}", rc=4)
    assert "NOPERM" in r.stderr and d.c.get("config:list:other") is None
    r = d.ctl("--node-user", "web", "-A", "no", "config", "get", "list:web", rc=4)
    assert "refused" in r.stderr


def put_version(d, doc, ver, text, by="anna", t=1767225600000):
    d.c.hset("cfglog:" + doc, str(ver), "%s %d %s\n%s" % (sha(text), t + ver * 1000, by, text))
    d.c.hset("cfgmeta:" + doc, mapping={"ver": ver, "sha": sha(text), "t": t + ver * 1000, "by": by, "state": "live"})
    d.c.set("config:" + doc, text)


def test_history_diff_rollback(directory):
    d = directory
    versions = ['{"host":"10.0.0.1","port":6379,"password":"old"}', '{"host":"10.0.0.2","port":6379,"password":"new","tags":["a","b"]}',
                '{"host":"10.0.0.2","port":6379,"password":"new","tags":["a"]}']
    for i, text in enumerate(versions):
        put_version(d, "redis:web", i + 1, text, by="p%d" % i)
    items = d.json("config", "history", "redis:web")["items"]
    assert [(i["version"], i["by"], i["sha"], i["bytes"]) for i in items] == \
        [(n + 1, "p%d" % n, sha(t), len(t)) for n, t in enumerate(versions)]
    assert items[0]["time"] == "2026-01-01T00:00:01Z" and [i["current"] for i in items] == ["", "", "live"]
    assert d.ctl("config", "history", "redis:web").stdout.splitlines()[0].split() == ["VER", "TIME", "BYTES", "SHA", "BY"]
    assert d.ctl("config", "diff", "redis:web").stdout.splitlines() == ['- tags[1] = "b"']
    assert set(d.ctl("config", "diff", "redis:web", "1").stdout.splitlines()) == {
        '- host = "10.0.0.1"', '+ host = "10.0.0.2"', '- password = "***"', '+ password = "***"', '+ tags[0] = "a"'}
    assert d.ctl("config", "diff", "redis:web", "3").stdout == ""
    assert d.json("config", "diff", "redis:web", "2", "1")["lines"][0] == '- host = "10.0.0.2"'
    assert "no version 9" in d.ctl("config", "diff", "redis:web", "9", rc=1).stderr
    d.ctl("config", "rollback", "redis:web", "1")
    assert d.c.get("config:redis:web") == versions[0]
    assert "already" in d.ctl("config", "rollback", "redis:web", "1").stderr
    assert "no version" in d.ctl("config", "rollback", "redis:web", "77", rc=1).stderr
    d.c.hset("cfglog:redis:web", "4", "%s 1 x\n{broken" % sha("{broken"))
    assert "nothing was written" in d.ctl("config", "rollback", "redis:web", "4", rc=4).stderr
    assert d.c.get("config:redis:web") == versions[0]
    for junk in ["", "x", "a b", "a b c", "a b c\n{}", "\n\n"]:          # whoever wrote that: no crash, and not a version
        d.c.hset("cfglog:redis:web", "5", junk)
        assert len(d.json("config", "history", "redis:web")["items"]) == 4
    assert "history" in d.ctl("config", "history", "redis:nobody", rc=1).stderr


def test_retire(directory):
    d = directory
    put_version(d, "files:web", 1, "{}")
    put_version(d, "redis:web", 1, "{}")
    d.ctl("config", "retire", "files:web")
    assert d.c.get("config:files:web") is None and d.c.hget("cfgmeta:files:web", "state") == "retired"
    assert "localhost" in d.ctl("config", "retire", "redis:web", rc=4).stderr and d.c.exists("config:redis:web")
    d.ctl("config", "retire", "redis:web", "--yes")
    assert not d.c.exists("config:redis:web")
    d.ctl("config", "retire", "files:nothing", rc=1)


def test_list_in_every_form(directory):
    d = directory
    put_version(d, "files:web", 3, DOC % 1, by="b\u00e4r")
    d.c.set("config:redis:a", '{"host":"h"}')
    d.c.set("config:not-a-document", "x")
    d.c.set("config:bad:na me", "x")
    d.c.hset("cfgack:files:web", mapping={"n1": json.dumps({"sha": sha(DOC % 1), "st": "ok"}), "n2": json.dumps({"sha": "0", "st": "ok"}),
                                          "n3": "junk"})
    items = d.json("config", "list")["items"]
    assert [i["document"] for i in items] == ["files:web", "redis:a"]
    assert items[0]["version"] == 3 and items[0]["by"] == "b\u00e4r" and items[0]["acknowledged"] == "1/3"
    assert items[1]["version"] is None and items[1]["state"] == ""
    lines = [json.loads(line) for line in d.ctl("-o", "jsonl", "config", "list").stdout.splitlines()]
    assert lines == items
    rows = list(csv.DictReader(io.StringIO(d.ctl("-o", "tsv", "config", "list").stdout), delimiter="\t"))
    assert [r["document"] for r in rows] == ["files:web", "redis:a"] and rows[0]["sha"] == sha(DOC % 1)
    table = d.ctl("config", "list").stdout.splitlines()
    assert table[0].startswith("DOCUMENT") and len(table) == 3 and len({line.index(sha(t)[:8]) for line, t in
                                                                       zip(table[1:], [DOC % 1, '{"host":"h"}'])}) == 1
    assert [i["document"] for i in d.json("config", "list", "redis")["items"]] == ["redis:a"]
    assert d.json("config", "list", "nothing")["items"] == []
    d.ctl("config", "list", "*", rc=2)


def test_usage_and_unreachable(directory):
    d = directory
    assert "config get" in d.ctl("config", "fly", rc=2).stderr
    for words in [["config"], ["config", "get"], ["config", "set"], ["config", "rollback", "a:b"], ["config", "diff", "a:b", "1", "2", "3"],
                  ["resolve"], ["nodes", "kill", "x"], ["-o", "xml", "nodes"], ["-o", "tsv", "status"], ["--wait=x", "nodes"]]:
        assert d.ctl(*words, rc=2).stderr.startswith("kvorumctl: "), words
    for verb in ["config", "nodes", "services", "resolve"]:
        assert "xit code" in d.ctl(verb, "--help").stdout
    r = subprocess.run([find("kvorumctl"), "-d", "127.0.0.1:%d" % free_port(), "config", "list"], capture_output=True, text=True)
    assert r.returncode == 1 and "cannot connect" in r.stderr
    r = d.ctl("config", "get", "a:b", rc=1)
    assert "does not exist" in r.stderr and "config list" in r.stderr
    with d.yard.node("replica", "kvnode", ["replicaof 127.0.0.1 %d" % d.node.port]).connect() as c:
        port = c.connection_pool.connection_kwargs["port"]
    r = subprocess.run([find("kvorumctl"), "-d", "127.0.0.1:%d" % port, "config", "list"], capture_output=True, text=True)
    assert r.returncode == 4 and "replica" in r.stderr


def test_watch(directory):
    d = directory
    d.c.set("config:files:web", "{}")
    p = subprocess.Popen([find("kvorumctl"), "-d", "127.0.0.1:%d" % d.node.port, "-o", "jsonl", "--watch=100ms", "config", "watch"],
                         stdout=subprocess.PIPE, text=True)
    try:
        def line():
            return json.loads(p.stdout.readline())

        first = line()
        assert (first["document"], first["event"]) == ("files:web", "is")
        d.c.set("config:redis:a", '{"host":"a"}')
        new = line()
        assert (new["document"], new["event"], new["sha"]) == ("redis:a", "new", sha('{"host":"a"}'))
        d.c.set("config:files:web", '{"v":1}')
        assert line()["event"] == "changed"
        d.c.delete("config:files:web")
        assert line()["event"] == "gone"
    finally:
        p.kill()
        p.wait()


def test_services_and_resolve(directory):
    d = directory
    d.c.hset("svcs:web", mapping={"n1": "10.0.0.1:80;zone=a;w=100;state=up;ttl=15000;tags=x,y", "n2": "10.0.0.2:80;state=drain",
                                  "n3": "10.0.0.3:80;new=thing;state=up"})
    d.c.hset("services", mapping={"web": "10.0.0.1:80", "legacy": "10.9.9.9:1"})
    d.c.hset("svcs.owner", "web", "10.0.0.1:80")
    items = {i["service"]: i for i in d.json("services")["items"]}
    assert items == {"web": {"service": "web", "up": 2, "drain": 1, "mirror": "10.0.0.1:80", "kept": "controller"},
                     "legacy": {"service": "legacy", "up": 0, "drain": 0, "mirror": "10.9.9.9:1", "kept": "client"}}
    assert d.ctl("resolve", "web").stdout == "10.0.0.1:80\n10.0.0.3:80\n"
    all_of_them = d.json("resolve", "web")["items"]
    assert [(i["instance"], i["state"], i["zone"], i["weight"], i["tags"]) for i in all_of_them] == \
        [("n1", "up", "a", 100, "x,y"), ("n2", "drain", "", None, ""), ("n3", "up", "", None, "")]
    assert d.ctl("resolve", "legacy").stdout == "10.9.9.9:1\n"
    assert "kvorumctl services" in d.ctl("resolve", "nobody", rc=1).stderr
    d.c.hset("svcs:tired", "n1", "10.0.0.1:80;state=drain")
    assert "takes work" in d.ctl("resolve", "tired", rc=1).stderr


def test_nodes(directory):
    d = directory
    assert d.json("nodes")["items"] == []
    now = int(time.time() * 1000)
    d.c.hset("node:n2", mapping={"role": "master", "documents": "3", "ok": "2", "failed": "1", "t": str(now), "fingerprint": "ab" * 32,
                                 "labels": '{"zone":"a"}'})
    d.c.hset("node:n1", mapping={"role": "junk\x1b[31m\n", "documents": "many"})
    items = d.json("nodes")["items"]
    assert [i["node"] for i in items] == ["n1", "n2"] and items[0]["documents"] is None and items[1]["documents"] == 3
    text = d.ctl("nodes").stdout
    assert "\x1b" not in text and "controller: nobody" in text
    d.c.set("kvorum:controller", "n2")
    assert "controller: n2" in d.ctl("nodes").stdout
    d.c.hset("cfgack:files:a", mapping={"n1": "{}", "n3": "{}"})
    d.c.hset("cfgack:files:b", mapping={"n3": "{}"})
    assert "beats" in d.ctl("nodes", "retire", "n1", rc=4).stderr
    d.ctl("nodes", "retire", "n3")
    assert d.c.hgetall("cfgack:files:a") == {"n1": "{}"} and not d.c.exists("cfgack:files:b")


@pytest.mark.skipif(not find("kvorum-agent"), reason="kvorum-agent is not built")
def test_wait_says_who_acknowledged(directory):
    d = directory
    for name in ("n1", "n2", "n3"):
        d.agent(name)
    d.c.set("config:agent:n3", '{"v":1,"apply":[]}')
    d.c.set("config:agent:default", '{"v":1,"apply":["files:web"]}')
    wait_until(lambda: len(d.json("nodes")["items"]) == 3, what="three nodes that beat")
    r = d.ctl("-o", "json", "config", "set", "files:web", DOC % 1, "--wait")
    acks = json.loads(r.stdout)["items"]
    assert [(a["node"], a["status"], a["current"]) for a in acks] == [("n1", "ok", "yes"), ("n2", "ok", "yes")], "n3 does not apply it"
    assert all(a["sha"] == sha(DOC % 1) for a in acks)
    for name in ("n1", "n2"):
        with open(os.path.join(d.yard.folder, "root-" + name, "a.conf")) as f:
            assert f.read() == "x = 1\n"
    r = d.ctl("config", "status", "files:web")
    assert r.stdout.count(" ok ") == 2
    r = d.ctl("config", "set", "files:web", '{"v":1,"files":"none"}', "--wait", rc=1)
    assert "refused" in r.stderr and r.stdout.count("invalid") == 2
    r = d.ctl("config", "status", "files:web", rc=6)
    d.ctl("config", "set", "files:web", DOC % 2, "--wait")
    stopped = d.yard.processes[-2]
    assert stopped.name == "n2"
    import signal
    stopped.signal(signal.SIGSTOP)
    t = time.monotonic()
    r = d.ctl("config", "set", "files:web", DOC % 3, "--wait=4", rc=5)
    assert time.monotonic() - t < 10 and "1 of 2" in r.stderr and "n1" in r.stdout
    stopped.signal(signal.SIGCONT)
    r = d.ctl("config", "set", "list:unused", "{}", "--wait")
    assert "no agent" in r.stderr
    r = d.json("config", "list", "files")["items"][0]
    assert r["acknowledged"] in ("1/2", "2/2")


@pytest.mark.skipif(not find("kvorum-agent"), reason="kvorum-agent is not built")
def test_history_as_the_controller_writes_it(directory):
    d = directory
    a = d.agent("n1")
    wait_until(lambda: a.info("controller")["controller"] == 1, what="a controller")

    def versions():
        return [(i["version"], i["by"], i["sha"]) for i in d.json("config", "history", "list:web")["items"]]

    texts = ['{"n":%d}' % i for i in range(3)]
    for i, text in enumerate(texts):
        d.ctl("--by", "person%d" % i, "config", "set", "list:web", text)
        wait_until(lambda: d.c.hget("cfgmeta:list:web", "sha") == sha(text), what="version %d; %r" % (i, d.c.hgetall("cfgmeta:list:web")))
    assert versions() == [(i + 1, "person%d" % i, sha(t)) for i, t in enumerate(texts)]
    assert d.ctl("config", "diff", "list:web").stdout == "- n = 1\n+ n = 2\n"
    d.ctl("config", "rollback", "list:web", "1")
    wait_until(lambda: len(versions()) == 4)
    assert versions()[3] == (4, "anna", sha(texts[0])) and d.c.get("config:list:web") == texts[0]
    assert d.json("config", "list")["items"][0]["version"] == 4
    d.ctl("config", "retire", "list:web")
    wait_until(lambda: d.c.hget("cfgmeta:list:web", "state") == "retired")
    time.sleep(1)                          # a while in which a controller could have brought it back
    assert d.c.get("config:list:web") is None
    assert len(versions()) >= 4, "its history stays"


def test_through_sentinels_and_a_failover(cluster):
    c = cluster(down_after=2000)
    c.wait_settled()
    base = [find("kvorumctl"), "-s", "127.0.0.1:%d" % c.sentinels[0].port]
    assert subprocess.run(base + ["config", "set", "list:web", '{"n":1}'], capture_output=True, timeout=90).returncode == 0
    old = c.primary()
    assert subprocess.run(base + ["failover", "demo"], capture_output=True, timeout=90).returncode == 0
    c.wait_new_primary(old)
    r = wait_until(lambda: (lambda x: x if x.returncode == 0 else None)(
        subprocess.run(base + ["-o", "json", "config", "list"], capture_output=True, text=True, timeout=30)))
    assert [i["document"] for i in json.loads(r.stdout)["items"]] == ["list:web"]
