"""A directory, an agent and one root of files: what the tests of agents begin with."""
import hashlib
import json
import os
import subprocess

from conftest import need
from harness import wait_until

ENGINES = ["redis-server", "kvnode"]
CONVERGED = 2         # seconds from a start, as a rule; never as long as what would heal it (a resync, 60 s), however busy the machine
CONVERGED_AT_MOST = 15
FILE = {"root": "files", "path": "app.conf", "template": "redis = {{cfg.host}}:{{cfg.port}}\n",
        "data": {"cfg": "config:redis:demo"}}


def converged_soon(took, what=""):
    """took: seconds from each start until all was so again."""
    took = sorted(took)
    print("%sstart to converged: median %.0f, slowest %.0f ms" % (what, took[len(took) // 2] * 1000, took[-1] * 1000))
    assert took[len(took) // 2] < CONVERGED and took[-1] < CONVERGED_AT_MOST, what + str(took)


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

    def wait_ack(self, st, doc="files:demo", sha_of=None, timeout=40, also=lambda a: True):
        want = sha_of and hashlib.sha256(self.c.get(sha_of).encode()).hexdigest()

        def there():
            a = self.ack(doc)
            return a if a and a["st"] == st and (not want or a["sha"] == want) and also(a) else None

        try:
            return wait_until(there, timeout)
        except AssertionError:
            raise AssertionError("no %s of %s but %r; log:\n%s" % (st, doc, self.ack(doc), self.agent.tail(15)))

    def wait_text(self, text, name="app.conf", timeout=40):
        try:
            wait_until(lambda: self.text(name) == text, timeout, every=0.002)
        except AssertionError:
            raise AssertionError("no %r in %s but %r; log:\n%s" % (text, name, self.text(name), self.agent.tail(15)))

    def no_leftovers(self):
        journal = os.path.join(self.agent.folder, "state", "journal", "files")
        wait_until(lambda: os.listdir(journal) == [], what="an empty journal")       # its end comes behind what is seen first
        left = [f for _, _, files in os.walk(self.root) for f in files if ".agent-" in f]
        assert not left, left

    def stats(self):
        with self.agent.connect() as c:
            return c.info()

    def traced(self, call, action, calls="/dev/null", out=subprocess.DEVNULL):
        """The agent under strace, which does `action` (signal=KILL:when=3) to calls of one kind."""
        return subprocess.Popen(["strace", "-qq", "-o", calls, "-e", "trace=" + call, "-e", "inject=%s:%s" % (call, action),
                                 self.agent.program, self.agent.conf], cwd=self.agent.folder, stdout=out, stderr=out)

    def end_traced(self, run):
        """kill -9 of the agent under strace, however little of the two has begun."""
        def ended():
            if run.poll() is None:
                subprocess.run(["pkill", "-KILL", "-P", str(run.pid)])
            return run.poll() is not None

        wait_until(ended, every=0.02, what="the end of strace")

    def killed_at_every(self, call, prepare, through, check, limit=400, step=1):
        """strace ends the agent at the n-th call of one kind, for n = 1, 2, ... until the application gets through: prepare(n)
        asks for a version, through(n) says that it is in force, check(n) looks at what is left and starts the agent again.
        How many crashes that made."""
        need("strace")
        crashes = 0
        for n in range(1, limit, step):
            prepare(n)
            run = self.traced(call, "signal=KILL:when=%d" % n)
            try:
                wait_until(lambda: run.poll() is not None or through(n), 60, every=0.01, what="the end of an application or of the agent")
            finally:
                ended = run.poll() is not None
                self.end_traced(run)
            print("%s %d: %s" % (call, n, "ended with %s" % run.returncode if ended else "went through"))
            check(n)
            self.agent.stop()
            if not ended:
                return crashes
            crashes += 1
        raise AssertionError("the application never got through")

    def resync(self):
        """As an operator asks for it."""
        with self.agent.connect() as c:
            c.execute_command("AGENT", "RESYNC")

    def wait_resyncs(self, more):
        """So many more resyncs were made: whatever they could have changed is changed."""
        end = self.stats()["resyncs"] + more
        wait_until(lambda: self.stats()["resyncs"] >= end, 60, what="%d resyncs" % more)


def script(yard, name, body):
    path = os.path.join(yard.folder, name)
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + body)
    os.chmod(path, 0o755)
    return path


def line(port):
    return "redis = 127.0.0.1:%d\n" % port
