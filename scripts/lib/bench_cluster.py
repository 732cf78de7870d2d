"""Groups to measure: data nodes and sentinels of a kind, on loopback or one host (network
namespace) each, and the questions every measurement asks of them. Two groups of one run
have the same settings; only the programs differ."""
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "integration"))
from bench_wire import Conn, Error, Gone, ask, info  # noqa: E402
from harness import Process, find, free_port  # noqa: E402


#   row              sentinels          data nodes      mode of the group (None: it has no such line)
ROWS = {
    "redis+redis":   ("redis-sentinel",  "redis-server", None),
    "kvorum+redis":  ("kvorum-sentinel", "redis-server", None),
    "redis+kvnode":  ("redis-sentinel",  "kvnode",       None),
    "kvorum+kvnode": ("kvorum-sentinel", "kvnode",       None),
    "kvorum-async":  ("kvorum-sentinel", "kvnode",       "async"),
    "kvorum-strict": ("kvorum-sentinel", "kvnode",       "strict"),
}
PLAIN = ("redis+redis", "kvorum+redis", "redis+kvnode", "kvorum+kvnode")


def why_not(row):
    """A row that cannot be measured here: the reason, else None."""
    sentinel, node, mode = ROWS[row]
    for p in (sentinel, node):
        if not find(p):
            return "%s is not installed or not built" % p
    if mode is None:
        return None
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
        f.write("port 1\nsentinel monitor bench 127.0.0.1 1 2\nsentinel mode bench %s\n" % mode)
        f.flush()
        r = subprocess.run([find(sentinel), "--check-config", f.name], capture_output=True, text=True)
    said = (r.stderr + r.stdout).strip().splitlines()
    return None if r.returncode == 0 else "not supported by this build (%s)" % (said[-1] if said else "no reason given")


def choose_rows(names, say):
    out = []
    for n in names:
        reason = why_not(n)
        if reason:
            say("row %s left out: %s" % (n, reason))
        else:
            out.append(n)
    return out


class Host:
    """Where a program runs: its address, and what stands before its command line."""

    def __init__(self, ip="127.0.0.1", prefix=(), link=None):
        self.ip, self.prefix, self.link = ip, list(prefix), link


class Program(Process):
    """A process of the harness, on a host."""

    def __init__(self, name, program, lines, folder, port, host):
        super().__init__(name, program, lines, folder, port)
        self.host = host

    def launch(self):
        with open(self.log, "ab") as out:
            self.proc = subprocess.Popen(self.host.prefix + [self.program, self.conf], cwd=self.folder,
                                         stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        Process.live.append(self)
        return self

    def answers(self):
        if self.proc.poll() is not None:
            raise RuntimeError("%s ended with code %s:\n%s" % (self.name, self.proc.returncode, self.tail()))
        return self.ask("PING") is not None

    def ask(self, *args, timeout=1.0):
        return ask(self.port, *args, host=self.host.ip, timeout=timeout)

    def replication(self):
        return info(self.port, "replication", host=self.host.ip)

    def conn(self, timeout=1.0):
        return Conn(self.port, self.host.ip, timeout)


def until(condition, timeout, what, every=0.05):
    end = time.monotonic() + timeout
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise TimeoutError("waited %.0f s for %s" % (timeout, what))
        time.sleep(every)


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2])) if isinstance(flat, list) else {}


def is_member(node, mode, is_primary):
    """It stands in its formed group as it should: the primary open and leased, the others followers."""
    ha = info(node.port, "ha", host=node.host.ip)
    if ha.get("ha_state") != ("open" if is_primary else "follower"):
        return False
    return ha.get("ha_mode") == mode and ha.get("ha_lease_ms", "").isdigit() if is_primary else True


class Group:
    """Three nodes (or fewer), three sentinels, quorum 2. `row` names it in tables."""

    def __init__(self, folder, row, down_after, hosts=None, name="bench", failover_timeout=3000, lines=(), sentinel_lines=(),
                 nodes=3):
        self.row = row
        sentinel, node, mode = ROWS[row]
        self.mode = mode
        sentinel_lines = list(sentinel_lines) + (["sentinel mode %s %s" % (name, mode)] if mode else [])
        self.name, self.sentinel, self.engine, self.down_after = name, sentinel, node, down_after
        self.folder = os.path.join(folder, row)
        os.makedirs(self.folder, exist_ok=True)
        hosts = hosts or [Host()] * 3
        self.nodes, self.sentinels = [], []
        for i, h in enumerate(hosts[:nodes]):
            port = free_port()
            conf = ["port %d" % port, "bind %s" % h.ip, "protected-mode no", 'save ""', "repl-diskless-sync-delay 0",
                    "dir %s" % os.path.join(self.folder, "node%d" % (i + 1)), "enable-debug-command yes"] + list(lines)
            if node == "kvnode":                       # as its unit has it: CONFIG REWRITE goes there
                conf.append("state-dir %s" % os.path.join(self.folder, "node%d" % (i + 1), "state"))
            if i:
                conf.append("replicaof %s %d" % (self.nodes[0].host.ip, self.nodes[0].port))
            self.nodes.append(Program("node%d" % (i + 1), find(node), conf, self.folder, port, h))
        for i, h in enumerate(hosts):
            port = free_port()
            conf = ["port %d" % port, "bind %s" % h.ip, "protected-mode no", "dir %s" % os.path.join(self.folder, "sentinel%d" % (i + 1)),
                    "sentinel monitor %s %s %d 2" % (name, self.nodes[0].host.ip, self.nodes[0].port),
                    "sentinel down-after-milliseconds %s %d" % (name, down_after),
                    "sentinel failover-timeout %s %d" % (name, failover_timeout)] + sentinel_lines
            if sentinel == "kvorum-sentinel":          # as its README has it; redis-sentinel knows only its configuration file
                conf.append("state-dir %s" % os.path.join(self.folder, "sentinel%d" % (i + 1), "state"))
            self.sentinels.append(Program("sentinel%d" % (i + 1), find(sentinel), conf, self.folder, port, h))
        self.ready_at, self.trial = 0.0, 0

    def start(self):
        for p in self.nodes + self.sentinels:
            p.start()
        return self

    def close(self):
        for p in self.sentinels + self.nodes:
            if p.is_alive():
                p.signal(signal.SIGCONT)
                p.kill()
            if p in Process.live:
                Process.live.remove(p)

    def node_at(self, addr):
        return next((n for n in self.nodes if addr and n.host.ip == addr[0] and n.port == int(addr[1])), None)

    def primary_of(self, sentinel):
        a = sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.name)
        return self.node_at(a) if isinstance(a, list) else None

    def primary(self):
        return next((p for p in map(self.primary_of, self.sentinels) if p), None)

    def unsettled(self):
        """What is still missing for a healed group, or None: one primary, its replicas in sync
        with it, and three sentinels that see exactly that and each other."""
        replicas = str(len(self.nodes) - 1)
        found = {self.primary_of(s) for s in self.sentinels}
        if len(found) != 1 or None in found:
            return "one primary for all sentinels"
        p = found.pop()
        for n in self.nodes:
            r = n.replication()
            if n is p:
                if r.get("role") != "master" or r.get("connected_slaves") != replicas:
                    return "the primary with all its replicas"
            elif r.get("role") != "slave" or r.get("master_link_status") != "up" or int(r.get("master_port", 0)) != p.port:
                return "%s in sync" % n.name
            if self.mode and not is_member(n, self.mode, n is p):
                return "%s in its place in a group that is %s" % (n.name, self.mode)
        for s in self.sentinels:
            m = pairs(s.ask("SENTINEL", "MASTER", self.name))
            if m.get("flags") != "master" or m.get("num-slaves") != replicas or m.get("num-other-sentinels") != "2":
                return "%s to see a healthy primary" % s.name
            for r in map(pairs, s.ask("SENTINEL", "REPLICAS", self.name) or []):
                if r.get("flags") != "slave" or r.get("role-reported") != "slave" or r.get("master-link-status") != "ok":
                    return "%s to see healthy replicas" % s.name
            for r in map(pairs, s.ask("SENTINEL", "SENTINELS", self.name) or []):
                if r.get("flags") != "sentinel":
                    return "%s to see the other sentinels" % s.name
        return None

    def settle(self, timeout=90):
        why = [None]

        def calm():
            why[0] = self.unsettled()
            return why[0] is None

        try:
            until(calm, timeout, "", 0.1)
        except TimeoutError:
            raise TimeoutError("%s did not settle in %d s: waiting for %s; %s" % (self.row, timeout, why[0], self.folder))
        return self

    def is_ready(self, rng=random):
        """Healed, and a random moment of its own rhythm later. Asks at most ten times a second."""
        now = time.monotonic()
        if now < self.ready_at:
            return False
        if self.ready_at and self.unsettled() is None:
            return True
        if self.unsettled() is None:
            self.ready_at = now + rng.uniform(0.3, 1.3)
        else:
            self.ready_at = 0.0
        return False

    def used(self):
        """A trial has broken it: it must be found healed anew."""
        self.ready_at, self.trial = 0.0, self.trial + 1


def _watch_role(host, port, since, limit_s, pipe):
    was_primary, at = None, None
    while at is None and time.monotonic() < since + limit_s:
        r = ask(port, "ROLE", host=host, timeout=1.0)
        now = time.monotonic()
        if isinstance(r, list) and r and r[0] == "master" and was_primary is None:
            was_primary = now
        if isinstance(r, list) and r and r[0] == "slave":
            at = now
        time.sleep(0.001 if now < since + 1 else 0.01)
    pipe.send(None if at is None else (at - (was_primary or at)) * 1000)


class Demotion:
    """A process of its own that looks at a node that is back: for how many milliseconds it called itself primary."""

    def __init__(self, node, limit_s=60.0):
        self.pipe, theirs = multiprocessing.Pipe()
        self.proc = multiprocessing.Process(target=_watch_role, daemon=True,
                                            args=(node.host.ip, node.port, time.monotonic(), limit_s, theirs))
        self.proc.start()
        theirs.close()

    def done(self):
        return self.pipe.poll()

    def result(self):
        got = self.pipe.recv() if self.pipe.poll(90) else None
        self.proc.join(5)
        return got


class Watch:
    """The sentinels' events as they come, and a client without patience: once a millisecond
    it asks every sentinel where to go and writes there, and it tries every replica."""

    EVERY = 0.001

    def __init__(self, group, old):
        self.group, self.old, self.at = group, old, {}
        self.subs = []
        for s in group.sentinels:
            c = s.conn()
            c.send("PSUBSCRIBE", "*")
            c.wait(1)
            self.subs.append(c)
        self.asks = [[s, s.conn(), 0.0] for s in group.sentinels]
        self.tries = {n: [n, None, 0.0] for n in group.nodes if n is not old}
        self.told = None
        self.key = "probe:%d" % group.trial

    def first(self, what):
        self.at.setdefault(what, time.monotonic())

    def see_events(self):
        for c in self.subs:
            for m in c.answers():
                if not isinstance(m, list) or m[0] != "pmessage":
                    continue
                if m[2] in ("+sdown", "+odown") and m[3].startswith("master"):
                    self.first(m[2])
                elif m[2] in ("+switch-master", "+promoted-slave", "+elected-leader", "+convert-to-slave"):
                    self.first(m[2])

    def step_one(self, slot, command):
        """Answers of a slot that polls; a closed connection is opened anew at once."""
        try:
            if slot[1] is None:
                slot[1] = slot[0].conn(0.05)
            got = slot[1].answers()
            if slot[1].waiting == 0 and time.monotonic() - slot[2] >= self.EVERY:
                slot[2] = time.monotonic()
                slot[1].send(*command)
            return got
        except Gone:
            if slot[1]:
                slot[1].close()
            slot[1] = None
            return []

    def step(self):
        self.see_events()
        for slot in self.asks:
            for a in self.step_one(slot, ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.group.name)):
                n = self.group.node_at(a) if isinstance(a, list) and not isinstance(a, Error) else None
                if n is not None and n is not self.old:
                    self.first("told")
                    self.told = n
        for n, slot in self.tries.items():
            for a in self.step_one(slot, ("SET", self.key, "x")):
                if not isinstance(a, Error) and a == "OK":
                    self.first("writable")
                    if self.told is n:
                        self.first("written")
        time.sleep(0.0002)

    def run(self, wanted, timeout):
        end = time.monotonic() + timeout
        while not all(w in self.at for w in wanted):
            self.step()
            if time.monotonic() > end:
                return False
        return True

    def close(self):
        for c in self.subs + [s[1] for s in self.asks] + [s[1] for s in self.tries.values()]:
            if c:
                c.close()
