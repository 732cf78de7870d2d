"""What it costs to answer only what is confirmed: redis-benchmark against the primary of a plain, an
async and a strict group of kvnodes, three groups of the same size on this machine, measured in turns.
A strict group answers when one other member has the write (k = 1); reads wait for what they saw.

"against async" compares neighbours: each strict figure with the async figure measured just before or
after it, so that what else the machine did meanwhile is in both."""
import re
import shutil
import subprocess
import tempfile

from bench_cluster import Group, find, why_not
from bench_stats import Load, p50, quantile, short, table
from bench_wire import cpu_seconds

ROWS = ("kvorum+kvnode", "kvorum-async", "kvorum-strict")
NAMES = {"kvorum+kvnode": "plain", "kvorum-async": "async", "kvorum-strict": "strict"}


def options(p):
    p.add_argument("--rounds", type=int, default=5, help="rounds of all three groups (5)")
    p.add_argument("--seconds", type=float, default=2.0, help="about how long one measurement takes (2)")
    p.add_argument("--pipeline", nargs="+", type=int, default=[1, 16, 64])
    p.add_argument("--tests", nargs="+", default=["set", "get"], choices=["set", "get", "incr", "hset"])
    p.add_argument("--clients", type=int, default=50)
    p.add_argument("--nodes", type=int, default=2, choices=[2, 3], help="data nodes of each group (2)")
    p.add_argument("--down-after", type=int, default=2000, metavar="MS")


def load(node, test, pipeline, clients, n):
    """(thousand operations per second, p50 latency ms, CPU us of the node per operation)"""
    before = cpu_seconds(node.pid)
    r = subprocess.run([find("redis-benchmark"), "-h", node.host.ip, "-p", str(node.port), "-t", test, "-P", str(pipeline), "-c", str(clients),
                        "-n", str(n), "-r", "100000", "--csv"], capture_output=True, text=True)
    spent = cpu_seconds(node.pid) - before
    m = re.findall(r'^"[A-Z]+","([0-9.]+)","[0-9.]+","[0-9.]+","([0-9.]+)"', r.stdout, re.M)
    if not m:
        raise RuntimeError("redis-benchmark against %s: %s" % (node.name, (r.stdout + r.stderr).strip()[-300:]))
    return float(m[-1][0]) / 1000, float(m[-1][1]), spent * 1e6 / n


def measure(folder, args, tests, pipelines):
    """{(test, pipeline, row): [figures of load, one for each round]}"""
    groups, got, size = [], {}, {}
    try:
        groups = [Group(folder, r, args.down_after, nodes=args.nodes) for r in ROWS]
        for g in groups:
            g.start()
        for g in groups:
            g.settle()
        for i in range(args.rounds + 1):           # round 0 finds the sizes and warms up
            for test in tests:
                for p in pipelines:
                    for g in groups if i % 2 else groups[::-1]:
                        figures = load(g.primary(), test, p, args.clients, size.get((test, p), 50000 if p == 1 else 300000))
                        if i:
                            got.setdefault((test, p, g.row), []).append(figures)
                        elif g.row == "kvorum-async":
                            size[test, p] = max(20000, int(figures[0] * 1000 * args.seconds))
    finally:
        for g in groups:
            g.close()
    return got


def against(got, test, p, row, base):
    """row / base in each round: p50 (least .. most)"""
    v = [a[0] / b[0] for a, b in zip(got[test, p, row], got[test, p, base])]
    return "x%.2f (%.2f .. %.2f)" % (p50(v), quantile(v, 0), max(v))


def report(got, tests, pipelines):
    rows = []
    for test in tests:
        for p in pipelines:
            rows.append([test.upper(), p] + [short([x[0] for x in got[test, p, r]]) for r in ROWS] +
                        [against(got, test, p, "kvorum-strict", "kvorum-async"), against(got, test, p, "kvorum-strict", "kvorum+kvnode")] +
                        [" / ".join("%.2f" % p50([x[i] for x in got[test, p, r]]) for r in ROWS) for i in (1, 2)])
    return table(["test", "-P"] + ["%s kops/s" % NAMES[r] for r in ROWS] +
                 ["strict / async", "strict / plain", "latency p50 ms (plain / async / strict)", "CPU us/op of the primary"], rows)


def main(args, say):
    lacking = [w for w in map(why_not, ROWS) if w]
    if lacking:
        say("scripts/bench strict: %s" % lacking[0])
        return 1
    folder, watch = tempfile.mkdtemp(prefix="kvorum-bench-"), Load()
    say("%d rounds, %d clients, %d data nodes in each group, k = 1" % (args.rounds, args.clients, args.nodes))
    try:
        say("\n" + report(measure(folder, args, args.tests, args.pipeline), args.tests, args.pipeline))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    say("\nmin / p50 / p99 (spread). %s." % watch.text())
    return 0
