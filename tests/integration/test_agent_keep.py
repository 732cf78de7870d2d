"""Documents that are kept true: handed over again after each start, let go of also when that happened while the agent was away."""
import os

from harness import wait_until
from agent_site import Site

DOC = "service:web"


def left(s):
    return os.listdir(os.path.join(s.agent.folder, "state", "applied", "service"))


def test_let_go_of_while_the_agent_was_away(yard):
    s = Site(yard)
    s.set("config:" + DOC, {"v": 1, "name": "web", "port": 8080, "ttl": "2s", "interval": "1s"})
    s.apply(DOC)
    s.wait_ack("ok", doc=DOC)
    wait_until(lambda: "state=up" in (s.c.hget("svcs:web", "n1") or ""), what="the instance")
    assert left(s) == ["web"]
    # It starts anew: handed over again, from the cache, and the same line stays.
    s.agent.kill()
    s.agent.start()
    wait_until(lambda: s.c.exists("lease:web:n1") and "state=up" in (s.c.hget("svcs:web", "n1") or ""), what="the instance again")
    # Its agent document names it no more while it is away: it drains and goes.
    s.agent.kill()
    s.apply()
    s.agent.start()
    wait_until(lambda: not s.c.hexists("svcs:web", "n1"), what="the instance to go")
    wait_until(lambda: left(s) == [], what="the agent to have heard that it is gone")
    # A directory that has no agent document at all ends nothing: absence is never applied.
    s.apply(DOC)
    wait_until(lambda: "state=up" in (s.c.hget("svcs:web", "n1") or ""), what="the instance once more")
    with open(s.agent.conf, "a") as f:
        f.write("controller no\n")             # nobody puts the document back
    s.agent.kill()
    s.c.delete("config:agent:default")
    s.agent.start()
    s.wait_ack("vanished", doc="agent:default")
    wait_until(lambda: s.c.exists("lease:web:n1"), what="the lease")
    assert "state=up" in s.c.hget("svcs:web", "n1") and left(s) == ["web"]
