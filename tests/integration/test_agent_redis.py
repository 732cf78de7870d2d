"""Documents of type redis: looked at, answered, never written; whoever wrote them last is right."""
import json

import pytest
import redis
from agent_site import ENGINES, Site

DOC = "redis:stat"


@pytest.mark.parametrize("engine", ENGINES)
def test_looked_at_and_never_written(yard, engine):
    s = Site(yard, engine, agent_lines=["resync-interval 300ms", "controller no"])
    text = '{ "port": %d,"host":"127.0.0.1",  "db":0 }' % s.node.port        # not as we would print it
    s.c.set("config:" + DOC, text)
    s.apply(DOC)
    a = s.wait_ack("ok", doc=DOC, sha_of="config:" + DOC)
    assert a["err"] == ""
    # What a program makes of it is a connection.
    assert redis.Redis(**json.loads(s.c.get("config:" + DOC))).ping()
    # A failover's leader writes another address: said to be known, and left as it is.
    s.c.set("config:" + DOC, '{"host":"10.0.0.9","port":6380,"db":0,"password":"s3cret"}')
    s.wait_ack("ok", doc=DOC, sha_of="config:" + DOC)
    # One more name would make every program fail, and is said so by name.
    s.c.set("config:" + DOC, '{"host":"10.0.0.9","port":6380,"weight":1}')
    assert "weight: unknown name" in s.wait_ack("invalid", doc=DOC, sha_of="config:" + DOC)["err"]
    with pytest.raises(TypeError):
        redis.Redis(**json.loads(s.c.get("config:" + DOC)))
    # Gone is gone: an agent that is not the controller writes nothing back.
    s.c.set("config:" + DOC, '{"host":"10.0.0.9","port":6380}')
    s.wait_ack("ok", doc=DOC, sha_of="config:" + DOC)
    s.c.delete("config:" + DOC)
    s.wait_ack("vanished", doc=DOC)
    s.wait_resyncs(3)
    assert not s.c.exists("config:" + DOC)
    assert "s3cret" not in s.agent.log_text() + str(s.c.hgetall("cfgack:" + DOC))
