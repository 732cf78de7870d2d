"""Documents of type node: settings of the data node, set together, read back, corrected, taken back; and every way to fail."""
import json
import os
import random
import socket
import threading
import time

import pytest
import redis
from conftest import need
from harness import wait_until
from agent_site import ENGINES, Site, converged_soon

DOC = "node:stat"


class Beside(Site):
    """A directory, a data node, and the agent beside that node."""

    def __init__(self, yard, engine="redis-server", beside_lines=(), agent_lines=(), start=True, port=None, **more):
        need(engine)
        self.beside = yard.node("beside", engine, beside_lines)
        self.n = self.beside.connect()
        super().__init__(yard, "redis-server", agent_lines=["node 127.0.0.1 %d" % (port or self.beside.port)] + list(agent_lines),
                         start=start, **more)

    def settings(self, *names):
        return [self.n.config_get(n)[n] for n in names]

    def node_doc(self, set, **more):
        self.set("config:" + DOC, dict({"v": 1, "set": set}, **more))

    def basic_node(self, set, **more):
        self.node_doc(set, **more)
        self.apply(DOC)

    def wait(self, st, timeout=40, also=lambda a: True):
        return self.wait_ack(st, doc=DOC, sha_of="config:" + DOC, timeout=timeout, also=also)

    def no_journal(self):
        return os.listdir(os.path.join(self.agent.folder, "state", "journal", "node")) == []

    def sets(self):
        """How many CONFIG SET the node has had."""
        return self.n.info("commandstats").get("cmdstat_config|set", {}).get("calls", 0)


def numbers(port):
    return {"maxmemory": str(port << 20), "maxclients": str(port)}


@pytest.mark.parametrize("engine", ENGINES)
def test_settings_are_set_read_back_and_corrected(yard, engine):
    s = Beside(yard, engine, agent_lines=["resync-interval 500ms"])
    s.basic_node({"maxmemory": "2gb", "MaxClients": "777", "timeout": "30"})
    a = s.wait("ok")
    assert a["err"] == "" and a["diff"]["+"] == 3
    assert s.settings("maxmemory", "maxclients", "timeout") == [str(2 << 30), "777", "30"]
    before = s.sets()
    wait_until(lambda: s.no_journal() and s.stats()["documents_ok"] == 1, what="the end of it")
    # Nothing differs: "2gb" is what the node calls 2147483648, and nothing is set again.
    s.wait_resyncs(1)
    seq = s.ack(DOC)["seq"]
    s.wait_resyncs(3)
    assert s.sets() == before and s.ack(DOC)["seq"] == seq
    # Somebody else's CONFIG SET is corrected at the next resync, and said. (One command, or a resync may come between two.)
    s.n.execute_command("CONFIG", "SET", "timeout", 5, "maxmemory", "1gb")
    wait_until(lambda: s.settings("maxmemory", "timeout") == [str(2 << 30), "30"], 30, what="the correction")
    assert "somebody changed maxmemory, timeout" in s.agent.log_text()
    # What the document says no more stays as it is; what is new in it is set.
    s.node_doc({"maxclients": "800"})
    s.wait("ok")
    assert s.settings("maxmemory", "maxclients") == [str(2 << 30), "800"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_node_that_starts_anew_is_set_again(yard, engine):
    s = Beside(yard, engine)
    s.basic_node({"timeout": "31"})
    s.wait("ok")
    s.beside.kill()
    wait_until(lambda: s.agent.log_text().count("role=down") == 1, 30, what="the agent to miss it")
    s.node_doc({"timeout": "32", "maxclients": "600"})
    a = s.wait("held")
    assert "does not answer" in a["err"] and "tried again" in a["err"], a
    s.beside.start()
    s.wait("ok")
    assert s.settings("timeout", "maxclients") == ["32", "600"]
    s.beside.kill()                                    # and without a new version
    s.beside.start()
    wait_until(lambda: s.settings("timeout", "maxclients") == ["32", "600"], 30, what="the settings of the new process")


@pytest.mark.parametrize("engine", ENGINES)
def test_rewrite_survives_a_restart_without_the_agent(yard, engine):
    s = Beside(yard, engine)
    s.basic_node({"timeout": "33"}, rewrite=True)
    s.wait("ok")
    s.agent.stop()
    s.beside.kill()
    s.beside.start()
    assert s.settings("timeout") == ["33"]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_takes_a_restart(yard, engine):
    s = Beside(yard, engine, agent_lines=["resync-interval 300ms"])
    old = s.settings("databases")[0]
    s.basic_node({"databases": "33", "timeout": "40"})
    a = s.wait("pending_restart")
    assert a["err"] == "databases: %s -> 33" % old, a
    assert s.settings("timeout", "databases") == ["40", old]
    assert s.stats()["documents_ok"] == 1 and s.stats()["documents_failed"] == 0
    before = s.sets()
    time.sleep(1)
    assert s.sets() == before, "what takes a restart is not tried at each resync"
    # An agent that starts anew knows it, and still says it; a node that starts with the value makes it ok.
    s.agent.kill()
    s.c.delete("cfgack:" + DOC)
    s.agent.start()
    s.wait("pending_restart")
    s.beside.kill()
    with open(s.beside.conf, "a") as f:
        f.write("databases 33\n")
    s.beside.start()
    s.wait("ok")
    assert s.settings("timeout", "databases") == ["40", "33"]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_the_node_refuses_changes_nothing(yard, engine):
    s = Beside(yard, engine)
    s.basic_node({"timeout": "50"})
    s.wait("ok")
    for doc, reason in [({"timeout": "51", "no-such-setting": "1"}, "set.no-such-setting: the data node knows no such setting"),
                        ({"timeout": "51", "maxclients": "-5"}, "maxclients"),
                        ({"timeout": "fifty", "maxclients": "900"}, "timeout"),
                        ({"timeout": "51", "dir": "/root"}, "set.dir: is not for documents"),
                        ({"timeout": 51}, "set.timeout")]:
        s.node_doc(doc)
        a = s.wait("invalid")
        assert reason in a["err"], a
        assert s.settings("timeout", "maxclients")[0] == "50" and s.settings("maxclients") != ["900"]
        assert s.no_journal()
    s.node_doc({"timeout": "52"})
    s.wait("ok")


def test_secrets_are_never_told(yard):
    s = Beside(yard, agent_lines=["node-password first-Secret", "loglevel debug"],
               beside_lines=["requirepass first-Secret"])
    s.n = redis.Redis("127.0.0.1", s.beside.port, password="first-Secret", decode_responses=True)
    s.basic_node({"masterauth": "second-Secret", "databases": "17", "timeout": "60"})
    s.wait("pending_restart")
    assert s.settings("masterauth") == ["second-Secret"]
    s.node_doc({"masterauth": "third-Secret", "timeout": "nonsense"})
    s.wait("invalid")
    s.n.config_set("masterauth", "fourth-Secret")
    s.node_doc({"masterauth": "third-Secret"})
    s.wait("ok")
    said = s.agent.log_text() + json.dumps(s.c.hgetall("cfgack:" + DOC))
    for name in ("applied", "ackq"):
        for folder, _, files in os.walk(os.path.join(s.agent.folder, "state", name)):
            said += "".join(open(os.path.join(folder, f)).read() for f in files)
    assert "Secret" not in said


def test_a_probe_that_fails_brings_the_old_settings_back(yard):
    s = Beside(yard)
    s.basic_node({"timeout": "70", "maxclients": "700"})
    s.wait("ok")
    s.node_doc({"timeout": "71", "maxclients": "701"}, probe={"resp": "127.0.0.1:%d" % s.beside.port, "send": "PING", "want": "NO"},
               probe_for="300ms", probe_interval="50ms", probe_ok=1)
    a = s.wait("rollback_failed")      # the probe is the document's: it fails both ways
    assert s.settings("timeout", "maxclients") == ["70", "700"] and "not well within" in a["err"], a
    s.node_doc({"timeout": "72"}, probe={"resp": "127.0.0.1:%d" % s.beside.port})
    s.wait("ok")
    # REWRITE that cannot be done: taken back too.
    os.rename(s.beside.conf, s.beside.conf + ".away")
    os.makedirs(s.beside.conf)
    s.node_doc({"timeout": "73"}, rewrite=True)
    a = s.wait("rollback_failed")      # and the way back cannot be written down either: somebody must look
    assert "CONFIG REWRITE" in a["err"]
    assert s.settings("timeout") == ["72"]
    os.rmdir(s.beside.conf)
    os.rename(s.beside.conf + ".away", s.beside.conf)
    s.resync()
    s.wait("ok")
    assert s.settings("timeout") == ["73"]


def test_two_documents_do_not_set_the_same(yard):
    s = Beside(yard)
    s.basic_node({"timeout": "65"})
    s.wait("ok")
    s.set("config:node:other", {"set": {"timeout": "66", "maxclients": "660"}})
    s.apply(DOC, "node:other")
    assert "set.timeout: is set by node:stat" in s.wait_ack("invalid", doc="node:other")["err"]
    assert s.settings("timeout", "maxclients")[0] == "65"
    # When the one lets go of it, the other has it.
    s.node_doc({"tcp-keepalive": "67"})
    s.wait("ok")
    s.wait_ack("ok", doc="node:other")
    assert s.settings("timeout", "maxclients", "tcp-keepalive") == ["66", "660", "67"]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_few_rights_it_needs(yard, engine):
    s = Beside(yard, engine, beside_lines=["user agent on >x -@all +ping +info +config|get +config|set +config|rewrite"],
               agent_lines=["node-user agent", "node-password x"])
    s.basic_node({"timeout": "68"}, rewrite=True)
    s.wait("ok")
    assert s.settings("timeout") == ["68"]


def test_no_data_node_named(yard):
    s = Site(yard)
    s.set("config:node:stat", {"set": {"timeout": "1"}})
    s.apply("node:stat")
    assert "names no data node" in s.wait_ack("invalid", doc="node:stat")["err"]


# --- a node that is older, or goes away in the middle ---

class Between:
    """Stands between the agent and the node: refuses, counts, cuts. rule(words) -> None (pass on), bytes (the reply), or
    'cut' (pass on and close before the reply)."""

    def __init__(self, port):
        self.port, self.rule, self.seen = port, lambda words: None, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.at = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                a, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(a,), daemon=True).start()

    def serve(self, a):
        try:
            b = socket.create_connection(("127.0.0.1", self.port))
            rf, bf = a.makefile("rb"), b.makefile("rb")
            while True:
                head = rf.readline()
                if not head:
                    return
                words = []
                for _ in range(int(head[1:])):
                    n = int(rf.readline()[1:])
                    words.append(rf.read(n + 2)[:-2].decode())
                self.seen.append(words)
                what = self.rule(words)
                if isinstance(what, bytes):
                    a.sendall(what)
                    continue
                b.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in words))
                reply = self.reply(bf)
                if what == "cut":
                    return
                a.sendall(reply)
        except (OSError, ValueError):
            pass
        finally:
            a.close()

    def reply(self, f):
        head = f.readline()
        if head[:1] == b"$" and int(head[1:]) >= 0:
            return head + f.read(int(head[1:]) + 2)
        if head[:1] == b"*":
            return head + b"".join(self.reply(f) for _ in range(int(head[1:])))
        return head

    def close(self):
        self.listener.close()


def is_set(words):
    return [w.upper() for w in words[:2]] == ["CONFIG", "SET"]


def old_server(words):
    if is_set(words) and len(words) > 4:
        return b"-ERR Unknown subcommand or wrong number of arguments for 'SET'. Try CONFIG HELP.\r\n"
    if is_set(words) and words[2] == "databases":
        return b"-ERR Unsupported CONFIG parameter: databases\r\n"
    return None


def test_a_server_that_takes_one_setting_at_a_time(yard):
    need("redis-server")
    beside = yard.node("old", "redis-server")
    between = Between(beside.port)
    between.rule = old_server
    s = Beside(yard, port=between.at)
    s.n = beside.connect()
    s.basic_node({"timeout": "80", "maxclients": "801", "databases": "19"})
    a = s.wait("pending_restart")
    assert a["err"] == "databases: 16 -> 19"
    assert s.settings("timeout", "maxclients") == ["80", "801"]
    # The second of three is refused: the first is taken back, the third is never sent.
    s.node_doc({"timeout": "81", "maxmemory-policy": "nonsense", "maxclients": "802"})
    a = s.wait("rolled_back")
    assert "maxmemory-policy" in a["err"]
    assert s.settings("timeout", "maxclients") == ["80", "801"]
    between.close()


@pytest.mark.parametrize("when", ["set", "get", "rewrite", "undo"])
def test_a_node_that_goes_away_in_the_middle(yard, when):
    """The connection ends at one step of an application: when it is back, the settings are whole and the answer says so."""
    need("redis-server")
    beside = yard.node("far", "redis-server")
    between = Between(beside.port)
    s = Beside(yard, port=between.at)
    s.n = beside.connect()
    s.basic_node({"timeout": "90", "maxclients": "900"})
    s.wait("ok")
    down = [False]
    hits = [0]

    def rule(words):
        if down[0]:
            return "cut"
        two = [w.upper() for w in words[:2]]
        hit = (when == "set" and is_set(words)) or (when == "rewrite" and two == ["CONFIG", "REWRITE"]) or \
              (when == "get" and two == ["CONFIG", "GET"] and hits[0] >= 3) or (when == "undo" and is_set(words) and "90" in words)
        hits[0] += two == ["CONFIG", "GET"]
        if hit:
            down[0] = True
            return "cut"
        if when == "undo" and two == ["CONFIG", "REWRITE"]:
            return b"-ERR no\r\n"
        return None

    between.rule = rule
    s.node_doc({"timeout": "91", "maxclients": "901"}, rewrite=True)
    a = s.wait("held")
    assert "answers no more" in a["err"]
    between.rule = lambda words: None
    s.wait("ok")
    assert s.settings("timeout", "maxclients") == ["91", "901"]
    assert s.no_journal()
    between.close()


def test_a_node_that_goes_away_each_time_it_is_set(yard):
    """A setting may be what ends the node: it is not given to it again and again."""
    need("redis-server")
    beside = yard.node("far", "redis-server")
    between = Between(beside.port)
    s = Beside(yard, port=between.at, agent_lines=["resync-interval 300ms"])
    s.n = beside.connect()
    s.basic_node({"timeout": "97", "maxclients": "970"})
    s.wait("ok")
    between.rule = lambda words: "cut" if is_set(words) and "98" in words else None
    s.node_doc({"timeout": "98", "maxclients": "980"})
    a = s.wait("rolled_back")
    assert s.settings("timeout", "maxclients") == ["97", "970"] and s.no_journal(), a
    tried = len([w for w in between.seen if is_set(w) and "98" in w])
    assert tried == 2
    time.sleep(1)
    assert len([w for w in between.seen if is_set(w) and "98" in w]) == 2
    s.node_doc({"timeout": "99"})
    s.wait("ok")
    between.close()


def test_another_node_after_a_crash(yard):
    """What was under way on one node is not finished on another one."""
    need("redis-server")
    beside, other = yard.node("far", "redis-server"), yard.node("other", "redis-server")
    between = Between(beside.port)
    s = Beside(yard, port=between.at)
    s.n = beside.connect()
    s.basic_node({"timeout": "95"})
    s.wait("ok")
    between.rule = lambda words: "cut" if is_set(words) else None
    s.node_doc({"timeout": "96"})
    s.wait("held")
    s.agent.kill()
    with open(s.agent.conf, "a") as f:
        f.write("node 127.0.0.1 %d\n" % other.port)
    s.apply()
    s.agent.start()
    wait_until(lambda: "names no more" in s.agent.log_text() and s.no_journal(), what="the journal to be given up")
    s.apply(DOC)
    s.wait("ok")
    assert other.connect().config_get("timeout")["timeout"] == "96"
    between.close()


# --- crashes ---

def whole(s):
    """The version that the node is in: both settings are of one."""
    both = s.n.config_get("max*")       # in one command, as they were set
    maxmemory, maxclients = both["maxmemory"], both["maxclients"]
    assert int(maxmemory) == int(maxclients) << 20, (maxmemory, maxclients)
    return int(maxclients)


def wait_converged(s, port):
    t = time.monotonic()
    s.agent.start()
    wait_until(lambda: whole(s) == port and s.no_journal() and (s.ack(DOC) or {}).get("st") == "ok", 40, every=0.005,
               what="the settings of %d; log:\n%s" % (port, s.agent.tail(15)))
    return time.monotonic() - t


@pytest.mark.parametrize("engine", ENGINES)
def test_kill_9_at_random_points(yard, engine):
    s = Beside(yard, engine)
    s.basic_node(numbers(1000), rewrite=True)
    s.wait("ok")
    rng = random.Random(20261121)
    took = []
    for n in range(10):
        s.c.delete("cfgack:" + DOC)
        s.node_doc(numbers(1001 + n), rewrite=True)
        time.sleep(rng.uniform(0.015, 0.06))
        s.agent.kill()
        whole(s)
        took.append(wait_converged(s, 1001 + n))
    converged_soon(took)


CALLS = ["openat", "fsync", "fdatasync", "rename", "write", "unlink", "sendmsg", "writev", "connect", "recvfrom", "read"]
SHORT = ["fsync", "fdatasync", "unlink"]      # the others with --long


@pytest.mark.parametrize("call", [c if c in SHORT else pytest.param(c, marks=pytest.mark.long) for c in CALLS])
def test_kill_9_at_every_system_call(yard, call):
    """strace ends the agent at the n-th call of one kind, for n = 1, 2, ... until the application gets through."""
    s = Beside(yard, start=False)
    s.basic_node(numbers(1000))
    s.agent.start()
    s.wait("ok")
    s.agent.stop()

    def prepare(n):
        s.c.delete("cfgack:" + DOC)
        s.node_doc(numbers(1000 + n))

    def through(n):
        return (s.ack(DOC) or {}).get("st") == "ok" and s.no_journal() and s.stats()["acks_waiting"] == 0

    def check(n):
        whole(s)
        took.append(wait_converged(s, 1000 + n))

    took = []
    crashes = s.killed_at_every(call, prepare, through, check, 200, 3 if call in ("openat", "read") else 1)
    if crashes:
        converged_soon(took, "kill -9 at each %s: " % call)
    assert crashes > 0 or call not in ("fsync", "fdatasync", "unlink"), "no crash happened: the injection does not work"
