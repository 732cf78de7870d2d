"""What the agent boots from when the directory is away: what is in force, never what was refused, never something older."""
import os

from conftest import need
from harness import wait_until
from agent_site import Site, line, script


def away(s):
    """No directory, no agent; then the agent alone."""
    s.node.kill()
    s.agent.kill()


def journal_is_empty(s):
    return os.listdir(os.path.join(s.agent.folder, "state", "journal", "files")) == []


def test_a_crash_after_the_swap_does_not_go_back(yard):
    """The new file is in place, its commit is not: the cache still holds the version before."""
    need("strace")
    s = Site(yard)
    s.basic(7001)
    s.wait_text(line(7001))
    s.wait_ack("ok")
    s.agent.stop()
    s.redis_doc(7002)
    # The first fdatasync is the journal's "swapping", the second its "committed".
    run = s.traced("fdatasync", "signal=KILL:when=2")
    run.wait(60)
    assert s.text() == line(7002) and not journal_is_empty(s)
    s.node.kill()
    s.agent.start()
    wait_until(lambda: journal_is_empty(s), what="the crash to be dealt with")
    wait_until(lambda: s.stats()["directory_state"] != "live")
    assert s.text() == line(7002)
    os.unlink(s.path())                       # and again, from a cache that is older than what is in force
    s.agent.stop()
    s.agent.start()
    wait_until(lambda: s.stats(), what="the agent to answer")
    assert s.text() is None                   # it does not know how 7002 was made, and 7001 it does not bring back
    s.no_leftovers()


def test_what_was_refused_is_not_cached(yard):
    bad = script(yard, "never", "exit 1\n")
    s = Site(yard, agent_lines=["allow-command " + bad])
    s.basic(7001)
    s.wait_text(line(7001))
    s.wait_ack("ok")
    s.redis_doc(7002)
    s.wait_text(line(7002))
    s.files_doc(check=[[bad]])
    s.redis_doc(7003)
    s.wait_ack("check_failed")
    away(s)
    os.unlink(s.path())
    s.agent.start()
    s.wait_text(line(7002))                   # the last that was in force
    wait_until(lambda: journal_is_empty(s), what="its commit")
    s.no_leftovers()


def test_a_torn_cache_is_dropped_alone(yard):
    s = Site(yard)
    s.basic(7001)
    s.wait_text(line(7001))
    s.wait_ack("ok")
    away(s)
    with open(os.path.join(s.agent.folder, "state", "cache", "files", "demo"), "r+b") as f:
        f.truncate(40)
    s.agent.start()
    wait_until(lambda: s.stats(), what="the agent to answer")
    assert s.text() == line(7001) and "is damaged" in s.agent.log_text()
