"""A formed group on real processes: nodes and sentinels with a state folder each, clients
that write all the time and remember what was acknowledged, and questions to the sentinels."""
import os
import shutil
import subprocess
import threading
import time

import redis

from harness import Yard, find, free_port, monitor_lines, pairs, wait_until


class Writers:
    """Each thread writes keys of its own, every key once. What was answered OK must be there at the end."""

    def __init__(self, group, threads=3, pause=0.002):
        self.group, self.pause = group, pause
        self.acked, self.refused, self.unknown = {}, 0, 0
        self.last_ok = time.monotonic()
        self.longest_gap = 0.0
        self.errors = {}
        self.lock = threading.Lock()
        self.stopping = False
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(threads)]

    def start(self):
        for t in self.threads:
            t.start()
        return self

    def where(self):
        for s in self.group.sentinels:
            if not s.is_alive():
                continue
            try:
                with s.connect(socket_timeout=1) as c:
                    a = c.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.group.name)
                    if a:
                        return a[0], int(a[1])
            except (redis.exceptions.RedisError, OSError):
                continue
        return None

    def run(self, number):
        n, link = 0, None
        while not self.stopping:
            key, value = "w%d:%d" % (number, n), str(n)
            n += 1
            try:
                if link is None:
                    at = self.where()
                    if at is None:
                        time.sleep(0.01)
                        continue
                    link = redis.Redis(at[0], at[1], decode_responses=True, socket_timeout=3, retry=None)
                link.set(key, value)
                with self.lock:
                    now = time.monotonic()
                    self.acked[key] = value
                    self.longest_gap = max(self.longest_gap, now - self.last_ok)
                    self.last_ok = now
            except (redis.exceptions.RedisError, OSError) as e:
                with self.lock:
                    word = str(e).split(" ")[0][:40] if isinstance(e, redis.exceptions.ResponseError) else type(e).__name__
                    self.errors[word] = self.errors.get(word, 0) + 1
                link = None
                time.sleep(0.005)
            time.sleep(self.pause)

    def count(self):
        with self.lock:
            return len(self.acked)

    def go_on(self, more=30, timeout=60):
        """Writes are acknowledged again."""
        want = self.count() + more
        wait_until(lambda: self.count() >= want, timeout, what="%d more acknowledged writes (errors so far: %s)" % (more, self.errors))

    def stop(self):
        self.stopping = True
        for t in self.threads:
            t.join(10)
        return dict(self.acked)


class FormedGroup:
    def __init__(self, nodes=3, sentinels=3, name="demo", down_after=1000, label="kvorum-formed", sentinel_lines=(), node_lines=()):
        self.yard, self.name = Yard(label), name
        self.node_lines, self.sentinel_lines, self.down_after = list(node_lines), list(sentinel_lines), down_after
        self.nodes, self.sentinels = [], []
        for _ in range(nodes):
            self.add_node()
        for _ in range(sentinels):
            self.add_sentinel()

    def ctl(self, *words, typed=None):
        """kvorumctl, with what an operator types."""
        return subprocess.run([find("kvorumctl"), "-s", "127.0.0.1:%d" % self.sentinels[0].port] + list(words), capture_output=True,
                              text=True, timeout=90, input=typed)

    # --- processes ---------------------------------------------------------------------------

    def state_dir(self, name):
        return os.path.join(self.yard.folder, name + "-state")

    def add_node(self, of=None):
        name = "node%d" % (len(self.nodes) + 1)
        of = of or (self.nodes[0] if self.nodes else None)
        lines = ["state-dir " + self.state_dir(name), "ha-port %d" % free_port()] + self.node_lines
        if of:
            lines.append("replicaof 127.0.0.1 %d" % of.port)
        self.nodes.append(self.yard.node(name, lines=lines))
        return self.nodes[-1]

    def add_sentinel(self, primary=None):
        name = "sentinel%d" % (len(self.sentinels) + 1)
        at = (primary or self.nodes[0]).port
        self.sentinels.append(self.yard.sentinel(
            name, lines=monitor_lines(self.name, at, 2, self.down_after) + ["state-dir " + self.state_dir(name)] +
            self.sentinel_lines))
        return self.sentinels[-1]

    def wipe(self, process):
        """Its disk is lost: state and data. It must not run."""
        shutil.rmtree(self.state_dir(process.name), ignore_errors=True)
        for f in os.listdir(process.folder):
            if f.endswith(".rdb"):
                os.unlink(os.path.join(process.folder, f))

    def add_line(self, process, line):
        """To its configuration file, for its next start."""
        with open(process.conf, "a") as f:
            f.write(line + "\n")

    def close(self, keep=False):
        self.yard.close(keep)

    # --- questions -----------------------------------------------------------------------------

    def ask(self, *words, sentinel=None, timeout=30):
        s = sentinel or next(x for x in self.sentinels if x.is_alive())
        with s.connect(socket_timeout=timeout) as c:
            return c.execute_command("SENTINEL", *words)

    def order(self, *words, sentinel=None, timeout=60):
        """What several decide: said again when somebody was faster, no majority answered in time (a busy machine), or who was just started was not met."""
        def done():
            try:
                return self.ask(*words, sentinel=sentinel, timeout=timeout)
            except redis.exceptions.ResponseError as e:
                if str(e).split(" ")[0] in ("ABORTED", "INPROG", "TIMEOUT") or "is not at hand: nothing was begun" in str(e):
                    return None
                if words[0] == "DISSOLVE" and str(e).startswith("NOTFORMED"):
                    return "OK"
                raise AssertionError("%s: %s\n%s" % (words, e, self.all_journals()))

        return wait_until(done, timeout, every=0.3, what=" ".join(words))

    def explain(self, sentinel=None):
        x = pairs(self.ask("EXPLAIN", self.name, sentinel=sentinel))
        x["lacks"] = [pairs(l) for l in x["lacks"]]
        return x

    def lacks(self, sentinel=None):
        return {(l["what"], l["why"]) for l in self.explain(sentinel)["lacks"]}

    def can(self, sentinel=None):
        return self.explain(sentinel)["can-failover"] == "yes"

    def journal(self, sentinel=None, count=512):
        return [line for _, line in self.ask("JOURNAL", self.name, str(count), sentinel=sentinel)]

    def all_journals(self):
        return "\n".join("%s %d %s" % (s.name, t, line) for s in self.sentinels if s.is_alive()
                         for t, line in self.ask("JOURNAL", self.name, "512", sentinel=s))

    def losses(self):
        """Payload words of every +failover-loss, from the logs of all sentinels."""
        found = []
        for s in self.sentinels:
            for line in s.log_text().splitlines():
                if " +failover-loss " in line:
                    found.append(line.split(" +failover-loss ")[1].split(" "))
        return found

    def master(self, sentinel=None):
        return pairs(self.ask("MASTER", self.name, sentinel=sentinel))

    def replicas(self, sentinel=None):
        return [pairs(r) for r in self.ask("REPLICAS", self.name, sentinel=sentinel)]

    def peers(self, sentinel=None):
        return {p["id"]: p for p in map(pairs, self.ask("PEERS", self.name, sentinel=sentinel))}

    def my_id(self, sentinel):
        return self.ask("MYID", sentinel=sentinel)

    def members(self, sentinel=None):
        return int(self.master(sentinel).get("members", 0))

    def primary(self, sentinel=None):
        a = self.ask("GET-MASTER-ADDR-BY-NAME", self.name, sentinel=sentinel)
        return next((n for n in self.nodes if n.port == int(a[1])), None)

    # --- conditions ------------------------------------------------------------------------------

    def wait_met(self, timeout=60):
        """Sentinels know each other and all nodes; replicas are in sync."""
        def met():
            for s in self.sentinels:
                m = self.master(s)
                if int(m["num-slaves"]) != len(self.nodes) - 1 or int(m["num-other-sentinels"]) != len(self.sentinels) - 1:
                    return False
                if any(r["master-link-status"] != "ok" for r in self.replicas(s)):
                    return False
                if any(p["up"] != "yes" for p in self.peers(s).values()):
                    return False
            return True

        wait_until(met, timeout, what="sentinels and nodes to know each other")
        return self

    def form(self, mode="strict", *more):
        def formed():
            self.ask("SET", self.name, "mode", mode, *more)
            return True

        # A node's control port is learned from its next INFO: until then forming says what it waits for.
        wait_until(formed, 60, every=0.2, what="the group to be formed")
        return self

    def wait_whole(self, members=None, timeout=60):
        """Every live sentinel sees every member at hand, following, and a failover possible."""
        want = members or len(self.nodes)
        bad = {"not-at-hand", "new-life", "not-following", "unsaved"}

        def whole():
            for s in self.sentinels:
                if not s.is_alive():
                    continue
                x = self.explain(s)
                if x["can-failover"] != "yes" or int(x["members"]) != want or any(l["why"] in bad for l in x["lacks"]):
                    return False
                if any(r.get("member") != "yes" for r in self.replicas(s)):
                    return False
            return True

        def why():
            try:
                return str([self.explain(s) for s in self.sentinels if s.is_alive()])
            except redis.exceptions.RedisError as e:
                return repr(e)
        try:
            wait_until(whole, timeout, every=0.05, what="the group to be whole")
        except AssertionError as e:
            raise AssertionError("%s\n%s\n%s" % (e, why(), self.all_journals()))
        return self

    def wait_other_primary(self, old, timeout=60):
        def moved():
            p = self.primary()
            return p if p and p is not old and p.info("replication")["role"] == "master" else None

        try:
            return wait_until(moved, timeout, every=0.005, what="another primary than " + old.name)
        except AssertionError as e:
            raise AssertionError("%s\n%s" % (e, self.all_journals()))

    # --- the end -----------------------------------------------------------------------------------

    def check_all_there(self, acked):
        """Every acknowledged write is at the primary, and at every replica once those have caught up."""
        def look():
            with self.primary().connect() as c:
                keys = list(acked)
                return ([(k, acked[k], v) for i in range(0, len(keys), 500)
                         for k, v in zip(keys[i:i + 500], c.mget(keys[i:i + 500])) if v != acked[k]],)

        (missing,) = wait_until(look, what="a primary that answers reads")      # one without a lease refuses them for a moment
        assert not missing, "%d of %d acknowledged writes are gone, the first: %s\n%s" % (
            len(missing), len(acked), missing[:5], self.all_journals())
        digest = lambda n: n.connect().execute_command("DEBUG", "DIGEST")     # noqa: E731
        wait_until(lambda: len({digest(n) for n in self.nodes if n.is_alive()}) == 1, 60, what="equal data on all nodes")
