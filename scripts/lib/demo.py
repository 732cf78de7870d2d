"""What scripts/demo runs once everything is built. See scripts/demo --help."""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "integration"))
import redis  # noqa: E402
from harness import Cluster, wait_until  # noqa: E402

GROUP = "demo"
SHOWN = ("+sdown", "+odown", "+new-epoch", "+try-failover", "+vote-for-leader", "+elected-leader", "+selected-slave",
         "+promoted-slave", "+switch-master", "-failover-abort-not-elected", "-failover-abort-no-good-slave")


class Watch(threading.Thread):
    """Every event of every sentinel, with the moment it arrived."""

    def __init__(self, sentinels):
        super().__init__(daemon=True)
        self.events, self.subs = [], []
        for s in sentinels:
            p = redis.Redis("127.0.0.1", s.port, decode_responses=True).pubsub(ignore_subscribe_messages=True)
            p.psubscribe("*")
            self.subs.append((s.name, p))

    def run(self):
        import selectors
        sel = selectors.DefaultSelector()
        for name, p in self.subs:
            p.get_message(timeout=1)
            sel.register(p.connection._sock, selectors.EVENT_READ, (name, p))
        while True:
            for key, _ in sel.select():
                name, p = key.data
                try:
                    while True:
                        m = p.get_message(timeout=0)
                        if m is None:
                            break
                        self.events.append((time.monotonic(), name, m["channel"], m["data"]))
                except (redis.exceptions.RedisError, OSError):
                    sel.unregister(key.fileobj)


class Writer:
    """scripts/lib/writer.py as a process of its own, and what it noted."""

    def __init__(self, folder, ports):
        self.path = os.path.join(folder, "writer.txt")
        self.proc = subprocess.Popen(["/usr/bin/python3", os.path.join(TOP, "scripts", "lib", "writer.py"), GROUP, self.path] +
                                     [str(p) for p in ports], stdin=subprocess.PIPE)

    def lines(self):
        if not os.path.exists(self.path):
            return []
        with open(self.path) as f:
            return [w for w in (line.split() for line in f) if len(w) == 3]

    def acks(self):
        return [(int(n), float(t)) for what, n, t in self.lines() if what == "ok"]

    def first_ack_after(self, t):
        return next((at for _, at in self.acks() if at > t), None)

    def outage_around(self, t):
        """From the last acknowledgement before t to the first one that a new primary gave."""
        acks = [at for _, at in self.acks()]
        before = max((a for a in acks if a <= t), default=None)
        gap = max(((b - a, a, b) for a, b in zip(acks, acks[1:]) if b > t and a >= (before or 0)), default=None)
        return gap

    def stop(self):
        if self.proc.stdin:
            self.proc.stdin.close()
            self.proc.stdin = None
        self.proc.wait(10)

    def kill(self):
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()


def say(text=""):
    print(text, flush=True)


def fail(text):
    say("FAILED: " + text)
    return 1


def get_config(conn, kind, component):
    return json.loads(conn.get("config:%s:%s" % (kind, component)) or "{}")


def set_config(conn, kind, component, config):
    conn.set("config:%s:%s" % (kind, component), json.dumps(config))


def rendered(folder, agent):
    try:
        with open(os.path.join(folder, agent.name, "files", "app.conf")) as f:
            return f.read()
    except OSError:
        return ""


def digests(cluster):
    """One digest of all data for every node (DEBUG DIGEST: order-free, expiry included)."""
    out = {}
    for n in cluster.nodes:
        with n.connect() as c:
            out[n.name] = c.execute_command("DEBUG", "DIGEST")
    return out


def start(args, folder):
    engine = "kvnode" if args.engine == "kvnode" else "redis-server"
    say("starting 3 x %s, 3 x kvorum-sentinel, 3 x kvorum-agent in %s" % (engine, folder))
    cluster = Cluster(nodes=3, sentinels=3, engine=engine, group=GROUP, down_after=5000, folder=folder,
                      sentinel_lines=["sentinel directory %s %s" % (GROUP, GROUP)])
    cluster.wait_settled()
    primary = cluster.primary()
    with primary.connect() as c:
        set_config(c, "redis", GROUP, {"host": "127.0.0.1", "port": primary.port, "db": 0})
        set_config(c, "files", GROUP, {
            "v": 1,
            "files": [{"root": "files", "path": "app.conf", "mode": "0644", "engine": "mustache", "escape": "none",
                       "template": "redis = {{cfg.host}}:{{cfg.port}}\n", "data": {"cfg": "config:redis:" + GROUP}}]})
        set_config(c, "agent", "default", {"v": 1, "apply": ["files:" + GROUP]})
        c.wait(2, 10000)         # on the replicas too before anything is broken

    def agent_lines(i, name):
        files = os.path.join(folder, name, "files")
        os.makedirs(files, exist_ok=True)
        return ["root files " + files] + ["directory-sentinel 127.0.0.1 %d" % s.port for s in cluster.sentinels] + \
               ["directory-group " + GROUP]

    cluster.add_agents(3, agent_lines)
    want = "redis = 127.0.0.1:%d\n" % primary.port
    wait_until(lambda: all(rendered(folder, a) == want for a in cluster.agents), 20,
               what="three rendered files with %r" % want)
    say("each agent rendered app.conf: %s" % want.strip())
    for n in cluster.nodes:
        say("  %-6s 127.0.0.1:%d  %s" % (n.name, n.port, "primary" if n is primary else "replica"))
    for s in cluster.sentinels:
        say("  %-10s 127.0.0.1:%d" % (s.name, s.port))
    say()
    return cluster


def timeline(t0, watch, notes):
    """The first time each kind of event was seen, from the kill on."""
    rows, seen = list(notes), set()
    for at, who, channel, data in watch.events:
        if at < t0 or channel not in SHOWN or (channel, data) in seen:
            continue
        if channel in ("+sdown", "+odown") and " master " not in " " + data and not data.startswith("master "):
            continue
        if channel in ("+sdown", "+odown", "+switch-master", "+promoted-slave", "+selected-slave") and channel in {c for c, _ in seen}:
            continue
        seen.add((channel, data))
        rows.append((at, who, channel + " " + data))
    for at, who, text in sorted(rows):
        say("  %8.1f ms  %-10s %s" % ((at - t0) * 1000, who, text))


def one_round(cluster, writer, watch, folder, verbose):
    """Kill the primary with -9; returns (outage in seconds, the primary that was)."""
    old = cluster.primary()
    acked = len(writer.acks())
    wait_until(lambda: len(writer.acks()) > acked + 50, 20, what="the client to write")
    t0 = time.monotonic()
    old.kill()
    if verbose:
        say("killed %s (127.0.0.1:%d, the primary) with -9" % (old.name, old.port))
    new = cluster.wait_new_primary(old)
    t_back = wait_until(lambda: writer.first_ack_after(t0 + 0.0005) and writer.outage_around(t0), 20, every=0.01,
                        what="writes to go on")
    want = "redis = 127.0.0.1:%d\n" % new.port
    notes = []

    def config_moved():
        with new.connect() as c:
            return get_config(c, "redis", GROUP).get("port") == new.port

    wait_until(config_moved, 20, every=0.002, what="config:redis:%s with the new address" % GROUP)
    notes.append((time.monotonic(), "directory", "config:redis:%s says 127.0.0.1:%d" % (GROUP, new.port)))
    for a in cluster.agents:
        wait_until(lambda: rendered(folder, a) == want, 20, every=0.002, what="%s to render %r" % (a.name, want))
        at = os.stat(os.path.join(folder, a.name, "files", "app.conf")).st_mtime
        notes.append((at - time.time() + time.monotonic(), a.name, "app.conf says " + want.strip()))
    wait_until(lambda: len([1 for _, at in writer.acks() if at > t_back[2]]) > 50, 20, what="more writes")
    gap = writer.outage_around(t0)
    notes.append((gap[1], "client", "last write acknowledged by the old primary"))
    notes.append((gap[2], "client", "first write acknowledged by the new primary (127.0.0.1:%d)" % new.port))
    if verbose:
        notes.append((t0, "demo", "kill -9"))
        time.sleep(0.3)          # so that what the other sentinels say is in the picture too
        timeline(t0, watch, notes)
        say()
    old.start()
    cluster.wait_roles(60)
    if verbose:
        say("%s was started again and is a replica of 127.0.0.1:%d" % (old.name, new.port))
    return gap[0], old


def check_data(cluster, writer):
    """Stops the client; compares all nodes; counts acknowledged writes that are not there."""
    writer.stop()
    primary = cluster.primary()
    offset = lambda n: int(n.info("replication").get("slave_repl_offset" if n is not primary else "master_repl_offset"))
    wait_until(lambda: len({offset(n) for n in cluster.nodes}) == 1, 20, what="replicas to catch up")
    wait_until(lambda: len(set(digests(cluster).values())) == 1, 20, what="equal digests: %r" % digests(cluster))
    d = digests(cluster)
    acks = [n for n, _ in writer.acks()]
    lost = 0
    with primary.connect() as c:
        for i in range(0, len(acks), 500):
            part = acks[i:i + 500]
            values = c.mget(["demo:%d" % n for n in part])
            lost += sum(1 for n, v in zip(part, values) if v != "value-%d" % n)
    return next(iter(d.values())), len(acks), lost


def main():
    ap = argparse.ArgumentParser(prog="scripts/demo")
    ap.add_argument("--engine", choices=("kvnode", "redis"), default="kvnode")
    ap.add_argument("--rounds", type=int, default=1)
    ap.add_argument("--stay", action="store_true")
    args = ap.parse_args()
    if args.rounds < 1 or args.rounds > 1000:
        ap.error("--rounds takes 1 to 1000")
    folder = tempfile.mkdtemp(prefix="kvorum-demo-")
    cluster = writer = None
    rc = 1
    signal.signal(signal.SIGTERM, lambda *a: sys.exit(143))
    try:
        cluster = start(args, folder)
        watch = Watch(cluster.sentinels)
        watch.start()
        writer = Writer(folder, [s.port for s in cluster.sentinels])
        wait_until(lambda: len(writer.acks()) > 100, 20, what="the client's first writes")
        say("a python3-redis client writes through the sentinels; down-after-milliseconds is 5000")
        outages = []
        for i in range(args.rounds):
            outage, old = one_round(cluster, writer, watch, folder, verbose=args.rounds == 1)
            outages.append(outage * 1000)
            if args.rounds > 1:
                say("round %2d: %s killed, write outage %6.1f ms" % (i + 1, old.name, outage * 1000))
        digest, acked, lost = check_data(cluster, writer)
        say("data is equal on all nodes (digest %s)" % digest[:16])
        say("config:redis:%s = %s" % (GROUP, json.dumps(get_config(cluster.primary().connect(), "redis", GROUP))))
        say("writes acknowledged: %d, of those lost: %d" % (acked, lost))
        if args.rounds > 1:
            say("write outage after kill -9: min %.1f ms, median %.1f ms, max %.1f ms (%d rounds)" %
                (min(outages), statistics.median(outages), max(outages), len(outages)))
        else:
            say("write outage after kill -9: %.1f ms" % outages[0])
        say("OK")
        rc = 0
        if args.stay:
            say("the cluster stays: %s -s 127.0.0.1:%d status" %
                (os.path.join(TOP, "build/release/bin/kvorumctl"), cluster.sentinels[0].port))
            try:
                input("Enter ends it. ")
            except EOFError:
                pass
    except (AssertionError, redis.exceptions.RedisError, OSError) as e:
        rc = fail(str(e))
        keep = os.path.join(TOP, "build", "demo-logs")
        if cluster:
            shutil.rmtree(keep, ignore_errors=True)
            cluster.yard.keep_logs(keep)
            say("logs of all programs: " + keep)
    except KeyboardInterrupt:
        rc = 130
    finally:
        if writer:
            writer.kill()
        if cluster:
            cluster.close()
        shutil.rmtree(folder, ignore_errors=True)
    return rc


if __name__ == "__main__":
    sys.exit(main())
