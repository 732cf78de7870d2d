"""What scripts/adopt-demo runs. See scripts/adopt-demo --help."""
import argparse
import os
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "integration"))

GROUP = "mymaster"


def arguments():
    p = argparse.ArgumentParser(prog="scripts/adopt-demo")
    p.add_argument("--rate", type=int, default=200)
    p.add_argument("--bin")
    return p.parse_args()


ARGS = arguments() if __name__ == "__main__" else None
if ARGS and ARGS.bin:
    os.environ["KVORUM_BIN"] = os.path.abspath(ARGS.bin)

import redis  # noqa: E402
import redis.sentinel  # noqa: E402
from harness import Cluster, find, wait_until  # noqa: E402


class Client(threading.Thread):
    """Commands one after the other through the sentinels; what fails is noted, never repeated. Every so often all
    connections are dropped, so that the sentinels are asked again while they are replaced."""

    def __init__(self, name, ports, rate, command, replica=False):
        super().__init__(daemon=True, name=name)
        s = redis.sentinel.Sentinel(ports, socket_timeout=1)
        make = s.slave_for if replica else s.master_for
        self.redis = make(GROUP, socket_timeout=1, retry_on_timeout=False, decode_responses=True)
        self.rate, self.command, self.ok, self.failed, self.done, self.n = rate, command, [], [], False, 0

    def run(self):
        next_at = time.monotonic()
        while not self.done:
            self.n += 1
            if self.n % 50 == 0:
                self.redis.connection_pool.disconnect()
            try:
                self.command(self.redis, self.n)
                self.ok.append(time.monotonic())
            except (redis.exceptions.RedisError, OSError) as e:
                self.failed.append((time.monotonic(), "%s: %s" % (type(e).__name__, e)))
            next_at = max(next_at + 1.0 / self.rate, time.monotonic() - 1)
            time.sleep(max(0.0, next_at - time.monotonic()))

    def failures(self, since=None, until=None):
        return [f for f in self.failed if (since is None or f[0] >= since) and (until is None or f[0] <= until)]


def knows_all(sentinel, peers):
    with sentinel.connect() as c:
        m = c.sentinel_master(GROUP)
        others = c.sentinel_sentinels(GROUP)
        return (m["flags"] in ("master", {"master"}) or m["is_master"]) and int(m["num-slaves"]) == 2 and \
            int(m["num-other-sentinels"]) == 2 and {int(o["port"]) for o in others} == peers and \
            not any(o["is_sdown"] or o["is_disconnected"] for o in others)


def replace(cluster, s, say):
    """One redis-sentinel goes, a kvorum-sentinel takes its place, its file and its port."""
    with s.connect() as c:
        before = c.execute_command("SENTINEL", "MYID")
    s.stop()
    s.program = find("kvorum-sentinel")
    s.args = []
    s.start()
    with s.connect() as c:
        after = c.execute_command("SENTINEL", "MYID")
    assert before == after, "%s took another id: %s, then %s" % (s.name, before, after)
    for one in cluster.sentinels:
        peers = {o.port for o in cluster.sentinels if o is not one}
        wait_until(lambda: knows_all(one, peers), 60, what="%s to know everybody" % one.name)
    say("%s is kvorum-sentinel now: same file, same id %s, knows 2 replicas and 2 sentinels" % (s.name, after[:8]))


def run(rate, say):
    cluster = Cluster(nodes=3, engine="redis-server", group=GROUP, down_after=2000, label="kvorum-adopt",
                      sentinel_engines=["redis-sentinel"] * 3)
    clients = []
    try:
        cluster.wait_settled(60)
        pids = {n.name: n.pid for n in cluster.nodes}
        ports = cluster.sentinel_ports()
        say("3 redis-server and 3 redis-sentinel serve on loopback (primary: port %d)" % cluster.primary().port)
        clients = [Client("writer", ports, rate, lambda r, n: r.set("key:%d" % (n % 1000), n)),
                   Client("reader", ports, rate, lambda r, n: r.get("key:%d" % (n % 1000))),
                   Client("replica reader", ports, rate, lambda r, n: r.get("key:%d" % (n % 1000)), replica=True)]
        for c in clients:
            c.start()
        wait_until(lambda: all(len(c.ok) > rate for c in clients), 30, what="the clients to be at work")
        for s in cluster.sentinels:
            replace(cluster, s, say)
            marks = [len(c.ok) for c in clients]
            wait_until(lambda: all(len(c.ok) > m + rate for c, m in zip(clients, marks)), 30, what="a second of work")
        assert pids == {n.name: n.pid for n in cluster.nodes if n.is_alive()}, "a data node was restarted"
        before = sum(len(c.failed) for c in clients)
        done = sum(len(c.ok) for c in clients)
        say("all three replaced, the data nodes were not touched: %d commands answered, %d failed" % (done, before))

        old, killed = cluster.primary(), time.monotonic()
        old.kill()
        new = cluster.wait_new_primary(old, 60)
        cluster.nodes.remove(old)
        cluster.wait_roles(60)
        marks = [len(c.ok) for c in clients]
        wait_until(lambda: all(len(c.ok) > m for c, m in zip(clients, marks)), 30, what="every client to be served again")
        over = time.monotonic()
        first = next(t for t in clients[0].ok if t > killed + 0.001 and t > max([f[0] for f in clients[0].failed] or [0]))
        during = sum(len(c.failures(killed, over)) for c in clients)
        marks = [len(c.ok) for c in clients]
        wait_until(lambda: all(len(c.ok) > m + 2 * rate for c, m in zip(clients, marks)), 30, what="two more seconds of work")
        for c in clients:
            c.done = True
        for c in clients:
            c.join(5)
        outside = [(c.name, t, why) for c in clients for t, why in c.failed if not killed <= t <= over]
        say("kill -9 of the primary (port %d): port %d leads, first write accepted after %.0f ms, everybody follows after %.0f ms" %
            (old.port, new.port, (first - killed) * 1000, (over - killed) * 1000))
        say("failed commands during the failover: %d" % during)
        say("failed commands outside the failover: %d of %d" % (len(outside), sum(len(c.ok) + len(c.failed) for c in clients)))
        for name, t, why in outside[:10]:
            say("    %s at %+.2f s: %s" % (name, t - killed, why))
        return len(outside)
    finally:
        for c in clients:
            c.done = True
        cluster.close()


def main():
    for program in ("redis-server", "redis-sentinel", "kvorum-sentinel"):
        if not find(program):
            print("scripts/adopt-demo: %s is not there" % program, file=sys.stderr)
            return 2
    began = time.monotonic()
    return 1 if run(ARGS.rate, lambda text: print("%6.1f s  %s" % (time.monotonic() - began, text), flush=True)) else 0


if __name__ == "__main__":
    sys.exit(main())
