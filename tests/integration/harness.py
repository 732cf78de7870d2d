"""Real programs on loopback, for the tests and for the demo.

A Process is one program with its folder, configuration and log. A Cluster is data
nodes, sentinels and agents that belong together. Ports are free ones, waits are for
conditions, and everything that was started is ended by pid, also after a failure.
"""
import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import redis

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("KVORUM_BIN", os.path.join(TOP, "build", "release", "bin"))

_given = set()


def _ports():
    """Below the range of outgoing connections; of several pytest workers each has a part of its own."""
    me, count = os.environ.get("PYTEST_XDIST_WORKER", "gw0"), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    size = 18000 // count
    return 12000 + int(me[2:]) % count * size, size


def free_port():
    """A port nobody listens on, never the same one twice."""
    first, size = _ports()
    for _ in range(2000):
        port = first + random.randrange(size)
        if port in _given:
            continue
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise RuntimeError("no free port")


def wait_until(condition, timeout=40.0, every=0.02, what=None):
    """The first true value of condition(). Exceptions of a connection count as 'not yet'."""
    end = time.monotonic() + timeout
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except (redis.exceptions.RedisError, OSError, KeyError, IndexError, ValueError) as e:
            last = e
        if time.monotonic() > end:
            raise AssertionError("waited %.0f s for %s; last: %r" % (timeout, what or condition, last))
        time.sleep(every)


def holds(condition, seconds, why=lambda: ""):
    """True all the while: for what must not happen, however long one waits. why() says what the logs know."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition(), why() or condition
        time.sleep(0.05)


class Process:
    """One program. `lines` are its configuration; `args` follow the file on the command line."""

    live = []

    def __init__(self, name, program, lines, folder, port=None, args=(), env=None, socket_path=None):
        self.name, self.program, self.lines, self.port = name, program, list(lines), port
        self.folder = os.path.join(folder, name)
        self.args, self.env, self.socket_path = list(args), env, socket_path
        self.proc = None
        os.makedirs(self.folder, exist_ok=True)
        self.conf = os.path.join(self.folder, name + ".conf")
        self.log = os.path.join(self.folder, "log.txt")
        with open(self.conf, "w") as f:
            f.write("".join(line + "\n" for line in self.lines))

    @property
    def pid(self):
        return self.proc.pid

    def launch(self):
        """Start without waiting for anything."""
        self.out = open(self.log, "ab")
        self.proc = subprocess.Popen([self.program, self.conf] + self.args, cwd=self.folder, stdin=subprocess.DEVNULL,
                                     stdout=self.out, stderr=subprocess.STDOUT,
                                     env=dict(os.environ, **(self.env or {})))
        self.out.close()
        Process.live.append(self)
        return self

    def start(self, timeout=40):
        self.launch()
        wait_until(self.answers, timeout, what="%s to answer on port %s; its log:\n%s" % (self.name, self.port, self.log))
        return self

    def answers(self):
        if self.proc.poll() is not None:
            raise AssertionError("%s ended with code %s:\n%s" % (self.name, self.proc.returncode, self.tail()))
        with self.connect() as c:
            try:
                return c.ping()
            except (redis.exceptions.AuthenticationError, redis.exceptions.ResponseError):
                return True

    def connect(self, **kw):
        if self.socket_path:
            return redis.Redis(unix_socket_path=self.socket_path, decode_responses=True, socket_timeout=10, **kw)
        kw.setdefault("decode_responses", True)
        kw.setdefault("socket_timeout", 10)
        return redis.Redis("127.0.0.1", self.port, **kw)

    def info(self, section=None):
        with self.connect() as c:
            return c.info(section) if section else c.info()

    def is_alive(self):
        return self.proc is not None and self.proc.poll() is None

    def signal(self, sig):
        self.proc.send_signal(sig)

    def kill(self):
        """kill -9, and wait until it is gone."""
        if self.proc and self.proc.poll() is None:
            self.proc.kill()
        if self.proc:
            self.proc.wait()

    def stop(self, timeout=60):
        """SIGTERM; SIGKILL when that takes too long. The exit code."""
        if self.proc is None:
            return None
        if self.proc.poll() is None:
            try:
                self.proc.send_signal(signal.SIGCONT)
                self.proc.terminate()
                self.proc.wait(timeout)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        if self in Process.live:
            Process.live.remove(self)
        return self.proc.returncode

    def tail(self, n=40):
        try:
            with open(self.log, errors="replace") as f:
                return "".join(f.readlines()[-n:])
        except OSError:
            return ""

    def log_text(self):
        with open(self.log, errors="replace") as f:
            return f.read()


@atexit.register
def end_all():
    for p in list(Process.live):
        if p.proc and p.proc.poll() is None:
            p.proc.kill()
            p.proc.wait()
    Process.live.clear()


def find(program):
    """One of ours (KVORUM_BIN), or one on PATH."""
    ours = os.path.join(BIN, program)
    return ours if os.access(ours, os.X_OK) else shutil.which(program)


def faulty(program):
    """One of ours that was built with faults to inject (asan, debug), or None."""
    for folder in (os.environ.get("KVORUM_FAULTY_BIN"), os.path.join(TOP, "build", "asan", "bin"), BIN):
        path = folder and os.path.join(folder, program)
        if path and os.access(path, os.X_OK) and b"KVORUM_FAULT" in open(path, "rb").read():
            return path
    return None


def pairs(reply):
    """A flat list of names and values, or a map of RESP3, as a dict."""
    return dict(zip(reply[::2], reply[1::2])) if isinstance(reply, list) else reply


class Yard:
    """A temporary folder and the processes in it."""

    def __init__(self, label="kvorum", folder=None):
        self.folder = folder or tempfile.mkdtemp(prefix=label + "-")
        self.processes = []

    def add(self, p, start=True):
        self.processes.append(p)
        return p.start() if start else p

    def node(self, name="node", engine="kvnode", lines=(), start=True, port=None):
        """A data node: engine is kvnode or redis-server."""
        port = port or free_port()
        program = find(engine)
        assert program, engine + " is not there: build it, or install redis-server"
        base = ["port %d" % port, "bind 127.0.0.1", "dir %s" % os.path.join(self.folder, name), 'save ""',
                "repl-diskless-sync-delay 0"]
        if engine == "redis-server":
            base.append("enable-debug-command yes")
        else:
            base.append("enable-debug-command yes")
        return self.add(Process(name, program, base + list(lines), self.folder, port), start)

    def sentinel(self, name="sentinel", engine="kvorum-sentinel", lines=(), start=True, port=None):
        """engine is kvorum-sentinel or redis-sentinel."""
        port = port or free_port()
        program = find(engine)
        assert program, engine + " is not there: build it, or install redis-sentinel"
        base = ["port %d" % port, "bind 127.0.0.1", "dir %s" % os.path.join(self.folder, name)]
        return self.add(Process(name, program, base + list(lines), self.folder, port), start)

    def agent(self, name, lines=(), start=True):
        path = os.path.join(self.folder, name, "agent.sock")
        base = ["node-id %s" % name, "state-dir %s" % os.path.join(self.folder, name, "state"), "unixsocket %s" % path]
        p = Process(name, find("kvorum-agent"), base + list(lines), self.folder, socket_path=path)
        return self.add(p, start)

    def close(self, keep=False):
        for p in reversed(self.processes):
            if p.proc and p.proc.poll() is None:
                p.proc.send_signal(signal.SIGCONT)
                p.proc.kill()
        for p in self.processes:
            if p.proc:
                p.proc.wait()
            if p in Process.live:
                Process.live.remove(p)
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def keep_logs(self, where):
        """Copies logs and configurations of every process to a folder."""
        for p in self.processes:
            target = os.path.join(where, p.name)
            os.makedirs(target, exist_ok=True)
            for f in (p.log, p.conf):
                if os.path.exists(f):
                    shutil.copy(f, target)


def monitor_lines(group, port, quorum=2, down_after=5000, failover_timeout=60000, extra=()):
    return ["sentinel monitor %s 127.0.0.1 %d %d" % (group, port, quorum),
            "sentinel down-after-milliseconds %s %d" % (group, down_after),
            "sentinel failover-timeout %s %d" % (group, failover_timeout)] + list(extra)


class Cluster:
    """Data nodes (the first is the primary), sentinels, agents, all of one group."""

    def __init__(self, nodes=3, sentinels=3, agents=0, engine="kvnode", group="demo", down_after=5000, quorum=2,
                 node_lines=(), sentinel_lines=(), sentinel_engines=None, folder=None, failover_timeout=60000, label="kvorum"):
        self.yard = Yard(label, folder)
        self.group, self.engine = group, engine
        self.nodes = []
        for i in range(nodes):
            lines = list(node_lines)
            if i:
                lines.append("replicaof 127.0.0.1 %d" % self.nodes[0].port)
            self.nodes.append(self.yard.node("node%d" % (i + 1), engine, lines))
        engines = sentinel_engines or ["kvorum-sentinel"] * sentinels
        self.sentinels = [
            self.yard.sentinel("sentinel%d" % (i + 1), e,
                               monitor_lines(group, self.nodes[0].port, quorum, down_after, failover_timeout,
                                             sentinel_lines if e == "kvorum-sentinel" else ()))
            for i, e in enumerate(engines)]
        self.agents = []

    def sentinel_ports(self):
        return [("127.0.0.1", s.port) for s in self.sentinels]

    def add_agents(self, count, lines):
        """lines(i, name) gives an agent's further configuration."""
        for i in range(count):
            name = "agent%d" % (i + 1)
            self.agents.append(self.yard.agent(name, lines(i, name)))

    def wait_settled(self, timeout=60):
        """Replicas are in sync, sentinels know each other and all replicas."""
        want = len(self.sentinels) - 1

        def settled():
            for s in self.sentinels:
                if not s.is_alive():
                    continue
                with s.connect() as c:
                    m = c.sentinel_master(self.group)
                    if int(m["num-slaves"]) != len(self.nodes) - 1 or int(m["num-other-sentinels"]) != want:
                        return False
                    if m["flags"] != "master":
                        return False
            primary = self.primary()
            return primary and all(n.info("replication").get("master_link_status") == "up"
                                   for n in self.nodes if n is not primary and n.is_alive())

        wait_until(settled, timeout, what="the cluster to settle")
        return self

    def primary_addr(self, sentinel=None):
        for s in [sentinel] if sentinel else self.sentinels:
            if not s.is_alive():
                continue
            with s.connect() as c:
                a = c.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.group)
                if a:
                    return a[0], int(a[1])
        return None

    def node_by_port(self, port):
        return next((n for n in self.nodes if n.port == port), None)

    def primary(self):
        a = self.primary_addr()
        return a and self.node_by_port(a[1])

    def wait_new_primary(self, old, timeout=60):
        def moved():
            p = self.primary()
            return p if p and p is not old and p.info("replication")["role"] == "master" else None

        return wait_until(moved, timeout, every=0.005, what="a new primary")

    def wait_roles(self, timeout=60):
        """One primary, everybody else its replica with the link up; all sentinels agree."""
        def calm():
            addrs = {self.primary_addr(s) for s in self.sentinels if s.is_alive()}
            if len(addrs) != 1:
                return False
            port = addrs.pop()[1]
            for n in self.nodes:
                r = n.info("replication")
                if n.port == port:
                    if r["role"] != "master":
                        return False
                elif r["role"] != "slave" or int(r["master_port"]) != port or r["master_link_status"] != "up":
                    return False
            return self.node_by_port(port)

        return wait_until(calm, timeout, what="one primary and everybody else its replica")

    def client(self, **kw):
        """python3-redis through the sentinels, as an application would."""
        kw.setdefault("socket_timeout", 0.5)
        s = redis.sentinel.Sentinel(self.sentinel_ports(), **kw)
        return s.master_for(self.group, decode_responses=True)

    def close(self, keep=False):
        self.yard.close(keep)


import redis.sentinel  # noqa: E402  (after redis, for Cluster.client)
