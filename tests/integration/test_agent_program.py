"""The agent as a program: its configuration, its rights at the directory, systemd, its surfaces."""
import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request

import pytest
import redis
from agent_site import FILE, Site, line
from harness import TOP, find, free_port, wait_until


def test_errors_of_the_configuration(yard):
    agent = find("kvorum-agent")

    def run(text, *args):
        conf = os.path.join(yard.folder, "a.conf")
        with open(conf, "w") as f:
            f.write(text)
        r = subprocess.run([agent, conf] + list(args), capture_output=True, text=True, timeout=60)
        assert r.stderr.count("\n") <= 1, r.stderr
        return r.returncode, r.stdout, r.stderr

    ok = "directory 127.0.0.1 6379\nstate-dir %s/state\nunixsocket %s/sock\n" % (yard.folder, yard.folder)
    assert run(ok, "--check-config")[0] == 0
    for text, reason in [("", "no way to the directory"), ("directory-sentinel 127.0.0.1 26379\n", "directory-group"),
                         (ok + "bogus 1\n", "bogus"), (ok + "root etc relative\n", "absolute"), (ok + "root a /x\nroot a /y\n", "twice"),
                         (ok + "ping-interval soon\n", "ping-interval"), (ok + "directory 127.0.0.1 99999\n", "<host> <port>"),
                         (ok + "allow-command rm\n", "absolute path"), (ok + "node-id a/b\n", "node-id")]:
        code, out, err = run(text, "--check-config")
        assert code == 1 and reason in err, (text, code, err)
    code, out, err = run("", "--print-docs")
    assert code == 0 and "directory-sentinel" in out and "kvorum_agent_pushes_total" in out and "AGENT" in out.upper()


def test_a_directory_with_users(yard):
    """A user with the few rights an agent needs, and no others; a wrong password is said once."""
    rights = ("~config:* ~cfgschema:* ~app_config ~cfgack:* &__redis__:invalidate -@all +auth +ping +role +mget +hgetall +hset +multi +exec "
              "+client|id +client|setname +client|tracking +subscribe")
    s = Site(yard, "redis-server", ["user default on >boss ~* &* +@all", "user agent on >s3cret " + rights], start=False)
    s.c = redis.Redis("127.0.0.1", s.node.port, password="boss", decode_responses=True)
    with open(s.agent.conf, "a") as f:
        f.write("directory-user agent\ndirectory-password wrong\n")
    s.basic(7001)
    s.c.hset("app_config", "a", "b")
    s.set("config:files:demo", {"files": [dict(FILE, data={"cfg": "config:redis:demo", "h": "hash:app_config"})]})
    s.agent.start()
    wait_until(lambda: "WRONGPASS" in s.agent.log_text(), what="a word about the password")
    time.sleep(0.3)
    assert s.agent.log_text().count("WRONGPASS") == 1 and "s3cret" not in s.agent.log_text()
    s.agent.kill()
    with open(s.agent.conf, "a") as f:
        f.write("directory-password s3cret\n")
    s.agent.start()
    s.wait_text(line(7001))
    s.wait_ack("ok")
    s.redis_doc(7002)
    s.wait_text(line(7002))
    assert s.stats()["directory_rung"] == "tracking"
    assert "s3cret" not in s.agent.log_text()


def test_sample_configuration(yard):
    agent = find("kvorum-agent")
    conf = os.path.join(TOP, "agent", "agent.conf")
    sample = open(conf).read()
    assert subprocess.run([agent, conf, "--check-config"], capture_output=True).returncode == 0
    shown = subprocess.run([agent, "--print-sample"], capture_output=True, text=True).stdout
    for text in shown.split("\n"):
        if text.startswith("# ") and not text.startswith("# Value:") and text.split()[1].islower() and '""' in text:
            assert text.split()[1] in sample, "agent.conf lacks " + text


def test_tells_systemd(yard):
    path = os.path.join(yard.folder, "notify")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(path)
    sock.settimeout(40)
    s = Site(yard, start=False)
    s.agent.env = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"}
    s.agent.start()
    s.basic(7001)
    seen = ""
    while not ("READY=1" in seen and seen.count("WATCHDOG=1") > 2 and "1 documents, 1 in force" in seen):
        seen += sock.recv(4096).decode() + "\n"
    s.agent.signal(signal.SIGHUP)
    s.agent.signal(signal.SIGTERM)
    while "STOPPING=1" not in seen:
        seen += sock.recv(4096).decode() + "\n"
    assert s.agent.proc.wait(40) == 0
    sock.close()


def test_two_agents_do_not_share_a_state_folder(yard):
    s = Site(yard)
    r = subprocess.run([s.agent.program, s.agent.conf, "--unixsocket", ""], capture_output=True, text=True, timeout=60)
    assert r.returncode == 1 and "state-dir" in r.stdout + r.stderr


def test_surfaces(yard):
    port = free_port()
    s = Site(yard, agent_lines=["http-port %d" % port])
    s.basic(7001)
    s.wait_ack("ok")
    with s.agent.connect() as c:
        assert c.ping() is True
        status = c.execute_command("AGENT", "STATUS")
        assert dict(zip(status[::2], status[1::2]))["directory"] == "live"
        (doc,) = c.execute_command("AGENT", "APPLIED")
        doc = dict(zip(doc[::2], doc[1::2]))
        assert doc["document"] == "files:demo" and doc["status"] == "ok" and doc["sha"] == doc["applied-sha"]
        assert c.execute_command("AGENT", "RESYNC") in ("OK", b"OK", True)
        with pytest.raises(redis.exceptions.ResponseError):
            c.execute_command("SET", "a", "b")
        assert "redis-py" not in c.client_list()[0]["name"]
    get = lambda path: urllib.request.urlopen("http://127.0.0.1:%d%s" % (port, path), timeout=30).read().decode()  # noqa: E731
    assert get("/healthz") == "ok\n"
    assert json.loads(get("/status"))["documents"][0]["status"] == "ok"
    assert 'kvorum_agent_directory_rung{rung="tracking"} 1' in get("/metrics")
    threads = [threading.Thread(target=get, args=("/metrics",)) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
