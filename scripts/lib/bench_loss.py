"""Acknowledged writes that a failover loses. Three hosts (network namespaces on a bridge, made
and removed here; root only), on each a data node, a sentinel and a writer that notes what was
acknowledged, when, and by whom. The writer beside the primary stays with it until it is refused
or cut off; the others go where a sentinel says. After each failover the old primary returns
(started again, resumed, or reconnected), the group heals, and every acknowledged key is read
from the primary that is then.

  kill        kill -9 of the primary, started again as it was
  stop        SIGSTOP, resumed some time after another took over
  partition   the primary's host is cut off, its sentinel and writer with it; later joined again

"two primaries" is the time, in steps of 10 ms, in which two nodes acknowledged writes."""
import argparse
import ctypes
import multiprocessing
import os
import random
import select
import shutil
import signal
import subprocess
import tempfile
import time

import bench_strict
from bench_cluster import ROWS, Group, Host, choose_rows, until, why_not
from bench_stats import Load, number, p50, short, table
from bench_wire import Conn, Gone, ask

FAULTS = ("kill", "stop", "partition")
DEFAULT_ROWS = ("redis+redis", "kvorum+redis", "kvorum+kvnode", "kvorum-async", "kvorum-strict")
STEP_S = 0.01


def options(p):
    p.add_argument("--failovers", type=int, default=3, help="of each fault and row (3)")
    p.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(DEFAULT_ROWS))
    p.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    p.add_argument("--down-after", type=int, default=1000, metavar="MS")
    p.add_argument("--rate", type=int, default=300, help="writes a second of each writer at most (300)")
    p.add_argument("--stay", type=float, default=2.0, help="seconds that the old primary stays away after another took over (2)")
    p.add_argument("--rounds", type=int, default=5, help="interleaved rounds of the throughput table (5; 0: none)")
    p.add_argument("--each", action="store_true", help="a line for each failover")
    p.add_argument("--keep", action="store_true", help="keep logs and say where")


# --- hosts -------------------------------------------------------------------------------------

def ip(*words, check=True):
    r = subprocess.run(["ip"] + list(words), capture_output=True, text=True)
    if check and r.returncode != 0:
        raise RuntimeError("ip %s: %s" % (" ".join(words), r.stderr.strip()))
    return r.returncode == 0


class Net:
    """A bridge and three hosts on it: 10.213.<number>.1 to .3; we are .254."""

    def __init__(self, number):
        self.base, self.bridge = "10.213.%d." % number, "kvb%d" % number
        self.spaces = ["kvb%d-%d" % (number, i) for i in (1, 2, 3)]
        self.hosts = []
        self.close()
        ip("link", "add", self.bridge, "type", "bridge")
        ip("addr", "add", self.base + "254/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")
        for i, space in enumerate(self.spaces, 1):
            outer = "%s-%d" % (self.bridge, i)
            ip("netns", "add", space)
            ip("link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", space)
            ip("link", "set", outer, "master", self.bridge, "up")
            inside = ["netns", "exec", space, "ip"]
            ip(*inside, "addr", "add", "%s%d/24" % (self.base, i), "dev", "eth0")
            ip(*inside, "link", "set", "eth0", "up")
            ip(*inside, "link", "set", "lo", "up")
            self.hosts.append(Host("%s%d" % (self.base, i), ["ip", "netns", "exec", space], outer))

    def cut(self, host):
        ip("link", "set", host.link, "down")

    def join(self, host):
        ip("link", "set", host.link, "up")

    def close(self):
        for s in self.spaces:
            ip("netns", "del", s, check=False)
        ip("link", "del", self.bridge, check=False)


def enter(space):
    """This process moves into a network namespace."""
    fd = os.open("/var/run/netns/" + space, os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "setns " + space)
    os.close(fd)


# --- writers -------------------------------------------------------------------------------------

def write_on(space, name, sentinels, group, pause_s, pipe):
    """A process of its own. Orders by pipe: ("go", trial, stay) and ("tell",), which is answered with the acknowledgements."""
    enter(space)
    trial, stay, acks, n, c, at = None, False, [], 0, None, None
    while True:
        while pipe.poll(0 if trial is not None else None):
            order = pipe.recv()
            if order[0] == "end":
                return
            if order[0] == "go":
                trial, stay, acks = order[1], order[2], []
            elif order[0] == "tell":
                pipe.send(acks)
                trial = None
                if c:
                    c.close()
                c = None
        try:
            if c is None:
                for host, port in sentinels:
                    a = ask(port, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", group, host=host, timeout=0.15)
                    if isinstance(a, list) and len(a) == 2:
                        at = (a[0], int(a[1]))
                        c = Conn(at[1], at[0], 0.15)
                        break
            if c is not None:
                n += 1
                key = "%s:%d:%d" % (name, trial, n)
                if c.call("SET", key, n, timeout=30.0 if stay else 0.5) == "OK":
                    acks.append((time.monotonic(), key, "%s:%d" % at))
                    time.sleep(pause_s)
                    continue
        except Gone:
            pass
        if c:
            c.close()
        c = None
        time.sleep(0.002)


class Writer:
    def __init__(self, net, i, group, pause_s):
        self.pipe, theirs = multiprocessing.Pipe()
        own = [(s.host.ip, s.port) for s in group.sentinels]
        own = own[i:] + own[:i]                # the sentinel of the same host first, as a client would have it
        self.proc = multiprocessing.Process(target=write_on, daemon=True,
                                            args=(net.spaces[i], "w%d" % i, own, group.name, pause_s, theirs))
        self.proc.start()
        theirs.close()

    def go(self, trial, stay):
        self.pipe.send(("go", trial, stay))

    def tell(self):
        self.pipe.send(("tell",))
        if not self.pipe.poll(60):
            raise TimeoutError("a writer hangs")
        return self.pipe.recv()


# --- one failover ----------------------------------------------------------------------------------

def two_primaries_ms(acks):
    steps = {}
    for t, _, node in acks:
        steps.setdefault(int(t / STEP_S), set()).add(node)
    return 1000 * STEP_S * sum(1 for nodes in steps.values() if len(nodes) > 1)


def missing(node, keys):
    c, gone = node.conn(5.0), 0
    for i in range(0, len(keys), 500):
        gone += len(keys[i:i + 500]) - c.call("EXISTS", *keys[i:i + 500], timeout=10)
    c.close()
    return gone


def failover(g, net, writers, fault, trial, stay_s):
    old = until(g.primary, 20, "a primary")
    rest = [s for s in g.sentinels if s.host is not old.host]
    for w, h in zip(writers, net.hosts):
        w.go(trial, h is old.host)
    time.sleep(random.uniform(0.5, 1.5))
    t0 = time.monotonic()
    if fault == "kill":
        old.kill()
    elif fault == "stop":
        old.signal(signal.SIGSTOP)
    else:
        net.cut(old.host)
    try:
        until(lambda: all(g.primary_of(s) not in (None, old) for s in rest), 60, "%s: another primary after %s" % (g.row, fault), 0.01)
        outage = time.monotonic() - t0
        time.sleep(stay_s)
    finally:
        if fault == "kill":
            old.start()
        elif fault == "stop":
            old.signal(signal.SIGCONT)
        else:
            net.join(old.host)
    g.settle(120)
    time.sleep(0.3)
    acks = [a for w in writers for a in w.tell()]
    g.settle(60)
    primary = g.primary()
    lost = missing(primary, [k for _, k, _ in acks])
    times = sorted(t for t, _, _ in acks)
    gap = max((b - a for a, b in zip(times, times[1:]) if b > t0), default=0.0)
    primary.ask("FLUSHALL", timeout=10)
    return {"acked": len(acks), "lost": lost, "two": two_primaries_ms([a for a in acks if a[0] > t0]),
            "gap": gap * 1000, "outage": outage * 1000}


def run_row(row, number_, args, folder, pipe):
    """A process of its own for each row: counts, not times, so the rows may run at once."""
    net = g = None
    writers, out = [], []
    try:
        net = Net(number_)
        g = Group(folder, row, args.down_after, hosts=net.hosts)
        g.start()
        g.settle(90)
        writers = [Writer(net, i, g, 1.0 / args.rate) for i in range(3)]
        trial = 0
        for _ in range(args.failovers):
            for fault in args.faults:
                trial += 1
                r = failover(g, net, writers, fault, trial, args.stay)
                pipe.send(("one", row, fault, r))
        pipe.send(("end", row, None))
    except BaseException as e:
        pipe.send(("end", row, "%s: %s" % (type(e).__name__, e)))
    finally:
        for w in writers:
            w.proc.kill()
            w.proc.join()
        if g:
            g.close()
        if net:
            net.close()


# --- throughput ---------------------------------------------------------------------------------------

def throughput(args, say, folder):
    """Of three groups of the size measured above; `scripts/bench strict` has more of it."""
    if args.rounds == 0:
        return
    lacking = [w for w in map(why_not, bench_strict.ROWS) if w]
    if lacking:
        say("throughput of strict / async: not measured, %s\n" % lacking[0])
        return
    how = argparse.Namespace(rounds=args.rounds, seconds=2.0, clients=50, nodes=3, down_after=max(args.down_after, 2000))
    say(bench_strict.report(bench_strict.measure(os.path.join(folder, "throughput"), how, ["set"], [16]), ["set"], [16]) + "\n")


# --- the run ---------------------------------------------------------------------------------------------

def report(got, rows, faults):
    out = []
    for row in rows:
        for fault in faults:
            v = got.get((row, fault), [])
            if not v:
                continue
            lost = [x["lost"] for x in v]
            out.append([row, fault, len(v), sum(x["acked"] for x in v), sum(lost), number(max(lost)), number(p50(lost)),
                        short([x["two"] for x in v]), short([x["gap"] for x in v])])
    return table(["row", "fault", "failovers", "acknowledged", "lost", "lost: most at once", "p50", "two primaries ms",
                  "longest time without any acknowledgement ms"], out)


def main(args, say):
    if os.geteuid() != 0 or not shutil.which("ip"):
        say("scripts/bench loss: left out, it makes network namespaces and so needs root and iproute2")
        return 0
    rows, load = choose_rows(args.rows, say), Load()
    folder = tempfile.mkdtemp(prefix="kvorum-bench-")
    first = 1 + os.getpid() % 200
    running, got = {}, {}
    say("%d failovers of each of %s; down-after %d ms; 3 writers of %d writes/s at most" %
        (args.failovers, ", ".join(args.faults), args.down_after, args.rate))
    try:
        for i, row in enumerate(rows):
            ours, theirs = multiprocessing.Pipe()
            p = multiprocessing.Process(target=run_row, args=(row, first + i, args, folder, theirs))
            p.start()
            theirs.close()
            running[ours] = p
        while running:
            for pipe in select.select(list(running), [], [], 5)[0]:
                try:
                    m = pipe.recv()
                except EOFError:
                    m = ("end", "?", "its process ended")
                if m[0] == "one":
                    got.setdefault((m[1], m[2]), []).append(m[3])
                    if args.each:
                        say("%-14s %-10s %s" % (m[1], m[2], " ".join("%s=%s" % (k, number(v)) for k, v in m[3].items())))
                    continue
                if m[2]:
                    say("row %s ended early: %s" % (m[1], m[2]))
                    args.keep = True
                running.pop(pipe).join()
        say("\n" + report(got, rows, args.faults) + "\n")
        throughput(args, say, folder)
    finally:
        for p in running.values():
            p.terminate()
            p.join()
        if args.keep:
            say("logs: " + folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    say("%s." % load.text())
    return 0
