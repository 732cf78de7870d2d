"""The agent against a real directory: first rendering, push, every way to fail, crashes in the middle, failovers."""
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
import redis
from conftest import need
from harness import Process, find, free_port, monitor_lines, wait_until

ENGINES = ["redis-server", "kvnode"]
FILE = {"root": "files", "path": "app.conf", "template": "redis = {{cfg.host}}:{{cfg.port}}\n",
        "data": {"cfg": "config:redis:demo"}}


class Site:
    """One directory, one agent, one root."""

    def __init__(self, yard, engine="redis-server", node_lines=(), agent_lines=(), start=True):
        need(engine)
        self.yard = yard
        self.node = yard.node("directory", engine, node_lines)
        self.c = self.node.connect()
        self.root = os.path.join(yard.folder, "root")
        os.makedirs(self.root)
        self.lines = ["directory 127.0.0.1 %d" % self.node.port, "root files " + self.root] + list(agent_lines)
        self.agent = yard.agent("n1", self.lines, start=start)

    def path(self, name="app.conf"):
        return os.path.join(self.root, name)

    def text(self, name="app.conf"):
        try:
            with open(self.path(name)) as f:
                return f.read()
        except FileNotFoundError:
            return None

    def set(self, key, value):
        self.c.set(key, value if isinstance(value, str) else json.dumps(value))

    def redis_doc(self, port, **more):
        self.set("config:redis:demo", dict({"host": "127.0.0.1", "port": port}, **more))

    def files_doc(self, **more):
        self.set("config:files:demo", dict({"v": 1, "files": [FILE]}, **more))

    def apply(self, *names):
        self.set("config:agent:default", {"v": 1, "apply": list(names)})

    def basic(self, port=7001, **more):
        self.redis_doc(port)
        self.files_doc(**more)
        self.apply("files:demo")

    def ack(self, doc="files:demo", node="n1"):
        value = self.c.hget("cfgack:" + doc, node)
        return json.loads(value) if value else None

    def wait_ack(self, st, doc="files:demo", sha_of=None, timeout=10, also=lambda a: True):
        want = sha_of and hashlib.sha256(self.c.get(sha_of).encode()).hexdigest()

        def there():
            a = self.ack(doc)
            return a if a and a["st"] == st and (not want or a["sha"] == want) and also(a) else None

        try:
            return wait_until(there, timeout)
        except AssertionError:
            raise AssertionError("no %s of %s but %r; log:\n%s" % (st, doc, self.ack(doc), self.agent.tail(15)))

    def wait_text(self, text, name="app.conf", timeout=10):
        try:
            wait_until(lambda: self.text(name) == text, timeout, every=0.002)
        except AssertionError:
            raise AssertionError("no %r in %s but %r; log:\n%s" % (text, name, self.text(name), self.agent.tail(15)))

    def no_leftovers(self):
        left = [f for _, _, files in os.walk(self.root) for f in files if ".agent-" in f]
        assert not left, left
        journal = os.path.join(self.agent.folder, "state", "journal", "files")
        assert os.listdir(journal) == []

    def stats(self):
        with self.agent.connect() as c:
            return c.info()


def script(yard, name, body):
    path = os.path.join(yard.folder, name)
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + body)
    os.chmod(path, 0o755)
    return path


def line(port):
    return "redis = 127.0.0.1:%d\n" % port


# --- the main road ---

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
        assert time.monotonic() - t < 1, "a push must not take a second"
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
    s.wait_text(line(8599), timeout=3)
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
    wait_until(lambda: "url=new\n" in s.text("sub/deep/web.conf"), 3, what="a change in the hash")
    s.set("config:agent:edge", {"apply": ["files:web"], "vars": {"zone": "b"}, "labels": {"role": "x"}})
    wait_until(lambda: "zone=b" in s.text("sub/deep/web.conf"), 3, what="a change of vars")
    # The node's own document outranks its group's.
    s.set("config:agent:n1", {"apply": []})
    wait_until(lambda: s.stats()["documents"] == 0, 3, what="the document to be released")
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
        s.wait_text(line(port), timeout=2)
    s.c.hset("h", "a", "1")
    s.set("config:files:demo", {"files": [dict(FILE, template="{{h.a}}", data={"h": "hash:h"})]})
    s.wait_text("1", timeout=2)
    s.c.hset("h", "a", "2")
    s.wait_text("2", timeout=2)


# --- what is refused, and what stays ---

BAD = [
    ("{", "line 1"),
    ('{"v":1,"files":[],"x":NaN}', "NaN"),
    ('{"v":1,"v":1,"files":[]}', "twice"),
    ('{"files":[{"root":"files","path":"../x","template":""}]}', "files[0].path"),
    ('{"files":[{"root":"etc","path":"x","template":""}]}', "'etc' is not named here"),
    ('{"files":[{"root":"files","path":"x","template":"{{nobody}}"}]}', "line 1: 'nobody' is unknown"),
    ('{"files":[{"root":"files","path":"x","template":"a\\n{{#open}}"}]}', "line 2"),
    ('{"files":[{"root":"files","path":"x","template":"","mood":1}]}', "files[0].mood: unknown name"),
    ('{"files":[{"root":"files","path":"x","template":"","mode":"4755"}]}', "files[0].mode"),
    ('{"files":[{"root":"files","path":"x","template":""}],"atomic":"dir"}', "not supported yet"),
    ('{"files":[{"root":"files","path":"x","template":""}],"drift":"repair"}', "not supported yet"),
    ('{"files":[{"root":"files","path":"x","template":""}],"check":[["/bin/rm","-rf","/"]]}', "not allowed here"),
    ('{"files":[{"root":"files","path":"x","template":""}],"reload":{"unit":"sshd.service"}}', "not allowed here"),
    ('{"files":[{"root":"files","path":"x","template":""}],"reload":{"signal":"HUP","pidfile":"/etc/passwd"}}', "no named root"),
    ('{"files":[{"root":"files","path":"x","template":"{{c.a}}","data":{"c":"config:redis:nothere"}}]}', "config:redis:nothere does not exist"),
    ('{"files":[{"root":"files","path":"x","template":"","data":{"c":"svcs:web"}}]}', "svcs:web"),
    ('{"files":[{"root":"files","path":"x","template":"' + "a" * 270000 + '"}]}', "262144"),
    ('{"files":[{"root":"files","path":"x","template":"","owner":"nobody-here"}]}', "no user 'nobody-here'"),
]


def test_bad_documents_are_refused_with_a_reason(yard):
    s = Site(yard)
    s.basic(7001)
    s.wait_text(line(7001))
    for text, reason in BAD:
        s.set("config:files:demo", text)
        sha = hashlib.sha256(text.encode()).hexdigest()
        a = wait_until(lambda: (lambda a: a if a and a["sha"] == sha else None)(s.ack()), 5, what="an answer to %.80s" % text)
        assert a["st"] in ("invalid", "swap_failed") and reason in a["err"], (text[:200], a)
        assert s.text() == line(7001)
    s.files_doc()
    s.wait_ack("ok", sha_of="config:files:demo")
    # An unknown type, and a wrong agent document: the last good one stays in force.
    s.apply("files:demo", "sysctl:base")
    a = s.wait_ack("invalid", doc="sysctl:base")
    assert "not supported yet" in a["err"]
    s.set("config:agent:default", '{"apply":"files:demo"}')
    assert "apply" in s.wait_ack("invalid", doc="agent:default")["err"]
    s.redis_doc(7005)
    s.wait_text(line(7005))
    assert s.stats()["documents"] == 2


def test_one_bad_document_does_not_hold_up_the_others(yard):
    s = Site(yard)
    s.basic(7001)
    s.set("config:files:bad", "{")
    s.set("config:files:thief", {"files": [dict(FILE, template="mine")]})
    s.apply("files:bad", "files:demo", "files:thief")
    s.wait_text(line(7001))
    s.wait_ack("invalid", doc="files:bad")
    assert "belongs to files:demo" in s.wait_ack("invalid", doc="files:thief")["err"]
    # When its owner lets go of the file, the other one gets it.
    s.set("config:files:demo", {"files": [dict(FILE, path="elsewhere")]})
    s.wait_ack("ok", doc="files:thief")
    s.wait_text("mine")
    assert "belongs" not in s.wait_ack("ok")["err"] and s.text("elsewhere") == line(7001)


def test_links_lead_nowhere(yard):
    s = Site(yard)
    out = os.path.join(yard.folder, "outside")
    os.makedirs(out)
    os.symlink(out, s.path("link"))
    open(os.path.join(out, "precious"), "w").write("precious")
    os.symlink(os.path.join(out, "precious"), s.path("app.conf"))
    s.redis_doc(7001)
    s.set("config:files:a", {"files": [dict(FILE, path="link/app.conf")]})
    s.set("config:files:b", {"files": [FILE]})
    s.apply("files:a", "files:b")
    assert "leaves root" in s.wait_ack("swap_failed", doc="files:a")["err"]
    assert "symbolic link" in s.wait_ack("swap_failed", doc="files:b")["err"]
    assert os.listdir(out) == ["precious"] and open(os.path.join(out, "precious")).read() == "precious"


@pytest.mark.parametrize("engine", ENGINES)
def test_what_vanishes_stays_in_force(yard, engine):
    s = Site(yard, engine, agent_lines=["resync-interval 500ms"])
    s.basic(7001)
    s.wait_ack("ok", sha_of="config:files:demo")
    s.c.delete("config:redis:demo")
    assert "config:redis:demo does not exist" in s.wait_ack("vanished")["err"]
    s.redis_doc(7002)
    s.wait_text(line(7002))
    s.wait_ack("ok")
    s.c.flushall()
    s.wait_ack("vanished")
    s.wait_ack("vanished", doc="agent:default")
    assert s.text() == line(7002)
    s.basic(7003)
    s.wait_text(line(7003))


# --- the pipeline ---

def test_check_refuses(yard):
    tool = script(yard, "check", 'cat "$1" >> %s/seen\ngrep -q 666 "$1" && { echo "bad port in $1"; exit 3; }\nexit 0\n' % yard.folder)
    s = Site(yard, agent_lines=["allow-command " + tool])
    s.basic(7001, check=[["check", "{{staged:app.conf}}"]])
    s.wait_ack("ok")
    s.redis_doc(7666)
    a = s.wait_ack("check_failed")
    assert "check ended with 3: bad port in " in a["err"] and s.root in a["err"]
    assert s.text() == line(7001)
    s.no_leftovers()
    # Refused values are not tried again and again; the next good ones apply.
    before = open(os.path.join(yard.folder, "seen")).read()
    with s.agent.connect() as c:
        c.set_response_callback("AGENT", lambda r: r)
    time.sleep(0.3)
    assert open(os.path.join(yard.folder, "seen")).read() == before
    s.redis_doc(7002)
    s.wait_text(line(7002))


def test_check_that_hangs_and_check_that_prints_much(yard):
    slow = script(yard, "slow", "sleep 60\n")
    loud = script(yard, "loud", "yes | head -c 100000\nexit 1\n")
    s = Site(yard, agent_lines=["allow-command " + slow, "allow-command " + loud])
    s.basic(7001, check=[[slow]], check_timeout="200ms")
    assert "did not end within 200ms" in s.wait_ack("check_failed")["err"]
    s.files_doc(check=[[loud]])
    s.wait_ack("check_failed", also=lambda a: "ended with 1" in a["err"])
    assert s.text() is None
    s.no_leftovers()


def test_reload_fails_and_is_rolled_back(yard):
    tool = script(yard, "reload", 'echo r >> %s/reloads\ngrep -q 7666 %s/root/app.conf && { echo no; exit 1; }\nexit 0\n' % (yard.folder, yard.folder))
    s = Site(yard, agent_lines=["allow-command " + tool])
    s.basic(7001, reload={"exec": [tool]})
    s.wait_ack("ok")
    inode = os.stat(s.path()).st_ino
    s.redis_doc(7666)
    a = s.wait_ack("rolled_back")
    assert "the reload ended with 1: no" in a["err"]
    assert s.text() == line(7001) and os.stat(s.path()).st_ino == inode, "the very file that was there is back"
    assert open(os.path.join(yard.folder, "reloads")).read() == "r\nr\nr\n", "apply, failed apply, way back"
    s.no_leftovers()
    s.redis_doc(7002)
    s.wait_text(line(7002))


def test_probe_fails_and_is_rolled_back(yard):
    s = Site(yard)
    good = yard.node("good", "redis-server")
    other = free_port()
    doc = dict(probe_for="600ms", probe_interval="50ms", probe_ok=2)
    s.redis_doc(good.port)
    # The probe is of the document, so a bad one fails both ways: with nothing good before, somebody must look.
    s.set("config:files:demo", dict({"files": [FILE], "probe": {"tcp": "127.0.0.1:%d" % other}}, **doc))
    s.apply("files:demo")
    a = s.wait_ack("rollback_failed")
    assert "not well within 600ms" in a["err"] and s.text() is None
    for probe in ({"tcp": "127.0.0.1:%d" % good.port}, {"resp": "127.0.0.1:%d" % good.port},
                  {"resp": "127.0.0.1:%d" % good.port, "send": "ECHO 'two words'", "want": "two words"}):
        s.c.delete("config:files:demo")
        wait_until(lambda: s.ack()["st"] in ("vanished", "invalid"), what="the document to be gone")
        if os.path.exists(s.path()):
            os.unlink(s.path())
        s.set("config:files:demo", dict({"files": [FILE], "probe": probe}, **doc))
        s.wait_ack("ok", sha_of="config:files:demo")
    assert s.text() == line(good.port)


def test_http_probe_and_rollback(yard):
    server = script(yard, "web.py", "")
    port = free_port()
    with open(server, "w") as f:
        f.write("""
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ok = '7666' not in open(sys.argv[2]).read()
        self.send_response(200 if ok else 503); self.end_headers()
    def log_message(self, *a): pass
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), H).serve_forever()
""")
    s = Site(yard)
    web = subprocess.Popen([sys.executable, server, str(port), s.path()])
    try:
        s.basic(7001, probe={"http": "http://127.0.0.1:%d/ready" % port}, probe_for="3s", probe_interval="50ms")
        s.wait_ack("ok")
        s.files_doc(probe={"http": "http://127.0.0.1:%d/ready" % port}, probe_for="500ms", probe_interval="50ms")
        s.wait_ack("ok", sha_of="config:files:demo")
        s.redis_doc(7666)
        a = s.wait_ack("rolled_back")
        assert "status 503" in a["err"] and s.text() == line(7001)
        s.files_doc(probe={"http": "http://127.0.0.1:%d/ready" % port}, probe_for="500ms", probe_interval="50ms", on_fail="hold")
        s.wait_ack("probe_failed")
        assert s.text() == line(7666), "hold leaves in place what failed"
    finally:
        web.kill()
        web.wait()


def test_signal_reload(yard):
    prog = script(yard, "daemon.py", "")
    s = Site(yard)
    pidfile, seen = s.path("daemon.pid"), s.path("seen")
    with open(prog, "w") as f:
        f.write("""
import os, signal, sys, time
def hup(*a):
    open(sys.argv[3] + '.tmp', 'w').write(open(sys.argv[2]).read()); os.rename(sys.argv[3] + '.tmp', sys.argv[3])
signal.signal(signal.SIGHUP, hup)
open(sys.argv[1], 'w').write('%d\\n' % os.getpid())
while True: time.sleep(1)
""")
    d = subprocess.Popen([sys.executable, prog, pidfile, s.path(), seen])
    try:
        wait_until(lambda: os.path.exists(pidfile) and open(pidfile).read(), what="the daemon")
        s.basic(7001, reload={"signal": "HUP", "pidfile": pidfile})
        s.wait_ack("ok")
        wait_until(lambda: s.text("seen") == line(7001), what="the daemon to see the file")
        d.kill()
        d.wait()
        s.redis_doc(7002)
        s.wait_ack("rollback_failed", also=lambda a: "signal HUP" in a["err"])
        assert s.text() == line(7001)
    finally:
        d.kill()
        d.wait()


def test_two_files_are_swapped_together_or_not_at_all(yard):
    """The second target is a folder: nothing of the first may stay."""
    s = Site(yard)
    s.basic(7001)
    s.wait_ack("ok")
    os.makedirs(s.path("second"))
    s.set("config:files:demo", {"files": [dict(FILE, template="new"), dict(FILE, path="second", template="new")]})
    s.wait_ack("swap_failed")
    assert s.text() == line(7001)
    s.no_leftovers()


def test_stays_connected(yard):
    """Longer than any of the timers: nothing but the first connection."""
    s = Site(yard, agent_lines=["ping-interval 300ms", "ping-timeout 200ms", "resync-interval 400ms"])
    s.basic(7001)
    s.wait_ack("ok")
    time.sleep(2.5)
    i = s.stats()
    assert i["connects"] == 1 and i["resyncs"] >= 4 and i["directory_state"] == "live", i


def test_units_through_systemctl(yard):
    """A systemctl of our own says what it was asked."""
    log = os.path.join(yard.folder, "asked")
    ctl = script(yard, "systemctl", 'echo "$@" >> %s\ncase "$*" in *broken*) echo "Unit broken not found"; exit 5;; esac\nexit 0\n' % log)
    s = Site(yard, agent_lines=["systemctl " + ctl, "allow-unit web@*.service", "allow-unit broken"])
    s.basic(7001, reload={"unit": "web@1.service", "how": "try-restart"}, probe={"unit": "web@1.service"}, probe_interval="20ms", probe_ok=2)
    s.wait_ack("ok")
    assert open(log).read() == "--no-ask-password try-restart -- web@1.service\n" + "is-active --quiet -- web@1.service\n" * 2
    s.redis_doc(7002)
    s.files_doc(reload={"unit": "broken"})
    assert "ended with 5: Unit broken not found" in s.wait_ack("rollback_failed")["err"]
    s.files_doc(reload={"unit": "sshd.service"})
    assert "allow-unit" in s.wait_ack("invalid")["err"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_owner_and_mode(yard):
    s = Site(yard)
    s.redis_doc(7001)
    s.set("config:files:demo", {"files": [dict(FILE, owner="nobody", group="nogroup", mode="0604")]})
    s.apply("files:demo")
    s.wait_ack("ok")
    st = os.stat(s.path())
    import grp
    import pwd
    assert (st.st_uid, st.st_gid, st.st_mode & 0o7777) == (pwd.getpwnam("nobody").pw_uid, grp.getgrnam("nogroup").gr_gid, 0o604)
    s.set("config:files:demo", {"files": [dict(FILE, owner="nobody", mode="0600")]})
    s.wait_ack("ok", sha_of="config:files:demo")
    assert os.stat(s.path()).st_mode & 0o7777 == 0o600


def test_a_newer_version_waits_for_the_one_under_way(yard):
    slow = script(yard, "slow", "sleep 0.4\n")
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


def test_stuck_until_an_operator_asks_again(yard):
    switch = os.path.join(yard.folder, "broken")
    tool = script(yard, "reload", "test ! -e %s\n" % switch)
    port = free_port()
    s = Site(yard, agent_lines=["allow-command " + tool, "http-port %d" % port, "resync-interval 200ms"])
    s.basic(7001, reload={"exec": [tool]})
    s.wait_ack("ok")
    open(switch, "w").close()
    s.redis_doc(7002)
    s.wait_ack("rollback_failed")
    assert s.text() == line(7001)
    import urllib.error
    import urllib.request
    with pytest.raises(urllib.error.HTTPError) as e:
        urllib.request.urlopen("http://127.0.0.1:%d/healthz" % port, timeout=5)
    assert e.value.code == 503 and b"stuck" in e.value.read()
    # A restart tries the way back once more, then the version; still broken, still the last good file.
    s.agent.kill()
    s.c.delete("cfgack:files:demo")
    s.agent.start()
    s.wait_ack("rollback_failed", sha_of="config:files:demo")
    wait_until(lambda: s.stats()["documents_busy"] == 0 and s.text() == line(7001), what="the last good file")
    os.unlink(switch)
    time.sleep(0.5)
    assert s.text() == line(7001), "hands off until somebody asks"
    with s.agent.connect() as c:
        c.execute_command("AGENT", "RESYNC")
    s.wait_text(line(7002))
    s.wait_ack("ok")
    assert urllib.request.urlopen("http://127.0.0.1:%d/healthz" % port, timeout=5).read() == b"ok\n"
    s.no_leftovers()


def test_what_could_not_be_written_is_tried_again(yard):
    s = Site(yard, agent_lines=["resync-interval 300ms"])
    os.rename(s.root, s.root + ".away")
    s.basic(7001)
    s.wait_ack("swap_failed")
    time.sleep(1)
    assert s.agent.log_text().count("-applied") == 1, "said once"
    os.rename(s.root + ".away", s.root)
    s.wait_text(line(7001))
    s.wait_ack("ok")
    assert s.stats()["resync_found_changes"] == 0


# --- crashes and boots ---

def test_boots_from_its_cache_with_no_network(yard):
    s = Site(yard)
    s.basic(7001)
    s.wait_ack("ok")
    s.agent.kill()
    s.node.kill()
    os.unlink(s.path())
    s.agent.start()
    s.wait_text(line(7001))
    assert s.stats()["directory_state"] == "connecting"
    # A damaged cache is dropped, and said so; the files stay.
    s.agent.kill()
    cache = os.path.join(s.agent.folder, "state", "cache", "files", "demo")
    data = bytearray(open(cache, "rb").read())
    data[-3] ^= 1
    open(cache, "wb").write(bytes(data))
    s.agent.start()
    assert "is damaged" in s.agent.log_text()
    assert s.text() == line(7001)
    s.node.start()
    s.basic(7002)
    s.wait_text(line(7002))
    s.wait_ack("ok", sha_of="config:files:demo")


def test_answers_wait_for_the_directory(yard):
    s = Site(yard)
    s.basic(7001)
    s.wait_ack("ok")
    s.agent.kill()
    s.c.delete("cfgack:files:demo")
    s.agent.start()
    s.wait_ack("ok", sha_of="config:files:demo")
    # A failover may lose the last answers: they come again with each connection.
    s.c.delete("cfgack:files:demo")
    s.node.kill()
    s.node.start()
    s.basic(7001)
    s.wait_ack("ok", sha_of="config:files:demo")


def test_override_outranks_the_directory(yard):
    s = Site(yard)
    s.basic(7001)
    s.wait_ack("ok")
    with open(os.path.join(s.agent.folder, "state", "override", "files", "demo"), "w") as f:
        json.dump({"files": [dict(FILE, template="by hand {{cfg.port}}")]}, f)
    with s.agent.connect() as c:
        c.execute_command("AGENT", "RESYNC")
    s.wait_text("by hand 7001")
    s.wait_ack("override")
    s.redis_doc(7002)
    s.wait_text("by hand 7002")


def test_resync_brings_back_what_somebody_changed(yard):
    s = Site(yard)
    s.basic(7001)
    s.wait_ack("ok")
    open(s.path(), "w").write("vandal")
    s.redis_doc(7001)
    with s.agent.connect() as c:
        c.execute_command("AGENT", "RESYNC")
    s.wait_text(line(7001))


def two_files(n):
    body = "version {{cfg.port}}\n" + "x" * 20000 + "\nend {{cfg.port}}\n"
    return {"files": [dict(FILE, path="one", template=body), dict(FILE, path="two", template=body)], **n}


def whole(text):
    """The version of a file, which must be all there."""
    lines = text.split("\n")
    assert len(lines) == 4 and lines[1] == "x" * 20000 and lines[0][8:] == lines[2][4:], "torn: %r...%r" % (text[:40], text[-40:])
    return int(lines[0][8:])


def check_after_crash(s, port, again=0.0):
    for name in ("one", "two"):
        assert s.text(name), "empty or gone: " + name
        whole(s.text(name))
    if random.random() < again:         # and once more, on the way out of the first one
        n = random.randint(1, 12)
        run = subprocess.Popen(["strace", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e",
                                "inject=fsync:signal=KILL:when=%d" % n, s.agent.program, s.agent.conf], cwd=s.agent.folder,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.15)
        subprocess.run(["pkill", "-KILL", "-P", str(run.pid)])
        run.wait()
        for name in ("one", "two"):
            whole(s.text(name))
    s.agent.start()
    wait_until(lambda: whole(s.text("one")) == port and whole(s.text("two")) == port, 10, every=0.005,
               what="both files with %d" % port)
    wait_until(lambda: not os.listdir(os.path.join(s.agent.folder, "state", "journal", "files")), what="an end of the journal")
    s.no_leftovers()


def test_kill_9_at_random_points(yard):
    tool = script(yard, "nop", "exit 0\n")
    s = Site(yard, agent_lines=["allow-command " + tool])
    s.redis_doc(7000)
    s.set("config:files:demo", two_files({"check": [[tool]], "reload": {"exec": [tool]}}))
    s.apply("files:demo")
    s.wait_ack("ok")
    rng = random.Random(20260101)
    for n in range(25):
        port = 7001 + n
        s.redis_doc(port)
        time.sleep(rng.uniform(0.015, 0.08))
        s.agent.kill()
        check_after_crash(s, port)


CALLS = ["openat", "openat2", "fsync", "fdatasync", "rename", "renameat", "renameat2", "linkat", "unlink", "unlinkat", "write", "fchmod"]

SHORT = ["fsync", "renameat", "linkat", "unlink"]      # the others with --long


@pytest.mark.parametrize("call", [c if c in SHORT else pytest.param(c, marks=pytest.mark.long) for c in CALLS])
def test_kill_9_at_every_system_call(yard, call):
    """strace ends the agent at the n-th call of one kind, for n = 1, 2, ... until the application gets through."""
    need("strace")
    s = Site(yard, start=False)
    s.redis_doc(7000)
    s.set("config:files:demo", two_files({}))
    s.apply("files:demo")
    s.agent.start()
    s.wait_ack("ok")
    s.agent.stop()
    program, steps = s.agent.program, 0
    for n in range(1, 400, 3 if call == "openat" else 1):
        port = 7000 + n
        s.redis_doc(port)
        s.agent.program, args = "strace", s.agent.args
        run = subprocess.Popen(["strace", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e",
                                "inject=%s:signal=KILL:when=%d" % (call, n), program, s.agent.conf],
                               cwd=s.agent.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        s.agent.program = program

        def over():
            return run.poll() is not None or (s.text("one") and whole(s.text("one")) == port and
                                              whole(s.text("two")) == port and (s.ack() or {}).get("st") == "ok" and
                                              s.stats()["acks_waiting"] == 0)

        try:
            wait_until(over, 20, every=0.01, what="the end of an application or of the agent")
        finally:
            ended = run.poll() is not None
            if not ended:
                subprocess.run(["pkill", "-KILL", "-P", str(run.pid)])
            run.wait()
        check_after_crash(s, port, again=0.3)
        s.agent.stop()
        steps += ended
        print("%s %d: %s" % (call, n, "ended with %s" % run.returncode if ended else "went through"))
        if not ended:
            break
    assert not ended, "the application never got through"
    if call in ("fsync", "openat", "write", "unlink"):
        assert steps > 0, "no crash happened: the injection does not work"


FAULTS = [("fsync", "EIO"), ("fdatasync", "EIO"), ("renameat", "EIO"), ("rename", "ENOSPC"), ("linkat", "EIO"), ("fchmod", "EPERM"),
          ("write", "ENOSPC"), ("openat2", "EMFILE"), ("unlinkat", "EROFS")]


@pytest.mark.parametrize("call,error", [f if f[0] in SHORT else pytest.param(*f, marks=pytest.mark.long) for f in FAULTS])
def test_a_disk_that_fails_at_every_call(yard, call, error):
    """The n-th call of one kind fails, for n = 1, 2, ...: both files are whole and of one version, and a good disk heals all."""
    need("strace")
    s = Site(yard, start=False)
    s.redis_doc(7000)
    s.set("config:files:demo", two_files({}))
    s.apply("files:demo")
    s.agent.start()
    s.wait_ack("ok")
    s.agent.stop()
    for n in range(1, 26):
        port = 7000 + n
        s.redis_doc(port)
        s.c.delete("cfgack:files:demo")
        with open(os.path.join(s.agent.folder, "trace.txt"), "w") as out:
            run = subprocess.Popen(["strace", "-qq", "-o", os.path.join(s.agent.folder, "calls"), "-e", "trace=" + call, "-e",
                                    "inject=%s:error=%s:when=%d" % (call, error, n), s.agent.program, s.agent.conf],
                                   cwd=s.agent.folder, stdout=out, stderr=out)
        try:
            wait_until(lambda: run.poll() is not None or s.ack(), 20, every=0.01, what="an answer, or an end")
        finally:
            subprocess.run(["pkill", "-TERM", "-P", str(run.pid)])
            try:
                run.wait(5)
            except subprocess.TimeoutExpired:      # the call that failed was the loop's own, waking itself for the signal
                subprocess.run(["pkill", "-KILL", "-P", str(run.pid)])
                run.wait(20)
        injected = "INJECTED" in open(os.path.join(s.agent.folder, "calls")).read()
        one, two = whole(s.text("one")), whole(s.text("two"))
        assert one == two, "mixed: %d and %d after %s %d" % (one, two, call, n)
        check_after_crash(s, port)
        s.agent.stop()
        if not injected:
            break
    assert n > 1, "no call failed: the injection does not work"


# --- failover ---

def test_follows_a_failover_of_stock_redis(yard):
    need("redis-server")
    need("redis-sentinel")
    first = yard.node("first", "redis-server")
    second = yard.node("second", "redis-server", ["replicaof 127.0.0.1 %d" % first.port])
    sentinels = [yard.sentinel("s%d" % i, "redis-sentinel", monitor_lines("dir", first.port, 2, 500, 3000)) for i in range(3)]
    wait_until(lambda: all(s.connect().sentinel_master("dir")["num-slaves"] == 1 and
                           s.connect().sentinel_master("dir")["num-other-sentinels"] == 2 for s in sentinels), 20,
               what="the sentinels to know each other")
    root = os.path.join(yard.folder, "root")
    os.makedirs(root)
    c = first.connect()
    c.set("config:redis:demo", json.dumps({"host": "127.0.0.1", "port": first.port}))
    c.set("config:files:demo", json.dumps({"files": [FILE]}))
    c.set("config:agent:default", json.dumps({"apply": ["files:demo"]}))
    agent = yard.agent("n1", ["root files " + root, "directory-group dir"] +
                       ["directory-sentinel 127.0.0.1 %d" % s.port for s in sentinels])
    text = lambda: open(os.path.join(root, "app.conf")).read()  # noqa: E731
    wait_until(lambda: text() == line(first.port), what="the first rendering")
    wait_until(lambda: second.info("replication")["master_link_status"] == "up", what="the replica")
    assert c.wait(1, 10000) == 1
    first.kill()
    wait_until(lambda: second.info("replication")["role"] == "master", 30, what="the promotion")
    c = second.connect()
    wait_until(lambda: c.set("config:redis:demo", json.dumps({"host": "127.0.0.1", "port": second.port})), what="the write")
    t = time.monotonic()
    wait_until(lambda: text() == line(second.port), 5, every=0.002, what="the new address in the file; log:\n" + agent.tail())
    took = time.monotonic() - t
    wait_until(lambda: json.loads(c.hget("cfgack:files:demo", "n1"))["st"] == "ok", what="the answer at the new primary")
    print("the file followed %.0f ms after the write" % (took * 1000))
    # And back, by command, with both nodes alive.
    first.start()
    first.connect().execute_command("REPLICAOF", "127.0.0.1", second.port)
    wait_until(lambda: first.info("replication")["master_link_status"] == "up", 20, what="the old one as replica")
    wait_until(lambda: any(r["port"] == first.port and r["is_slave"] and not r["is_sdown"]
                           for r in sentinels[0].connect().sentinel_slaves("dir")), 30, what="the sentinels to see it")
    time.sleep(1)

    def moved():
        try:
            sentinels[0].connect().execute_command("SENTINEL", "FAILOVER", "dir")
        except redis.exceptions.ResponseError:
            pass
        return first.info("replication")["role"] == "master"

    wait_until(moved, 30, every=0.3, what="the failover by command")
    first.connect().set("config:redis:demo", json.dumps({"host": "127.0.0.1", "port": 7777}))
    wait_until(lambda: text() == line(7777), 10, every=0.002, what="the file to follow back; log:\n" + agent.tail())


@pytest.mark.parametrize("engine", ENGINES)
def test_follows_a_crash_with_our_sentinels(cluster, engine):
    """The demo's shape: the group is its own directory, and the sentinel writes the new address."""
    need(engine)
    need("kvorum-sentinel")
    c = cluster(engine=engine, down_after=5000, sentinel_lines=["sentinel directory demo demo"])
    c.wait_settled()
    primary = c.primary()
    with primary.connect() as r:
        r.set("config:redis:demo", json.dumps({"host": "127.0.0.1", "port": primary.port, "db": 0}))
        r.set("config:files:demo", json.dumps({"files": [FILE]}))
        r.set("config:agent:default", json.dumps({"v": 1, "apply": ["files:demo"]}))
        assert r.wait(2, 10000) == 2, "the replicas have it, or a crash now would lose it"
    root = os.path.join(c.yard.folder, "root")

    def agent_lines(i, name):
        os.makedirs(os.path.join(root, name))
        return ["root files " + os.path.join(root, name), "directory-group demo"] + \
               ["directory-sentinel 127.0.0.1 %d" % s.port for s in c.sentinels]

    c.add_agents(3, agent_lines)

    def texts():
        out = set()
        for a in c.agents:
            with open(os.path.join(root, a.name, "app.conf")) as f:
                out.add(f.read())
        return out

    wait_until(lambda: texts() == {line(primary.port)}, 20, what="three first renderings")
    primary.kill()
    new = c.wait_new_primary(primary)
    with new.connect() as r:
        wait_until(lambda: json.loads(r.get("config:redis:demo"))["port"] == new.port, 20, every=0.002, what="the sentinel's write")
        t = time.monotonic()
        wait_until(lambda: texts() == {line(new.port)}, 10, every=0.002, what="three new renderings; log:\n" + c.agents[0].tail())
        took = time.monotonic() - t
        print("three files followed %.0f ms after the write" % (took * 1000))
        assert took < 1
        wait_until(lambda: len(r.hgetall("cfgack:files:demo")) == 3, what="three answers")


@pytest.mark.parametrize("engine", ENGINES)
def test_both_connections_are_watched(yard, engine):
    """The listening connection dies alone, or the directory freezes: the agent opens both anew."""
    s = Site(yard, engine, agent_lines=["ping-interval 200ms", "ping-timeout 150ms"])
    s.basic(7001)
    s.wait_text(line(7001))
    for i in range(4):
        mine = [x for x in s.c.client_list() if x["name"] == "agent-n1"]
        assert len(mine) == 2
        victim = sorted(mine, key=lambda x: int(x["id"]))[i % 2]
        s.c.execute_command("CLIENT", "KILL", "ID", victim["id"])
        s.redis_doc(7100 + i)
        s.wait_text(line(7100 + i), timeout=3)
    s.node.signal(signal.SIGSTOP)
    wait_until(lambda: s.stats()["directory_state"] != "live", 5, what="the agent to notice the silence")
    s.node.signal(signal.SIGCONT)
    wait_until(lambda: s.stats()["directory_state"] == "live", 5, what="the directory to be live again")
    s.redis_doc(7200)
    s.wait_text(line(7200), timeout=3)


# --- the program itself ---

def test_errors_of_the_configuration(yard):
    agent = find("kvorum-agent")

    def run(text, *args):
        conf = os.path.join(yard.folder, "a.conf")
        with open(conf, "w") as f:
            f.write(text)
        r = subprocess.run([agent, conf] + list(args), capture_output=True, text=True, timeout=20)
        assert r.stderr.count("\n") <= 1, r.stderr
        return r.returncode, r.stdout, r.stderr

    ok = "directory 127.0.0.1 6379\nstate-dir %s/state\nunixsocket %s/sock\n" % (yard.folder, yard.folder)
    assert run(ok, "--check-config")[0] == 0
    for text, reason in [("", "no way to the directory"), ("directory-sentinel 127.0.0.1 26379\n", "directory-group"),
                         (ok + "bogus 1\n", "bogus"), (ok + "root etc relative\n", "absolute"), (ok + "root a /x\nroot a /y\n", "twice"),
                         (ok + "ping-interval soon\n", "ping-interval"), (ok + "directory 127.0.0.1 99999\n", "<host> <port>"),
                         (ok + "allow-command rm\n", "absolute path"), (ok + "node-id a/b\n", "node-id")]:
        code, out, err = run(text, "--check-config")
        assert code == 1 and reason in err, (text, code, err)
    code, out, err = run("", "--print-docs")
    assert code == 0 and "directory-sentinel" in out and "kvorum_agent_pushes_total" in out and "AGENT" in out.upper()


def test_a_directory_with_users(yard):
    """A user with the few rights an agent needs, and no others; a wrong password is said once."""
    rights = ("~config:* ~cfgschema:* ~app_config ~cfgack:* &__redis__:invalidate -@all +auth +ping +role +mget +hgetall +hset +multi +exec "
              "+client|id +client|setname +client|tracking +subscribe")
    s = Site(yard, "redis-server", ["user default on >boss ~* &* +@all", "user agent on >s3cret " + rights], start=False)
    s.c = redis.Redis("127.0.0.1", s.node.port, password="boss", decode_responses=True)
    with open(s.agent.conf, "a") as f:
        f.write("directory-user agent\ndirectory-password wrong\n")
    s.basic(7001)
    s.c.hset("app_config", "a", "b")
    s.set("config:files:demo", {"files": [dict(FILE, data={"cfg": "config:redis:demo", "h": "hash:app_config"})]})
    s.agent.start()
    wait_until(lambda: "WRONGPASS" in s.agent.log_text(), what="a word about the password")
    time.sleep(0.3)
    assert s.agent.log_text().count("WRONGPASS") == 1 and "s3cret" not in s.agent.log_text()
    s.agent.kill()
    with open(s.agent.conf, "a") as f:
        f.write("directory-password s3cret\n")
    s.agent.start()
    s.wait_text(line(7001))
    s.wait_ack("ok")
    s.redis_doc(7002)
    s.wait_text(line(7002))
    assert s.stats()["directory_rung"] == "tracking"
    assert "s3cret" not in s.agent.log_text()


def test_sample_configuration(yard):
    agent = find("kvorum-agent")
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    sample = open(os.path.join(top, "agent", "agent.conf")).read()
    assert subprocess.run([agent, os.path.join(top, "agent", "agent.conf"), "--check-config"], capture_output=True).returncode == 0
    shown = subprocess.run([agent, "--print-sample"], capture_output=True, text=True).stdout
    for text in shown.split("\n"):
        if text.startswith("# ") and not text.startswith("# Value:") and text.split()[1].islower() and '""' in text:
            assert text.split()[1] in sample, "agent.conf lacks " + text


def test_tells_systemd(yard):
    path = os.path.join(yard.folder, "notify")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(path)
    sock.settimeout(10)
    s = Site(yard, start=False)
    s.agent.env = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"}
    s.agent.start()
    s.basic(7001)
    seen = ""
    while not ("READY=1" in seen and seen.count("WATCHDOG=1") > 2 and "1 documents, 1 in force" in seen):
        seen += sock.recv(4096).decode() + "\n"
    s.agent.signal(signal.SIGHUP)
    s.agent.signal(signal.SIGTERM)
    while "STOPPING=1" not in seen:
        seen += sock.recv(4096).decode() + "\n"
    assert s.agent.proc.wait(10) == 0
    sock.close()


def test_two_agents_do_not_share_a_state_folder(yard):
    s = Site(yard)
    r = subprocess.run([s.agent.program, s.agent.conf, "--unixsocket", ""], capture_output=True, text=True, timeout=20)
    assert r.returncode == 1 and "state-dir" in r.stdout + r.stderr


def test_surfaces(yard):
    port = free_port()
    s = Site(yard, agent_lines=["http-port %d" % port])
    s.basic(7001)
    s.wait_ack("ok")
    with s.agent.connect() as c:
        assert c.ping() is True
        status = c.execute_command("AGENT", "STATUS")
        assert dict(zip(status[::2], status[1::2]))["directory"] == "live"
        (doc,) = c.execute_command("AGENT", "APPLIED")
        doc = dict(zip(doc[::2], doc[1::2]))
        assert doc["document"] == "files:demo" and doc["status"] == "ok" and doc["sha"] == doc["applied-sha"]
        assert c.execute_command("AGENT", "RESYNC") in ("OK", b"OK", True)
        with pytest.raises(redis.exceptions.ResponseError):
            c.execute_command("SET", "a", "b")
        assert "redis-py" not in c.client_list()[0]["name"]
    import urllib.request
    get = lambda path: urllib.request.urlopen("http://127.0.0.1:%d%s" % (port, path), timeout=5).read().decode()  # noqa: E731
    assert get("/healthz") == "ok\n"
    assert json.loads(get("/status"))["documents"][0]["status"] == "ok"
    assert 'kvorum_agent_directory_rung{rung="tracking"} 1' in get("/metrics")
    threads = [threading.Thread(target=get, args=("/metrics",)) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
