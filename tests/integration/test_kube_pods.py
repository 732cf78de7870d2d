"""What the chart renders, run: each pod a network namespace with an address of its own, its containers processes with
the rendered commands, arguments, environment, files and security settings, a hosts file for the names of the headless services,
a pretend API for the labels. A small part of a kubelet: no image, no scheduler, no cgroup.

Needs root, helm (PATH or KVORUM_HELM) and openssl; skipped without them."""
import http.client
import os
import random
import re
import shutil
import signal
import subprocess
import time

import pytest
import redis

import harness
from harness import wait_until
from kube_play import Api

yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed (scripts/deps test)")
HELM = os.environ.get("KVORUM_HELM") or shutil.which("helm")
if not HELM:
    pytest.skip("helm is not installed: put it on PATH or name it in KVORUM_HELM", allow_module_level=True)
if os.geteuid() != 0 or not all(shutil.which(p) for p in ("ip", "nsenter", "unshare", "setpriv", "openssl")):
    pytest.skip("needs root, iproute2, util-linux and openssl", allow_module_level=True)

UID = "10001"
# In a mount namespace of its own: the pod's folder stays writable, everything else is read only, names come from our file.
BOX = ('mount --make-rprivate / && mount --bind "$0" "$0" && mount --bind "$1" /etc/hosts && mount -o remount,bind,ro / && shift && '
       'exec setpriv --reuid %s --regid %s --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all -- "$@"' % (UID, UID))


class Pod:
    """One pod of a stateful set, in one of its lives."""

    def __init__(self, cluster, name, template):
        self.c, self.name, self.spec = cluster, name, template["spec"]
        self.folder = os.path.join(cluster.folder, name)
        self.ns, self.address, self.procs = None, None, {}

    def path(self, container, mount):
        """Where a path of the container lies here."""
        m = next(m for m in sorted(container["volumeMounts"], key=lambda m: -len(m["mountPath"])) if mount == m["mountPath"] or mount.startswith(m["mountPath"] + "/"))
        return os.path.join(self.folder, m["name"], m.get("subPath", "")).rstrip("/") + mount[len(m["mountPath"]):]

    def here(self, container, text):
        for m in sorted(container["volumeMounts"], key=lambda m: -len(m["mountPath"])):
            text = text.replace(m["mountPath"], self.path(container, m["mountPath"]))
        return text

    def start(self):
        c = self.c
        number = c.next_address()
        self.address = "10.%d.%d.%d" % (c.net[0], c.net[1], number)
        self.ns = outer = "%s-%d" % (c.bridge, number)       # the kernel takes its time to let a name go
        run("ip", "netns", "add", self.ns)
        run("ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", self.ns)
        run("ip", "link", "set", outer, "master", c.bridge, "up")
        run("ip", "-n", self.ns, "addr", "add", self.address + "/24", "dev", "eth0")
        run("ip", "-n", self.ns, "link", "set", "eth0", "up")
        run("ip", "-n", self.ns, "link", "set", "lo", "up")
        if "-node-" in self.name:
            c.api.add(self.name)
        c.names[self.name] = self.address
        c.write_hosts()
        for container in self.spec["containers"]:
            self.launch(container)

    def launch(self, container):
        c = self.c
        for m in container["volumeMounts"]:
            os.makedirs(self.path(container, m["mountPath"]), exist_ok=True)
        for v in self.spec["volumes"]:
            where = os.path.join(self.folder, v["name"])
            if "configMap" in v:
                for file, text in c.config[v["configMap"]["name"]].items():
                    text = self.here(container, text) if file == os.path.basename(container["command"][1]) else None
                    if text is not None:
                        with open(os.path.join(where, file), "w") as f:
                            f.write(text)
            if "secret" in v:
                with open(os.path.join(where, v["secret"]["items"][0]["path"]), "w") as f:
                    f.write(c.password + "\n")
            if "projected" in v and os.path.isdir(where):
                c.api.put_account(where, "", "token-1")
        subprocess.run(["chown", "-R", UID + ":" + UID, self.folder], check=True)
        fields = {"metadata.name": self.name, "metadata.uid": c.uid(self.name)}
        env = {e["name"]: self.here(container, e["value"]) if "value" in e else fields[e["valueFrom"]["fieldRef"]["fieldPath"]]
               for e in container.get("env", [])}
        expand = lambda text: re.sub(r"\$\((\w+)\)", lambda m: env[m.group(1)], text)
        program = harness.find(os.path.basename(container["command"][0]))
        words = [program] + [self.here(container, w) for w in container["command"][1:]] + [expand(a) for a in container.get("args", [])]
        if container["name"] == "agent":                # its token is not at the default place here
            words += ["--kube-folder", os.path.join(self.folder, "api")]
        log = open(os.path.join(c.folder, "%s-%s.log" % (self.name, container["name"])), "ab")
        self.procs[container["name"]] = subprocess.Popen(
            ["nsenter", "--net=/run/netns/" + self.ns, "unshare", "-m", "sh", "-c", BOX, self.folder, c.hosts] + words,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
            env=dict(env, KUBERNETES_SERVICE_HOST=c.gateway, KUBERNETES_SERVICE_PORT=str(c.api.port), PATH=os.environ["PATH"]))
        log.close()

    def probe(self, container, kind):
        spec = next(x for x in self.spec["containers"] if x["name"] == container)
        get = spec[kind]["httpGet"]
        port = get["port"] if isinstance(get["port"], int) else next(p["containerPort"] for p in spec["ports"] if p["name"] == get["port"])
        try:
            h = http.client.HTTPConnection(self.address, port, timeout=2)
            h.request("GET", get["path"])
            return h.getresponse().status == 200
        except OSError:
            return False

    def ready(self):
        return bool(self.procs) and all(self.probe(x["name"], "readinessProbe") for x in self.spec["containers"] if "readinessProbe" in x)

    def alive(self):
        return all(self.probe(x["name"], "livenessProbe") for x in self.spec["containers"])

    def end(self, how="term"):
        """Deleted: SIGTERM to all, SIGKILL after the grace period. How long it took."""
        t = time.monotonic()
        for p in self.procs.values():
            p.send_signal(signal.SIGTERM if how == "term" else signal.SIGKILL)
        try:
            for p in self.procs.values():
                p.wait(max(0.1, t + self.spec["terminationGracePeriodSeconds"] - time.monotonic()))
        except subprocess.TimeoutExpired:
            for p in self.procs.values():
                p.kill()
                p.wait()
            assert how != "term", "%s did not end within its grace period" % self.name
        self.procs = {}
        self.c.names.pop(self.name, None)
        self.c.write_hosts()
        if "-node-" in self.name:
            self.c.api.pods.pop(self.name, None)
        subprocess.run(["ip", "netns", "del", self.ns], capture_output=True)
        subprocess.run(["ip", "link", "del", self.ns], capture_output=True)      # not later, with the name space
        return time.monotonic() - t

    def redis(self, port, **kw):
        return redis.Redis(self.address, port, password=self.c.password or None, decode_responses=True, socket_timeout=2, **kw)


def run(*words):
    subprocess.run(words, check=True, capture_output=True)


class Kube:
    def __init__(self, folder, *values, password=""):
        self.folder, self.password = folder, password
        os.chmod(folder, 0o755)
        self.hosts = os.path.join(folder, "hosts")
        self.names, self.addresses = {}, 10
        self.net = (213, random.randint(1, 254))
        self.bridge = "kvp%d" % random.randint(100, 999)
        self.gateway = "10.%d.%d.1" % self.net
        # an address of its own: else it takes the lowest of its ports', another one with each pod, and who knew the old one waits
        run("ip", "link", "add", self.bridge, "address", "02:6b:%02x:%02x:00:01" % self.net, "type", "bridge")
        run("ip", "addr", "add", self.gateway + "/24", "dev", self.bridge)
        run("ip", "link", "set", self.bridge, "up")
        self.api = Api(os.path.join(folder, "api"), [], host=self.gateway)
        self.pods = {}
        self.values = list(values)
        self.render()
        self.write_hosts()

    def render(self):
        out = subprocess.run([HELM, "template", "demo", os.path.join(harness.TOP, "helm"), "-n", "ns", "--kube-version", "1.30.0"] + self.values, check=True,
                             capture_output=True, text=True).stdout
        self.docs = [d for d in yaml.safe_load_all(out) if d]
        self.config = {d["metadata"]["name"]: d["data"] for d in self.docs if d["kind"] == "ConfigMap"}
        self.sets = {d["metadata"]["name"]: d["spec"] for d in self.docs if d["kind"] == "StatefulSet"}
        for name, spec in self.sets.items():
            for i in range(spec["replicas"]):
                pod = "%s-%d" % (name, i)
                if pod not in self.pods:
                    self.pods[pod] = Pod(self, pod, spec["template"])
                self.pods[pod].spec = spec["template"]["spec"]

    def next_address(self):
        self.addresses += 1
        return self.addresses

    def uid(self, pod):
        return self.api.pods[pod]["metadata"]["uid"] if pod in self.api.pods else "none"

    def write_hosts(self):
        with open(self.hosts, "w") as f:                # in place: it is mounted
            f.write("127.0.0.1 localhost\n")
            for pod, address in self.names.items():
                f.write("%s %s.%s-headless.ns.svc.cluster.local\n" % (address, pod, pod.rsplit("-", 1)[0]))
            for pod, address in self.names.items():     # the sentinels' service: any of them
                if "-sentinel-" in pod:
                    f.write("%s demo-kvorum-sentinels.ns.svc.cluster.local\n" % address)
        os.chmod(self.hosts, 0o644)

    def secret(self):
        """The password as a file, as the test pod has it."""
        path = os.path.join(self.folder, "password")
        with open(path, "w") as f:
            f.write(self.password + "\n")
        os.chmod(path, 0o644)
        return path

    def of(self, part):
        return [p for n, p in self.pods.items() if "-%s-" % part in n]

    def endpoints(self, service):
        """Who stands behind a Service: labels match, and ready."""
        svc = next(d for d in self.docs if d["kind"] == "Service" and d["metadata"]["name"] == "demo-kvorum-" + service)
        sel = {k: v for k, v in svc["spec"]["selector"].items() if not k.startswith("app.kubernetes.io/")}
        return [p for p in self.of("node") if p.procs and sel.items() <= self.api.pods[p.name]["metadata"]["labels"].items() and p.ready()]

    def primary(self):
        behind = self.endpoints("primary")
        return behind[0] if len(behind) == 1 else None

    def settled(self):
        p = self.primary()
        return p if p and len(self.endpoints("replicas")) == len(self.of("node")) - 1 else None

    def close(self):
        for p in self.pods.values():
            for x in p.procs.values():
                x.kill()
                x.wait()
            if p.ns:
                subprocess.run(["ip", "netns", "del", p.ns], capture_output=True)
                subprocess.run(["ip", "link", "del", p.ns], capture_output=True)
        self.api.stop()
        subprocess.run(["ip", "link", "del", self.bridge], capture_output=True)

    def logs(self):
        return "\n".join("== %s\n%s" % (f, "".join(open(os.path.join(self.folder, f), errors="replace").readlines()[-15:]))
                         for f in sorted(os.listdir(self.folder)) if f.endswith(".log"))

    def wait(self, what, condition, timeout=60):
        try:
            return wait_until(condition, timeout, every=0.1, what=what)
        except AssertionError as e:
            raise AssertionError("%s\n%s\n%s" % (e, {n: p.get("metadata", {}).get("labels") for n, p in self.api.pods.items()}, self.logs()))


@pytest.fixture
def kube(yard):
    made = []

    def make(*values, **kw):
        made.append(Kube(yard.folder, *values, **kw))
        return made[0]

    yield make
    for k in made:
        k.close()


def helm_test(k):
    """The containers of the chart's test pod, one after the other: true when all ended with 0, else it is tried again, as an operator would."""
    pod = next(d for d in k.docs if d["kind"] == "Pod")
    for c in pod["spec"]["initContainers"] + pod["spec"]["containers"]:
        env = {e["name"]: k.secret() for e in c.get("env", [])}
        ns = k.of("sentinel")[0].ns
        r = subprocess.run(["nsenter", "--net=/run/netns/" + ns, "unshare", "-m", "sh", "-c", BOX, k.folder, k.hosts, harness.find("kvorumctl")] + c["args"],
                           capture_output=True, text=True, timeout=60, env=env)
        if r.returncode != 0:
            raise ValueError("%s ended with %d: %s\n%s" % (c["name"], r.returncode, r.stdout, r.stderr))
    return True


def test_the_life_of_a_release(kube):
    k = kube("--set", "group.downAfter=1s,auth.existingSecret=s,node.shutdownTimeout=5", password="s3cret")
    t = time.monotonic()
    for p in k.of("sentinel") + list(reversed(k.of("node"))):        # no order is promised
        p.start()
    p = k.wait("the group to form and the services to have endpoints", k.settled)
    print("all pods started -> primary and replica services full: %.1f s" % (time.monotonic() - t))
    k.wait("all to be ready", lambda: all(x.alive() and x.ready() for x in k.pods.values()))
    with pytest.raises(redis.exceptions.AuthenticationError):
        redis.Redis(p.address, 6379, socket_timeout=2).get("a")      # no password
    with p.redis(6379) as c:
        c.set("a", "1")
    k.wait("a helm test to pass", lambda: helm_test(k))

    # A rolling restart, as the controller does it: highest number first, the next when the last is ready. Other addresses.
    for x in reversed(k.of("node")):
        was_primary = x is k.primary()
        took = x.end()
        assert took < 10, "%s took %.1f s" % (x.name, took)
        x.start()
        k.wait("%s (%s) to be ready again" % (x.name, "primary" if was_primary else "replica"), k.settled)
        assert not k.api.two
    p = k.wait("a primary behind the service", k.primary)
    with p.redis(6379) as c:
        assert c.get("a") == "1"

    # A node is lost without a word and comes back elsewhere.
    p.end("kill")
    q = k.wait("another primary behind the service", lambda: (k.primary() or p) is not p and k.primary())
    with q.redis(6379) as c:
        assert c.get("a") == "1"
        c.set("b", "2")
    p.start()
    k.wait("the lost one to be a replica", k.settled)
    assert k.wait("a primary behind the service", k.primary) is q and not k.api.two

    # The sentinels, one after the other, other addresses too.
    for s in k.of("sentinel"):
        s.end()
        s.start()
        k.wait("%s to be ready" % s.name, s.ready)
    k.wait("helm test again", lambda: helm_test(k))
    assert k.wait("a primary behind the service", k.primary) is q

    assert not k.api.two, k.api.two


def test_everything_is_stopped_and_comes_back(kube):
    """A cluster that is switched off in order: all pods are ended, all come back, each with another address."""
    k = kube("--set", "group.downAfter=1s,node.shutdownTimeout=3")
    for p in k.pods.values():
        p.start()
    p = k.wait("the group to form", k.settled)
    with p.redis(6379) as c:
        c.set("a", "1")
    for x in k.pods.values():
        for proc in x.procs.values():
            proc.send_signal(signal.SIGTERM)
    for x in k.pods.values():
        x.end()
    for x in k.pods.values():
        x.start()
    q = k.wait("the group to be back by itself", k.settled)
    with q.redis(6379) as c:
        assert c.get("a") == "1"
    assert not k.api.two, k.api.two


def test_growing(kube):
    """helm upgrade from two nodes to three: the sentinels' pods are replaced, the new node comes in by itself."""
    k = kube("--set", "group.downAfter=1s,node.replicas=2")
    for p in k.pods.values():
        p.start()
    first = k.wait("two nodes", k.settled)
    with first.redis(6379) as c:
        c.set("a", "1")
    k.values = ["--set", "group.downAfter=1s,node.replicas=3"]
    k.render()
    k.pods["demo-kvorum-node-2"].start()
    for s in reversed(k.of("sentinel")):
        s.end()
        s.start()
        k.wait("%s to be ready" % s.name, s.ready)
    k.wait("the third node to follow", lambda: k.settled() and len(k.endpoints("replicas")) == 2)
    assert k.wait("a primary behind the service", k.primary) is first
    with k.pods["demo-kvorum-node-2"].redis(6379) as c:
        wait_until(lambda: c.info("ha").get("ha_state") == "follower")
    assert not k.api.two


def test_without_an_api_data_work_goes_on(kube):
    k = kube("--set", "group.downAfter=1s")
    k.api.stop()
    for p in k.pods.values():
        p.start()
    def open_nodes():
        found = []
        for p in k.of("node"):
            with p.redis(6379) as c:
                if c.info("ha").get("ha_state") == "open":
                    found.append(p)
        return found

    first = k.wait("the group to form", lambda: (lambda found: found if len(found) == 1 else None)(open_nodes()))[0]
    assert not k.api.labelled()
    first.procs["kvnode"].kill()
    k.wait("a failover", lambda: [p for p in open_nodes_but(k, first)])
    k.api.start()
    k.wait("the label to catch up", lambda: k.api.labelled() == [open_nodes_but(k, first)[0].name], 90)
    assert not k.api.two


def open_nodes_but(k, gone):
    found = []
    for p in k.of("node"):
        if p is gone:
            continue
        with p.redis(6379) as c:
            if c.info("ha").get("ha_state") == "open":
                found.append(p)
    return found
