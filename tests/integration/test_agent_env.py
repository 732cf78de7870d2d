"""Documents of type env: what is written is read back exactly by a shell and by systemd's own reader; crashes; owners."""
import glob
import json
import os
import pwd
import random
import subprocess
import sys
import time

import pytest
from harness import wait_until
from agent_site import ENGINES, Site, converged_soon, script

DOC = "env:web"
PLACE = {"root": "files", "path": "default/web"}
SYSTEMD = glob.glob("/usr/lib/*/systemd/libsystemd-shared-*.so")

NASTY = {"PLAIN": "1000", "EMPTY": "", "BLANKS": "  two  ", "TAB": "a\tb", "QUOTES": "it's \"so\"", "DOLLAR": "$HOME ${X} $(id) $$",
         "BACK": "`id` \\ \\\\ \\n \\\"", "HASH": "# no comment", "SEMI": "; | & < > * ? [a] ~ !x", "EQ": "a=b=c", "END": "ends with \\",
         "_u": "\u00e4\u4f60\U0001f600", "l0ng": "x" * 100000}


def sh_reads(path):
    """What a shell has after `. file`."""
    out = subprocess.run(["sh", "-c", "set -eu; . \"$1\"; shift; for n; do eval \"printf '%s\\0%s\\0' \\\"\\$n\\\" \\\"\\$$n\\\"\"; done",
                          "sh", path] + [line.split("=")[0] for line in open(path, newline="\n")], capture_output=True, check=True).stdout
    words = out.split(b"\0")[:-1]
    return {words[i].decode(): words[i + 1].decode() for i in range(0, len(words), 2)}


def systemd_reads(path):
    """What systemd's reader of EnvironmentFile= makes of it (the function of its own library)."""
    if not SYSTEMD:
        pytest.skip("libsystemd-shared is not here (package systemd)")
    code = """
import ctypes, json, sys
lib, c = ctypes.CDLL(sys.argv[1]), ctypes.CDLL(None)
c.fopen.restype = ctypes.c_void_p
out = ctypes.POINTER(ctypes.c_char_p)()
f = c.fopen(sys.argv[2].encode(), b"re")
r = lib.load_env_file(ctypes.c_void_p(f), sys.argv[2].encode(), ctypes.byref(out))
assert r >= 0, r
i, all = 0, []
while out and out[i]:
    all.append(out[i].decode())
    i += 1
print(json.dumps(all))
"""
    lines = json.loads(subprocess.run([sys.executable, "-c", code, SYSTEMD[0], path], capture_output=True, check=True).stdout)
    return dict(line.split("=", 1) for line in lines)


def env_doc(s, env=None, **more):
    s.set("config:" + DOC, dict({"v": 1}, **PLACE, **({"env": env} if env is not None else {}), **more))


def wait(s, st, **kw):
    return s.wait_ack(st, doc=DOC, sha_of="config:" + DOC, **kw)


@pytest.mark.parametrize("engine", ENGINES)
def test_read_back_exactly(yard, engine):
    s = Site(yard, engine)
    env_doc(s, NASTY)
    s.apply(DOC)
    wait(s, "ok")
    path = s.path("default/web")
    assert sh_reads(path) == NASTY
    assert systemd_reads(path) == NASTY
    names = [line.split("=")[0] for line in open(path)]
    assert names == sorted(NASTY)
    # A thousand values out of the characters that matter.
    rng = random.Random(7)
    many = {"V%d" % i: "".join(rng.choice("ab \t'\"\\$`!#;=*{}()~\u00e9") for _ in range(rng.randint(0, 20))) for i in range(1000)}
    env_doc(s, many)
    wait(s, "ok")
    assert sh_reads(path) == many
    assert systemd_reads(path) == many


@pytest.mark.parametrize("engine", ENGINES)
def test_from_a_hash_and_the_document_wins(yard, engine):
    log = os.path.join(yard.folder, "reloads")
    tool = script(yard, "reload", "echo x >> %s\n" % log)
    s = Site(yard, engine, agent_lines=["allow-command " + tool])
    s.c.hset("app_config", mapping={"API_URL": "http://x/?a=1&b", "MAX": "7"})
    env_doc(s, {"MAX": "1000"}, from_hash="app_config", reload={"exec": [tool]})
    s.apply(DOC)
    wait(s, "ok")
    assert s.text("default/web") == 'API_URL="http://x/?a=1&b"\nMAX="1000"\n'
    s.c.hset("app_config", "NEW", "1")
    s.wait_text('API_URL="http://x/?a=1&b"\nMAX="1000"\nNEW="1"\n', "default/web", timeout=30)
    wait_until(lambda: open(log).read() == "x\nx\n", what="two reloads")
    # The order in which the hash has its fields says nothing; what the document outvotes says nothing.
    s.c.hset("app_config", "MAX", "8")
    s.c.delete("cfgack:" + DOC)
    s.c.hset("app_config", "MAX", "9")
    time.sleep(0.5)
    assert open(log).read() == "x\nx\n"
    # What cannot be written is refused, and the last good file stays.
    s.c.hset("app_config", "a-b", "1")
    assert "from_hash: 'a-b'" in s.wait_ack("invalid", doc=DOC)["err"]
    s.c.hdel("app_config", "a-b")
    s.c.hset("app_config", "TWO", "lines\nhere")
    a = s.wait_ack("invalid", doc=DOC, also=lambda a: "TWO" in a["err"])
    assert "line break" in a["err"] and "lines" not in a["err"]
    s.c.delete("app_config")
    assert "hash:app_config does not exist" in s.wait_ack("vanished", doc=DOC)["err"]
    s.c.set("app_config", "a string")
    assert "another type" in s.wait_ack("invalid", doc=DOC, also=lambda a: "another" in a["err"])["err"]
    assert s.text("default/web") == 'API_URL="http://x/?a=1&b"\nMAX="1000"\nNEW="1"\n'


def test_check_probe_and_rollback(yard):
    check = script(yard, "check", '. "$1"; test "$MAX" -lt 100\n')
    s = Site(yard, agent_lines=["allow-command " + check])
    more = {"check": [["check", "{{staged:default/web}}"]]}
    env_doc(s, {"MAX": "1"}, **more)
    s.apply(DOC)
    wait(s, "ok")
    env_doc(s, {"MAX": "100"}, **more)
    wait(s, "check_failed")
    assert s.text("default/web") == 'MAX="1"\n'
    probe = {"probe": {"tcp": "127.0.0.1:%d" % s.node.port}, "probe_for": "20s", "probe_interval": "50ms"}
    env_doc(s, {"MAX": "2"}, **probe)
    wait(s, "ok")
    env_doc(s, {"MAX": "3"}, reload={"exec": ["check", "/dev/null"]}, on_fail="hold")     # MAX is unset: it fails
    wait(s, "reload_failed")
    assert s.text("default/web") == 'MAX="3"\n'
    s.no_leftovers()


def test_two_documents_do_not_share_a_file(yard):
    s = Site(yard)
    env_doc(s, {"A": "1"})
    s.set("config:files:web", {"files": [dict(PLACE, template="B=2\n")]})
    s.apply(DOC, "files:web")
    wait(s, "ok")
    assert "belongs to env:web" in s.wait_ack("invalid", doc="files:web")["err"]
    assert s.text("default/web") == 'A="1"\n'


# --- crashes ---

USER = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
OWNED = {"mode": "0604", "owner": USER}


def version(s):
    """The version of the file: all of it there, of the right owner and mode."""
    path = s.path("default/web")
    st = os.stat(path)
    assert (pwd.getpwuid(st.st_uid).pw_name, st.st_mode & 0o7777) == (USER, 0o604), st
    got = dict(line.split("=", 1) for line in s.text("default/web").splitlines())
    assert len(got) == 300 and len(set(got.values())) == 1, "torn or mixed: %d of %r" % (len(got), set(got.values()))
    return int(got["V0"].strip('"'))


def numbered(n):
    return {"V%d" % i: str(n) for i in range(300)}


def wait_converged(s, n):
    t = time.monotonic()
    s.agent.start()
    journal = os.path.join(s.agent.folder, "state", "journal", "env")
    wait_until(lambda: version(s) == n and not os.listdir(journal) and (s.ack(DOC) or {}).get("st") == "ok", 40, every=0.005,
               what="version %d; log:\n%s" % (n, s.agent.tail(15)))
    took = time.monotonic() - t
    left = [f for _, _, files in os.walk(s.root) for f in files if ".agent-" in f]
    assert not left, left
    return took


def test_kill_9_at_random_points(yard):
    tool = script(yard, "nop", "exit 0\n")
    s = Site(yard, agent_lines=["allow-command " + tool])
    more = dict(OWNED, check=[[tool]], reload={"exec": [tool]})
    env_doc(s, numbered(1000), **more)
    s.apply(DOC)
    wait(s, "ok")
    rng, took = random.Random(20261121), []
    for n in range(1001, 1011):
        s.c.delete("cfgack:" + DOC)
        env_doc(s, numbered(n), **more)
        time.sleep(rng.uniform(0.015, 0.06))
        s.agent.kill()
        version(s)
        took.append(wait_converged(s, n))
    converged_soon(took)


CALLS = ["openat", "openat2", "fsync", "fdatasync", "rename", "renameat", "linkat", "unlink", "unlinkat", "write", "fchmod", "fchown"]
SHORT = ["fsync", "renameat", "linkat", "fchown"]      # the others with --long


@pytest.mark.parametrize("call", [c if c in SHORT else pytest.param(c, marks=pytest.mark.long) for c in CALLS])
def test_kill_9_at_every_system_call(yard, call):
    """strace ends the agent at the n-th call of one kind, for n = 1, 2, ... until the application gets through."""
    s = Site(yard, start=False)
    env_doc(s, numbered(1000), **OWNED)
    s.apply(DOC)
    s.agent.start()
    wait(s, "ok")
    s.agent.stop()

    def prepare(n):
        s.c.delete("cfgack:" + DOC)
        env_doc(s, numbered(1000 + n), **OWNED)

    def through(n):
        return version(s) == 1000 + n and (s.ack(DOC) or {}).get("st") == "ok" and s.stats()["acks_waiting"] == 0

    def check(n):
        version(s)
        took.append(wait_converged(s, 1000 + n))

    took = []
    crashes = s.killed_at_every(call, prepare, through, check, step=3 if call == "openat" else 1)
    if crashes:
        converged_soon(took, "kill -9 at each %s: " % call)
    if call in SHORT and not (call == "fchown" and os.geteuid() != 0):
        assert crashes > 0, "no crash happened: the injection does not work"
