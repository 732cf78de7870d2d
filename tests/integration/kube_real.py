"""A real Kubernetes API on loopback: etcd and kube-apiserver, with service accounts, RBAC and Pod Security; no kubelet, no
controllers, no scheduler. The test does what those would: makes the pods of a stateful set, projects tokens.

The two programs come from the folder that KVORUM_KUBE_API names. `python3 tests/integration/kube_real.py <folder>` builds them there
with go from the module proxy (half an hour on two busy cores; 3 GB of modules and cache, which may go afterwards)."""
import base64
import copy
import datetime
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

import harness
from harness import free_port, wait_until
from kube_play import LABEL, Accounts, make_cert

VERSION = "1.34.1"
PLACE = os.environ.get("KVORUM_KUBE_API")
HELM = os.environ.get("KVORUM_HELM") or shutil.which("helm")
CHART = os.path.join(harness.TOP, "helm")
ISSUER = "https://kubernetes.default.svc"
POD_SECURITY = "pod-security.kubernetes.io/"
SAID_OF_ALL = "SessionAffinity is ignored for headless"      # 1.34 warns of every headless Service, also where nothing about it is said


def lacking():
    """None, or one line: what is not here, and how it is had."""
    if not PLACE:
        return "KVORUM_KUBE_API names no folder with etcd and kube-apiserver; tests/integration/kube_real.py <folder> builds them with go"
    for p in ("etcd", "kube-apiserver"):
        if not os.access(os.path.join(PLACE, p), os.X_OK):
            return "%s is not in %s (KVORUM_KUBE_API); tests/integration/kube_real.py <folder> builds it with go" % (p, PLACE)
    if not HELM:
        return "helm is not installed: put it on PATH or name it in KVORUM_HELM"
    return None if shutil.which("openssl") else "openssl is not installed (scripts/deps test)"


class Server:
    """One of the two programs."""

    def __init__(self, name, folder, *args):
        self.words, self.log, self.proc = [os.path.join(PLACE, name)] + list(args), os.path.join(folder, name + ".log"), None

    def start(self):
        with open(self.log, "ab") as out:
            self.proc = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        harness.Process.live.append(self)

    def alive(self):
        if self.proc.poll() is not None:
            with open(self.log, errors="replace") as f:
                raise AssertionError("%s ended with %s:\n%s" % (self.words[0], self.proc.returncode, f.read()[-3000:]))
        return True

    def end(self, how=signal.SIGTERM):
        self.proc.send_signal(signal.SIGCONT)
        self.proc.send_signal(how)
        self.proc.wait(30)
        harness.Process.live.remove(self)


class RealApi(Accounts):
    """folder: of ours alone. Started when made; close() ends it."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.folder, self.namespace, self.starts = folder, None, []
        self.ca, cert, key = make_cert(folder)
        self.sa_key, self.audit = os.path.join(folder, "sa.key"), os.path.join(folder, "audit.log")
        subprocess.run(["openssl", "genrsa", "-out", self.sa_key, "2048"], check=True, capture_output=True)
        self.admin = base64.b16encode(os.urandom(16)).decode()
        with open(os.path.join(folder, "tokens.csv"), "w") as f:
            f.write('%s,admin,admin,"system:masters"\n' % self.admin)
        with open(os.path.join(folder, "audit.yaml"), "w") as f:
            f.write("apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n")
        self.port, self.etcd_port, peer = free_port(), free_port(), free_port()
        self.context = ssl.create_default_context(cafile=self.ca)
        at = lambda port: "http://127.0.0.1:%d" % port
        self.etcd = Server("etcd", folder, "--data-dir", os.path.join(folder, "etcd"), "--listen-client-urls", at(self.etcd_port),
                           "--advertise-client-urls", at(self.etcd_port), "--listen-peer-urls", at(peer), "--initial-advertise-peer-urls", at(peer),
                           "--initial-cluster", "default=" + at(peer), "--unsafe-no-fsync", "--log-level", "error")
        # Without the cache of watches each watch is served from etcd: one that goes on after a restart misses no version.
        self.server = Server("kube-apiserver", folder, "--etcd-servers=" + at(self.etcd_port), "--secure-port=%d" % self.port, "--bind-address=127.0.0.1",
                             "--tls-cert-file=" + cert, "--tls-private-key-file=" + key, "--cert-dir=" + folder,
                             "--token-auth-file=" + os.path.join(folder, "tokens.csv"), "--service-account-issuer=" + ISSUER,
                             "--service-account-key-file=" + self.sa_key, "--service-account-signing-key-file=" + self.sa_key, "--api-audiences=" + ISSUER,
                             "--service-cluster-ip-range=10.96.0.0/16", "--authorization-mode=RBAC", "--endpoint-reconciler-type=none", "--watch-cache=false",
                             "--audit-policy-file=" + os.path.join(folder, "audit.yaml"), "--audit-log-path=" + self.audit)
        self.kubeconfig = os.path.join(folder, "kubeconfig")
        with open(self.kubeconfig, "w") as f:
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                       "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:%d" % self.port, "certificate-authority": self.ca}}],
                       "users": [{"name": "u", "user": {"token": self.admin}}]}, f)
        os.chmod(self.kubeconfig, 0o600)
        self.etcd.start()
        self.start()

    def start(self):
        begin = time.time()
        self.server.start()
        wait_until(lambda: self.server.alive() and self.etcd.alive() and self.call("GET", "/readyz", raw=True)[0] == 200, 120, every=0.1,
                   what="kube-apiserver to be ready")
        self.starts.append((begin, time.time()))

    def restart(self, how=signal.SIGKILL):
        self.server.end(how)
        self.start()

    def wake(self):
        for s in (self.etcd, self.server):
            if s.proc.poll() is None:
                s.proc.send_signal(signal.SIGCONT)
        if self.server.proc.poll() is not None:
            self.start()

    def close(self):
        for s in (self.server, self.etcd):
            if s.proc and s.proc.poll() is None:
                s.end(signal.SIGKILL)

    # --- requests ------------------------------------------------------------------------------------

    def connection(self, timeout=30):
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=timeout)

    def call(self, method, path, body=None, token=None, kind="application/json", raw=False):
        """Status, what was answered, and the warnings that came with it."""
        c = self.connection()
        try:
            c.request(method, path, body=None if body is None else json.dumps(body),
                      headers={"Authorization": "Bearer " + (token or self.admin), "Content-Type": kind, "Accept": "application/json"})
            r = c.getresponse()
            text = r.read().decode()
            warnings = [w for w in r.headers.get_all("Warning") or [] if SAID_OF_ALL not in w]
            return r.status, text if raw else json.loads(text), warnings
        finally:
            c.close()

    def must(self, method, path, body=None, **kw):
        """It is taken, and nothing about it is warned of."""
        status, answer, warnings = self.call(method, path, body, **kw)
        assert status in (200, 201), "%s %s: %d %s" % (method, path, status, answer.get("message"))
        assert not warnings, (path, warnings)
        return answer

    def version(self):
        return self.must("GET", "/version")["gitVersion"]

    def kinds(self):
        """(apiVersion, kind) -> (path of the API, plural, namespaced), of everything that the server knows."""
        groups = ["/api/v1"] + ["/apis/" + v["groupVersion"] for g in self.must("GET", "/apis")["groups"] for v in g["versions"]]
        return {(g.split("/", 2)[2], r["kind"]): (g, r["name"], r["namespaced"])
                for g in groups for r in self.must("GET", g)["resources"] if "/" not in r["name"]}

    def create(self, doc, known, namespace, **how):
        """As kubectl does it, but unknown and repeated fields are refused."""
        base, plural, inside = known[doc["apiVersion"], doc["kind"]]
        path = base + ("/namespaces/" + namespace if inside else "") + "/" + plural
        return self.call("POST", path + "?" + urllib.parse.urlencode(dict(how, fieldValidation="Strict")), doc)

    # --- what controllers and the kubelet would do ------------------------------------------------------

    def enter(self, namespace):
        """A namespace that takes restricted pods only, and warns of what would make others."""
        labels = {POD_SECURITY + what: "restricted" for what in ("enforce", "warn", "audit")}
        self.must("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})
        self.account_named(namespace, "default")
        self.namespace = namespace

    def account_named(self, namespace, name):
        self.must("POST", "/api/v1/namespaces/%s/serviceaccounts" % namespace, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})

    def path(self, pod="", namespace=None):
        return ("/api/v1/namespaces/%s/pods/%s" % (namespace or self.namespace, pod)).rstrip("/")

    def pod(self, name):
        return self.must("GET", self.path(name))

    def make_pod(self, of, number):
        """The pod that the controller would make of a stateful set as the API holds it, bound to a node that nobody looks after."""
        name, t = "%s-%d" % (of["metadata"]["name"], number), copy.deepcopy(of["spec"]["template"])
        spec = t["spec"]
        spec.update(hostname=name, subdomain=of["spec"]["serviceName"], nodeName="host-%d" % number)
        for claim in of["spec"].get("volumeClaimTemplates", []):
            which = claim["metadata"]["name"]
            spec["volumes"].append({"name": which, "persistentVolumeClaim": {"claimName": "%s-%s" % (which, name)}})
        labels = dict(t["metadata"]["labels"], **{"statefulset.kubernetes.io/pod-name": name, "apps.kubernetes.io/pod-index": str(number)})
        owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": of["metadata"]["name"], "uid": of["metadata"]["uid"], "controller": True,
                 "blockOwnerDeletion": True}
        return self.must("POST", self.path(namespace=of["metadata"]["namespace"]) + "?fieldValidation=Strict", {
            "apiVersion": "v1", "kind": "Pod", "spec": spec,
            "metadata": {"name": name, "labels": labels, "annotations": t["metadata"].get("annotations", {}), "ownerReferences": [owner]}})

    def delete_pod(self, name, grace=0):
        self.must("DELETE", self.path(name) + "?gracePeriodSeconds=%d" % grace)

    def stateful_set(self, name):
        return self.must("GET", "/apis/apps/v1/namespaces/%s/statefulsets/%s" % (self.namespace, name))

    def token(self, account, bound=None, seconds=3600):
        """As the kubelet asks for it: good as long as the object that it is bound to."""
        spec = {"expirationSeconds": seconds}
        if bound:
            spec["boundObjectRef"] = {"apiVersion": "v1", "kind": bound.get("kind", "Pod"), "name": bound["metadata"]["name"], "uid": bound["metadata"]["uid"]}
        return self.must("POST", "/api/v1/namespaces/%s/serviceaccounts/%s/token" % (self.namespace, account),
                         {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec})["status"]["token"]

    def ending(self, token, at):
        """The same token with another end of its life, signed with the server's key."""
        part = lambda text: base64.urlsafe_b64encode(text).rstrip(b"=").decode()
        head, claims, _ = token.split(".")
        said = json.loads(base64.urlsafe_b64decode(claims + "=="))
        said.update(iat=int(at) - 600, nbf=int(at) - 600, exp=int(at))
        signed = head + "." + part(json.dumps(said).encode())
        made = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.sa_key], input=signed.encode(), capture_output=True, check=True).stdout
        return signed + "." + part(made)

    def asked_by(self, user):
        """What an account asked for since the start, of the server's own book: (verb, resource, name, status, wall time)."""
        found = []
        with open(self.audit) as f:
            for line in f:
                if not line.endswith("}\n"):
                    continue
                e = json.loads(line)
                if e.get("user", {}).get("username") == user:
                    o = e.get("objectRef", {})
                    what = "/".join(x for x in (o.get("resource"), o.get("subresource")) if x) or e["requestURI"]
                    at = datetime.datetime.fromisoformat(e["requestReceivedTimestamp"].replace("Z", "+00:00")).timestamp()
                    found.append((e["verb"], what, o.get("name"), e.get("responseStatus", {}).get("code", 0), at))
        return found


class Watch(threading.Thread):
    """Every version that any pod of the namespace went through, in the order in which the server made them. It goes on after a
    break at the version that it saw last."""

    def __init__(self, api, key=LABEL):
        super().__init__(daemon=True)
        self.api, self.key, self.ending = api, key, False
        self.pods, self.states, self.two, self.lost, self.breaks = {}, [], [], [], 0
        got = api.must("GET", api.path())
        for p in got["items"]:
            self.pods[p["metadata"]["name"]] = p["metadata"].get("labels", {}).get(key)
        self.at = got["metadata"]["resourceVersion"]
        self.path = api.path()
        self.start()

    def labelled(self, value="primary"):
        return [n for n, v in dict(self.pods).items() if v == value]

    def label(self, pod):
        return self.pods.get(pod)

    def take(self, event):
        meta = event["object"].get("metadata", {})
        if event["type"] == "ERROR":
            self.lost.append(event["object"].get("message"))
            return
        if event["type"] == "DELETED":
            self.pods.pop(meta["name"], None)
        elif event["type"] in ("ADDED", "MODIFIED"):
            self.pods[meta["name"]] = meta.get("labels", {}).get(self.key)
        self.at = meta["resourceVersion"]
        self.states.append((self.at, dict(self.pods)))
        if len(self.labelled()) > 1:
            self.two.append(self.states[-1])

    def run(self):
        while not self.ending:
            c = self.api.connection(timeout=1)
            try:
                c.request("GET", self.path + "?watch=1&resourceVersion=" + self.at, headers={"Authorization": "Bearer " + self.api.admin})
                c.sock.settimeout(300)
                self.link = c.sock
                r = c.getresponse()
                if r.status == 200:
                    for line in r:
                        self.take(json.loads(line))
                else:
                    time.sleep(0.1)
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(0.05)
            finally:
                c.close()
            self.breaks += 1

    def up_to_date(self):
        """Wait for the version that the pods have now."""
        def now():
            return {p["metadata"]["name"]: p["metadata"].get("labels", {}).get(self.key) for p in self.api.must("GET", self.path)["items"]}

        wait_until(lambda: dict(self.pods) == now(), 20, what="the watch to have seen what is")

    def close(self):
        self.ending = True
        try:
            self.link.shutdown(2)
        except (OSError, AttributeError):
            pass
        self.join(5)


def helm(api, *words):
    places = {"HELM_%s_HOME" % w: os.path.join(api.folder, "helm-" + w.lower()) for w in ("CACHE", "CONFIG", "DATA")}
    r = subprocess.run([HELM, "--kubeconfig", api.kubeconfig, "-n", api.namespace] + list(words), capture_output=True, text=True, timeout=180,
                       env=dict(os.environ, **places))
    assert r.returncode == 0, "helm %s:\n%s" % (" ".join(words), r.stderr)
    said = [line for line in r.stderr.splitlines() if "arning" in line and SAID_OF_ALL not in line]
    assert not said, said
    return r.stdout


class Release:
    """The chart with its default values, and the pods of its sets."""

    def __init__(self, api):
        helm(api, "install", "demo", CHART)
        self.api = api
        self.node, self.sentinel = api.stateful_set("demo-kvorum-node"), api.stateful_set("demo-kvorum-sentinel")
        for s in (self.node, self.sentinel):
            for i in range(3):
                api.make_pod(s, i)
        self.pods = ["demo-kvorum-node-%d" % i for i in range(3)]
        self.account = self.node["spec"]["template"]["spec"]["serviceAccountName"]
        self.user = "system:serviceaccount:%s:%s" % (api.namespace, self.account)
        conf = api.must("GET", "/api/v1/namespaces/%s/configmaps/demo-kvorum-node" % api.namespace)["data"]["agent.conf"]
        self.kube_lines = [line for line in conf.splitlines() if line.startswith("kube")]
        assert "kube on" in self.kube_lines and "kube-label " + LABEL in self.kube_lines

    def agent(self, yard, name, node, lines, token=None, start=True):
        """An agent in the pod of that name, as the chart sets it up; the token is bound to the pod as the kubelet's are."""
        pod, http = self.api.pod(name), free_port()
        token = token or self.api.token(self.account, pod)
        folder = self.api.account("%s-%d" % (name, http), token)
        a = yard.agent("agent-" + name, lines + self.kube_lines + ["node 127.0.0.1 %d" % node.port, "kube-folder " + folder, "kube-timeout 1s",
                                                                 "kube-check 2s", "http-port %d" % http], start=False)
        a.env = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.api.port), "POD_NAME": name, "POD_UID": pod["metadata"]["uid"]}
        a.account = folder
        return a.start() if start else a

    def only_what_it_may(self):
        """Of the server's book: nothing but pods of the set was read and patched, and nothing was forbidden, except by a server that
        had just been started: until it has read the roles it forbids everything."""
        asked = self.api.asked_by(self.user)
        assert asked and {(verb, what) for verb, what, _, _, _ in asked} <= {("get", "pods"), ("patch", "pods")}, asked
        assert {name for _, _, name, _, _ in asked} <= {"demo-kvorum-node-%d" % i for i in range(9)}
        statuses = [status for _, _, _, status, _ in asked]
        wrong = [a for a in asked if 400 <= a[3] < 500 and a[3] not in (401, 404, 409, 429) and
                 not (a[3] == 403 and any(begin < a[4] < ready + 1 for begin, ready in self.api.starts))]
        assert not wrong, (wrong, self.api.starts)
        return {s: statuses.count(s) for s in set(statuses)}


def build(folder):
    """etcd and kube-apiserver from the Go module proxy. The modules that live inside Kubernetes' own tree are required by it at no
    version; each is replaced by the one that was published of it."""
    work = os.path.join(folder, "build")
    os.makedirs(work, exist_ok=True)
    env = dict(os.environ, CGO_ENABLED="0", GOTOOLCHAIN="local", GOFLAGS="-mod=mod")
    go = lambda *w, **kw: subprocess.run(["go"] + list(w), cwd=work, env=env, check=True, **kw)
    got = json.loads(go("mod", "download", "-json", "k8s.io/kubernetes@v" + VERSION, stdout=subprocess.PIPE).stdout)
    with open(got["GoMod"]) as f:
        inside = sorted(set(re.findall(r"^\s*(?:require )?(k8s\.io/\S+) v0\.0\.0\s*(?://.*)?$", f.read(), re.M)))
    published = "v0" + VERSION[1:]
    with open(os.path.join(work, "go.mod"), "w") as f:
        f.write("module kube\n\ngo 1.24.0\n\nrequire k8s.io/kubernetes v%s\n\nreplace (\n%s)\n" % (
            VERSION, "".join("\t%s => %s %s\n" % (m, m, published) for m in inside)))
    major, minor, _ = VERSION.split(".")
    said = {"gitVersion": "v" + VERSION, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    flags = "-s -w " + " ".join("-X k8s.io/component-base/version.%s=%s" % x for x in said.items())
    one = ["-p", "1"] if os.environ.get("KVORUM_BUILD_SLOWLY") else []
    for name, package in (("etcd", "go.etcd.io/etcd/server/v3"), ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver")):
        go("build", *one, "-trimpath", "-ldflags", flags, "-o", os.path.join(folder, name), package)
    print("etcd and kube-apiserver %s are in %s: KVORUM_KUBE_API=%s" % (VERSION, folder, folder))


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-") or not shutil.which("go"):
        sys.exit("usage: kube_real.py <folder>   builds etcd and kube-apiserver there; needs go and the Go module proxy")
    build(os.path.abspath(sys.argv[1]))
