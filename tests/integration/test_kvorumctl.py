"""kvorumctl: everything from one sentinel's address."""
import json
import subprocess

from harness import find, wait_until


def ctl(cluster, *words, text=None):
    return subprocess.run([find("kvorumctl"), "-s", "127.0.0.1:%d" % cluster.sentinels[0].port] + list(words),
                          input=text, capture_output=True, text=True, timeout=90)


def test_status_as_text_and_json(cluster):
    c = cluster()
    c.wait_settled()
    # what the sentinel knows of a replica's link is as old as its last INFO
    r = wait_until(lambda: (lambda x: x if x.returncode == 0 else None)(ctl(c, "status")))
    for word in ["demo"] + [str(n.port) for n in c.nodes] + [str(s.port) for s in c.sentinels]:
        assert word in r.stdout, (word, r.stdout)
    r = ctl(c, "-o", "json", "status")
    assert r.returncode == 0, r
    text = json.dumps(json.loads(r.stdout))
    assert "demo" in text and str(c.primary().port) in text


def test_failover_moves_the_primary(cluster):
    c = cluster()
    c.wait_settled()
    old = c.primary()
    r = ctl(c, "failover", "demo")
    assert r.returncode == 0, r
    c.wait_new_primary(old)
    c.wait_roles()
    r = ctl(c, "failover", "nobody")
    assert r.returncode != 0 and r.stderr.strip()


def test_config_set_and_get_follow_the_directory(cluster):
    c = cluster()
    c.wait_settled()
    r = ctl(c, "config", "set", "redis", "stats", '{"host": "10.0.0.7", "port": 6379}')
    assert r.returncode == 0, r
    with c.primary().connect() as k:
        assert json.loads(k.get("config:redis:stats")) == {"host": "10.0.0.7", "port": 6379}
    old = c.primary()
    old.kill()
    c.wait_new_primary(old)
    r = wait_until(lambda: (lambda x: x if x.returncode == 0 else None)(ctl(c, "config", "get", "redis", "stats")))
    assert json.loads(r.stdout) == {"host": "10.0.0.7", "port": 6379}
    r = ctl(c, "config", "set", "redis", "stats", "{not json")
    assert r.returncode != 0 and r.stderr.strip()
    r = ctl(c, "config", "get", "redis", "nothing-there")
    assert r.returncode != 0 and r.stderr.strip()
