"""For how long nobody took writes in a failover of a formed group: what the event, the journal and the metric say, beside what a
client saw. The sentinel cannot know what a client needs to find the new address, so it may say less, and at most one heartbeat more."""
import threading
import time
import urllib.request

import pytest
import redis

from harness import free_port, wait_until

pytestmark = pytest.mark.alone
HEARTBEAT_MS = 200             # the longest time between two proofs of the old primary at down-after 1000, and some for a busy machine


class OneWriter:
    """Writes to whoever takes writes, asking nobody where: the gap between two acknowledged writes is the nodes' own."""

    def __init__(self, g):
        self.g, self.acks, self.stopping = g, [], False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        self.go_on()

    def run(self):
        links = {}
        while not self.stopping:
            for n in self.g.nodes:
                try:
                    k = links.setdefault(n.name, redis.Redis("127.0.0.1", n.port, socket_timeout=0.2, socket_connect_timeout=0.2, retry=None))
                    k.set("w", 1)
                    self.acks.append(time.monotonic())
                except (redis.exceptions.RedisError, OSError):
                    links.pop(n.name, None)
            time.sleep(0.002)

    def go_on(self):
        n = len(self.acks)
        wait_until(lambda: len(self.acks) > n + 20, 60, what="writes")

    def gap_ms(self, since):
        return 1000 * max(b - a for a, b in zip(self.acks, self.acks[1:]) if b > since)

    def stop(self):
        self.stopping = True
        self.thread.join(10)


def told(g):
    """Milliseconds of every +failover-outage, from the logs of all sentinels; None where it is not known."""
    found = [l.split("+failover-outage demo ")[1].split(" ")[0] for s in g.sentinels for l in s.log_text().splitlines() if "+failover-outage demo " in l]
    return [None if x == "unknown" else int(x) for x in found]


def metric(port, name):
    with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % port, timeout=10) as r:
        for line in r.read().decode().splitlines():
            if line.startswith(name + "{"):
                return float(line.rsplit(" ", 1)[1])
    return None


@pytest.mark.parametrize("how", ["kill", "hang", "planned"])
def test_what_is_told_is_what_a_client_saw(group, how):
    g = group(sentinels=0)
    ports = []
    for _ in range(3):
        ports.append(free_port())
        g.sentinel_lines = ["http-port %d" % ports[-1]]
        g.add_sentinel()
    g.wait_met().form("strict")
    g.wait_whole()
    w = OneWriter(g)
    old, since = g.primary(), time.monotonic()
    try:
        if how == "kill":
            old.kill()
        elif how == "hang":
            old.signal(19)                     # SIGSTOP
        else:
            assert g.order("FAILOVER", g.name) == "OK"
        g.wait_other_primary(old)
        w.go_on()
    finally:
        if how == "hang":
            old.signal(18)                     # SIGCONT
    w.stop()
    ms = wait_until(lambda: (told(g) or [None])[0], what="+failover-outage with a figure")
    gap = w.gap_ms(since)
    assert len(told(g)) == 1
    assert ms <= gap + HEARTBEAT_MS, (ms, gap)
    if how == "hang":
        assert ms >= 500, (ms, gap)            # it took that long to believe it
    line = next(l for s in g.sentinels for l in g.journal(s) if l.startswith("outage: ") or " outage: " in l)
    assert "nobody took writes for %d ms" % ms in line, line
    assert round(sum(metric(p, "kvorum_sentinel_failover_last_outage_seconds") or 0 for p in ports), 3) == round(ms / 1000, 3)
