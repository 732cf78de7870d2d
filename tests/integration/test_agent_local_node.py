"""What the agent knows of the data node beside it: its role, as it changes, on stock nodes and on ours."""
import re
import signal

import pytest
from conftest import need
from formed import FormedGroup
from harness import wait_until
from agent_site import ENGINES


def roles(agent):
    return re.findall(r"\+node role=(\S+)", agent.log_text())


def wait_role(agent, role, timeout=40):
    wait_until(lambda: roles(agent)[-1:] == [role], timeout, what="role %s; log:\n%s" % (role, agent.tail(15)))


@pytest.mark.parametrize("engine", ENGINES)
def test_roles(yard, engine):
    need(engine)
    node, other = yard.node("node", engine), yard.node("other", engine)
    agent = yard.agent("n1", ["directory 127.0.0.1 %d" % other.port, "node 127.0.0.1 %d" % node.port])
    wait_role(agent, "master")
    node.connect().execute_command("REPLICAOF", "127.0.0.1", other.port)
    wait_role(agent, "slave")
    other.kill()
    wait_role(agent, "syncing")
    node.connect().execute_command("REPLICAOF", "NO", "ONE")
    wait_role(agent, "master")
    node.signal(signal.SIGSTOP)
    wait_role(agent, "down")
    node.signal(signal.SIGCONT)
    wait_role(agent, "master")
    node.kill()
    wait_role(agent, "down")
    node.start()
    wait_role(agent, "master")


def test_refused_is_said_once(yard):
    node = yard.node("node", "redis-server", ["user default on nopass ~* +@all", "user agent on >x ~* +ping +client"])
    agent = yard.agent("n1", ["directory 127.0.0.1 %d" % node.port, "node 127.0.0.1 %d" % node.port, "node-user agent",
                              "node-password x"])
    wait_role(agent, "down")
    wait_until(lambda: "NOPERM" in agent.log_text(), what="the reason")
    agent.stop()
    with open(agent.conf, "a") as f:
        f.write("node-password wrong\n")
    agent.start()
    wait_until(lambda: "WRONGPASS" in agent.log_text(), what="the reason")
    wait_until(lambda: roles(agent)[-1:] == ["down"] and len(roles(agent)) > 1, what="the role")
    said = [text for text in agent.log_text().split("\n") if "# node: " in text]
    assert len(said) == 2 and "NOPERM" in said[0] and "WRONGPASS" in said[1], said


def test_a_primary_without_a_lease_is_fenced(yard, request):
    """Of a formed group: who holds a lease writes, who lost it is told apart, who waits for its group is neither."""
    g = FormedGroup(down_after=1000)
    try:
        alone = yard.node("alone", "kvnode", ["ha-group demo"])
        waiting = yard.agent("waiting", ["directory 127.0.0.1 %d" % alone.port, "node 127.0.0.1 %d" % alone.port])
        wait_role(waiting, "fenced")
        g.wait_met()
        g.form("strict")
        g.wait_whole()
        primary = g.primary()
        agents = {n.name: yard.agent(n.name + "-agent", ["directory 127.0.0.1 %d" % alone.port, "node 127.0.0.1 %d" % n.port])
                  for n in g.nodes}
        for n in g.nodes:
            wait_role(agents[n.name], "master" if n is primary else "slave")
        others = g.sentinels + [n for n in g.nodes if n is not primary]
        for s in others:
            s.signal(signal.SIGSTOP)
        wait_role(agents[primary.name], "fenced")
        for s in others:
            s.signal(signal.SIGCONT)
        wait_until(lambda: [roles(agents[n.name])[-1] for n in g.nodes].count("master") == 1 and
                   [roles(agents[n.name])[-1] for n in g.nodes].count("slave") == 2, 60, what="one primary and two replicas again")
    finally:
        from conftest import _finish
        _finish(request, [g.yard])
