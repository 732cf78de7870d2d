"""One group watched by ours and by stock redis-sentinels: both kinds lead, votes mix."""
import os
import shutil
import subprocess
import urllib.request

import pytest
from conftest import need
from harness import free_port, wait_until


@pytest.mark.parametrize("leader", ["ours", "stock"])
def test_group_of_one_ours_and_two_stock(cluster, leader):
    need("redis-server"), need("redis-sentinel")
    c = cluster(engine="redis-server", sentinel_engines=["kvorum-sentinel", "redis-sentinel", "redis-sentinel"],
                down_after=2000)
    c.wait_settled()
    ours = c.sentinels[0]
    old = c.primary()
    asked = ours if leader == "ours" else c.sentinels[1]
    with asked.connect() as s:
        # A failover asked for by hand is led by the one that was asked.
        wait_until(lambda: s.execute_command("SENTINEL", "FAILOVER", "demo"), what="the failover to be accepted")
    new = c.wait_new_primary(old)
    wait_until(lambda: {c.primary_addr(s)[1] for s in c.sentinels} == {new.port}, 60, what="all three to agree")
    c.wait_roles(60)
    assert "+promoted-slave" in asked.log_text(), "another one led the failover that was asked for"
    # And a crash: whoever leads, all three agree afterwards and no epoch has two leaders.
    old = c.primary()
    old.kill()
    new = c.wait_new_primary(old, 80)
    wait_until(lambda: {c.primary_addr(s)[1] for s in c.sentinels} == {new.port}, 60, what="all three to agree")
    old.start()
    c.wait_roles(60)


@pytest.mark.parametrize("leader", ["ours", "stock"])
def test_crash_is_led_by_either_kind(cluster, leader):
    """Votes of the other kind are needed and given: with ours alone seeing it first, then a stock one."""
    need("redis-server"), need("redis-sentinel")
    c = cluster(engine="redis-server", sentinel_engines=["kvorum-sentinel", "redis-sentinel", "redis-sentinel"],
                down_after=1500, quorum=1)
    c.wait_settled()
    # The others are made slow to see it, so that the one that leads is known.
    for s in c.sentinels:
        kind = "ours" if s is c.sentinels[0] else "stock"
        if kind != leader or (kind == "stock" and s is c.sentinels[2]):
            with s.connect() as k:
                k.execute_command("SENTINEL", "SET", "demo", "down-after-milliseconds", "60000")
                if kind == "ours":
                    k.execute_command("SENTINEL", "SET", "demo", "crash-evidence", "no")
    who = c.sentinels[0] if leader == "ours" else c.sentinels[1]
    with who.connect() as k:
        myid = k.execute_command("SENTINEL", "MYID")
    old = c.primary()
    old.kill()
    new = c.wait_new_primary(old, 80)
    wait_until(lambda: {c.primary_addr(s)[1] for s in c.sentinels} == {new.port}, 60, what="all three to agree")
    votes = [s for s in c.sentinels if s is not who]
    assert any(("+vote-for-leader %s" % myid) in s.log_text() for s in votes), "nobody voted for the expected leader"


def test_prometheus_redis_exporter_reads_our_sentinel(cluster):
    exporter = shutil.which("prometheus-redis-exporter")
    if not exporter:
        pytest.skip("prometheus-redis-exporter is not installed (scripts/deps test)")
    c = cluster()
    c.wait_settled()
    s = c.sentinels[0]
    port = free_port()
    with open(os.path.join(c.yard.folder, "exporter.txt"), "wb") as out:
        p = subprocess.Popen([exporter, "-redis.addr", "redis://127.0.0.1:%d" % s.port,
                              "-web.listen-address", "127.0.0.1:%d" % port], stdout=out, stderr=out)
    try:
        def metrics():
            with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % port, timeout=30) as r:
                text = r.read().decode()
            return text if "redis_sentinel_masters" in text else None

        text = wait_until(metrics, 40, what="redis_sentinel_ metrics")
    finally:
        p.kill()
        p.wait()
    assert "redis_up 1" in text
    assert "redis_sentinel_masters 1" in text
    status = [l for l in text.splitlines() if l.startswith("redis_sentinel_master_status{")]
    assert status and 'master_name="demo"' in status[0] and 'master_address="127.0.0.1:%d"' % c.primary().port in status[0]
    for name, value in (("redis_sentinel_master_slaves", 2), ("redis_sentinel_master_sentinels", 3),
                        ("redis_sentinel_master_ok_slaves", 2), ("redis_sentinel_master_ok_sentinels", 3)):
        lines = [l for l in text.splitlines() if l.startswith(name + "{")]
        assert lines and float(lines[0].split()[-1]) == value, (name, lines)


def test_redis_cli_prints_masters(cluster):
    need("redis-cli")
    c = cluster()
    c.wait_settled()
    out = subprocess.run([shutil.which("redis-cli"), "-p", str(c.sentinels[0].port), "sentinel", "masters"],
                         capture_output=True, text=True, timeout=60).stdout
    words = out.split()
    assert words[words.index("name") + 1] == "demo"
    assert words[words.index("port") + 1] == str(c.primary().port)
    assert words[words.index("num-slaves") + 1] == "2"
