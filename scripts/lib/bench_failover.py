"""scripts/bench failover: how long a group has no primary. Two sentinels, two data nodes,
three faults, one run: the groups stand side by side, one trial of each in turn, so that
whatever else the machine does falls on all of them alike."""
import os
import signal
import tempfile
import time

from bench_cluster import Group, Watch, until
from bench_stats import Load, number, ratio, short, table
from bench_wire import Conn, Error, Gone

SENTINELS = ("redis-sentinel", "kvorum-sentinel")
NODES = ("redis-server", "kvnode")
FAULTS = ("kill", "stop", "planned")
LIMIT_S = 60.0


def options(p):
    p.add_argument("--trials", type=int, default=30, help="trials of each fault and row (30)")
    p.add_argument("--quick", action="store_true", help="5 trials")
    p.add_argument("--down-after", type=int, default=1000, metavar="MS", help="down-after-milliseconds of every group (1000)")
    p.add_argument("--sentinels", default=",".join(SENTINELS), help="rows: sentinels, by comma")
    p.add_argument("--nodes", default=",".join(NODES), help="rows: data nodes, by comma")
    p.add_argument("--faults", default=",".join(FAULTS), help="kill,stop,planned")
    p.add_argument("--keep", action="store_true", help="keep logs and say where")
    p.add_argument("--each", action="store_true", help="a line for each trial")


def ms(watch, what, t0):
    return (watch.at[what] - t0) * 1000 if what in watch.at else None


def observed(w, t0):
    return {"sdown": ms(w, "+sdown", t0), "odown": ms(w, "+odown", t0), "published": ms(w, "+switch-master", t0),
            "writable": ms(w, "writable", t0), "written": ms(w, "written", t0)}


def kill_trial(g):
    old = g.primary()
    w = Watch(g, old)
    t0 = time.monotonic()
    os.kill(old.pid, signal.SIGKILL)
    done = w.run(("+switch-master", "writable", "written"), LIMIT_S)
    w.close()
    old.kill()
    old.start()
    new = until(g.primary, 5, "a primary")
    old.ask("REPLICAOF", new.host.ip, new.port)      # the operator's part of healing: not what is measured
    return observed(w, t0) if done else None


def stop_trial(g):
    old = g.primary()
    w = Watch(g, old)
    t0 = time.monotonic()
    os.kill(old.pid, signal.SIGSTOP)
    done = w.run(("+switch-master", "writable", "written"), LIMIT_S)
    w.close()
    until(lambda: {g.primary_of(s) for s in g.sentinels} == {g.primary()}, 10, "all sentinels to agree")
    t1 = time.monotonic()
    os.kill(old.pid, signal.SIGCONT)
    demoted = None
    while time.monotonic() < t1 + LIMIT_S:
        if old.replication().get("role") == "slave":
            demoted = (time.monotonic() - t1) * 1000
            break
        time.sleep(0.001)
    if not done:
        return None
    return dict(observed(w, t0), demoted=demoted)


class Loyal:
    """A client that stays on its connection until the node itself sends it away, a write a
    millisecond, each with a key of its own; it remembers which were acknowledged and when."""

    def __init__(self, group, node, prefix):
        self.group, self.node, self.prefix = group, node, prefix
        self.conn, self.n, self.sent_at, self.acks, self.key = node.conn(), 0, 0.0, [], None
        self.moves = 0

    def elsewhere(self):
        if self.conn:
            self.conn.close()
        self.conn, self.key = None, None
        for s in self.group.sentinels:
            to = self.group.primary_of(s)
            if to is None:
                continue
            try:
                self.conn = to.conn(0.05)
                self.moves += to is not self.node
                self.node = to
                return
            except Gone:
                pass

    def step(self):
        try:
            if self.conn is None:
                self.elsewhere()
                return
            for a in self.conn.answers():
                if isinstance(a, Error):
                    self.elsewhere()
                    return
                self.acks.append((time.monotonic(), self.key))
                self.key = None
            if self.conn.waiting == 0 and time.monotonic() - self.sent_at >= 0.001:
                self.key = "%s:%d" % (self.prefix, self.n)
                self.n += 1
                self.sent_at = time.monotonic()
                self.conn.send("SET", self.key, "x")
        except Gone:
            self.elsewhere()

    def gap_ms(self, since):
        times = [t for t, _ in self.acks]
        before = max((t for t in times if t < since), default=since)
        times = [before] + [t for t in times if t >= since]
        return max((b - a for a, b in zip(times, times[1:])), default=0.0) * 1000

    def lost(self, node):
        """How many acknowledged keys this node does not have."""
        c, missing = node.conn(), 0
        keys = [k for _, k in self.acks]
        for i in range(0, len(keys), 500):
            missing += len(keys[i:i + 500]) - c.call("EXISTS", *keys[i:i + 500])
        c.close()
        return missing


def planned_trial(g):
    old = g.primary()
    old.ask("FLUSHALL")
    w = Watch(g, old)
    w.tries = {}                   # a planned switch has one client, the loyal one
    client = Loyal(g, old, "planned:%d" % g.trial)
    warm = time.monotonic() + 0.3
    while time.monotonic() < warm:
        client.step()
        time.sleep(0.0002)
    order = g.sentinels[g.trial % 3].conn()
    t0 = time.monotonic()
    order.send("SENTINEL", "FAILOVER", g.name)
    refused, demoted, look_at, end_at = None, None, 0.0, t0 + LIMIT_S
    while time.monotonic() < end_at:
        now = time.monotonic()
        client.step()
        w.see_events()
        for a in order.answers():
            refused = a if isinstance(a, Error) else None
        if refused:
            break
        if demoted is None and now >= look_at and "+switch-master" in w.at:
            look_at = now + 0.01
            if old.replication().get("role") == "slave":
                demoted = (now - t0) * 1000
                end_at = min(end_at, now + 1.0)
        time.sleep(0.0002)
    order.close()
    w.close()
    if client.conn:
        client.conn.close()
    if refused or demoted is None:
        return None
    g.settle()
    return {"published": ms(w, "+switch-master", t0), "gap": client.gap_ms(t0), "lost": client.lost(g.primary()),
            "acked": len(client.acks), "demoted": demoted}


TRIALS = {"kill": kill_trial, "stop": stop_trial, "planned": planned_trial}
COLUMNS = {
    "kill": (("sdown", "+sdown"), ("odown", "+odown"), ("published", "+switch-master"), ("writable", "a node accepts writes"),
             ("written", "first write where a sentinel said")),
    "stop": (("sdown", "+sdown"), ("odown", "+odown"), ("published", "+switch-master"), ("writable", "a node accepts writes"),
             ("written", "first write where a sentinel said"), ("demoted", "resume -> old primary demoted")),
    "planned": (("published", "+switch-master"), ("gap", "write gap"), ("demoted", "order -> old primary demoted"),
                ("lost", "acknowledged writes lost"), ("acked", "acknowledged writes")),
}
TITLES = {"kill": "kill -9 of the primary", "stop": "SIGSTOP of the primary, resumed after the failover",
          "planned": "SENTINEL FAILOVER, a client that stays connected"}


def report(got, groups, fault, failed):
    head = ["row", "n"] + [c[1] for c in COLUMNS[fault]] + ["ratio"]
    key = "gap" if fault == "planned" else "written"
    rows = []
    for g in groups:
        trials = got[g.row, fault]
        peer = [t[key] for t in got.get(("redis-sentinel + " + g.engine, fault), [])]
        n = "%d" % len(trials) + (" (%d failed)" % failed[g.row, fault] if failed.get((g.row, fault)) else "")
        rows.append([g.row, n] + [short([t[c[0]] for t in trials]) for c in COLUMNS[fault]] +
                    [ratio([t[key] for t in trials], peer)])
    return "### %s\n\n%s\n" % (TITLES[fault], table(head, rows))


def main(args, say):
    trials = 5 if args.quick else args.trials
    folder = tempfile.mkdtemp(prefix="kvorum-bench-")
    faults = [f for f in args.faults.split(",") if f]
    load = Load()
    groups = [Group(folder, s, n, args.down_after) for s in args.sentinels.split(",") for n in args.nodes.split(",")]
    got = {(g.row, f): [] for g in groups for f in faults}
    failed = {}
    try:
        for g in groups:
            g.start()
        say("%d groups of 3 nodes and 3 sentinels, down-after %d ms, %d trials of each fault, interleaved; %s" % (
            len(groups), args.down_after, trials, folder))
        turn = 0
        left = {g: [f for _ in range(trials) for f in faults] for g in groups}
        stuck_at = {g: time.monotonic() for g in groups}
        while any(left.values()):
            turn += 1
            g = groups[turn % len(groups)]
            most = max(len(v) for v in left.values())
            if not left[g] or len(left[g]) < most - 1:         # nobody runs ahead of the others by more than a trial
                time.sleep(0.002)
                continue
            if not g.is_ready():
                if time.monotonic() - stuck_at[g] > 300:
                    raise TimeoutError("%s is not healed: %s; %s" % (g.row, g.unsettled(), g.folder))
                time.sleep(0.02)
                continue
            fault = left[g].pop(0)
            result = TRIALS[fault](g)
            g.used()
            stuck_at[g] = time.monotonic()
            if result is None:
                failed[g.row, fault] = failed.get((g.row, fault), 0) + 1
            else:
                got[g.row, fault].append(result)
            if args.each:
                say("%-34s %-8s %s" % (g.row, fault, " ".join("%s=%s" % (k, number(v)) for k, v in (result or {}).items())))
    except BaseException:
        args.keep = True
        raise
    finally:
        for g in groups:
            g.close()
        say("\nMilliseconds after the fault: min / p50 / p99 (spread = (max - min) / p50). `ratio` is the p50 of %s\n"
            "against redis-sentinel over the same data nodes. %s.\n" % ("the first write (planned: of the write gap)", load.text()))
        for f in faults:
            if any(got[g.row, f] for g in groups):
                say(report(got, [g for g in groups if got[g.row, f]], f, failed))
        if args.keep:
            say("logs: " + folder)
        else:
            import shutil
            shutil.rmtree(folder, ignore_errors=True)
    return 0
