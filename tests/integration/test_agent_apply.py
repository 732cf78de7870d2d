"""The steps of an application: check, swap, reload, probe, and the way back when one of them fails."""
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from agent_site import FILE, Site, line, script
from harness import free_port, wait_until


# --- check ---

def test_check_refuses(yard):
    tool = script(yard, "check", 'cat "$1" >> %s/seen\ngrep -q 666 "$1" && { echo "bad port in $1"; exit 3; }\nexit 0\n' % yard.folder)
    s = Site(yard, agent_lines=["allow-command " + tool])
    s.basic(7001, check=[["check", "{{staged:app.conf}}"]])
    s.wait_ack("ok")
    s.redis_doc(7666)
    a = s.wait_ack("check_failed")
    assert "check ended with 3: bad port in " in a["err"] and s.root in a["err"]
    assert s.text() == line(7001)
    s.no_leftovers()
    # Refused values are not tried again and again; the next good ones apply.
    before = open(os.path.join(yard.folder, "seen")).read()
    time.sleep(0.3)
    assert open(os.path.join(yard.folder, "seen")).read() == before
    s.redis_doc(7002)
    s.wait_text(line(7002))


def test_check_that_hangs_and_check_that_prints_much(yard):
    slow = script(yard, "slow", "sleep 60\n")
    loud = script(yard, "loud", "yes | head -c 100000\nexit 1\n")
    s = Site(yard, agent_lines=["allow-command " + slow, "allow-command " + loud])
    s.basic(7001, check=[[slow]], check_timeout="200ms")
    assert "did not end within 200ms" in s.wait_ack("check_failed")["err"]
    s.files_doc(check=[[loud]])
    s.wait_ack("check_failed", also=lambda a: "ended with 1" in a["err"])
    assert s.text() is None
    s.no_leftovers()


# --- swap ---

def test_two_files_are_swapped_together_or_not_at_all(yard):
    """The second target is a folder: nothing of the first may stay."""
    s = Site(yard)
    s.basic(7001)
    s.wait_ack("ok")
    os.makedirs(s.path("second"))
    s.set("config:files:demo", {"files": [dict(FILE, template="new"), dict(FILE, path="second", template="new")]})
    s.wait_ack("swap_failed")
    assert s.text() == line(7001)
    s.no_leftovers()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_owner_and_mode(yard):
    s = Site(yard)
    s.redis_doc(7001)
    s.set("config:files:demo", {"files": [dict(FILE, owner="nobody", group="nogroup", mode="0604")]})
    s.apply("files:demo")
    s.wait_ack("ok")
    st = os.stat(s.path())
    import grp
    import pwd
    assert (st.st_uid, st.st_gid, st.st_mode & 0o7777) == (pwd.getpwnam("nobody").pw_uid, grp.getgrnam("nogroup").gr_gid, 0o604)
    s.set("config:files:demo", {"files": [dict(FILE, owner="nobody", mode="0600")]})
    s.wait_ack("ok", sha_of="config:files:demo")
    assert os.stat(s.path()).st_mode & 0o7777 == 0o600


def test_what_could_not_be_written_is_tried_again(yard):
    s = Site(yard, agent_lines=["resync-interval 300ms"])
    os.rename(s.root, s.root + ".away")
    s.basic(7001)
    s.wait_ack("swap_failed")
    found = s.stats()["resync_found_changes"]        # a resync may have been faster than the news of the writes above
    s.wait_resyncs(3)
    assert s.agent.log_text().count("-applied") == 1, "said once"
    os.rename(s.root + ".away", s.root)
    s.wait_text(line(7001))
    s.wait_ack("ok")
    assert s.stats()["resync_found_changes"] == found


# --- reload ---

def test_reload_fails_and_is_rolled_back(yard):
    tool = script(yard, "reload", 'echo r >> %s/reloads\ngrep -q 7666 %s/root/app.conf && { echo no; exit 1; }\nexit 0\n' % (yard.folder, yard.folder))
    s = Site(yard, agent_lines=["allow-command " + tool])
    s.basic(7001, reload={"exec": [tool]})
    s.wait_ack("ok")
    inode = os.stat(s.path()).st_ino
    s.redis_doc(7666)
    a = s.wait_ack("rolled_back")
    assert "the reload ended with 1: no" in a["err"]
    assert s.text() == line(7001) and os.stat(s.path()).st_ino == inode, "the very file that was there is back"
    assert open(os.path.join(yard.folder, "reloads")).read() == "r\nr\nr\n", "apply, failed apply, way back"
    s.no_leftovers()
    s.redis_doc(7002)
    s.wait_text(line(7002))


def test_signal_reload(yard):
    prog = script(yard, "daemon.py", "")
    s = Site(yard)
    pidfile, seen = s.path("daemon.pid"), s.path("seen")
    with open(prog, "w") as f:
        f.write("""
import os, signal, sys, time
def hup(*a):
    open(sys.argv[3] + '.tmp', 'w').write(open(sys.argv[2]).read()); os.rename(sys.argv[3] + '.tmp', sys.argv[3])
signal.signal(signal.SIGHUP, hup)
open(sys.argv[1], 'w').write('%d\\n' % os.getpid())
while True: time.sleep(1)
""")
    d = subprocess.Popen([sys.executable, prog, pidfile, s.path(), seen])
    try:
        wait_until(lambda: os.path.exists(pidfile) and open(pidfile).read(), what="the daemon")
        s.basic(7001, reload={"signal": "HUP", "pidfile": pidfile})
        s.wait_ack("ok")
        wait_until(lambda: s.text("seen") == line(7001), what="the daemon to see the file")
        d.kill()
        d.wait()
        s.redis_doc(7002)
        s.wait_ack("rollback_failed", also=lambda a: "signal HUP" in a["err"])
        assert s.text() == line(7001)
    finally:
        d.kill()
        d.wait()


def test_units_through_systemctl(yard):
    """A systemctl of our own says what it was asked."""
    log = os.path.join(yard.folder, "asked")
    ctl = script(yard, "systemctl", 'echo "$@" >> %s\ncase "$*" in *broken*) echo "Unit broken not found"; exit 5;; esac\nexit 0\n' % log)
    s = Site(yard, agent_lines=["systemctl " + ctl, "allow-unit web@*.service", "allow-unit broken"])
    s.basic(7001, reload={"unit": "web@1.service", "how": "try-restart"}, probe={"unit": "web@1.service"}, probe_interval="20ms", probe_ok=2)
    s.wait_ack("ok")
    assert open(log).read() == "--no-ask-password try-restart -- web@1.service\n" + "is-active --quiet -- web@1.service\n" * 2
    s.files_doc(reload={"unit": "broken"})          # the same file: nothing is done yet
    s.wait_ack("ok", sha_of="config:files:demo")
    s.redis_doc(7002)
    assert "ended with 5: Unit broken not found" in s.wait_ack("rollback_failed")["err"]
    s.files_doc(reload={"unit": "sshd.service"})
    assert "allow-unit" in s.wait_ack("invalid")["err"]


def test_stuck_until_an_operator_asks_again(yard):
    switch = os.path.join(yard.folder, "broken")
    tool = script(yard, "reload", "test ! -e %s\n" % switch)
    port = free_port()
    s = Site(yard, agent_lines=["allow-command " + tool, "http-port %d" % port, "resync-interval 200ms"])
    s.basic(7001, reload={"exec": [tool]})
    s.wait_ack("ok")
    open(switch, "w").close()
    s.redis_doc(7002)
    s.wait_ack("rollback_failed")
    assert s.text() == line(7001)
    with pytest.raises(urllib.error.HTTPError) as e:
        urllib.request.urlopen("http://127.0.0.1:%d/healthz" % port, timeout=30)
    assert e.value.code == 503 and b"stuck" in e.value.read()
    # A restart tries the way back once more, then the version; still broken, still the last good file.
    s.agent.kill()
    s.c.delete("cfgack:files:demo")
    s.agent.start()
    s.wait_ack("rollback_failed", sha_of="config:files:demo")
    wait_until(lambda: s.stats()["documents_busy"] == 0 and s.text() == line(7001), what="the last good file")
    os.unlink(switch)
    s.wait_resyncs(2)
    assert s.text() == line(7001), "hands off until somebody asks"
    s.resync()
    s.wait_text(line(7002))
    s.wait_ack("ok")
    assert urllib.request.urlopen("http://127.0.0.1:%d/healthz" % port, timeout=30).read() == b"ok\n"
    s.no_leftovers()


# --- probe ---

def test_probe_fails_and_is_rolled_back(yard):
    s = Site(yard, agent_lines=["controller no"])        # it would put back at once what is deleted here
    good = yard.node("good", "redis-server")
    other = free_port()
    doc = dict(probe_interval="50ms", probe_ok=2)
    s.redis_doc(good.port)
    # The probe is of the document, so a bad one fails both ways: with nothing good before, somebody must look.
    s.set("config:files:demo", dict({"files": [FILE], "probe": {"tcp": "127.0.0.1:%d" % other}, "probe_for": "600ms"}, **doc))
    s.apply("files:demo")
    a = s.wait_ack("rollback_failed")
    assert "not well within 600ms" in a["err"] and s.text() is None
    for probe in ({"tcp": "127.0.0.1:%d" % good.port}, {"resp": "127.0.0.1:%d" % good.port},
                  {"resp": "127.0.0.1:%d" % good.port, "send": "ECHO 'two words'", "want": "two words"}):
        s.c.delete("config:files:demo")
        wait_until(lambda: s.ack()["st"] in ("vanished", "invalid"), what="the document to be gone")
        if os.path.exists(s.path()):
            os.unlink(s.path())
        s.set("config:files:demo", dict({"files": [FILE], "probe": probe, "probe_for": "20s"}, **doc))
        s.wait_ack("ok", sha_of="config:files:demo")
    assert s.text() == line(good.port)


def test_http_probe_and_rollback(yard):
    server = script(yard, "web.py", "")
    port = free_port()
    with open(server, "w") as f:
        f.write("""
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ok = '7666' not in open(sys.argv[2]).read()
        self.send_response(200 if ok else 503); self.end_headers()
    def log_message(self, *a): pass
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), H).serve_forever()
""")
    s = Site(yard)
    web = subprocess.Popen([sys.executable, server, str(port), s.path()])
    try:
        wait_until(lambda: socket.create_connection(("127.0.0.1", port), 10).close() is None, what="the web server")
        s.basic(7001, probe={"http": "http://127.0.0.1:%d/ready" % port}, probe_for="20s", probe_interval="50ms")
        s.wait_ack("ok")
        s.files_doc(probe={"http": "http://127.0.0.1:%d/ready" % port}, probe_for="3s", probe_interval="50ms")        # and for the way back
        s.wait_ack("ok", sha_of="config:files:demo")
        s.redis_doc(7666)
        a = s.wait_ack("rolled_back")
        assert "status 503" in a["err"] and s.text() == line(7001)
        s.files_doc(probe={"http": "http://127.0.0.1:%d/ready" % port}, probe_for="500ms", probe_interval="50ms", on_fail="hold")
        s.wait_ack("probe_failed")
        assert s.text() == line(7666), "hold leaves in place what failed"
    finally:
        web.kill()
        web.wait()
