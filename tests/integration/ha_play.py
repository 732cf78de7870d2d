"""The sentinels of a formed group, played by hand: what they say to kvnodes over control links.

A Play holds the group's record and its voters. A Voter is a thread that keeps a control link to
each node, answers renewals as its record says, and remembers what the nodes said. Nothing here
decides: a test says what is said and when.

    play = Play()
    play.form(nodes, k=1, mode="strict")       # nodes[0] is the primary, the others replicate from it
    play.promote(nodes[1], ballot=5)           # seal all that answer, open that one, the others follow
    play.close()
"""
import random
import socket
import threading
import time

from harness import wait_until

LAN = (100, 800, 760, 1000, 100)               # heartbeat, promise, lease, down-after, election: ms
ONE_WORD_EACH = {"from", "life", "gid", "old_gid", "ballot", "promised", "epoch", "incarnation", "nonce", "sealed", "change",
                 "node", "node_life", "acked", "ms", "why", "state", "flags", "ok", "unproved", "ended"}
NUMBERS = {"life", "gid", "old_gid", "ballot", "promised", "epoch", "incarnation", "nonce", "sealed", "change", "node_life",
           "acked", "ms", "flags"}


def hex_id():
    return "%040x" % random.getrandbits(160)


def number():
    return random.getrandbits(63) | 1


def read_line(line):
    """A message as a dict: kind, fields; addr and pos are pairs, rec is the words of a record."""
    words = line.split()
    m = {"kind": words[0]}
    i = 1
    while i < len(words):
        f = words[i]
        if f == "rec":
            m["rec"] = words[i + 1:]
            break
        if f in ONE_WORD_EACH:
            v = words[i + 1]
            m[f] = int(v) if f in NUMBERS else {"yes": True, "no": False}.get(v, v)
            i += 2
        else:
            m[f] = (words[i + 1], int(words[i + 2])) if f == "addr" else tuple(int(w) for w in words[i + 1:i + 3])
            i += 3
    return m


class Link:
    """One control link: a voter's to a node."""

    def __init__(self, voter, node, group, on_message, life=None, password=None):
        self.voter, self.node, self.on_message = voter, node, on_message
        self.replies = []
        self.ended = False
        self.sock = socket.create_connection(("127.0.0.1", node.port), 5)
        self.sock.settimeout(None)
        self.buf = b""
        self.lock = threading.Lock()
        if password:
            self.send("AUTH", password)
            assert self.reply()[:1] == b"+", self.replies
        self.send("HA", "ATTACH", group, "VOTER", voter.id, str(voter.life if life is None else life))
        first = self.reply()
        assert first == b"+OK", first
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def send(self, *words):
        out = b"*%d\r\n" % len(words)
        for w in words:
            w = w.encode()
            out += b"$%d\r\n%s\r\n" % (len(w), w)
        with self.lock:
            self.sock.sendall(out)

    def fill(self):
        more = self.sock.recv(65536)
        if not more:
            raise ConnectionError("closed")
        self.buf += more

    def line(self):
        while b"\r\n" not in self.buf:
            self.fill()
        line, self.buf = self.buf.split(b"\r\n", 1)
        return line

    def reply(self):
        """A reply of one line, or the list of an array of bulks."""
        line = self.line()
        if line[:1] != b"*":
            return line
        out = []
        for _ in range(int(line[1:])):
            n = int(self.line()[1:])
            while len(self.buf) < n + 2:
                self.fill()
            out.append(self.buf[:n].decode())
            self.buf = self.buf[n + 2:]
        return out

    def listen(self):
        try:
            while True:
                r = self.reply()
                if isinstance(r, list):
                    self.on_message(self, read_line(r[2]), r[2])
                else:
                    self.replies.append(r)
        except (OSError, ValueError, ConnectionError):
            self.ended = True

    def say(self, *lines):
        self.send("HA", "MSG", *lines)

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


class Voter:
    """One sentinel: id, life, the record it holds, a link to each node."""

    def __init__(self, play):
        self.play = play
        self.id, self.life = hex_id(), number()
        self.links = {}                # node -> Link
        self.heard = []                # (node, message), all of them
        self.record = None             # (ballot, change, epoch, incarnation): renewals of it are answered
        self.grants = True
        self.lock = threading.Lock()

    def attach(self, node):
        old = self.links.get(node)
        if old and not old.ended:
            return old
        self.links[node] = Link(self, node, self.play.group, self.on_message)
        return self.links[node]

    def on_message(self, link, m, line):
        with self.lock:
            self.heard.append((link.node, m))
        r = self.record
        if m["kind"] == "renew" and self.grants and r and (m["epoch"], m["incarnation"]) == r[2:]:
            link.say(self.words("lease", epoch=m["epoch"], incarnation=m["incarnation"], nonce=m["nonce"], ballot=r[0],
                                change=r[1], ms=self.play.timing[1], ok="yes"))

    def words(self, kind, **fields):
        """A line; fields of value None are left out, pairs are written as two words."""
        fields.setdefault("gid", self.play.gid)
        out = [kind, "from", self.id, "life", str(self.life)]
        rec = fields.pop("rec", None)
        for k, v in fields.items():
            if v is None or v == 0:
                continue
            out.append(k)
            out += [str(w) for w in v] if isinstance(v, tuple) else [str(v)]
        return " ".join(out) + (" rec " + rec if rec else "")

    def say(self, node, kind, /, **fields):
        line = self.words(kind, **fields)
        try:
            self.attach(node).say(line)
        except OSError:                # the link was dead, and its reader had not seen it yet
            self.links.pop(node, None)
            self.attach(node).say(line)

    def last(self, node, kind, /, **want):
        """The newest message of this kind from that node, with these fields; None: not yet."""
        with self.lock:
            for n, m in reversed(self.heard):
                if n is node and m["kind"] == kind and all(m.get(k) == v for k, v in want.items()):
                    return m
        return None

    def ask(self, node, kind, answer, timeout=30, want=None, /, **fields):
        """Says it, again every 300 ms, until that answer comes: the answer."""
        with self.lock:
            self.heard = [(n, m) for n, m in self.heard if not (n is node and m["kind"] == answer)]
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            self.say(node, kind, **fields)
            try:
                return wait_until(lambda: self.last(node, answer, **(want or {})), 0.3, every=0.003, what=answer)
            except AssertionError:
                pass
        raise AssertionError("no %s from %s; heard: %s" % (answer, node.name, [m for n, m in self.heard if n is node][-5:]))

    def close(self):
        for link in self.links.values():
            link.close()


class Play:
    def __init__(self, group="play", voters=3, timing=LAN):
        self.group, self.gid, self.timing = group, number(), timing
        self.voters = [Voter(self) for _ in range(voters)]
        self.ids = {}                  # node -> (id, life, incarnation) as it said itself
        self.rec = {}
        self.nodes = []

    # --- words ---

    def record_words(self, **over):
        r = dict(self.rec, **over)
        out = ["gid", r["gid"], "ballot", r["ballot"]]
        if r.get("change"):
            out += ["change", r["change"]]
        if r.get("dissolved"):
            out += ["dissolved", "yes"]
        out += ["epoch", r["epoch"], "born", r["born"], "primary", r["primary"], "incarnation", r["incarnation"], "mode", r["mode"],
                "k", r["k"], "timing"] + list(self.timing)
        for n in r["members"]:
            out += ["member", self.ids[n][0], self.ids[n][1], "127.0.0.1", n.port, 100, "-", 0, 0]
        for v in self.voters:
            out += ["voter", v.id, v.life, "127.0.0.1", 1]
        return " ".join(str(w) for w in out)

    def look(self, node, voter=None):
        """How the node is now: its HA_STATUS."""
        v = voter or self.voters[0]
        m = v.ask(node, "look", "status")
        self.ids[node] = (m["from"], m["life"], m["incarnation"])
        return m

    # --- deeds ---

    def form(self, nodes, k=1, mode="strict", ballot=1):
        """nodes[0] becomes the primary of epoch `ballot`. Returns when it has its lease and its marker is confirmed."""
        self.nodes = list(nodes)
        for v in self.voters:
            for n in nodes:
                v.attach(n)
        for n in nodes:
            self.look(n)
        primary = nodes[0]
        pid, plife, incarnation = self.ids[primary]
        self.rec = dict(gid=self.gid, ballot=ballot, change=0, epoch=ballot, born=ballot, primary=pid, incarnation=incarnation,
                        mode=mode, k=k, members=list(nodes))
        for n in nodes:                # the primary first
            def bound(n=n):
                m = self.voters[0].ask(n, "bind", "bound", ballot=ballot, node=pid, node_life=plife)
                return m if m.get("ok") else None
            wait_until(bound, 40, what="%s to be bound" % n.name)
        self.store()
        m = self.voters[0].ask(primary, "open", "opened", ballot=ballot, rec=self.record_words())
        assert m.get("ok"), m
        for n in nodes[1:]:
            self.voters[0].say(n, "follow", ballot=ballot, epoch=ballot, rec=self.record_words())
        self.wait_open(primary)
        return self

    def store(self):
        """All voters hold the record."""
        for v in self.voters:
            v.record = (self.rec["ballot"], self.rec["change"], self.rec["epoch"], self.rec["incarnation"])

    def wait_open(self, node, timeout=30):
        """It is the primary, and its marker is confirmed."""
        def is_open():
            m = self.look(node)
            return m.get("state") == "primary" and m.get("epoch") == self.rec["epoch"] and m.get("flags", 0) & 8

        wait_until(is_open, timeout, what="%s to be open and confirmed" % node.name)

    def grants(self, yes):
        """Whether the voters answer renewals."""
        for v in self.voters:
            v.grants = yes

    def seal(self, node, ballot, timeout=30, ended=False, base=None, counted=False):
        """Its answer; counted: the one that comes when its promises have lapsed."""
        want = {"ballot": ballot, "ok": True} if counted else {"ballot": ballot}
        return self.voters[0].ask(node, "seal", "sealed", timeout, want, ballot=ballot, epoch=base or self.rec["epoch"],
                                  ended="yes" if ended else None)

    def promote(self, node, ballot, seal=None, unproved=False):
        """Seal these (all others that live, if not said), make `node` the primary of epoch `ballot`, let the others follow."""
        for n in seal if seal is not None else [n for n in self.nodes if n.is_alive()]:
            self.seal(n, ballot, counted=True)
        self.look(node)
        pid, _, incarnation = self.ids[node]
        self.rec.update(ballot=ballot, change=0, epoch=ballot, primary=pid, incarnation=incarnation)
        self.store()
        m = self.voters[0].ask(node, "open", "opened", 30, {"epoch": ballot}, ballot=ballot, rec=self.record_words(),
                               unproved="yes" if unproved else None)
        assert m.get("ok"), m
        for n in self.nodes:
            if n is not node and n.is_alive():
                self.follow(n)
        return m

    def follow(self, node):
        for v in self.voters[:1]:
            v.say(node, "follow", ballot=self.rec["ballot"], epoch=self.rec["epoch"], rec=self.record_words())

    def close(self):
        for v in self.voters:
            v.close()
