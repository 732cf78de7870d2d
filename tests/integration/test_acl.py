"""Users and rights on kvnode: the same rules to redis-server and to us, and the same questions by
ACL DRYRUN; then what only a running node shows: connections that end, files, ACL LOG."""
import os
import random
import shutil

import pytest
import redis
from harness import wait_until
from wire import Wire

ROUNDS = int(os.environ.get("KVORUM_ACL_ROUNDS", "150"))
needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")


def names(w, category=None):
    return {v for _, v in w.ask("ACL", "CAT", *([category] if category else []))[1]}


@pytest.fixture
def pair(yard):
    ours = yard.node("ours", lines=["save \"\""])
    theirs = yard.node("theirs", engine="redis-server", lines=["save \"\""])
    a, b = Wire(ours.port), Wire(theirs.port)
    yield a, b
    a.close()
    b.close()


@needs_redis
def test_each_command_is_in_the_categories_it_has_in_redis(pair):
    a, b = pair
    assert names(a) == names(b)
    ours = set().union(*(names(a, c) for c in names(a)))
    theirs = set().union(*(names(b, c) for c in names(b)))
    wrong = {}
    for c in names(a):
        mine = {n for n in names(a, c) if n in theirs}
        real = {n for n in names(b, c) if n in ours}
        if mine != real:
            wrong[c.decode()] = (sorted(mine - real), sorted(real - mine))
    assert wrong == {}, "\n".join("%s: too many %s, missing %s" % ((c,) + wrong[c]) for c in wrong)


def rule(rnd, commands, containers):
    kind = rnd.randrange(14)
    cmd = rnd.choice(commands)
    key = rnd.choice(["a*", "b", "c?", "*", "x:[12]", "", "k\\*"])
    if kind < 3:
        return rnd.choice("+-") + cmd.upper() if rnd.random() < .3 else rnd.choice("+-") + cmd
    if kind < 5:
        return rnd.choice("+-") + "@" + rnd.choice(["read", "write", "string", "hash", "keyspace", "fast", "slow", "dangerous",
                                                    "admin", "connection", "pubsub", "transaction", "all", "nonsense", "READ", ""])
    if kind == 5:
        return rnd.choice("+-") + rnd.choice(containers)
    if kind == 6:
        return "+" + rnd.choice(["select|0", "get|k", "config|get|x", "select|", "nope|a", "config|nope"])
    if kind < 9:
        kind = rnd.choice(["~", "%R~", "%W~", "%RW~", "%r~", "%RR~", "%~", "%X~", "%R"])
        return kind + ("a" if key == "*" and kind != "~" else key)        # redis shows %RW~* as ~*, which is not the same
    if kind == 9:
        return "&" + rnd.choice(["ch*", "news", "*", "a b"])
    if kind == 10:
        return rnd.choice(["allkeys", "resetkeys", "allchannels", "resetchannels", "allcommands", "nocommands", "AllKeys"])
    if kind == 11:
        return rnd.choice(["on", "off", "nopass", "resetpass", ">pw", "<pw", "#12", "!" + "a" * 64, "reset", "clearselectors",
                           "skip-sanitize-payload", "sanitize-payload", "#" + "0f" * 32])
    if kind == 12:
        return "(" + " ".join(rnd.choice(["+get", "+set", "+@read", "~s*", "%R~a", "%W~b", "&x", "allkeys", "", "bogus"])
                              for _ in range(rnd.randrange(4))) + ")"
    return rnd.choice(["", "foo", "(", ")", "( +get", "+", "-", "~", "&", "+@", "%"])


def questions(rnd, commands):
    k = lambda: rnd.choice(["a", "ab", "b", "c1", "x:1", "s", "k*", "zz"])
    some = [("get", k()), ("set", k(), "1"), ("set", k(), "1", "get"), ("mget", k(), k(), k()), ("mset", k(), "1", k(), "2"),
            ("del", k(), k()), ("copy", k(), k()), ("rename", k(), k()), ("exists", k()), ("strlen", k()), ("hset", k(), "f", "v"),
            ("hget", k(), "f"), ("hlen", k()), ("append", k(), "x"), ("incr", k()), ("getdel", k()), ("getex", k()), ("expire", k(), "1"),
            ("ttl", k()), ("select", "0"), ("select", "1"), ("config", "get", "x"), ("config", "set", "a", "b"), ("client", "id"),
            ("publish", rnd.choice(["news", "ch1", "q"]), "m"), ("subscribe", "news", "ch1"), ("psubscribe", "ch*"),
            ("psubscribe", "news"), ("unsubscribe", "q"), ("ping",), ("auth", "x"), ("acl", "whoami"), ("watch", k()), ("multi",),
            ("type", k()), ("touch", k()), ("hdel", k(), "f"), ("object", "encoding", k()), ("memory", "usage", k()), ("info",),
            ("flushall",), ("keys", "*"), ("get",), ("nosuch", "x"), ("move", k(), "1"), ("persist", k()), ("setnx", k(), "1")]
    return rnd.sample(some, 12)


@needs_redis
def test_generated_rules_mean_the_same_as_in_redis(pair):
    a, b = pair
    everything = lambda w: set().union(*(names(w, c) for c in names(w)))
    both = sorted(n.decode() for n in everything(a) & everything(b))
    commands, containers = [n for n in both if "|" not in n], [n for n in both if "|" in n]
    for seed in range(ROUNDS):
        rnd = random.Random(seed)
        user = "u%d" % (seed % 7)
        if rnd.random() < .3:
            assert a.ask("ACL", "DELUSER", user) == b.ask("ACL", "DELUSER", user)
        rules = [rule(rnd, commands, containers) for _ in range(rnd.randrange(1, 7))]
        told, real = a.ask("ACL", "SETUSER", user, *rules), b.ask("ACL", "SETUSER", user, *rules)
        if b"Unmatched" in real[1]:              # of several, redis names the last
            told, real = told[1].partition(b"starting")[0], real[1].partition(b"starting")[0]
        assert told == real, (seed, rules)
        mine, real = a.ask("ACL", "GETUSER", user)[1], b.ask("ACL", "GETUSER", user)[1]
        if mine is None or real is None:
            assert mine == real, (seed, rules)
            continue
        mine, real = (dict((v[i][1], v[i + 1][1]) for i in range(0, len(v), 2)) for v in (mine, real))
        for field in (b"flags", b"passwords", b"keys", b"channels"):
            assert mine[field] == real[field], (seed, rules, field)
        assert len(mine[b"selectors"]) == len(real[b"selectors"])
        asked = questions(rnd, commands)
        for q in asked:
            assert a.ask("ACL", "DRYRUN", user, *q) == b.ask("ACL", "DRYRUN", user, *q), (seed, rules, q)
        # a user's own description makes the same user again, for both
        line = [v for _, v in a.ask("ACL", "LIST")[1] if v.startswith(b"user %s " % user.encode())][0].split(b" ")
        if b"" not in line and b"~" not in line:
            for w in pair:
                w.ask("ACL", "DELUSER", "again")
            assert a.ask("ACL", "SETUSER", "again", *line[2:]) == (b"+", b"OK"), line
            known = b.ask("ACL", "SETUSER", "again", *line[2:])      # it may name a command that only we have
            assert known == (b"+", b"OK") or known[1].endswith(b"Unknown command or category name in ACL"), (line, known)
            for q in asked:
                assert a.ask("ACL", "DRYRUN", "again", *q) == a.ask("ACL", "DRYRUN", user, *q), (seed, line, q)


def test_refusals_are_answered_and_noted(yard):
    n = yard.node("node", lines=["save \"\"", "user app on >secret ~app:* &news -@all +@read +set +auth +multi +exec"])
    c = n.connect(username="app", password="secret")
    assert c.set("app:1", "x") and c.get("app:1") == "x"
    with pytest.raises(redis.exceptions.NoPermissionError, match="one of the keys"):
        c.set("other", "x")
    with pytest.raises(redis.exceptions.NoPermissionError, match="'flushall'"):
        c.flushall()
    with pytest.raises(redis.exceptions.RedisError, match="WRONGPASS"):
        n.connect(username="app", password="wrong").ping()
    log = n.connect().execute_command("ACL LOG")
    assert [(e["reason"], e["object"], e["username"]) for e in log] == [
        ("auth", "AUTH", "app"), ("command", "flushall", "app"), ("key", "other", "app")]


def test_a_user_that_goes_takes_its_connections_along(yard):
    n = yard.node("node", lines=["save \"\""])
    admin = n.connect()
    admin.execute_command("ACL SETUSER app on >pw ~* +@all &a")
    c = n.connect(username="app", password="pw")
    sub = c.pubsub()
    sub.subscribe("a")
    wait_until(lambda: sub.get_message(timeout=1))
    admin.execute_command("ACL SETUSER app resetchannels")
    wait_until(lambda: not [x for x in admin.client_list() if x["user"] == "app" and int(x["sub"])])
    assert admin.execute_command("ACL DELUSER app") == 1
    wait_until(lambda: not [x for x in admin.client_list() if x["user"] == "app"])
    with pytest.raises(redis.exceptions.RedisError, match="WRONGPASS"):
        n.connect(username="app", password="pw").ping()


def test_what_is_queued_is_asked_again_when_it_runs(yard):
    n = yard.node("node", lines=["save \"\"", "user app on nopass ~* +@all"])
    w = Wire(n.port)
    w.ask("AUTH", "app", "any")
    w.ask("MULTI")
    w.ask("SET", "k", "1")
    w.ask("PING")
    n.connect().execute_command("ACL SETUSER app -set")
    tag, got = w.ask("EXEC")
    assert got[0][0] == b"-" and got[0][1].startswith(b"NOPERM") and got[1] == (b"+", b"PONG")
    entry = n.connect().execute_command("ACL LOG")[0]
    assert (entry["context"], entry["object"]) == ("multi", "set")


def test_users_stay_in_the_file_that_they_came_from(yard, tmp_path):
    n = yard.node("node", lines=["save \"\"", "user app on >pw ~a* -@all +get"])
    n.connect().execute_command("ACL SETUSER more on nopass %R~x* &* +@read")
    n.connect().execute_command("CONFIG REWRITE")
    before = n.connect().execute_command("ACL LIST")
    n.stop()
    n.start()
    assert n.connect().execute_command("ACL LIST") == before
    assert ">pw" not in open(n.conf).read()


def test_an_acl_file_is_read_written_and_never_half_taken(yard, tmp_path):
    path = str(tmp_path / "users.acl")
    with open(path, "w") as f:
        f.write("user default on nopass ~* &* +@all\nuser app on >pw ~* +@all\n")
    n = yard.node("node", lines=["save \"\"", "aclfile " + path])
    c = n.connect()
    assert c.execute_command("ACL USERS") == ["app", "default"]
    c.execute_command("ACL SETUSER eve on >eve +get allkeys")
    assert c.execute_command("ACL SAVE")
    assert c.execute_command("ACL LOAD")
    assert c.execute_command("ACL USERS") == ["app", "default", "eve"]
    with open(path, "a") as f:
        f.write("user app on\n")
    with pytest.raises(redis.exceptions.ResponseError, match="Duplicate user 'app' found"):
        c.execute_command("ACL LOAD")
    assert c.execute_command("ACL USERS") == ["app", "default", "eve"]
