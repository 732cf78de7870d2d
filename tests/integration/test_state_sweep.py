"""A sentinel is killed at every call that its state on disk rests on, while it votes: afterwards it
starts, has never voted twice in one epoch, and has lost no vote it was heard to give.

The killing is done by the programs' own fault points where there is a build that has them (build/asan:
kill before the call, half a write, or everything not synced gone), else by strace at system calls.
"""
import os
import shutil
import signal
import subprocess
import threading
import time

import pytest
import redis
from harness import Process, faulty, find, free_port, monitor_lines, wait_until

KINDS = ("kill", "short", "lose")
CALLS = ("write", "fdatasync", "fsync", "rename", "openat", "unlink")
ASAN = {"ASAN_OPTIONS": "detect_leaks=0"}


class Heard:
    """What the sentinel under test was heard to answer: epoch -> leader."""

    def __init__(self):
        self.votes, self.lock, self.wrong = {}, threading.Lock(), []

    def note(self, reply):
        leader, epoch = reply[1], int(reply[2])
        if leader == "*" or epoch == 0:
            return
        with self.lock:
            was = self.votes.setdefault(epoch, leader)
            if was != leader:
                self.wrong.append("epoch %d: first %s, then %s" % (epoch, was, leader))

    @property
    def last(self):
        return max(self.votes, default=0)


def ask(c, port, epoch, candidate):
    return c.execute_command("SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", port, epoch, candidate)


def drive(victim, port, heard, first, epochs, voices=3):
    """Several candidates ask for the same rising epochs at once, until the sentinel is gone or all is asked."""
    def voice(i):
        try:
            with victim.connect(socket_timeout=20) as c:
                for epoch in range(first, first + epochs):
                    heard.note(ask(c, port, epoch, "%040x" % (0xC0 + i)))
        except (redis.exceptions.RedisError, OSError):
            pass

    threads = [threading.Thread(target=voice, args=(i,)) for i in range(voices)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


class Sweep:
    """The group: a node, two sentinels that go on, and the one that is killed again and again."""

    def __init__(self, yard, form):
        self.yard, self.form = yard, form
        self.node = yard.node("node")
        self.others = [yard.sentinel("other%d" % i, lines=monitor_lines("m", self.node.port)) for i in (1, 2)]
        self.port, self.epoch, self.n = free_port(), 100, 0

    def victim(self, program, env=None):
        self.n += 1
        name = "victim%d" % self.n
        folder = os.path.join(self.yard.folder, name)
        lines = ["port %d" % self.port, "bind 127.0.0.1", "dir " + folder] + monitor_lines("m", self.node.port)
        for i, o in enumerate(self.others):
            lines.append("sentinel known-sentinel m 127.0.0.1 %d %s" % (o.port, "%040x" % (i + 1)))
        if self.form == "state-dir":
            lines.append("state-dir " + os.path.join(folder, "state"))
        v = Process(name, program, lines, self.yard.folder, self.port, env=dict(ASAN, **(env or {})))
        self.yard.processes.append(v)
        return v

    def run_once(self, program, epochs, plan=None, strace=None):
        """True: the fault struck. Raises when what must hold does not."""
        v = self.victim(program, env={"KVORUM_FAULT": plan} if plan else None)
        heard, first = Heard(), self.epoch + 1
        self.epoch += epochs + 2
        self.launch(v, program, strace)
        try:
            wait_until(lambda: v.proc.poll() is not None or v.answers(), 30, every=0.01, what="the start, or the end, of " + v.name)
        except AssertionError:
            if v.proc.poll() is None:
                raise
        if v.proc.poll() is None:
            drive(v, self.node.port, heard, first, epochs)
            wait_until(lambda: v.proc.poll() is not None or v.info("sentinel"), 30)
        struck = v.proc.poll() is not None
        if struck:
            assert v.proc.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), "%s: ended with %s\n%s" % (
                plan or strace, v.proc.returncode, v.tail())
        v.kill()
        self.check(v, program, heard, plan or strace)
        shutil.rmtree(v.folder, ignore_errors=True)
        return struck

    def launch(self, v, program, strace):
        if not strace:
            v.env.setdefault("KVORUM_FAULT", "")
            v.launch()
            return
        call, n = strace
        v.out = open(v.log, "ab")
        v.proc = subprocess.Popen(["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e",
                                   "inject=%s:signal=KILL:when=%d" % (call, n), program, v.conf], cwd=v.folder,
                                  stdin=subprocess.DEVNULL, stdout=v.out, stderr=subprocess.STDOUT)
        v.out.close()
        Process.live.append(v)

    def check(self, v, program, heard, what):
        assert not heard.wrong, "%s: voted twice: %s" % (what, heard.wrong)
        v.env["KVORUM_FAULT"] = ""
        v.program = program
        v.start()
        try:
            with v.connect() as c:
                for epoch in sorted(heard.votes):
                    for other in range(3):
                        heard.note(ask(c, self.node.port, epoch, "%040x" % (0xD0 + other)))
                last = heard.last
                again = ask(c, self.node.port, last or 1, "%040x" % 0xE0)
                if last and self.form == "state-dir":
                    assert int(again[2]) >= last and again[1] != "*", "%s: the vote of epoch %d is lost: %r" % (what, last, again)
                assert not heard.wrong, "%s: voted twice: %s\n%s" % (what, heard.wrong, v.tail())
                new = ask(c, self.node.port, self.epoch, "%040x" % 0xF0)
                assert new[1] == "%040x" % 0xF0 and int(new[2]) == self.epoch, "%s: it does not vote any more: %r" % (what, new)
                info = c.info("sentinel")
                assert info["kvorum_votes"] == "yes", (what, info)
        finally:
            v.kill()
            if v in Process.live:
                Process.live.remove(v)
            self.yard.processes.remove(v)


def sweep_with_faults(yard, form, epochs, kinds_at):
    program = faulty("kvorum-sentinel")
    if not program:
        pytest.skip("no build with fault points (scripts/build asan kvorum-sentinel)")
    s, n, quiet = Sweep(yard, form), 1, 0
    while quiet < 2 and n < 5000:
        struck = False
        for kind in kinds_at(n):
            struck |= s.run_once(program, epochs, plan="%d:%s" % (n, kind))
        quiet = 0 if struck else quiet + 1
        n += 1
    print("%s: %d places" % (form, n - 1))
    assert n > 10, "only %d calls were seen: nothing was swept" % n


@pytest.mark.parametrize("form", ["state-dir", "sentinel.conf"])
def test_killed_at_every_write(yard, form):
    sweep_with_faults(yard, form, 4, lambda n: [KINDS[n % len(KINDS)]])


@pytest.mark.long
@pytest.mark.parametrize("form", ["state-dir", "sentinel.conf"])
def test_killed_at_every_write_in_every_way(yard, form):
    sweep_with_faults(yard, form, 160 if form == "state-dir" else 12, lambda n: KINDS if n < 60 else [KINDS[n % len(KINDS)]])


@pytest.mark.long
@pytest.mark.parametrize("form", ["state-dir", "sentinel.conf"])
def test_killed_at_every_system_call(yard, form):
    """The programs as they ship."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed (scripts/deps test)")
    s, total = Sweep(yard, form), 0
    for call in CALLS:
        n, quiet = 1, 0
        while quiet < 2 and n < 400:
            struck = s.run_once(find("kvorum-sentinel"), 4, strace=(call, n))
            quiet = 0 if struck else quiet + 1
            n += 1
        total += n
    assert total > 20


# ---- a disk that is full, and then is not ------------------------------------------------------------


def test_full_disk_makes_an_observer_that_recovers(yard):
    if os.geteuid() != 0:
        pytest.skip("needs root (a small tmpfs in a mount namespace of its own)")
    if not shutil.which("unshare") or not shutil.which("nsenter"):
        pytest.skip("unshare or nsenter is not installed")
    if subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/mnt"], capture_output=True).returncode:
        pytest.skip("this root may not mount a tmpfs")
    node = yard.node("node")
    port = free_port()
    folder = os.path.join(yard.folder, "sentinel")
    state = os.path.join(folder, "state")
    lines = ["port %d" % port, "bind 127.0.0.1", "dir " + folder, "state-dir " + state] + monitor_lines("m", node.port, quorum=1)
    s = Process("sentinel", find("kvorum-sentinel"), lines, yard.folder, port)
    os.makedirs(state)
    script = 'mount -t tmpfs -o size=64k tmpfs "$1" && exec "$2" "$3"'
    s.out = open(s.log, "ab")
    s.proc = subprocess.Popen(["unshare", "-m", "sh", "-c", script, "sh", state, s.program, s.conf], cwd=folder,
                              stdin=subprocess.DEVNULL, stdout=s.out, stderr=subprocess.STDOUT)
    s.out.close()
    Process.live.append(s)
    yard.processes.append(s)
    wait_until(s.answers, what="the sentinel to answer")

    def inside(command):
        return subprocess.run(["nsenter", "-t", str(s.pid), "-m", "sh", "-c", command], capture_output=True, text=True)

    with s.connect() as c, s.connect() as ears:
        p = ears.pubsub()
        p.subscribe("-state-not-saved", "+state-saved")
        assert ask(c, node.port, 5, "a" * 40)[1] == "a" * 40
        inside("dd if=/dev/zero of=%s/fill bs=1k count=100" % state)
        first_refused = None
        for epoch in range(6, 60):                      # what is left of the last block may still take some
            reply = ask(c, node.port, epoch, "%040x" % epoch)
            if reply[1] != "%040x" % epoch:
                first_refused = epoch
                break
        assert first_refused, "it votes although the disk is full"
        info = c.info("sentinel")
        assert info["kvorum_votes"] == "no" and "No space left" in str(info["kvorum_save_trouble"])
        assert "No space left" in c.sentinel_master("m")["observer"]
        inside("rm %s/fill" % state)
        wait_until(lambda: c.info("sentinel")["kvorum_votes"] == "yes", what="it to vote again by itself")
        assert "observer" not in c.sentinel_master("m")
        assert ask(c, node.port, 99, "b" * 40)[1] == "b" * 40
        seen, end = [], time.monotonic() + 40
        while len(seen) < 2 and time.monotonic() < end:
            m = p.get_message(ignore_subscribe_messages=True, timeout=1)
            if m:
                seen.append(m["channel"])
        assert seen == ["-state-not-saved", "+state-saved"], seen
    assert s.log_text().count("cannot be saved") <= 2, s.log_text()
