"""A whole group is switched off in order and switched on again, everything at the same moment: it must be writable again by
itself, with all that was acknowledged. A sentinel that comes a little later than the others must not end, for what it remembers,
the epoch that they just began: the members are taking its copy, and until they have it only one memory counts."""
import random
import signal
import subprocess
import threading
import time

import pytest
import redis

from formed import FormedGroup
from harness import Yard, free_port, monitor_lines, wait_until

ROUNDS, ROUNDS_LONG = 4, 40


class Rack(FormedGroup):
    """Nodes that wait to be told, sentinels that form them by themselves: the way a chart or a unit file starts them."""

    def __init__(self, mode):
        self.yard, self.name, self.nodes, self.sentinels = Yard("kvorum-cold"), "demo", [], []
        ports = [free_port() for _ in range(3)]
        for i, port in enumerate(ports):
            name = "node%d" % (i + 1)
            self.nodes.append(self.yard.node(name, port=port, start=False, lines=[
                "state-dir " + self.state_dir(name), "ha-port %d" % free_port(), "ha-group demo", "save 3600 1", "shutdown-timeout 1"]))
        for i in range(3):
            name = "sentinel%d" % (i + 1)
            self.sentinels.append(self.yard.sentinel(name, start=False, lines=monitor_lines("demo", ports[0], 2, 1000) + [
                "sentinel known-replica demo 127.0.0.1 %d" % p for p in ports[1:]] + [
                "sentinel mode demo " + mode, "sentinel voters demo 3", "state-dir " + self.state_dir(name)]))

    def on(self, rng, within):
        every = self.nodes + self.sentinels
        rng.shuffle(every)
        for p in every:
            p.launch()
            time.sleep(rng.uniform(0, within / len(every)))

    def off(self, rng):
        """Somebody writes until the end, so that the primary has what its replicas no longer got: they need full copies of it."""
        def write(n=0):
            try:
                with self.primary_then.connect(socket_timeout=1, retry=None) as c:
                    while True:
                        n += 1
                        c.set("last", n)
            except (redis.exceptions.RedisError, OSError):
                return

        self.primary_then = self.primary()
        writer = threading.Thread(target=write)
        writer.start()
        every = self.nodes + self.sentinels
        rng.shuffle(every)
        every.sort(key=lambda p: p is self.primary_then)
        for p in every:
            p.signal(signal.SIGTERM)
            time.sleep(rng.uniform(0, 0.02))
        writer.join()
        for p in every:
            try:
                assert p.proc.wait(60) == 0, p.tail()
            except subprocess.TimeoutExpired:
                raise AssertionError("%s did not end\n%s" % (p.name, self.said()))

    def said(self):
        return "\n".join("== %s\n%s" % (p.name, p.tail(60)) for p in self.nodes + self.sentinels)


@pytest.mark.parametrize("mode", ["prefer", "strict"])
def test_everything_restarts_at_once(request, mode):
    seed = random.randrange(1 << 30)
    rng = random.Random(seed)
    g = Rack(mode)
    from conftest import _finish
    request.addfinalizer(lambda: _finish(request, [g.yard]))
    g.on(rng, 0)

    def write(n):
        p = g.primary()
        with p.connect(socket_timeout=3) as c:
            assert all(c.get("k%d" % i) for i in range(n)), "what was acknowledged is gone"
            return c.set("k%d" % n, "v" * 50)

    for n in range(ROUNDS_LONG if request.config.getoption("--long") else ROUNDS):
        began = time.monotonic()
        try:
            wait_until(lambda: write(n), 90, what="round %d, seed %d: the group to be writable by itself" % (n, seed))
        except AssertionError as e:
            raise AssertionError("%s\n%s" % (e, g.said()))
        print("round %d: writable after %.1f s" % (n, time.monotonic() - began))
        g.wait_whole(members=3)
        g.off(rng)
        g.on(rng, rng.choice([0, 0, 0.3, 0.6, 1]))
