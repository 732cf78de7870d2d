"""What an agent that has nothing to do holds: no library that nobody asked for. What is said where one is missing."""
import os
import re
import socket
import subprocess
import urllib.request

import pytest
from agent_site import Site
from harness import free_port, monitor_lines, wait_until

LATE = ("libcurl", "libmicrohttpd", "libsystemd")


def mapped(process):
    """Which of the libraries that are loaded when needed this process holds."""
    with open("/proc/%d/maps" % process.pid) as f:
        names = {os.path.basename(line.split()[-1]) for line in f if "/" in line}
    return {name for name in LATE if any(n.startswith(name + ".so") or n.startswith(name + "-") for n in names)}


def without(folder, *names):
    """An environment in which these libraries cannot be loaded: an empty file is found before them."""
    known = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout.split()
    folder = os.path.join(folder, "empty")
    os.makedirs(folder)
    for soname in {word for word in known for name in names if word.startswith(name + ".so")}:
        open(os.path.join(folder, soname), "w").close()
    return {"LD_LIBRARY_PATH": folder}


def test_an_agent_without_work_has_no_library_for_it(yard):
    s = Site(yard)
    s.basic()
    s.wait_ack("ok")
    wait_until(lambda: s.c.hget("cfgmeta:files:demo", "ver"), what="the agent to be controller")
    assert mapped(s.agent) == set()
    # The first URL brings libcurl, and it is the only one.
    s.files_doc(probe={"http": "http://127.0.0.1:%d/" % s.node.port}, probe_for="2s", probe_interval="50ms", on_fail="hold")
    s.wait_ack("ok", sha_of="config:files:demo")
    s.redis_doc(7002)
    assert "http: " in s.wait_ack("probe_failed")["err"]
    assert mapped(s.agent) == {"libcurl"}


def test_a_status_port_and_systemd_bring_theirs(yard):
    port = free_port()
    s = Site(yard, agent_lines=["http-port %d" % port], start=False)
    path = os.path.join(yard.folder, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(path)
        told.settimeout(40)
        s.agent.env = {"NOTIFY_SOCKET": path}
        s.agent.start()
        words = ""
        while "READY=1" not in words:
            words += told.recv(4096).decode() + "\n"
    assert urllib.request.urlopen("http://127.0.0.1:%d/healthz" % port, timeout=30).status == 200
    assert mapped(s.agent) == {"libmicrohttpd", "libsystemd"}


@pytest.mark.parametrize("web", [False, True])
def test_a_sentinel_has_what_it_will_need_before_it_answers(yard, web):
    node, port = yard.node(), free_port()
    p = yard.sentinel(lines=monitor_lines("demo", node.port, 1) + (["http-port %d" % port] if web else []))
    assert mapped(p) == ({"libmicrohttpd"} if web else set())
    if web:
        before = open("/proc/%d/maps" % p.pid).read().count(".so")
        assert urllib.request.urlopen("http://127.0.0.1:%d/healthz" % port, timeout=30).status == 200
        assert open("/proc/%d/maps" % p.pid).read().count(".so") == before, "a request loads nothing"


def test_a_probe_without_libcurl_says_what_to_install(yard):
    s = Site(yard, start=False)
    s.agent.env = without(yard.folder, "libcurl")
    s.agent.start()
    s.basic()
    s.wait_ack("ok")
    s.files_doc(probe={"http": "http://127.0.0.1:1/"}, probe_for="300ms", probe_interval="50ms", on_fail="hold")
    s.wait_ack("ok", sha_of="config:files:demo")
    s.redis_doc(7002)
    a = s.wait_ack("probe_failed")
    assert "cannot load libcurl.so." in a["err"] and "package libcurl4" in a["err"], a
    # All the rest goes on.
    s.files_doc()
    s.wait_ack("ok", sha_of="config:files:demo")
    s.wait_text("redis = 127.0.0.1:7002\n")


@pytest.mark.parametrize("program", ["agent", "sentinel", "node"])
def test_a_status_port_without_libmicrohttpd_is_refused_at_the_start(yard, program):
    line = "http-port %d" % free_port()
    if program == "agent":
        p = yard.agent("n1", ["directory 127.0.0.1 1", line], start=False)
    elif program == "sentinel":
        p = yard.sentinel(lines=[line], start=False)
    else:
        p = yard.node(lines=[line], start=False)
    p.env = without(yard.folder, "libmicrohttpd")
    p.launch()
    assert p.proc.wait(60) != 0
    said = p.log_text()
    assert re.search(r"cannot serve HTTP on port \d+: cannot load libmicrohttpd\.so\.\d+ \(.*\); .* package libmicrohttpd\d+", said), said


def test_without_libsystemd_it_runs_and_complains_once(yard):
    p = yard.agent("n1", ["directory 127.0.0.1 1"], start=False)
    p.env = dict(without(yard.folder, "libsystemd"), NOTIFY_SOCKET=os.path.join(yard.folder, "nobody"))
    p.start()
    assert p.log_text().count("systemd is told nothing: cannot load libsystemd.so.") == 1, p.log_text()
    assert p.stop() == 0
