"""More bytes than the agent's link takes in one answer (64 MiB for all that it reads): said once, asked for again in peace, and
over as soon as the documents are smaller again. What was in force stays, also through a restart."""
import json

from agent_site import Site, line
from harness import wait_until

BIG = 65 << 20


def said(s):
    return [l for l in s.agent.log_text().splitlines() if "are not taken" in l]


def test_more_than_a_link_takes(yard):
    s = Site(yard, agent_lines=["resync-interval 1s", "quiesce-min 0", "controller no"])
    s.basic()
    s.wait_text(line(7001))
    s.set("config:files:big", '{"a":"' + "x" * BIG + '"}')
    s.apply("files:demo", "files:big")
    wait_until(lambda: said(s), 60, what="a word about it")
    assert "64 MiB" in said(s)[0] and "in force" in said(s)[0]
    # It goes on asking, at the pace of resyncs, and says nothing more.
    at = int(s.stats()["connects"])
    wait_until(lambda: int(s.stats()["connects"]) >= at + 2, 120, what="further tries")
    assert len(said(s)) == 1 and s.text() == line(7001)
    # A new connection that reads has a new one that listens: it is still told of changes.
    wait_until(lambda: s.stats()["directory_rung"] == "tracking", 60, what="tracking, not polling")
    s.agent.kill()
    s.agent.start()
    assert s.text() == line(7001)
    wait_until(lambda: len(said(s)) == 2, 60, what="a word about it after the start")
    # The document becomes small: refused for what it is, and the others are heard again.
    s.set("config:files:big", json.dumps({"a": "x"}))
    s.wait_ack("invalid", doc="files:big", sha_of="config:files:big", timeout=60)
    s.redis_doc(7002)
    s.wait_text(line(7002))
    # Again; this time it is taken out of the agent's document.
    s.set("config:files:big", "x" * BIG)
    wait_until(lambda: len(said(s)) == 3, 60, what="a word about it")
    s.apply("files:demo")
    s.redis_doc(7003)
    s.wait_text(line(7003), timeout=60)


def test_resync_asks_again_at_once(yard):
    s = Site(yard, agent_lines=["resync-interval 1h", "quiesce-min 0", "controller no"])
    s.basic()
    s.wait_text(line(7001))
    s.set("config:files:big", '{"a":"' + "x" * BIG + '"}')
    s.apply("files:demo", "files:big")
    wait_until(lambda: said(s), 60, what="a word about it")
    wait_until(lambda: s.stats()["directory_rung"] == "tracking", 60, what="the new connection")
    s.set("config:files:big", "{}")
    s.basic(7002)
    with s.agent.connect() as c:
        c.execute_command("AGENT", "RESYNC")
    wait_until(lambda: s.text() == line(7002), 60, what="the new document")
