"""cfgschema:<type>: a JSON Schema in the directory that narrows what documents of a type may say."""
import json
import os

import pytest
from harness import wait_until
from agent_site import ENGINES, FILE, Site, line

PORTS = {"type": "object", "required": ["host", "port"],
         "properties": {"port": {"type": "integer", "minimum": 7000, "maximum": 7999},
                        "host": {"type": "string", "pattern": r"^127\.0\.0\.\d{1,3}$"}}}


def settled(s, port, **more):
    s.basic(port, **more)
    s.wait_text(line(port))
    s.wait_ack("ok", sha_of="config:files:demo")


@pytest.mark.parametrize("engine", ENGINES)
def test_data_must_satisfy_it(yard, engine):
    s = Site(yard, engine)
    s.set("cfgschema:redis", PORTS)
    settled(s, 7001)
    s.redis_doc(8001)
    a = s.wait_ack("invalid")
    assert a["err"] == "config:redis:demo: against cfgschema:redis: port: violates maximum 7999"
    s.redis_doc(7002, host="127.0.0.1x")
    a = s.wait_ack("invalid", also=lambda a: "pattern" in a["err"])
    assert '"^127' in a["err"] and "0.1x" not in a["err"]
    assert s.text() == line(7001)
    s.redis_doc(7003)
    s.wait_text(line(7003))
    s.wait_ack("ok")
    # Loosened by its owner: the version that was refused is taken without anybody writing it again.
    s.redis_doc(8004)
    s.wait_ack("invalid")
    s.c.delete("cfgschema:redis")
    s.wait_text(line(8004))
    s.wait_ack("ok")
    s.no_leftovers()


def test_documents_must_satisfy_it(yard):
    s = Site(yard)
    settled(s, 7001)
    # What is in force stays when a schema comes that it does not satisfy; the answer tells.
    s.set("cfgschema:files", {"properties": {"files": {"items": {"required": ["mode"],
                                                                  "properties": {"mode": {"enum": ["0600", "0640"]}}}}}})
    a = s.wait_ack("invalid")
    assert a["err"].startswith("against cfgschema:files: files[0]: violates required [\"mode\"]: 'mode' is missing")
    assert s.text() == line(7001)
    s.files_doc(files=[dict(FILE, mode="0644")])
    s.wait_ack("invalid", also=lambda a: 'files[0].mode: violates enum ["0600","0640"]' in a["err"])
    s.files_doc(files=[dict(FILE, mode="0640")])
    s.wait_ack("ok")
    # It narrows and never widens: what the type's own shape refuses stays refused.
    s.set("cfgschema:files", {"properties": {"files": {"type": ["array", "string"]}}})
    s.files_doc(files="none")
    s.wait_ack("invalid", also=lambda a: "must be a list" in a["err"])


@pytest.mark.parametrize("bad,why", [
    ('{"typ":"object"}', "typ: is not a keyword"),
    ('{"properties":{"v":{"type":"int"}}}', "properties.v.type: must be of"),
    ('{"properties":{"x":{"pattern":"("}}}', "is no regular expression"),
    ('{"$ref":"http://example.com/"}', "only places in this schema"),
    ('{"$ref":"#"}', "asks itself"),
    ('{"a":1', "line 1"),
    ("x" * 300000, "a document has at most"),
    ('{"not":' * 30000, "deep"),
], ids=["keyword", "type", "pattern", "remote", "circle", "cut", "huge", "deep"])
def test_a_wrong_schema_lets_nothing_through(yard, bad, why):
    s = Site(yard)
    settled(s, 7001)
    s.c.set("cfgschema:files", bad)
    a = s.wait_ack("invalid")
    assert a["err"].startswith("cfgschema:files is wrong: "), a["err"]
    assert why in a["err"]
    s.redis_doc(7002)
    wait_until(lambda: s.stats()["pushes"] >= 2, what="the push to be heard")
    assert s.text() == line(7001)
    s.c.set("cfgschema:files", "{}")
    s.wait_text(line(7002))
    s.wait_ack("ok")


def test_a_pattern_that_never_ends_is_given_up(yard):
    """Bounded work: the agent stays alive and says so, and the version is not taken."""
    s = Site(yard)
    settled(s, 7001)
    s.set("cfgschema:redis", {"properties": {"host": {"not": {"pattern": "^(a+)+$"}}}})
    s.redis_doc(7002, host="a" * 60 + "!")
    a = s.wait_ack("invalid", also=lambda a: "limit" in a["err"])
    assert "cfgschema:redis" in a["err"]
    assert s.text() == line(7001)
    wait_until(lambda: s.stats()["directory_state"] == "live", what="the agent to be at work")
    many = {"definitions": {"d%d" % i: {"allOf": [{"$ref": "#/definitions/d%d" % (i + 1)}] * 2} for i in range(40)},
            "$ref": "#/definitions/d0"}
    many["definitions"]["d40"] = {"type": "object"}
    s.set("cfgschema:redis", many)
    s.wait_ack("invalid", also=lambda a: "too much work" in a["err"])
    s.redis_doc(7003)
    s.set("cfgschema:redis", {"type": "object"})
    s.wait_text(line(7003))


def test_the_agent_document_must_satisfy_it(yard):
    s = Site(yard)
    settled(s, 7001)
    s.set("cfgschema:agent", {"properties": {"apply": {"items": {"pattern": "^files:[a-z]+$"}, "maxItems": 1}}})
    s.apply("files:demo", "files:other")
    a = s.wait_ack("invalid", doc="agent:default")
    assert a["err"] == "against cfgschema:agent: apply: violates maxItems 1: it has 2"
    s.redis_doc(7002)                                   # the last good one goes on
    s.wait_text(line(7002))
    # And after a restart without a directory it is still the good one that is in the cache.
    s.node.kill()
    s.agent.kill()
    s.agent.start()
    wait_until(lambda: s.stats(), what="the agent to answer")
    with s.agent.connect() as c:
        assert "files:other" not in json.dumps(c.execute_command("AGENT", "STATUS"), default=str)
    assert s.text() == line(7002)


def test_boot_without_a_directory_checks_what_it_cached(yard):
    s = Site(yard)
    s.set("cfgschema:redis", PORTS)
    settled(s, 7001)
    s.node.kill()
    s.agent.kill()
    os.unlink(s.path())
    s.agent.start()
    s.wait_text(line(7001))
