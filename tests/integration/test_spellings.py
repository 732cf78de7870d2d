"""Valkey's spellings beside Redis', settings of the sentinel several at a time, and programs that are
called by the names of those they take the place of."""
import os
import subprocess

import pytest
import redis
from conftest import need
from harness import Process, find, free_port, pairs, wait_until

E = redis.exceptions.ResponseError


@pytest.fixture
def sentinel(yard):
    return yard.sentinel(lines=["sentinel monitor m 127.0.0.1 %d 1" % free_port(),
                                "sentinel primary-reboot-down-after-period m 1234"])


def ask(p, *words):
    with p.connect() as c:
        return c.execute_command("SENTINEL", *words)


def test_primary_is_master(sentinel):
    def keys(reply):
        """Names of the fields; times between them differ from call to call."""
        flat = reply[0] if reply and isinstance(reply[0], list) else reply
        return [str(k) for k in (flat if isinstance(flat, dict) else flat[::2])]

    for ours, theirs in (("PRIMARY", "MASTER"), ("PRIMARIES", "MASTERS"), ("REPLICAS", "SLAVES")):
        words = () if ours == "PRIMARIES" else ("m",)
        wait_until(lambda: keys(ask(sentinel, ours, *words)) == keys(ask(sentinel, theirs, *words)), what=ours)      # who is down has more of them
    assert ask(sentinel, "GET-PRIMARY-ADDR-BY-NAME", "m") == ask(sentinel, "GET-MASTER-ADDR-BY-NAME", "m")
    port = ask(sentinel, "GET-PRIMARY-ADDR-BY-NAME", "m")[1]
    assert ask(sentinel, "IS-PRIMARY-DOWN-BY-ADDR", "127.0.0.1", port, 0, "*")[1:] == ["*", 0]
    assert ask(sentinel, "SET", "m", "primary-reboot-down-after-period", 4321) == "OK"
    with open(sentinel.conf) as f:
        assert "sentinel master-reboot-down-after-period m 4321" in f.read()      # one spelling in the file


def test_settings_are_taken_all_or_none(sentinel):
    assert ask(sentinel, "CONFIG", "SET", "resolve-hostnames", "yes", "announce-port", 1234) == "OK"
    got = ask(sentinel, "CONFIG", "GET", "resolve-*", "announce-port", "resolve-hostnames", "does-not-exist")
    assert got == {"resolve-hostnames": "yes", "announce-port": "1234"} or \
        got == ["resolve-hostnames", "yes", "announce-port", "1234"]
    for words, text in (
            (("announce-port", 1, "announce-port", 2), "Duplicate argument 'announce-port'"),
            (("announce-port", 1, "Announce-Port", 2), "Duplicate argument"),
            (("announce-port", 1, "does-not-exist", "yes"), "Invalid argument 'does-not-exist'"),
            (("announce-port", 1, "resolve-hostnames", "perhaps"), "Invalid value 'perhaps'"),
            (("announce-port", -1, "resolve-hostnames", "no"), "Invalid value '-1'"),
            (("announce-port", 1, "announce-ip"), "Missing argument 'announce-ip' value")):
        with pytest.raises(E, match=text):
            ask(sentinel, "CONFIG", "SET", *words)
        assert "1234" in str(ask(sentinel, "CONFIG", "GET", "announce-port"))
    assert len(ask(sentinel, "CONFIG", "GET", "*")) >= 6


def test_settings_of_a_group_are_shown(sentinel):
    """What SENTINEL SET changes SENTINEL MASTER shows."""
    for name, value in (("down-after-milliseconds", "2345"), ("failover-timeout", "67890"), ("parallel-syncs", "3"), ("quorum", "2"),
                        ("master-reboot-down-after-period", "4321"), ("crash-evidence", "no"), ("seal-replicas", "no"), ("directory", "m")):
        assert ask(sentinel, "SET", "m", name, value) == "OK"
        assert str(pairs(ask(sentinel, "MASTER", "m"))[name]) == value, name


@pytest.mark.parametrize("name,program,args", [
    ("redis-sentinel", "kvorum-sentinel", ()), ("valkey-sentinel", "kvorum-sentinel", ("--sentinel",)),
    ("redis-server", "kvnode", ("--sentinel",)), ("redis-sentinel", "kvnode", ()), ("valkey-sentinel", "kvnode", ())])
def test_called_as_a_sentinel(yard, name, program, args):
    link = os.path.join(yard.folder, name)
    os.symlink(find(program), link)
    port = free_port()
    p = yard.add(Process("called", link, ["port %d" % port, "sentinel monitor m 127.0.0.1 %d 1" % free_port()],
                         yard.folder, port, args=args))
    assert p.info("server")["redis_mode"] == "sentinel"
    assert ask(p, "MASTERS")


@pytest.mark.parametrize("name", ["redis-server", "valkey-server"])
def test_called_as_a_server(yard, name):
    link = os.path.join(yard.folder, name)
    os.symlink(find("kvnode"), link)
    port = free_port()
    p = yard.add(Process("called", link, ["port %d" % port, 'save ""', "primaryauth secret", "primaryuser me"],
                         yard.folder, port, args=["--maxmemory-policy", "noeviction"]))
    with p.connect() as c:
        assert c.config_get("masterauth") == {"masterauth": "secret"}
    assert p.info("server")["redis_mode"] == "standalone"


# A look-up that takes as long as we like: the first getaddrinfo of the program is ours.
SLOW = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    int numeric = hints && (hints->ai_flags & AI_NUMERICHOST);

    if (!real)
        real = dlsym(RTLD_NEXT, "getaddrinfo");
    for (int i = 0; !numeric && i < 600 && access(getenv("SLOW_NAMES"), F_OK) == 0; i++)
        usleep(100000);
    return real(node, service, hints, res);
}
"""


@pytest.fixture
def slow_names(yard):
    """(environment, begin, end): between the two every look-up of a name hangs."""
    need("gcc")
    src, lib, flag = (os.path.join(yard.folder, n) for n in ("slow.c", "slow.so", "hang"))
    with open(src, "w") as f:
        f.write(SLOW)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", lib, src, "-ldl"], check=True)
    return {"LD_PRELOAD": lib, "SLOW_NAMES": flag}, lambda: open(flag, "w").close(), lambda: os.unlink(flag)


@pytest.mark.skipif("asan" in (find("kvorum-sentinel") or ""), reason="the sanitizer wants to be loaded first")
def test_a_name_server_that_hangs_holds_up_nothing(yard, slow_names):
    env, begin, end = slow_names
    a = yard.node("node1")
    b = yard.node("node2", lines=["replicaof localhost %d" % a.port, "replica-announce-ip localhost"])
    ss = []
    for i in range(3):
        port = free_port()
        lines = ["port %d" % port, "sentinel resolve-hostnames yes", "sentinel announce-hostnames yes",
                 "sentinel monitor m localhost %d 2" % a.port, "sentinel down-after-milliseconds m 1000"]
        ss.append(yard.add(Process("sentinel%d" % i, find("kvorum-sentinel"), lines, yard.folder, port, env=env)))
    wait_until(lambda: all(int(pairs(ask(s, "MASTER", "m"))["num-other-sentinels"]) == 2 and
                           [pairs(r)["name"] for r in ask(s, "REPLICAS", "m")] == ["localhost:%d" % b.port] for s in ss))
    assert ask(ss[0], "GET-MASTER-ADDR-BY-NAME", "m") == ["localhost", str(a.port)]
    begin()
    # somebody waits for a look-up, nobody else does
    c = ss[0].connect(socket_timeout=60)
    waits = c.connection_pool.get_connection("x")
    waits.send_command("SENTINEL", "MONITOR", "other", "nowhere.invalid", 1, 1)
    for s in ss:
        with s.connect(socket_timeout=5) as k:
            assert k.ping()
            wait_until(lambda: pairs(k.execute_command("SENTINEL", "MASTER", "m"))["flags"] == "master", 10)
    a.kill()
    wait_until(lambda: all(ask(s, "GET-MASTER-ADDR-BY-NAME", "m") == ["localhost", str(b.port)] for s in ss), 30)
    wait_until(lambda: b.info("replication")["role"] == "master", 20)
    assert not waits.can_read(timeout=0)
    end()
    with pytest.raises(E, match="Can't resolve instance hostname"):
        waits.read_response()
    c.close()
