"""The agent's label in Kubernetes against a pretend API: what it does with each refusal, how it takes
other tokens and CAs, and fifty failovers of a real group: never two pods that say primary."""
import http.client
import json
import os
import shutil
import signal
import time

import pytest

from formed import FormedGroup
from harness import free_port, wait_until
from kube_play import Api, follow_failovers, make_cert

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed (scripts/deps test)")

PODS = ["demo-0", "demo-1", "demo-2"]


@pytest.fixture
def api(yard):
    a = Api(os.path.join(yard.folder, "api"), PODS)
    yield a
    a.stop()


def start_agent(yard, api, node_port, name="demo-0", more=(), env=None, **kw):
    """An agent whose directory is the node itself."""
    kw.setdefault("timeout", "5s")           # the pretended API is slow when the machine is busy
    a = yard.agent("agent-" + name, ["directory 127.0.0.1 %d" % node_port] + api.agent_lines(name, PODS, node_port, more=more, **kw), start=False)
    a.env = env
    a.http = next(int(l.split()[1]) for l in a.lines if l.startswith("http-port"))
    a.account = next(l.split()[1] for l in a.lines if l.startswith("kube-folder"))
    return a.start()


def page(agent, path):
    c = http.client.HTTPConnection("127.0.0.1", agent.http, timeout=30)
    try:
        c.request("GET", path)
        r = c.getresponse()
        return r.status, r.read().decode()
    finally:
        c.close()


def label_is(api, pod, value, timeout=60):
    wait_until(lambda: api.label(pod) == value or None, timeout, what="%s to say %s (it says %s)" % (pod, value, api.label(pod)))


# ---- one node, one agent ----------------------------------------------------------------------------------------------


def test_role_becomes_label(yard, api):
    other = yard.node("other")
    n = yard.node("n")
    api.relabel("demo-1", "primary")                 # left behind by a pod that died
    api.states.clear()
    a = start_agent(yard, api, n.port)
    label_is(api, "demo-0", "primary")
    assert api.label("demo-1") is None and not api.two
    assert api.note("demo-0")["role"] == "primary" and api.note("demo-0")["pod"] == "demo-0"
    assert api.note("demo-1")["pod"] == "demo-0", "who took it off says so"
    api.relabel("demo-2", "replica")
    with n.connect() as c:
        c.execute_command("REPLICAOF", "127.0.0.1", other.port)
    label_is(api, "demo-0", "replica")
    with n.connect() as c:
        c.execute_command("REPLICAOF", "NO", "ONE")
    label_is(api, "demo-0", "primary")
    assert api.label("demo-2") == "replica" and api.note("demo-2", "kvorum.io/status-freed")["pod"] == "demo-0", "other roles stay"
    n.kill()
    label_is(api, "demo-0", None)
    assert a.is_alive() and "+label pod=demo-0 role=primary" in a.log_text()
    k = wait_until(lambda: (lambda k: k if k["label"] == "none" else None)(json.loads(page(a, "/status")[1])["kubernetes"]), what="none to be said")
    assert k["pod"] == "demo-0" and k["namespace"] == "ns"
    metrics = page(a, "/metrics")[1]
    assert 'kvorum_agent_label{role="none"} 1' in metrics and 'kvorum_agent_kube_requests_total{verb="patch",result="ok"}' in metrics


def test_other_names_of_the_label(yard, api):
    n = yard.node("n")
    start_agent(yard, api, n.port, more=["kube-label isMaster", "kube-label-primary true", "kube-label-replica false", "kube-annotation status"])
    wait_until(lambda: api.label("demo-0", "isMaster") == "true")
    assert api.label("demo-0") is None and api.note("demo-0", "status")["role"] == "primary"


def test_taken_off_at_the_end(yard, api):
    n = yard.node("n")
    a = start_agent(yard, api, n.port)
    label_is(api, "demo-0", "primary")
    assert a.stop() == 0
    assert api.label("demo-0") is None
    # and nobody waits for an API that is away
    b = start_agent(yard, api, n.port, name="demo-1")
    label_is(api, "demo-1", "primary")
    api.stop()
    t = time.monotonic()
    assert b.stop() == 0
    assert time.monotonic() - t < 15


def test_restarted_agent_goes_on(yard, api):
    n = yard.node("n")
    a = start_agent(yard, api, n.port)
    label_is(api, "demo-0", "primary")
    a.kill()
    before = len(api.states)
    a.start()
    wait_until(lambda: "+label pod=demo-0 role=primary" in a.log_text().split("is ready")[-1])
    assert len(api.states) == before, "it carries the label already: nothing was written"


def test_what_others_change_is_put_right(yard, api):
    n = yard.node("n")
    start_agent(yard, api, n.port, check="300ms")
    label_is(api, "demo-0", "primary")
    api.relabel("demo-0", None)
    label_is(api, "demo-0", "primary")
    before = len(api.patches())
    time.sleep(1)
    assert len(api.patches()) == before, "looked at, not written"


def test_another_pod_of_our_name(yard, api):
    n = yard.node("n")
    a = start_agent(yard, api, n.port, env={"POD_UID": "uid-of-a-pod-that-was"})
    wait_until(lambda: "is another one by now" in a.log_text())
    assert api.label("demo-0") is None and not api.patches()


def test_a_replicas_pod_is_made_anew(yard, api):
    """What the agent of the pod that was says over and over does not land on its successor."""
    n, other = yard.node("n"), yard.node("other")
    with n.connect() as c:
        c.execute_command("REPLICAOF", "127.0.0.1", other.port)
    a = start_agent(yard, api, n.port, check="200ms", env={"POD_UID": api.pods["demo-0"]["metadata"]["uid"]})
    label_is(api, "demo-0", "replica")
    api.add("demo-0")
    wait_until(lambda: "status 422" in a.log_text())
    assert api.label("demo-0") is None and api.note("demo-0") is None and a.is_alive()


# ---- refusals -------------------------------------------------------------------------------------------------------------


def test_unauthorized_reads_the_token_at_once(yard, api):
    n = yard.node("n")
    other = yard.node("other")
    a = start_agent(yard, api, n.port)
    label_is(api, "demo-0", "primary")
    api.tokens = {"token-2"}
    api.rotate(a.account, "token-2")
    with n.connect() as c:
        c.execute_command("REPLICAOF", "127.0.0.1", other.port)
    label_is(api, "demo-0", "replica")
    statuses = [r[3] for r in api.patches("demo-0")]
    assert statuses[-2:] == [401, 200], "refused, read again, repeated at once"


def test_unauthorized_for_good_is_said_once(yard, api):
    n = yard.node("n")
    api.tokens = {"another"}
    a = start_agent(yard, api, n.port)
    wait_until(lambda: len([r for r in api.requests if r[3] == 401]) >= 2)
    wait_until(lambda: "-label" in a.log_text())
    assert a.log_text().count("status 401") <= 3 and page(a, "/livez")[0] == 200
    wait_until(lambda: page(a, "/readyz")[0] == 200)
    assert "another" not in a.log_text() and "token-1" not in a.log_text(), "a token in the log"


def test_forbidden(yard, api):
    """Rights to our own pod alone are not enough to say primary; they are enough to stop saying it."""
    n = yard.node("n")
    api.relabel("demo-1", "primary")
    api.may = lambda who, method, pod: pod == "demo-0"
    a = start_agent(yard, api, n.port)
    wait_until(lambda: any(r[3] == 403 for r in api.requests))
    wait_until(lambda: "cannot get resource" in a.log_text())
    assert api.label("demo-0") is None and not api.two
    api.may = lambda who, method, pod: True
    label_is(api, "demo-0", "primary")
    assert api.label("demo-1") is None and not api.two


def test_conflicts(yard, api):
    n = yard.node("n")
    touched = []

    def touch(method, pod, body):
        if method == "PATCH" and pod == "demo-0" and len(touched) < 6 and b"resourceVersion" in body:
            touched.append(1)
            api.touch("demo-0")      # the kubelet was faster

    api.script.append(touch)
    start_agent(yard, api, n.port)
    label_is(api, "demo-0", "primary")
    assert len(touched) == 6 and [r[3] for r in api.patches("demo-0")].count(409) == 6


@pytest.mark.parametrize("status", [429, 500, 503])
def test_busy_api_says_how_long(yard, api, status):
    n = yard.node("n")
    asked = []

    def busy(method, pod, body):
        asked.append(time.monotonic())
        if len(asked) == 1:
            return status, {"Retry-After": "2"}, {"kind": "Status", "message": "too many"}
        if len(asked) <= 4:
            return status, {}, b"<html>not even json</html>"

    api.script.append(busy)
    a = start_agent(yard, api, n.port)
    label_is(api, "demo-0", "primary")
    assert asked[1] - asked[0] >= 1.9, "Retry-After was not obeyed"
    assert all(b - x >= 0.09 for x, b in zip(asked[1:3], asked[2:4])), "no pause"
    assert a.log_text().count("-label") <= 2


def test_wrong_answers(yard, api):
    """Redirects, other kinds, rubbish and too much of everything: refused, told, tried again later."""
    n = yard.node("n")
    elsewhere = []
    wrong = [(302, {"Location": "https://127.0.0.1:%d/elsewhere" % api.port}, {}), (200, {}, b"[" * 100000), (200, {}, b"{}"),
             (200, {}, b" " * (2 << 20)), (422, {}, {"kind": "Status", "message": "invalid"}), (200, {}, b'{"metadata":{"uid":1}}')]
    script = list(wrong)

    def answer(method, pod, body):
        if pod == "elsewhere":
            elsewhere.append(1)
        if script and method == "GET":
            return script.pop(0)

    api.script.append(answer)
    a = start_agent(yard, api, n.port)
    label_is(api, "demo-0", "primary", 60)
    assert not script and not elsewhere and a.is_alive()


def test_slow_and_broken_connections(yard, api):
    n = yard.node("n")
    other = yard.node("other")
    todo = ["hang", "cut", "hang", "cut"]
    api.script.append(lambda method, pod, body: todo.pop(0) if todo else None)
    a = start_agent(yard, api, n.port, timeout="300ms")
    t = time.monotonic()
    while todo:
        assert page(a, "/livez")[0] == 200 and time.monotonic() - t < 60
        time.sleep(0.05)
    label_is(api, "demo-0", "primary")
    # away altogether: the node's change is told when it is back
    api.stop()
    with n.connect() as c:
        c.execute_command("REPLICAOF", "127.0.0.1", other.port)
        assert c.execute_command("ROLE")[0] == "slave"
    wait_until(lambda: page(a, "/readyz")[0] == 200 and "replica" in page(a, "/readyz")[1])
    api.start()
    label_is(api, "demo-0", "replica")


def test_a_late_claim_changes_nothing(yard, api):
    """The claim is held up on its way while the node stops being primary: what arrives late finds another version."""
    n = yard.node("n")
    other = yard.node("other")
    late = []

    def hold(method, pod, body):
        if method == "PATCH" and pod == "demo-0" and b"resourceVersion" in body and not late:
            late.append(time.monotonic())
            time.sleep(2)            # longer than the agent waits, and until its node has become another
            wait_until(lambda: api.label("demo-0") == "replica")

    api.script.append(hold)
    start_agent(yard, api, n.port, timeout="500ms")
    wait_until(lambda: late)
    with n.connect() as c:
        c.execute_command("REPLICAOF", "127.0.0.1", other.port)
    label_is(api, "demo-0", "replica")
    wait_until(lambda: any(r[3] == 409 for r in api.requests), what="the late one to arrive")
    assert api.label("demo-0") == "replica" and not api.labelled()


def test_another_ca(yard, api):
    """The API's certificate is replaced by one of another CA; ca.crt follows, and is read again."""
    n = yard.node("n")
    other = yard.node("other")
    a = start_agent(yard, api, n.port)
    label_is(api, "demo-0", "primary")
    api.stop()
    api.certs(make_cert(api.folder, "second"))
    api.start()
    with n.connect() as c:
        c.execute_command("REPLICAOF", "127.0.0.1", other.port)
    wait_until(lambda: "certificate" in a.log_text().lower() or "SSL" in a.log_text(), what="the strange CA to be noticed")
    assert api.label("demo-0") == "primary"
    api.rotate(a.account, "token-1")
    label_is(api, "demo-0", "replica")


def test_proxies_are_not_for_the_api(yard, api):
    n = yard.node("n")
    dead = "http://127.0.0.1:%d" % free_port()
    start_agent(yard, api, n.port, env={"https_proxy": dead, "HTTPS_PROXY": dead, "http_proxy": dead, "ALL_PROXY": dead})
    label_is(api, "demo-0", "primary")


@pytest.mark.parametrize("lines, word", [
    (["kube on"], "node <host> <port>"),
    (["kube on", "node 127.0.0.1 1"], "kube-pods"),
    (["kube on", "node 127.0.0.1 1", "kube-pods a b", "kube-pod c"], "ours (c) too"),
    (["kube on", "node 127.0.0.1 1", "kube-pods a", "kube-pod a"], "KUBERNETES_SERVICE_HOST"),
    (["kube on", "node 127.0.0.1 1", "kube-pods a", "kube-pod a", "kube-api https://127.0.0.1:1", "kube-namespace ns", "kube-folder /nowhere"], "/nowhere/token"),
    (["kube-pods a/../b"], "no name of a pod"),
    (["kube-label a=b"], "no name of a label"),
    (["kube-label-primary 'a b'"], "no value of a label"),
    (["kube-label-replica primary"], "must differ"),
    (["kube-confirm on"], "directory-sentinel"),
])
def test_settings_that_cannot_work(yard, lines, word):
    a = yard.agent("a", ["directory 127.0.0.1 1"] + lines, start=False)
    a.env = {"KUBERNETES_SERVICE_HOST": ""}
    a.launch()
    assert a.proc.wait(20) == 1
    assert word in a.log_text(), a.log_text()


def test_auto_without_an_api_is_off(yard):
    n = yard.node("n")
    a = yard.agent("a", ["directory 127.0.0.1 %d" % n.port, "node 127.0.0.1 %d" % n.port, "kube-pods a b"])
    assert "kubernetes" not in a.log_text() and a.is_alive()


def test_auto_finds_the_api_of_its_environment(yard, api):
    n = yard.node("n")
    a = yard.agent("a", ["directory 127.0.0.1 %d" % n.port, "node 127.0.0.1 %d" % n.port, "kube-pods " + " ".join(PODS),
                         "kube-folder " + api.account("auto")], start=False)
    a.env = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(api.port), "POD_NAME": "demo-2"}
    a.start()
    label_is(api, "demo-2", "primary")


# ---- probes -----------------------------------------------------------------------------------------------------------------


def test_probes(yard, api):
    other = yard.node("other")
    port = free_port()
    a = start_agent(yard, api, port, more=["ready-max-lag 2s"])
    assert page(a, "/livez") == (200, "ok\n")
    assert page(a, "/startupz")[0] == page(a, "/readyz")[0] == 503
    n = yard.node("n", port=port)
    wait_until(lambda: page(a, "/startupz")[0] == 200)
    wait_until(lambda: page(a, "/readyz") == (200, "primary, takes writes\n"))
    with n.connect() as c:
        c.execute_command("REPLICAOF", "127.0.0.1", other.port)
    wait_until(lambda: page(a, "/readyz") == (200, "replica, in sync\n"))
    other.signal(signal.SIGSTOP)                     # the link stands, and nothing comes
    wait_until(lambda: page(a, "/readyz")[0] == 503 and "ready-max-lag" in page(a, "/readyz")[1], 30)
    assert page(a, "/startupz")[0] == 200 and page(a, "/livez")[0] == 200
    other.signal(signal.SIGCONT)
    wait_until(lambda: page(a, "/readyz")[0] == 200)
    other.kill()
    wait_until(lambda: page(a, "/readyz")[0] == 503 and "link" in page(a, "/readyz")[1])
    n.kill()
    wait_until(lambda: page(a, "/readyz")[0] == 503 and "does not answer" in page(a, "/readyz")[1])
    assert page(a, "/livez")[0] == 200, "liveness never depends on the node"


def test_a_node_that_waits_for_its_group_has_started_and_is_not_ready(yard, api):
    n = yard.node("n", lines=["ha-group demo", "state-dir %s/state" % yard.folder])
    a = start_agent(yard, api, n.port)
    wait_until(lambda: page(a, "/startupz")[0] == 200)
    assert page(a, "/readyz")[0] == 503
    time.sleep(1)
    assert not api.labelled()


# ---- a real group ------------------------------------------------------------------------------------------------------------


def failovers(count, noise):
    g = FormedGroup(label="kvorum-kube", down_after=1000)
    api = Api(os.path.join(g.yard.folder, "api"), PODS)
    agents = []
    try:
        for i, n in enumerate(g.nodes):
            lines = ["directory-sentinel 127.0.0.1 %d" % s.port for s in g.sentinels] + ["directory-group " + g.name]
            lines += ["node-known-as 127.0.0.1 %d" % n.port] + api.agent_lines(PODS[i], PODS, n.port, timeout="1s", check="2s")
            agents.append(g.yard.agent("agent%d" % i, lines))
        took = follow_failovers(g, api, PODS, count, lambda: noise(api))
        print("labels followed %d failovers: median %.0f ms, longest %.0f ms; %d states of the pods, never two primary; answers %s"
              % (count, took[len(took) // 2] * 1000, took[-1] * 1000, len(api.states), {s: [r[3] for r in api.requests].count(s) for s in {r[3] for r in api.requests}}))
    except AssertionError as e:
        raise AssertionError("%s\nlast requests: %s\n%s" % (e, api.requests[-12:], "\n".join(a.name + ":\n" + a.tail(8) for a in agents)))
    finally:
        api.stop()
        g.close()


def test_labels_follow_failovers():
    failovers(6, lambda api: None)


@pytest.mark.long
def test_never_two_over_fifty_failovers():
    """With an API that is sometimes busy, late, in conflict and cut off."""
    count = [0]

    def noise(api):
        def step(method, pod, body):
            count[0] += 1
            if count[0] % 11 == 0:
                return 503, {"Retry-After": "1"}, {}
            if count[0] % 13 == 0:
                time.sleep(1.5)
            if count[0] % 17 == 0:
                return "cut"
            if count[0] % 7 == 0:
                api.touch(PODS[count[0] % 3])
        api.script.append(step)

    failovers(50, noise)
