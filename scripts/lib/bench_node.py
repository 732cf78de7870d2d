"""kvnode beside redis-server under the same client: CPU time of the server per operation
(user + system, all threads), operations per second, and memory per small key."""
import re
import shutil
import subprocess
import tempfile

from bench_cluster import Host, Program, find, free_port
from bench_stats import Load, number, ratio, short, table
from bench_wire import cpu_seconds

SERVERS = ("redis-server", "kvnode")


def options(p):
    p.add_argument("--rounds", type=int, default=5, help="interleaved rounds (5)")
    p.add_argument("--seconds", type=float, default=1.0, help="about how long one measurement takes (1)")
    p.add_argument("--keys", type=int, default=1000000, help="keys for memory per key (1000000)")
    p.add_argument("--pipeline", nargs="+", type=int, default=[1, 16, 64])
    p.add_argument("--tests", nargs="+", default=["set", "get"], choices=["set", "get", "hset", "incr"])
    p.add_argument("--clients", type=int, default=50)


def start(folder, name):
    port = free_port()
    lines = ["port %d" % port, "bind 127.0.0.1", 'save ""', "dir %s/%s" % (folder, name), "enable-debug-command yes"]
    return Program(name, find(name), lines, folder, port, Host()).start()


def load(server, test, pipeline, clients, n, keys):
    """(operations per second, CPU microseconds per operation)"""
    before = cpu_seconds(server.pid)
    r = subprocess.run([find("redis-benchmark"), "-p", str(server.port), "-t", test, "-P", str(pipeline), "-c", str(clients),
                        "-n", str(n), "-r", str(keys), "-d", "16", "--csv"], capture_output=True, text=True, check=True)
    spent = cpu_seconds(server.pid) - before
    last = r.stdout.strip().splitlines()[-1].replace('"', "").split(",")      # test, operations per second, latencies
    return float(last[1]), spent * 1e6 / n


def resident(pid):
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS"))


def fill(server, n):
    """n keys of 16 bytes with values of 16 bytes: bytes per key, resident and as the server counts."""
    before = resident(server.pid), used(server)
    c = server.conn()
    for i in range(0, n, 10000):
        words = []
        for k in range(i, min(n, i + 10000)):
            words += ["key:%012d" % k, "value:%010d" % k]
        c.call("MSET", *words, timeout=30)
    c.close()
    return (resident(server.pid) - before[0]) / n, (used(server) - before[1]) / n


def used(server):
    text = server.ask("INFO", "memory") or ""
    m = re.search(r"used_memory:(\d+)", text)
    return int(m.group(1)) if m else 0


def main(args, say):
    folder, watch = tempfile.mkdtemp(prefix="kvorum-bench-"), Load()
    rate, cpu, mem = {}, {}, {}
    servers = []
    try:
        servers = [start(folder, s) for s in SERVERS]
        for s in servers:
            mem[s.name] = fill(s, args.keys)
        say("%d interleaved rounds, %d clients, values of 16 bytes, %d keys; redis-benchmark loads both" %
            (args.rounds, args.clients, args.keys))
        size = {}
        for i in range(args.rounds + 1):           # round 0 finds the sizes and warms up
            for test in args.tests:
                for p in args.pipeline:
                    for s in servers if i % 2 else servers[::-1]:
                        n = size.get((test, p), 40000 if p == 1 else 200000)
                        ops, us = load(s, test, p, args.clients, n, args.keys)
                        if i == 0:
                            size[test, p] = max(size.get((test, p), 0), int(ops * args.seconds))
                        else:
                            rate.setdefault((test, p, s.name), []).append(ops / 1000)
                            cpu.setdefault((test, p, s.name), []).append(us)
    finally:
        for s in servers:
            s.stop()
        shutil.rmtree(folder, ignore_errors=True)
    rows = []
    for test in args.tests:
        for p in args.pipeline:
            a, b = SERVERS
            rows.append([test.upper(), p] + [short(cpu[test, p, s]) for s in SERVERS] + [ratio(cpu[test, p, b], cpu[test, p, a])] +
                        [short(rate[test, p, s]) for s in SERVERS] + [ratio(rate[test, p, b], rate[test, p, a])])
    say(table(["test", "-P"] + ["%s CPU us/op" % s for s in SERVERS] + ["ratio"] + ["%s kops/s" % s for s in SERVERS] + ["ratio"], rows))
    say()
    rows = [[what] + [number(mem[s][i]) for s in SERVERS] + ["x%.2f" % (mem["kvnode"][i] / mem["redis-server"][i])]
            for i, what in enumerate(("resident bytes per key", "used_memory per key"))]
    say(table(["%d keys of 16 + 16 bytes" % args.keys] + list(SERVERS) + ["ratio"], rows))
    say("\nmin / p50 / p99 (spread). %s." % watch.text())
    return 0
