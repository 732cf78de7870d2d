"""Small programs that people write against Redis, unchanged: a hash of settings, a registry in a hash, scaling by a
message, a listing of all keys, a cache with expiry, connections found by a document. Same calls, same keys, same values;
what stands between them and the nodes is ours."""
import functools
import json
import os
import random
import string
import time

import pytest
import redis
import redis.sentinel
from harness import find, monitor_lines, wait_until

agents = pytest.mark.skipif(not find("kvorum-agent"), reason="kvorum-agent is not built")


class Book:
    """Settings of an application, a registry of services, and messages about scaling: one client, plain commands."""

    def __init__(self, port):
        self.redis_client = redis.StrictRedis(host="localhost", port=port, db=0)

    def store(self):
        config = {"api_url": "https://api.example.com", "max_requests": 1000, "log_level": "DEBUG"}
        with pytest.warns(DeprecationWarning):
            self.redis_client.hmset("app_config", config)

    def fetch(self):
        return self.redis_client.hgetall("app_config")

    def register_service(self, service_name, host, port):
        self.redis_client.hset("services", service_name, f"{host}:{port}")

    def discover_service(self, service_name):
        return self.redis_client.hget("services", service_name)

    def publish_scale_event(self, service_name, instances):
        return self.redis_client.publish("scale_events", f"{service_name}:{instances}")


class Directory:
    def __init__(self, yard, node_lines=()):
        self.yard = yard
        self.node = yard.node("directory", "kvnode", list(node_lines))
        self.c = self.node.connect()
        self.root = os.path.join(yard.folder, "root")
        os.makedirs(self.root)

    def agent(self, name, *lines):
        return self.yard.agent(name, ["directory 127.0.0.1 %d" % self.node.port, "root files " + self.root] + list(lines))

    def doc(self, document, /, **value):
        self.c.set("config:" + document, json.dumps(dict({"v": 1}, **value)))

    def apply(self, *names):
        self.doc("agent:default", apply=list(names))

    def text(self, name):
        try:
            with open(os.path.join(self.root, name)) as f:
                return f.read()
        except FileNotFoundError:
            return None


# --- the hash of settings ---

def test_settings_in_a_hash(yard):
    b = Book(yard.node("node", "kvnode").port)
    b.store()
    assert b.fetch() == {b"api_url": b"https://api.example.com", b"max_requests": b"1000", b"log_level": b"DEBUG"}


@agents
def test_settings_reach_a_file(yard):
    d = Directory(yard)
    d.agent("n1")
    d.doc("files:app", files=[{"root": "files", "path": "app.conf", "data": {"app": "hash:app_config"},
                               "template": "url={{app.api_url}} max={{app.max_requests}} level={{app.log_level}}\n"}])
    d.apply("files:app")
    b = Book(d.node.port)
    b.store()
    wait_until(lambda: d.text("app.conf") == "url=https://api.example.com max=1000 level=DEBUG\n", what="the file")
    b.redis_client.hset("app_config", "log_level", "WARNING")
    wait_until(lambda: d.text("app.conf").endswith("level=WARNING\n"), 40, what="one field to reach the file")


@agents
def test_settings_as_variables(yard):
    d = Directory(yard)
    d.agent("n1")
    d.doc("env:app", root="files", path="app.env", env={"FIXED": "1"}, from_hash="app_config")
    d.apply("env:app")
    Book(d.node.port).store()
    lines = wait_until(lambda: sorted((d.text("app.env") or "").splitlines()) if "log_level" in (d.text("app.env") or "") else None,
                       what="the variables; %r" % d.c.hgetall("cfgack:env:app"))
    text = "\n".join(lines)
    for word in ("FIXED", "max_requests", "1000", "api_url", "https://api.example.com"):
        assert word in text, text


# --- the registry ---

@agents
def test_a_registry_that_clients_keep(yard):
    """Names that a client registers are the client's: agents and their controller leave them as they are."""
    d = Directory(yard)
    b = Book(d.node.port)
    b.register_service("orders", "10.0.0.5", 8080)
    d.agent("n1")
    wait_until(lambda: d.c.get("kvorum:controller") == "n1", what="a controller")
    b.register_service("web", "10.0.0.6", 80)
    assert b.discover_service("orders") == b"10.0.0.5:8080" and b.discover_service("web") == b"10.0.0.6:80"
    assert b.discover_service("nobody") is None
    d.doc("service:web", name="web", host="127.0.0.1", port=8081, ttl="2s", interval="200ms", rise=1)
    d.apply("service:web")
    wait_until(lambda: d.c.hgetall("svcs:web"), what="the agent's instance")
    time.sleep(1.5)                        # a while in which the mirror could have been written
    assert b.discover_service("web") == b"10.0.0.6:80"
    assert b.discover_service("orders") == b"10.0.0.5:8080"


@agents
def test_a_registry_that_agents_keep(yard):
    d = Directory(yard)
    b = Book(d.node.port)
    d.agent("n1")
    d.doc("service:web", name="web", host="127.0.0.1", port=8081, ttl="2s", interval="200ms", rise=1)
    d.apply("service:web")
    wait_until(lambda: b.discover_service("web") == b"127.0.0.1:8081", what="a program that knows only the hash to find it")


# --- scaling ---

@agents
def test_a_message_becomes_a_wish(yard):
    d = Directory(yard)
    b = Book(d.node.port)
    d.agent("n1")
    text = '{"unit":"web@.service",  "instances":1,"min":1,"max":7,"v":1,"cooldown":"0s"}'
    d.c.set("config:scale:web", text)
    wait_until(lambda: d.c.get("kvorum:controller") == "n1", what="a controller")

    def told(n, became):
        wait_until(lambda: (b.publish_scale_event("web", n), d.c.get("config:scale:web"))[1] == text.replace(":1,\"min", ":%d,\"min" % became),
                   what="%d instances to be wished for" % became)

    told(3, 3)
    told(100, 7)
    told(0, 1)
    b.publish_scale_event("nobody", 3)
    b.publish_scale_event("web", "many")
    told(2, 2)
    assert d.c.get("config:scale:nobody") is None


# --- the listing of keys ---

def list_keys(port):
    """Writes a key, ten random ones, and tells everything there is."""
    r = redis.Redis(host="127.0.0.1", port=port, db=0)
    r.set("key", "value")
    assert r.get("key") == b"value"
    assert b"key" in r.keys("*")
    for _ in range(10):
        key = "".join(random.choices(string.ascii_lowercase, k=5))
        value = "".join(random.choices(string.ascii_lowercase, k=10))
        r.set(key, value)
    seen = {}
    for key in r.keys():
        value = r.get(key)
        seen[key.decode("utf-8")] = value.decode("utf-8")        # a key of another type, or of ours, would end it here
    return seen


def check_listing(first, second):
    seen = wait_until(lambda: list_keys(first.port), 60)
    assert seen["key"] == "value" and 2 <= len(seen) <= 11, seen
    first.kill()
    new = second()
    again = wait_until(lambda: list_keys(new.port), 60)
    assert len(again) <= len(seen) + 10
    return seen, again


def test_all_keys_of_a_watched_node_are_the_application_s(cluster):
    """The group is watched, followed and failed over: nothing of that is a key."""
    c = cluster(down_after=2000)
    c.wait_settled()
    old = c.primary()
    check_listing(old, lambda: c.wait_new_primary(old))


def test_all_keys_of_a_formed_group_s_node_are_the_application_s(request):
    """Nor are its epochs, members and leases; and what was answered is still there after the primary's end."""
    from conftest import _finish
    from formed import FormedGroup
    g = FormedGroup()
    try:
        g.wait_met()
        g.form("strict")
        g.wait_whole()
        old = g.primary()
        seen, again = check_listing(old, lambda: g.wait_other_primary(old))
        assert seen.items() <= again.items()
    finally:
        _finish(request, [g.yard])


@agents
def test_what_a_directory_holds_is_ours_and_of_known_names(yard):
    """On the directory's node the same program sees our keys, too. These and no others; and hashes end it, as they would anywhere."""
    d = Directory(yard)
    d.agent("n1")
    d.doc("files:app", files=[{"root": "files", "path": "a", "template": "x"}])
    d.apply("files:app")
    wait_until(lambda: d.c.hget("cfgack:files:app", "n1") and d.c.exists("node:n1") and d.c.get("kvorum:controller"), what="an agent at work")
    wait_until(lambda: d.c.exists("cfgmeta:files:app"), what="a history")
    known = ("config:", "cfgack:", "cfgmeta:", "cfglog:", "cfgstage:", "cfgschema:", "node:", "svcs:", "svcs.owner", "lease:", "services",
             "kvorum:")
    assert [k for k in d.c.keys("*") if not k.startswith(known)] == []


# --- the cache ---

def test_a_cache_with_expiry_across_a_failover(cluster):
    c = cluster(down_after=2000)
    c.wait_settled()
    r = c.client(socket_timeout=5)
    wrote = time.monotonic()
    wait_until(lambda: r.setex("username", 10, "qiross"))
    wrote_last = time.monotonic()
    assert r.get("username") == "qiross"
    wait_until(lambda: all(n.connect().get("username") == "qiross" for n in c.nodes), 5, what="the replicas to have it")
    old = c.primary()
    old.kill()
    c.wait_new_primary(old)
    got = wait_until(lambda: (r.get("username"), time.monotonic()))
    assert got[0] == "qiross" or got[1] - wrote > 9.9, "it is cached until its time is over, whoever is primary"
    wait_until(lambda: r.get("username") is None, 20, what="its time to be over")
    over = time.monotonic()
    assert over - wrote_last > 9 and over - wrote < 16, "the remaining time went with it"


# --- connections found by a document ---

CONFIGS, CHECKED, REDIS_CONNECTIONS = {}, {}, {}


def set_config(conn, type, component, config):
    conn.set("config:%s:%s" % (type, component), json.dumps(config))


def get_config(conn, type, component, wait=1):
    key = "config:%s:%s" % (type, component)
    if CHECKED.get(key, 0) < time.time() - wait:
        CHECKED[key] = time.time()
        config = json.loads(conn.get(key) or "{}")
        config = dict((str(k), config[k]) for k in config)
        if config != CONFIGS.get(key):
            CONFIGS[key] = config
    return CONFIGS.get(key)


def redis_connection(config_connection, component, wait=1):
    """A decorator: the function's first argument is a connection to the component's server, as the document has it now."""
    key = "config:redis:" + component

    def wrapper(function):
        @functools.wraps(function)
        def call(*args, **kwargs):
            old_config = CONFIGS.get(key, object())
            config = get_config(config_connection, "redis", component, wait)
            if config != old_config:
                REDIS_CONNECTIONS[key] = redis.Redis(**config)
            return function(REDIS_CONNECTIONS.get(key), *args, **kwargs)
        return call
    return wrapper


@pytest.fixture
def forgotten():
    for d in (CONFIGS, CHECKED, REDIS_CONNECTIONS):
        d.clear()


def test_connections_by_document(yard, forgotten):
    directory, one, two = (yard.node(n, "kvnode") for n in ("directory", "one", "two"))
    conn = redis.Redis("127.0.0.1", directory.port)
    set_config(conn, "redis", "statistics", {"host": "127.0.0.1", "port": one.port, "db": 0})

    @redis_connection(conn, "statistics", wait=0)
    def note(c, what):
        return c.incr(what)

    assert note("hits") == 1 and note("hits") == 2
    set_config(conn, "redis", "statistics", {"host": "127.0.0.1", "port": two.port, "db": 0})
    assert note("hits") == 1, "another server at once: it was told to wait for nothing"
    assert one.connect().get("hits") == "2"


def test_connections_follow_a_failover_by_themselves(cluster, yard, forgotten):
    """The sentinels' leader rewrites host and port of config:redis:<group>; a program that knows only the document follows."""
    directory = yard.node("directory", "kvnode")
    c = cluster(down_after=2000, sentinel_lines=monitor_lines("dir", directory.port) + ["sentinel directory demo dir"])
    c.wait_settled()
    conn = redis.Redis("127.0.0.1", directory.port)
    set_config(conn, "redis", "demo", {"host": "127.0.0.1", "port": c.primary().port, "db": 2, "socket_timeout": 2})

    @redis_connection(conn, "demo")
    def note(k, what):
        return k.incr(what)

    wait_until(lambda: note("hits") >= 1)
    old = c.primary()
    old.kill()
    wait_until(lambda: note("hits") >= 2, 60, what="the program to be served again")
    assert REDIS_CONNECTIONS["config:redis:demo"].connection_pool.connection_kwargs["port"] == c.wait_new_primary(old).port
    assert {k: v for k, v in get_config(conn, "redis", "demo", 0).items() if k != "port"} == \
        {"host": "127.0.0.1", "db": 2, "socket_timeout": 2}, "other fields stay"
