"""The chart and the agents against a real Kubernetes API (kube_real.py): what the chart renders is taken strictly, its pods pass the
restricted profile, the agents' account may do what it must and nothing else, and the label follows a real group's failovers: at no
version that the API ever had do two pods say primary.

Needs etcd and kube-apiserver in the folder KVORUM_KUBE_API (kube_real.py says how to build them), helm (PATH or KVORUM_HELM) and
openssl; skipped without them."""
import glob
import json
import os
import random
import signal
import threading
import time

import pytest

import kube_real
from formed import FormedGroup
from harness import wait_until
from kube_play import LABEL, follow_failovers
from kube_real import CHART, Release, helm

yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed (scripts/deps test)")
if kube_real.lacking():
    pytest.skip(kube_real.lacking(), allow_module_level=True)

VALUES = sorted(glob.glob(os.path.join(CHART, "ci", "*-values.yaml")))
NAMES = [os.path.basename(v)[:-len("-values.yaml")] for v in VALUES]
MONITORS = {                         # as much of the operator's kind as the chart uses
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "podmonitors.monitoring.coreos.com"},
    "spec": {"group": "monitoring.coreos.com", "scope": "Namespaced", "names": {"kind": "PodMonitor", "plural": "podmonitors", "singular": "podmonitor"},
             "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {
                 "type": "object", "properties": {
                     "selector": {"type": "object", "properties": {"matchLabels": {"type": "object", "additionalProperties": {"type": "string"}}}},
                     "podMetricsEndpoints": {"type": "array", "items": {"type": "object", "properties": {n: {"type": "string"} for n in ("port", "path", "interval")}}},
                 }}}}}}]}}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    a = None
    try:
        a = kube_real.RealApi(str(tmp_path_factory.mktemp("api") / "server"))
        a.must("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", MONITORS)
        wait_until(lambda: a.call("GET", "/apis/monitoring.coreos.com/v1")[0] == 200, what="PodMonitors to be known")
        a.known = a.kinds()
        print("kube-apiserver " + a.version())
        yield a
    finally:
        if a:
            a.close()


@pytest.fixture
def api(server):
    """The server, in a namespace of the test's own; awake again afterwards."""
    server.enter("t%d" % random.getrandbits(40))
    server.account_named(server.namespace, "own")
    yield server
    server.wake()


def render(api, *words):
    known = sorted({version for version, _ in api.known})
    out = helm(api, "template", "demo", CHART, "--kube-version", api.version(), *[w for v in known for w in ("--api-versions", v)], *words)
    return [d for d in yaml.safe_load_all(out) if d]


def all_of(api, plural, group="/api/v1"):
    return api.must("GET", "%s/namespaces/%s/%s" % (group, api.namespace, plural))["items"]


def sets(api):
    return all_of(api, "statefulsets", "/apis/apps/v1")


# ---- what the chart renders -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", VALUES, ids=NAMES)
def test_every_manifest_is_taken_strictly(api, values):
    docs = render(api, "-f", values)
    for d in docs:
        status, answer, warnings = api.create(d, api.known, api.namespace, dryRun="All")
        assert status == 201 and not warnings, "%s %s: %s %s %s" % (d["kind"], d["metadata"]["name"], status, answer.get("message"), warnings)
    assert len(docs) >= 10
    if "network-policy" in values:
        assert {"NetworkPolicy", "PodMonitor"} <= {d["kind"] for d in docs}
    # and a name that is none would have been found
    d = next(d for d in docs if d["kind"] == "StatefulSet")
    d["spec"]["template"]["spec"]["containers"][0]["readOnlyRootFilesystem"] = True
    status, answer, _ = api.create(d, api.known, api.namespace, dryRun="All")
    assert status == 400 and "unknown field" in answer["message"], answer


@pytest.mark.parametrize("values", VALUES, ids=NAMES)
def test_a_release_from_install_to_uninstall(api, values):
    """Installed by helm, its pods made as the controller would, changed, rolled back, taken away."""
    out = helm(api, "install", "demo", CHART, "-f", values)
    assert "STATUS: deployed" in out and "%s.svc" % api.namespace in out
    made = sets(api)
    assert len(made) == 2
    for s in made:
        for i in range(s["spec"]["replicas"]):
            api.make_pod(s, i)                   # admitted: the namespace enforces the restricted profile, and nothing is warned of
    for d in render(api, "-f", values):
        if d["kind"] == "Pod":                   # of helm test
            status, answer, warnings = api.create(d, api.known, api.namespace)
            assert status == 201 and not warnings, (answer, warnings)
    before = {s["metadata"]["name"]: s["metadata"]["generation"] for s in made}
    helm(api, "upgrade", "demo", CHART, "-f", values)
    assert {s["metadata"]["name"]: s["metadata"]["generation"] for s in sets(api)} == before, "the same chart and values change no set"
    (node,) = [s for s in made if s["metadata"]["name"].endswith("-node")]
    more = node["spec"]["replicas"] + 1
    helm(api, "upgrade", "demo", CHART, "-f", values, "--set", "node.replicas=%d,node.shutdownTimeout=12" % more)
    assert api.stateful_set(node["metadata"]["name"])["spec"]["replicas"] == more
    helm(api, "rollback", "demo", "1")
    assert {s["metadata"]["name"]: s["spec"] for s in sets(api)} == {s["metadata"]["name"]: s["spec"] for s in made}
    helm(api, "uninstall", "demo")
    assert not sets(api) and not all_of(api, "services")
    for group, plural in (("/api/v1", "configmaps"), ("/apis/policy/v1", "poddisruptionbudgets"), ("/apis/networking.k8s.io/v1", "networkpolicies"),
                          ("/apis/rbac.authorization.k8s.io/v1", "roles"), ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
                          ("/apis/monitoring.coreos.com/v1", "podmonitors")):
        assert not all_of(api, plural, group), plural
    assert {a["metadata"]["name"] for a in all_of(api, "serviceaccounts")} == {"default", "own"}


@pytest.mark.parametrize("setting", ["containerSecurityContext.allowPrivilegeEscalation=true", "podSecurityContext.runAsNonRoot=false",
                                     "podSecurityContext.seccompProfile.type=Unconfined"])
def test_the_profile_is_enforced(api, setting):
    """The check above is one: the same pods with one word loosened are refused."""
    (s,) = [d for d in render(api, "--set", setting) if d["kind"] == "StatefulSet" and d["metadata"]["name"].endswith("-node")]
    status, answer, warnings = api.create(s, api.known, api.namespace, dryRun="All")
    assert status == 201 and any("restricted" in w for w in warnings), warnings
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": s["spec"]["template"]["metadata"]["labels"]},
           "spec": dict(s["spec"]["template"]["spec"], serviceAccountName="own")}
    pod["spec"]["volumes"].append({"name": "data", "emptyDir": {}})
    status, answer, _ = api.create(pod, api.known, api.namespace, dryRun="All")
    assert status == 403 and "violates PodSecurity" in answer["message"], answer


# ---- rights ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def release(api):
    return Release(api)


def test_the_account_may_do_this_and_nothing_else(release):
    api, inside = release.api, "/api/v1/namespaces/%s/" % release.api.namespace
    token, node = api.token(release.account, api.pod("demo-kvorum-node-1")), inside + "pods/demo-kvorum-node-0"
    merge, label = "application/merge-patch+json", {"metadata": {"labels": {LABEL: "replica"}}}

    # What the server says that it may, but for what everybody may.
    rules = api.must("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
                     {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": api.namespace}}, token=token)["status"]
    ours = [r for r in rules["resourceRules"] if not set(r["apiGroups"]) <= {"authorization.k8s.io", "authentication.k8s.io"}]
    assert [{k: v for k, v in r.items() if v} for r in ours] == [
        {"verbs": ["get", "patch"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["demo-kvorum-node-%d" % i for i in range(9)]}], ours

    api.must("GET", node, token=token)
    api.must("PATCH", node, label, token=token, kind=merge)
    assert api.call("GET", inside + "pods/demo-kvorum-node-8", token=token)[0] == 404, "of the set, though it is not there yet"

    # The same names in another namespace, and in a release beside.
    first = api.namespace
    api.enter("u%d" % random.getrandbits(40))
    Release(api)
    other, api.namespace = "/api/v1/namespaces/%s/" % api.namespace, first
    never = [
        ("GET", inside + "pods", None), ("GET", inside + "pods?watch=1", None), ("GET", "/api/v1/pods", None), ("DELETE", inside + "pods", None),
        ("GET", inside + "pods/demo-kvorum-sentinel-0", None), ("PATCH", inside + "pods/demo-kvorum-sentinel-0", label),
        ("GET", inside + "pods/demo-kvorum-node-9", None), ("PATCH", inside + "pods/demo-kvorum-node-10", label),
        ("GET", other + "pods/demo-kvorum-node-0", None), ("PATCH", other + "pods/demo-kvorum-node-0", label),
        ("DELETE", node, None), ("PUT", node, api.must("GET", node)), ("POST", inside + "pods", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}),
        ("PATCH", node + "/status", {"status": {"phase": "Failed"}}), ("PATCH", node + "/ephemeralcontainers", {}), ("PATCH", node + "/resize", {}),
        ("GET", node + "/log", None), ("POST", node + "/exec?command=id", None), ("GET", node + "/proxy", None),
        ("POST", node + "/eviction", {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "demo-kvorum-node-0"}}),
        ("GET", inside + "secrets", None), ("GET", inside + "secrets/demo-auth", None), ("GET", inside + "configmaps/demo-kvorum-node", None),
        ("PATCH", inside + "configmaps/demo-kvorum-node", label), ("GET", inside + "services/demo-kvorum-primary", None),
        ("PATCH", inside + "services/demo-kvorum-primary", label), ("GET", inside + "serviceaccounts/" + release.account, None),
        ("POST", inside + "serviceaccounts/%s/token" % release.account, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}),
        ("GET", inside + "events", None), ("GET", inside + "endpoints", None), ("GET", inside + "persistentvolumeclaims", None),
        ("PATCH", "/apis/apps/v1/namespaces/%s/statefulsets/demo-kvorum-node" % first, label),
        ("PATCH", "/apis/apps/v1/namespaces/%s/statefulsets/demo-kvorum-node/scale" % first, {"spec": {"replicas": 0}}),
        ("GET", "/apis/policy/v1/namespaces/%s/poddisruptionbudgets" % first, None), ("GET", "/apis/coordination.k8s.io/v1/namespaces/%s/leases" % first, None),
        ("PATCH", "/apis/rbac.authorization.k8s.io/v1/namespaces/%s/roles/demo-kvorum-node" % first, {"rules": []}),
        ("GET", "/api/v1/nodes", None), ("PATCH", "/api/v1/namespaces/" + first, label), ("GET", "/api/v1/namespaces", None), ("GET", "/metrics", None),
    ]
    for method, path, body in never:
        status, answer, _ = api.call(method, path, body, token=token, kind=merge if method == "PATCH" else "application/json")
        assert status == 403 and answer["reason"] == "Forbidden", "%s %s: %d %s" % (method, path, status, answer)
    # No other pod's token is better, and the sentinels' account may nothing at all.
    assert api.call("GET", node, token=api.token("default"))[0] == 403


# ---- one agent -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def watch(release):
    w = kube_real.Watch(release.api)
    yield w
    w.close()
    assert not w.lost and not w.two, (w.lost, w.two)


def label_is(watch, pod, value, timeout=30):
    wait_until(lambda: watch.label(pod) == value, timeout, what="%s to say %s; the pods: %s" % (pod, value, watch.pods))


def alone(release, yard, token=None):
    """A node and its agent, whose directory is the node; and another node, to be a replica of."""
    n, other = yard.node("n"), yard.node("other")
    a = release.agent(yard, "demo-kvorum-node-0", n, ["directory 127.0.0.1 %d" % n.port], token)
    turns = [("127.0.0.1", other.port), ("NO", "ONE")]

    def turn():
        turns.append(turns.pop(0))
        with n.connect() as c:
            c.execute_command("REPLICAOF", *turns[-1])

    return a, turn


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_other_tokens_are_taken(release, watch, yard, how):
    """A token ends while it is used; its successor comes a while later, the next time in time."""
    api, pod = release.api, "demo-kvorum-node-0"
    count = [0]

    def fresh():
        """A token, and what ends it."""
        count[0] += 1
        name = "bound-%d" % count[0]
        path = "/api/v1/namespaces/%s/secrets" % api.namespace
        made = api.must("POST", path, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}})
        token = api.token(release.account, dict(made, kind="Secret"))
        if how == "expired":                     # the server lets a minute go by
            token = api.ending(token, time.time() - 40)
            assert api.call("GET", api.path(pod), token=token)[0] == 200
        return token, lambda: how == "expired" or api.must("DELETE", path + "/" + name)

    def wait_ended(token):
        wait_until(lambda: api.call("GET", api.path(pod), token=token)[0] == 401, 90, every=0.2, what="the token to be refused")

    first, end = fresh()
    a, turn = alone(release, yard, first)
    label_is(watch, pod, "primary")
    end()
    wait_ended(first)
    turn()
    wait_until(lambda: "status 401" in a.log_text(), 30)
    assert watch.label(pod) == "primary" and a.is_alive() and first not in a.log_text()
    second, end = fresh()
    api.rotate(a.account, second)
    label_is(watch, pod, "replica", 60)
    # In time: the file has another one before the old one ends. It is read at the 401, so nothing is late.
    third = api.token(release.account)
    api.rotate(a.account, third)
    end()
    wait_ended(second)
    said = a.log_text().count("status 401")
    t = time.monotonic()
    turn()
    label_is(watch, pod, "primary", 10)
    print("from the change of role to the label, with a token that ended: %.0f ms" % ((time.monotonic() - t) * 1000))
    assert a.log_text().count("status 401") == said


@pytest.mark.parametrize("role", ["primary", "replica"])
def test_a_pod_of_the_same_name(release, watch, yard, role):
    """The pod is deleted under its agent and made anew: what the agent that stayed says is not said of the successor."""
    api, pod = release.api, "demo-kvorum-node-0"
    a, turn = alone(release, yard, api.token(release.account))       # not bound to the pod: else the API knows it no more
    label_is(watch, pod, "primary")
    if role == "replica":
        turn()
        label_is(watch, pod, "replica")
    api.delete_pod(pod)
    made = api.make_pod(release.node, 0)
    wait_until(lambda: "another one by now" in a.log_text() or "field is immutable" in a.log_text(), 30)
    turn()
    turn()
    time.sleep(3)                                # more than a check
    assert api.pod(pod)["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"], api.pod(pod)["metadata"]


def test_a_pod_that_is_being_deleted(release, watch, yard):
    """Its agent goes last, and takes the label along; the token of a pod that is gone is none."""
    api, pod = release.api, "demo-kvorum-node-0"
    a, turn = alone(release, yard)
    label_is(watch, pod, "primary")
    api.delete_pod(pod, grace=30)
    assert api.pod(pod)["metadata"]["deletionTimestamp"] and watch.label(pod) == "primary"
    turn()
    label_is(watch, pod, "replica")
    turn()
    label_is(watch, pod, "primary")
    assert a.stop() == 0
    label_is(watch, pod, None, 5)
    a.start()
    label_is(watch, pod, "primary")
    api.delete_pod(pod)
    wait_until(lambda: "status 401" in a.log_text() or "status 404" in a.log_text(), 30)
    assert a.is_alive()


def test_the_api_goes_away_and_comes_back(release, watch, yard):
    api, pod = release.api, "demo-kvorum-node-0"
    a, turn = alone(release, yard)
    label_is(watch, pod, "primary")
    api.server.proc.send_signal(signal.SIGSTOP)
    turn()
    wait_until(lambda: "no answer" in a.log_text(), 30)
    api.server.proc.send_signal(signal.SIGCONT)
    label_is(watch, pod, "replica")
    api.server.end(signal.SIGKILL)
    turn()
    wait_until(lambda: a.log_text().count("no answer") >= 2, 30)
    api.start()
    label_is(watch, pod, "primary", 60)
    api.etcd.proc.send_signal(signal.SIGSTOP)    # it answers, and can do nothing
    turn()
    time.sleep(3)
    api.etcd.proc.send_signal(signal.SIGCONT)
    label_is(watch, pod, "replica", 60)
    release.only_what_it_may()


# ---- a real group ----------------------------------------------------------------------------------------------------------


class Trouble(threading.Thread):
    """From start() to close(): the API is frozen, killed and started again, pods get other versions, agents sleep."""

    def __init__(self, release, agents, seed=7):
        super().__init__(daemon=True)
        self.release, self.agents, self.rng, self.over, self.wrong = release, agents, random.Random(seed), threading.Event(), None
        self.done = {}

    def touch(self):
        pod = self.rng.choice(self.release.pods)
        self.release.api.must("PATCH", self.release.api.path(pod) + "/status", {"status": {"message": str(self.rng.random())}},
                              kind="application/merge-patch+json")

    def freeze(self, proc, seconds):
        proc.send_signal(signal.SIGSTOP)
        self.over.wait(seconds)
        proc.send_signal(signal.SIGCONT)

    def run(self):
        api = self.release.api
        steps = [("pods touched", 30, self.touch), ("API frozen", 2, lambda: self.freeze(api.server.proc, 1.5)), ("API killed", 1, api.restart),
                 ("etcd frozen", 1, lambda: self.freeze(api.etcd.proc, 1)), ("agents asleep", 4, lambda: self.freeze(self.rng.choice(self.agents).proc, 2))]
        try:
            while not self.over.wait(self.rng.random() * 0.4):
                name, _, step = self.rng.choices(steps, [s[1] for s in steps])[0]
                step()
                self.done[name] = self.done.get(name, 0) + 1
        except Exception as e:                   # told by close()
            self.wrong = e

    def close(self):
        self.over.set()
        if self.is_alive():
            self.join(60)
        if self.wrong:
            raise self.wrong


def failovers(release, watch, count, trouble):
    g = FormedGroup(label="kvorum-kube-real", down_after=1000)
    agents, noise = [], None
    try:
        for pod, n in zip(release.pods, g.nodes):
            lines = ["directory-sentinel 127.0.0.1 %d" % s.port for s in g.sentinels]
            agents.append(release.agent(g.yard, pod, n, lines + ["directory-group " + g.name, "node-known-as 127.0.0.1 %d" % n.port]))
        noise = Trouble(release, agents)
        took = follow_failovers(g, watch, release.pods, count, noise.start if trouble else lambda: None)
        noise.close()
        watch.up_to_date()
        assert not watch.two and not watch.lost, (watch.two, watch.lost)
        print("labels followed %d failovers: median %.0f ms, longest %.0f ms; %d versions seen, never two primary; answers %s; %s"
              % (count, took[len(took) // 2] * 1000, took[-1] * 1000, len(watch.states), release.only_what_it_may(), noise.done))
    except AssertionError as e:
        raise AssertionError("%s\n%s\n%s" % (e, json.dumps(watch.pods), "\n".join(a.name + ":\n" + a.tail(12) for a in agents)))
    finally:
        try:
            if noise:
                noise.close()
        finally:
            g.close()


def test_labels_follow_failovers(release, watch):
    failovers(release, watch, 5, False)


@pytest.mark.long
def test_never_two_over_fifty_failovers(release, watch):
    failovers(release, watch, 50, True)
