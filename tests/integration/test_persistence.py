"""The data set on disk: files that Redis accepts and files of Redis; what is broken is refused
by name and left alone; background saves, save points, and a node that is still loading."""
import glob
import os
import shutil
import subprocess
import time

import pytest
import redis
from conftest import need
from harness import wait_until
from replicas import compare, fill_every_encoding, same_digest


def dump_of(node):
    return os.path.join(node.folder, "dump.rdb")


def fails_to_start(node):
    """Launch a node that must refuse: exit code 1. Its log."""
    node.launch()
    assert node.proc.wait(60) == 1, node.tail()
    return node.log_text()


def test_redis_accepts_our_file(yard):
    need("redis-server"), need("redis-check-rdb")
    node = yard.node("node")
    with node.connect(decode_responses=False) as c:
        fill_every_encoding(c)
        c.save()
    r = subprocess.run(["redis-check-rdb", dump_of(node)], capture_output=True, text=True)
    assert r.returncode == 0 and "RDB looks OK" in r.stdout, r.stdout
    other = yard.node("redis", "redis-server", start=False)
    shutil.copy(dump_of(node), other.folder)
    other.start()
    compare(node, other)


@pytest.mark.parametrize("lines", [[], ["rdbcompression no"], ["rdbchecksum no"], ["hash-max-listpack-entries 0"]])
def test_we_accept_the_file_of_redis(yard, lines):
    need("redis-server")
    other = yard.node("redis", "redis-server", lines)
    with other.connect(decode_responses=False) as c:
        fill_every_encoding(c)
        c.save()
    node = yard.node("node", start=False)
    shutil.copy(dump_of(other), node.folder)
    node.start()
    wait_until(lambda: node.info("persistence")["loading"] == 0)
    compare(other, node)


def test_reload_and_restart_change_nothing(yard):
    node = yard.node("node", lines=["save 3600 1"])
    with node.connect(decode_responses=False) as c:
        fill_every_encoding(c)
        wait_until(lambda: not c.keys("soon:*"))
        time.sleep(1.3)
        before = c.execute_command("DEBUG", "DIGEST")
        c.execute_command("DEBUG", "RELOAD")
        assert c.execute_command("DEBUG", "DIGEST") == before
    node.stop()
    node.start()
    with node.connect(decode_responses=False) as c:
        wait_until(lambda: c.info("persistence")["loading"] == 0)
        assert c.execute_command("DEBUG", "DIGEST") == before


def broken(name, data):
    middle = len(data) // 2
    return {
        "cut": data[:middle],
        "cut-checksum": data[:-3],
        "flipped": data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1:],
        "wrong-checksum": data[:-1] + bytes([data[-1] ^ 1]),
        "not-rdb": b"hello, I am a text file\n",
        "empty": b"",
        "newer": b"REDIS0099" + data[9:],
    }[name]


@pytest.mark.parametrize("name", ["cut", "cut-checksum", "flipped", "wrong-checksum", "not-rdb", "empty", "newer"])
def test_a_broken_file_is_refused_and_left_alone(yard, name):
    node = yard.node("node")
    with node.connect(decode_responses=False) as c:
        fill_every_encoding(c)
        c.save()
    node.kill()
    with open(dump_of(node), "rb") as f:
        data = broken(name, f.read())
    with open(dump_of(node), "wb") as f:
        f.write(data)
    log = fails_to_start(node)
    assert "Fatal error loading the DB" in log and "dump.rdb" in log and "at byte" in log
    with open(dump_of(node), "rb") as f:
        assert f.read() == data


@pytest.mark.parametrize("make,word", [
    (["RPUSH", "mykey", "a"], "list"), (["SADD", "mykey", "a"], "set"), (["ZADD", "mykey", 1, "a"], "sorted set"),
    (["XADD", "mykey", "*", "a", "b"], "stream"), (["SADD", "mykey", 1, 2], "set"),
    (["FUNCTION", "LOAD", "#!lua name=mylib\nredis.register_function('f', function() return 1 end)"], "mylib")])
def test_a_foreign_type_is_refused_by_name(yard, make, word):
    need("redis-server")
    other = yard.node("redis", "redis-server")
    with other.connect() as c:
        c.set("s", 1)
        c.execute_command(*make)
        c.save()
    node = yard.node("node", start=False)
    shutil.copy(dump_of(other), node.folder)
    log = fails_to_start(node)
    assert word in log and "nothing was loaded" in log and (make[0] == "FUNCTION" or '"mykey"' in log)


def test_loading_is_said(yard):
    node = yard.node("node")
    with node.connect() as c:
        c.execute_command("DEBUG", "POPULATE", 20000)
        c.save()
    node.kill()
    node.lines.append("key-load-delay 250")
    with open(node.conf, "a") as f:
        f.write("key-load-delay 250\n")
    node.launch()
    with wait_until(lambda: node.connect()) as c:
        wait_until(lambda: c.info("persistence")["loading"] == 1, every=0.01)
        with pytest.raises(redis.exceptions.BusyLoadingError):
            c.get("key:1")
        with pytest.raises(redis.exceptions.BusyLoadingError):
            c.ping()
        i = c.info("persistence")
        assert i["loading_total_bytes"] > 0 and 0 <= i["loading_loaded_perc"] <= 100
        c.config_get("port")
        wait_until(lambda: c.info("persistence")["loading"] == 0, 60)
        assert c.dbsize() == 20000
        i = c.info("persistence")
        assert i["rdb_last_load_keys_loaded"] == 20000


def test_background_save(yard):
    node = yard.node("node", lines=["rdb-key-save-delay 250"])
    with node.connect() as c:
        c.execute_command("DEBUG", "POPULATE", 20000)
        last = c.execute_command("LASTSAVE")
        time.sleep(1.1)
        c.set("x", 1)
        assert c.execute_command("BGSAVE") in (True, "Background saving started")
        with pytest.raises(redis.exceptions.ResponseError, match="already in progress"):
            c.execute_command("BGSAVE")
        i = wait_until(lambda: (lambda v: v if v["current_save_keys_processed"] > 100 else None)(c.info("persistence")))
        assert i["rdb_bgsave_in_progress"] == 1 and i["current_save_keys_total"] == 20001 and i["current_fork_perc"] > 0
        assert subprocess.run(["pgrep", "-P", str(node.pid)], capture_output=True).returncode == 0
        c.set("during", 1)
        wait_until(lambda: c.info("persistence")["rdb_bgsave_in_progress"] == 0, 60)
        i = c.info("persistence")
        assert i["rdb_last_bgsave_status"] == "ok" and i["rdb_changes_since_last_save"] == 1
        assert c.execute_command("LASTSAVE") != last
        assert not glob.glob(os.path.join(node.folder, "temp-*.rdb"))


def test_flushall_ends_a_save_under_way(yard):
    node = yard.node("node", lines=["save 3600 1000000"])
    with node.connect() as c:
        c.execute_command("DEBUG", "POPULATE", 20000)
        c.save()
        c.config_set("rdb-key-save-delay", 10000)
        c.execute_command("BGSAVE")
        c.flushall()
        wait_until(lambda: c.info("persistence")["rdb_bgsave_in_progress"] == 0 and c.info("persistence")["rdb_saves"] == 2)
        assert c.info("persistence")["rdb_last_bgsave_status"] == "ok"
        assert os.path.getsize(dump_of(node)) < 300


def test_a_save_that_is_killed_leaves_the_old_file(yard):
    node = yard.node("node")
    with node.connect() as c:
        c.set("x", "old")
        c.save()
        with open(dump_of(node), "rb") as f:
            old = f.read()
        c.execute_command("DEBUG", "POPULATE", 20000)
        c.config_set("rdb-key-save-delay", 1000)
        c.execute_command("BGSAVE")
        wait_until(lambda: glob.glob(os.path.join(node.folder, "temp-*.rdb")))
        child = int(subprocess.run(["pgrep", "-P", str(node.pid)], capture_output=True, text=True).stdout.split()[0])
        os.kill(child, 9)
        wait_until(lambda: c.info("persistence")["rdb_bgsave_in_progress"] == 0)
        assert c.info("persistence")["rdb_last_bgsave_status"] == "err"
    with open(dump_of(node), "rb") as f:
        assert f.read() == old
    assert not glob.glob(os.path.join(node.folder, "temp-*.rdb"))


def test_what_a_killed_save_leaves_is_removed(yard):
    node = yard.node("node")
    with node.connect() as c:
        c.execute_command("DEBUG", "POPULATE", 20000)
        c.config_set("rdb-key-save-delay", 1000)
        c.execute_command("BGSAVE")
        wait_until(lambda: glob.glob(os.path.join(node.folder, "temp-*.rdb")))
    child = int(subprocess.run(["pgrep", "-P", str(node.pid)], capture_output=True, text=True).stdout.split()[0])
    node.kill()
    os.kill(child, 9)
    wait_until(lambda: not os.path.exists("/proc/%d" % child))
    assert glob.glob(os.path.join(node.folder, "temp-*.rdb"))
    node.start()
    assert not glob.glob(os.path.join(node.folder, "temp-*.rdb"))


def test_files_for_replicas_only_are_removed(yard):
    primary = yard.node("primary", lines=["rdb-del-sync-files yes"])
    replica = yard.node("replica", lines=["replicaof 127.0.0.1 %d" % primary.port])
    wait_until(lambda: replica.info("replication")["master_link_status"] == "up")
    assert not os.path.exists(dump_of(primary))


def test_save_points(yard):
    node = yard.node("node", lines=["save 1 3"])
    with node.connect() as c:
        time.sleep(1.2)
        c.set("a", 1)
        c.set("b", 1)
        time.sleep(0.5)
        assert c.info("persistence")["rdb_saves"] == 0
        c.set("c", 1)
        wait_until(lambda: c.info("persistence")["rdb_saves"] == 1)
        assert c.info("persistence")["rdb_changes_since_last_save"] == 0


def test_writes_stop_when_saving_fails(yard):
    node = yard.node("node", lines=["save 3600 100000"])
    with node.connect() as c:
        c.set("x", 1)
        os.mkdir(os.path.join(node.folder, "dump.rdb"))     # a folder in its place: rename cannot work
        c.execute_command("BGSAVE")
        wait_until(lambda: c.info("persistence")["rdb_last_bgsave_status"] == "err")
        with pytest.raises(redis.exceptions.ResponseError, match="MISCONF"):
            c.set("x", 2)
        assert c.get("x") == "1"
        with pytest.raises(redis.exceptions.ResponseError):
            c.save()
        c.config_set("stop-writes-on-bgsave-error", "no")
        assert c.set("x", 3)
        c.config_set("stop-writes-on-bgsave-error", "yes")
        os.rmdir(os.path.join(node.folder, "dump.rdb"))
        c.execute_command("BGSAVE")
        wait_until(lambda: c.info("persistence")["rdb_last_bgsave_status"] == "ok")
        assert c.set("x", 4)


def test_a_replica_saves_and_restores_too(yard):
    primary = yard.node("primary")
    with primary.connect(decode_responses=False) as c:
        fill_every_encoding(c)
    replica = yard.node("replica", lines=["replicaof 127.0.0.1 %d" % primary.port])
    wait_until(lambda: replica.info("replication")["master_link_status"] == "up")
    same_digest(primary, replica)
    with replica.connect() as c:
        c.save()
        c.execute_command("DEBUG", "RELOAD")
    same_digest(primary, replica)
