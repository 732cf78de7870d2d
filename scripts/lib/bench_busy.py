"""A primary that is busy is not dead. Each group has its primary stopped for 700 ms, put to
sleep by DEBUG SLEEP 1.5, or left alone for a moment, again and again, while burners keep
every core busy; failovers are counted (none is wanted). At the end one DEBUG SLEEP 6, which
is one hang: exactly one failover is wanted. down-after is 1000 ms, so a sleep of 1.5 s is
told from a hang only by a node that answers beside its commands (ha-port)."""
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time

from bench_cluster import ROWS, Group, choose_rows
from bench_stats import Load, table
from bench_wire import Conn, Gone

CAUSES = ("stop", "sleep")


def options(p):
    p.add_argument("--minutes", type=float, default=10.0, help="how long (10)")
    p.add_argument("--rows", nargs="+", choices=list(ROWS), default=["redis+redis", "kvorum+kvnode"])
    p.add_argument("--causes", nargs="+", choices=CAUSES, default=list(CAUSES))
    p.add_argument("--down-after", type=int, default=1000, metavar="MS")
    p.add_argument("--burners", type=int, default=4, help="processes that burn CPU all the time (4)")
    p.add_argument("--stop-ms", type=int, default=700)
    p.add_argument("--sleep", type=float, default=1.5, help="seconds of DEBUG SLEEP (1.5)")


class Burners:
    """stress-ng when it is there, else as many endless loops."""

    def __init__(self, n):
        self.procs = []
        if n == 0:
            self.what = "no burners"
        elif shutil.which("stress-ng"):
            self.what = "stress-ng --cpu %d" % n
            self.procs = [subprocess.Popen(["stress-ng", "--cpu", str(n), "--quiet"], stdout=subprocess.DEVNULL,
                                           stderr=subprocess.DEVNULL, start_new_session=True)]
        else:
            self.what = "%d endless loops (stress-ng is not installed)" % n
            self.procs = [subprocess.Popen(["/usr/bin/python3", "-c", "while True: pass"]) for _ in range(n)]

    def stop(self):
        for p in self.procs:
            p.terminate()
            p.wait()


def _stop_for(pid, seconds, pipe):
    os.nice(-15) if os.geteuid() == 0 else None      # the burners shall not make our pause longer than we say
    t0 = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)
    pipe.send(time.monotonic() - t0)


class Busy:
    """One group's treatment: a small program that is stepped, so that all groups go on at once."""

    def __init__(self, group, causes, args):
        self.g, self.causes, self.args = group, causes, args
        self.counts = {c: [0, 0] for c in CAUSES + ("idle",)}      # times it was done, failovers during it
        self.subs = []
        for s in group.sentinels:
            c = s.conn()
            c.call("PSUBSCRIBE", "*")
            self.subs.append(c)
        self.switches, self.cause = [], "idle"
        self.node = self.conn = None
        self.next_at, self.stopping, self.longest_ms = time.monotonic() + random.uniform(0.5, 1.5), None, 0.0

    def read(self):
        """Each switch once, though three sentinels tell it."""
        for c in self.subs:
            for m in c.answers():
                if isinstance(m, list) and m[0] == "pmessage" and m[2] == "+switch-master":
                    if m[3] not in [t for t, at in self.switches if time.monotonic() - at < 5]:
                        self.switches.append((m[3], time.monotonic()))
                        self.counts[self.cause][1] += 1

    def step(self):
        self.read()
        now = time.monotonic()
        if self.stopping and self.stopping[1].poll():
            self.end()
            self.next_at = now + random.uniform(0.5, 1.5)
        if self.stopping or now < self.next_at:
            return
        if self.conn:
            self.conn.close()
            self.conn = None
        self.node = self.g.primary()
        if self.node is None or self.g.unsettled():
            self.next_at = now + 0.3               # first whole again: each cause is judged by itself
            return
        self.cause = random.choice(self.causes)
        self.counts[self.cause][0] += 1
        if self.cause == "stop":
            ours, theirs = multiprocessing.Pipe()
            p = multiprocessing.Process(target=_stop_for, args=(self.node.pid, self.args.stop_ms / 1000, theirs))
            p.start()
            theirs.close()
            self.stopping = (p, ours)
        else:
            self.sleep(self.args.sleep)
            self.next_at = now + self.args.sleep + random.uniform(0.5, 1.5)

    def sleep(self, seconds):
        try:
            self.conn = Conn(self.node.port)
            self.conn.send("DEBUG", "SLEEP", str(seconds))
        except Gone:
            self.conn = None

    def end(self):
        if self.stopping:
            self.longest_ms = max(self.longest_ms, self.stopping[1].recv() * 1000)
            self.stopping[0].join()
            self.stopping = None

    def hang(self):
        """DEBUG SLEEP 6: one hang. How many failovers come of it."""
        self.g.settle(120)
        self.read()
        before = len(self.switches)
        self.node = self.g.primary()
        self.sleep(6)
        end = time.monotonic() + 8
        while time.monotonic() < end:
            self.read()
            time.sleep(0.01)
        try:
            self.g.settle(120)
        except TimeoutError as e:
            return "%d, and then not whole: %s" % (len(self.switches) - before, e)
        self.read()
        return len(self.switches) - before


def main(args, say):
    rows, load = choose_rows(args.rows, say), Load()
    folder = tempfile.mkdtemp(prefix="kvorum-bench-")
    groups = [Group(folder, r, args.down_after) for r in rows]
    burners, out = None, []
    try:
        for g in groups:
            g.start()
        for g in groups:
            g.settle()
        burners = Burners(args.burners)
        say("%s; %.1f minutes of %s on the primary, down-after %d ms" % (burners.what, args.minutes, " and ".join(
            {"stop": "SIGSTOPs of %d ms" % args.stop_ms, "sleep": "DEBUG SLEEP %g" % args.sleep}[c] for c in args.causes),
            args.down_after))
        busy = [Busy(g, args.causes, args) for g in groups]
        end = time.monotonic() + args.minutes * 60
        while time.monotonic() < end:
            for b in busy:
                b.step()
            time.sleep(0.01)
        for b in busy:
            b.end()
        counted = [{k: list(v) for k, v in b.counts.items()} for b in busy]
        hangs = [b.hang() for b in busy]
        for b, c, h in zip(busy, counted, hangs):
            out.append([b.g.row] + ["%d of %d" % (c[x][1], c[x][0]) if c[x][0] else "-" for x in CAUSES] +
                       [c["idle"][1], h, "%.0f" % b.longest_ms if b.longest_ms else "-"])
    finally:
        if burners:
            burners.stop()
        for g in groups:
            g.close()
        shutil.rmtree(folder, ignore_errors=True)
    say(table(["row", "failovers: SIGSTOP %d ms" % args.stop_ms, "failovers: DEBUG SLEEP %g" % args.sleep, "failovers: idle",
               "failovers: DEBUG SLEEP 6 (1 wanted)", "longest SIGSTOP ms"], out))
    say("\n%s." % load.text())
    return 0
