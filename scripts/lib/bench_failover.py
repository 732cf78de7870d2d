"""How long a group has no primary. Three faults, one run: the groups stand side by side, one
trial of each in turn, so that whatever else the machine does falls on all of them alike.

  a node accepts writes           somebody who tries every node each millisecond succeeds
  first write where told          ... at the node that a sentinel names: what clients get
  returned: demoted after         kill -9: the old primary is started again as it was; stop: it is resumed;
                                  for how long it called itself primary then"""
import os
import random
import shutil
import signal
import tempfile
import time

from bench_busy import Burners
from bench_cluster import PLAIN, ROWS, Demotion, Group, Watch, choose_rows, until
from bench_stats import Load, number, ratio, short, table
from bench_wire import Error, Gone

FAULTS = ("kill", "stop", "planned")
LIMIT_S = 60.0


def options(p):
    p.add_argument("--trials", type=int, default=5, help="trials of each fault and row (default 5: some minutes; 30: half an hour)")
    p.add_argument("--down-after", type=int, default=1000, metavar="MS", help="down-after-milliseconds of every group (1000)")
    p.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(PLAIN))
    p.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    p.add_argument("--stress", type=int, default=0, metavar="N", help="N processes that keep the machine busy (stress-ng --cpu N) beside all groups")
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
    until(lambda: {g.primary_of(s) for s in g.sentinels} == {g.primary()}, 30, "all sentinels to agree")
    time.sleep(random.uniform(0.2, 0.8))      # a supervisor that starts it again
    back = Demotion(old)
    old.start()
    return dict(observed(w, t0), demoted=back) if done else None


def stop_trial(g):
    old = g.primary()
    w = Watch(g, old)
    t0 = time.monotonic()
    os.kill(old.pid, signal.SIGSTOP)
    done = w.run(("+switch-master", "writable", "written"), LIMIT_S)
    w.close()
    until(lambda: {g.primary_of(s) for s in g.sentinels} == {g.primary()}, 10, "all sentinels to agree")
    back = Demotion(old)
    os.kill(old.pid, signal.SIGCONT)
    if not done:
        return None
    return dict(observed(w, t0), demoted=back)


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


def takes_coordinated(g):
    """Asked about a group that does not exist: whoever knows the word finds that out first."""
    if not hasattr(g, "coordinated"):
        a = g.sentinels[0].ask("SENTINEL", "FAILOVER", "no-such-group", "COORDINATED")
        g.coordinated = isinstance(a, Error) and "No such master" in a and g.sentinel == "kvorum-sentinel"
    return g.coordinated


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
    words = ["SENTINEL", "FAILOVER", g.name] + (["COORDINATED"] if takes_coordinated(g) else [])
    t0 = time.monotonic()
    order.send(*words)
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
             ("written", "first write where told"), ("demoted", "returned: demoted after")),
    "stop": (("sdown", "+sdown"), ("odown", "+odown"), ("published", "+switch-master"), ("writable", "a node accepts writes"),
             ("written", "first write where told"), ("demoted", "returned: demoted after")),
    "planned": (("published", "+switch-master"), ("gap", "write gap"), ("demoted", "order -> old primary demoted"),
                ("lost", "acknowledged writes lost"), ("acked", "acknowledged writes")),
}
TITLES = {"kill": "kill -9 of the primary", "stop": "SIGSTOP of the primary, resumed after the failover",
          "planned": "SENTINEL FAILOVER, a client that stays connected"}


def report(got, groups, fault, failed):
    base = groups[0].row
    head = ["row", "n"] + [c[1] for c in COLUMNS[fault]]
    rows = []
    for g in groups:
        trials = got[g.row, fault]
        n = "%d" % len(trials) + (" (%d failed)" % failed[g.row, fault] if failed.get((g.row, fault)) else "")
        line = [g.row + (" (COORDINATED)" if fault == "planned" and getattr(g, "coordinated", False) else ""), n]
        for key, _ in COLUMNS[fault]:
            v, b = ([t[key] for t in got[r, fault] if t.get(key) is not None] for r in (g.row, base))
            line.append(short(v) + (" [%s]" % ratio(v, b) if g.row != base and v and b else ""))
        rows.append(line)
    return "### %s\n\n%s\n" % (TITLES[fault], table(head, rows))


def collect(result):
    """What was still being watched when the trial ended."""
    for k, v in (result or {}).items():
        if isinstance(v, Demotion):
            result[k] = v.result()
    return result


def main(args, say):
    rows = choose_rows(args.rows, say)
    folder = tempfile.mkdtemp(prefix="kvorum-bench-")
    load = Load()
    groups = [Group(folder, r, args.down_after) for r in rows]
    got = {(g.row, f): [] for g in groups for f in args.faults}
    failed = {}
    stress = Burners(0)
    try:
        for g in groups:
            g.start()
        for g in groups:
            g.settle()
        stress = Burners(args.stress)
        say("%d groups of 3 nodes and 3 sentinels, down-after %d ms, %d trials of each fault, interleaved%s" % (
            len(groups), args.down_after, args.trials, ", beside them " + stress.what if args.stress else ""))
        for i in range(args.trials):
            for fault in args.faults:
                for g in groups:
                    until(g.is_ready, 120, "%s to be whole: %s" % (g.row, g.unsettled()))
                    result = TRIALS[fault](g)
                    g.used()
                    if result is None:
                        failed[g.row, fault] = failed.get((g.row, fault), 0) + 1
                        continue
                    got[g.row, fault].append(result)
                    if args.each:
                        say("%-14s %-8s %s" % (g.row, fault, " ".join("%s=%s" % (k, number(v)) for k, v in result.items()
                                                                      if not isinstance(v, Demotion))))
        for trials in got.values():
            for t in trials:
                collect(t)
    except BaseException:
        args.keep = True
        raise
    finally:
        busy = load.text()
        stress.stop()
        for g in groups:
            g.close()
        say("\nMilliseconds after the fault: min / p50 / p99 (spread = (max - min) / p50) [p50 against the first row].\n%s.\n" %
            busy)
        for f in args.faults:
            for t in (t for g in groups for t in got[g.row, f]):
                collect(t)
            if any(got[g.row, f] for g in groups):
                say(report(got, [g for g in groups if got[g.row, f]], f, failed))
        if args.keep:
            say("logs: " + folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 0
