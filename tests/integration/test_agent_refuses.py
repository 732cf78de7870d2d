"""What an agent refuses, with a reason that it answers, and what stays in force meanwhile."""
import hashlib
import os

import pytest
from agent_site import ENGINES, FILE, Site, line
from harness import wait_until

BAD = [
    ("{", "line 1"),
    ('{"v":1,"files":[],"x":NaN}', "NaN"),
    ('{"v":1,"v":1,"files":[]}', "twice"),
    ('{"files":[{"root":"files","path":"../x","template":""}]}', "files[0].path"),
    ('{"files":[{"root":"etc","path":"x","template":""}]}', "'etc' is not named here"),
    ('{"files":[{"root":"files","path":"x","template":"{{nobody}}"}]}', "line 1: 'nobody' is unknown"),
    ('{"files":[{"root":"files","path":"x","template":"a\\n{{#open}}"}]}', "line 2"),
    ('{"files":[{"root":"files","path":"x","template":"","mood":1}]}', "files[0].mood: unknown name"),
    ('{"files":[{"root":"files","path":"x","template":"","mode":"4755"}]}', "files[0].mode"),
    ('{"files":[{"root":"files","path":"x","template":""}],"atomic":"dir"}', "not supported yet"),
    ('{"files":[{"root":"files","path":"x","template":""}],"drift":"repair"}', "not supported yet"),
    ('{"files":[{"root":"files","path":"x","template":""}],"check":[["/bin/rm","-rf","/"]]}', "not allowed here"),
    ('{"files":[{"root":"files","path":"x","template":""}],"reload":{"unit":"sshd.service"}}', "not allowed here"),
    ('{"files":[{"root":"files","path":"x","template":""}],"reload":{"signal":"HUP","pidfile":"/etc/passwd"}}', "no named root"),
    ('{"files":[{"root":"files","path":"x","template":"{{c.a}}","data":{"c":"config:redis:nothere"}}]}', "config:redis:nothere does not exist"),
    ('{"files":[{"root":"files","path":"x","template":"","data":{"c":"svcs:web"}}]}', "svcs:web"),
    ('{"files":[{"root":"files","path":"x","template":"' + "a" * 270000 + '"}]}', "262144"),
    ('{"files":[{"root":"files","path":"x","template":"","owner":"nobody-here"}]}', "no user 'nobody-here'"),
]


def test_bad_documents_are_refused_with_a_reason(yard):
    s = Site(yard)
    s.basic(7001)
    s.wait_text(line(7001))
    for text, reason in BAD:
        s.set("config:files:demo", text)
        sha = hashlib.sha256(text.encode()).hexdigest()
        a = wait_until(lambda: (lambda a: a if a and a["sha"] == sha else None)(s.ack()), 40, what="an answer to %.80s" % text)
        assert a["st"] in ("invalid", "swap_failed") and reason in a["err"], (text[:200], a)
        assert s.text() == line(7001)
    s.files_doc()
    s.wait_ack("ok", sha_of="config:files:demo")
    # An unknown type, and a wrong agent document: the last good one stays in force.
    s.apply("files:demo", "sysctl:base")
    a = s.wait_ack("invalid", doc="sysctl:base")
    assert "not supported yet" in a["err"]
    s.set("config:agent:default", '{"apply":"files:demo"}')
    assert "apply" in s.wait_ack("invalid", doc="agent:default")["err"]
    s.redis_doc(7005)
    s.wait_text(line(7005))
    assert s.stats()["documents"] == 2


def test_one_bad_document_does_not_hold_up_the_others(yard):
    s = Site(yard)
    s.basic(7001)
    s.set("config:files:bad", "{")
    s.set("config:files:thief", {"files": [dict(FILE, template="mine")]})
    s.apply("files:bad", "files:demo", "files:thief")
    s.wait_text(line(7001))
    s.wait_ack("invalid", doc="files:bad")
    assert "belongs to files:demo" in s.wait_ack("invalid", doc="files:thief")["err"]
    # When its owner lets go of the file, the other one gets it.
    s.set("config:files:demo", {"files": [dict(FILE, path="elsewhere")]})
    s.wait_ack("ok", doc="files:thief")
    s.wait_text("mine")
    assert "belongs" not in s.wait_ack("ok", sha_of="config:files:demo")["err"] and s.text("elsewhere") == line(7001)


def test_links_lead_nowhere(yard):
    s = Site(yard)
    out = os.path.join(yard.folder, "outside")
    os.makedirs(out)
    os.symlink(out, s.path("link"))
    open(os.path.join(out, "precious"), "w").write("precious")
    os.symlink(os.path.join(out, "precious"), s.path("app.conf"))
    s.redis_doc(7001)
    s.set("config:files:a", {"files": [dict(FILE, path="link/app.conf")]})
    s.set("config:files:b", {"files": [FILE]})
    s.apply("files:a", "files:b")
    assert "leaves root" in s.wait_ack("swap_failed", doc="files:a")["err"]
    assert "symbolic link" in s.wait_ack("swap_failed", doc="files:b")["err"]
    assert os.listdir(out) == ["precious"] and open(os.path.join(out, "precious")).read() == "precious"


@pytest.mark.parametrize("engine", ENGINES)
def test_what_vanishes_stays_in_force(yard, engine):
    s = Site(yard, engine, agent_lines=["resync-interval 500ms", "controller no"])       # it would put them back
    s.basic(7001)
    s.wait_ack("ok", sha_of="config:files:demo")
    s.c.delete("config:redis:demo")
    assert "config:redis:demo does not exist" in s.wait_ack("vanished")["err"]
    s.redis_doc(7002)
    s.wait_text(line(7002))
    s.wait_ack("ok")
    s.c.flushall()
    s.wait_ack("vanished")
    s.wait_ack("vanished", doc="agent:default")
    assert s.text() == line(7002)
    s.basic(7003)
    s.wait_text(line(7003))
