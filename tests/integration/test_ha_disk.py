"""A member of a formed group whose process is killed at every call that its own state rests on, and whose disk refuses."""
import os
import re
import shutil
import signal
import subprocess
import time

import pytest
from ha_play import Play
from ha_scene import form_with_ghosts, play, refused, status  # noqa: F401
from harness import Process, faulty, find, free_port, wait_until


class Sweep:
    """One node is bound, opened and sealed, and killed at the n-th call that its record rests on. What it was heard to
    say must hold when it starts again."""

    def __init__(self, yard, program, form):
        self.yard, self.program, self.form, self.port, self.n = yard, program, form, free_port(), 0

    def victim(self, plan):
        self.n += 1
        name = "victim%d" % self.n
        folder = os.path.join(self.yard.folder, name)
        lines = ["port %d" % self.port, "bind 127.0.0.1", "dir " + folder, 'save ""']
        if self.form == "state-dir":
            lines.append("state-dir " + os.path.join(folder, "state"))
        return self.yard.add(Process(name, self.program, lines, self.yard.folder, self.port,
                                     env={"KVORUM_FAULT": plan, "ASAN_OPTIONS": "detect_leaks=0"}), start=False)

    def drive(self, play, v):
        """Bind, open, then seals that rise. What was heard: {"bound": ballot, "sealed": highest that was promised}."""
        heard = {"bound": 0, "sealed": 0, "id": None}
        voter = play.voters[0]
        try:
            m = play.look(v)
            heard["id"] = m["from"]
            pid, life, incarnation = play.ids[v]
            play.nodes = [v]
            play.rec = dict(gid=play.gid, ballot=1, change=0, epoch=1, born=1, primary=pid, incarnation=incarnation, mode="strict",
                            k=0, members=[v])
            play.store()
            steps = [("bind", "bound", dict(ballot=1, node=pid, node_life=life)),
                     ("open", "opened", dict(ballot=1, rec=play.record_words()))]
            steps += [("seal", "sealed", dict(ballot=b, epoch=1)) for b in range(3, 8)]
            for kind, answer, fields in steps:
                m = voter.ask(v, kind, answer, 5, **fields)
                if kind == "bind" and m.get("ok"):
                    heard["bound"] = 1
                if kind == "open" and m.get("ok"):
                    heard["sealed"] = 1
                if kind == "seal":                       # also `leased`: it is persisted before it says that
                    heard["sealed"] = max(heard["sealed"], m.get("sealed", 0))
        except (AssertionError, OSError, ConnectionError, KeyError):
            pass
        return heard

    def launch(self, v, strace):
        if not strace:
            v.launch()
            return
        call, n = strace
        v.out = open(v.log, "ab")
        v.proc = subprocess.Popen(["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e",
                                   "inject=%s:signal=KILL:when=%d" % (call, n), v.program, v.conf], cwd=v.folder,
                                  stdin=subprocess.DEVNULL, stdout=v.out, stderr=subprocess.STDOUT)
        v.out.close()
        Process.live.append(v)

    def run_once(self, plan, strace=None):
        v, play = self.victim(plan), Play(voters=1)
        plan = plan or strace
        try:
            self.launch(v, strace)
            try:
                wait_until(lambda: v.proc.poll() is not None or v.answers(), 30, every=0.01, what="the start, or the end, of " + v.name)
            except AssertionError:
                if v.proc.poll() is None:
                    raise
            heard = self.drive(play, v) if v.proc.poll() is None else {"bound": 0, "sealed": 0, "id": None}
            struck = v.proc.poll() is not None
            if struck:
                assert v.proc.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), "%s: ended with %s\n%s" % (plan, v.proc.returncode, v.tail())
            v.kill()
            play.close()
            self.check(v, heard, plan, play.gid)
        finally:
            play.close()
            v.kill()
            if v in Process.live:
                Process.live.remove(v)
            self.yard.processes.remove(v)
            shutil.rmtree(v.folder, ignore_errors=True)
        return struck

    def check(self, v, heard, plan, gid):
        v.env["KVORUM_FAULT"] = ""
        v.start()
        s = status(v)
        if heard["bound"] or heard["sealed"]:
            assert s["group"] == str(gid), "%s: forgot its group: %r, heard %r\n%s" % (plan, s, heard, v.tail())
            assert s["phase"] == "fenced", (plan, s)
            assert s["id"] == heard["id"], "%s: another node" % plan
            with v.connect() as c:
                assert refused(c, "SET", "a", "1").startswith("NOREPLICAS")
        assert s["sealed"] >= heard["sealed"], "%s: sealed %s, was heard to promise %s" % (plan, s["sealed"], heard["sealed"])
        assert not s["record-trouble"]


@pytest.mark.parametrize("form", ["state-dir", "beside-the-data"])
def test_killed_at_every_write_of_its_record(yard, form):
    program = faulty("kvnode")
    if not program:
        pytest.skip("no build with fault points (scripts/build asan kvnode)")
    s, n, quiet = Sweep(yard, program, form), 1, 0
    while quiet < 2 and n < 400:
        struck = s.run_once("%d:%s" % (n, ("kill", "short", "lose")[n % 3]))
        quiet = 0 if struck else quiet + 1
        n += 1
    print("%s: %d places" % (form, n - 1))
    assert n > 10, "only %d calls were seen: nothing was swept" % n


@pytest.mark.long
@pytest.mark.parametrize("form", ["state-dir", "beside-the-data"])
def test_killed_at_every_system_call(yard, form):
    """The program as it ships."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed (scripts/deps test)")
    s, total = Sweep(yard, find("kvnode"), form), 0
    for call in ("write", "fdatasync", "fsync", "rename", "openat", "unlink"):
        n, quiet = 1, 0
        while quiet < 2 and n < 300:
            struck = s.run_once("", strace=(call, n))
            quiet = 0 if struck else quiet + 1
            n += 1
        total += n
    assert total > 20


def test_disk_that_refuses(yard, play):
    """Nothing is promised that is not on disk; when the disk is back, it is."""
    program = faulty("kvnode")
    if not program:
        pytest.skip("no build with fault points (scripts/build asan kvnode)")
    switch = os.path.join(yard.folder, "switch")
    port = free_port()
    lines = ["port %d" % port, "bind 127.0.0.1", "dir " + os.path.join(yard.folder, "n"), 'save ""',
             "state-dir " + os.path.join(yard.folder, "n", "state")]
    n = yard.add(Process("n", program, lines, yard.folder, port, env={"KVORUM_FAULT": "@" + switch, "ASAN_OPTIONS": "detect_leaks=0"}))
    form_with_ghosts(play, n)
    with open(switch, "w") as f:
        f.write("ENOSPC")
    v = play.voters[0]
    v.heard = []
    v.say(n, "seal", ballot=6, epoch=1)
    wait_until(lambda: status(n)["record-trouble"], what="the trouble to show")
    time.sleep(0.3)
    assert not v.last(n, "sealed", ok=True), v.heard
    os.unlink(switch)
    m = play.seal(n, 6, timeout=10)
    wait_until(lambda: play.seal(n, 6).get("ok") or play.seal(n, 6).get("why") == "leased", 10)
    n.kill()
    n.env["KVORUM_FAULT"] = ""
    n.start()
    assert status(n)["sealed"] == 6, m
    assert re.search("No space left", n.log_text())
