"""A pretend Kubernetes API for pods, over TLS: it keeps versions as the real one does (a patch that changes
nothing makes none), asks for a token, and can be told to be late, to refuse, to break off. It writes
down every state that the pods went through, and says when two of them said primary at once."""
import copy
import http.server
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time

import redis

import harness

LABEL = "kvorum.io/role"


def make_cert(folder, name="api", host="127.0.0.1"):
    """A CA and a certificate for that address; paths of ca, cert, key."""
    p = lambda end: os.path.join(folder, name + end)
    run = lambda *w: subprocess.run(["openssl"] + list(w), check=True, capture_output=True)
    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", p("-ca.key"), "-out", p("-ca.crt"),
        "-subj", "/CN=ca of %s" % name, "-days", "2")
    run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", p(".key"), "-out", p(".csr"), "-subj", "/CN=kube-apiserver")
    with open(p(".ext"), "w") as f:
        f.write("subjectAltName=IP:%s,DNS:kubernetes.default.svc\n" % host)
    run("x509", "-req", "-in", p(".csr"), "-CA", p("-ca.crt"), "-CAkey", p("-ca.key"), "-CAcreateserial", "-out", p(".crt"), "-days", "2",
        "-extfile", p(".ext"))
    return p("-ca.crt"), p(".crt"), p(".key")


def merged(base, patch):
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    out = dict(base) if isinstance(base, dict) else {}
    for k, v in patch.items():
        if v is None:
            out.pop(k, None)
        else:
            out[k] = merged(out.get(k), v)
    return out


class Accounts:
    """What the kubelet projects for an agent; of `folder`, `namespace` and `ca`."""

    def account(self, name, token="token-1"):
        """A folder as the kubelet projects it."""
        folder = os.path.join(self.folder, "account-" + name)
        os.makedirs(os.path.join(folder, "..v1"), exist_ok=True)
        self.put_account(folder, "..v1", token)
        os.symlink("..v1", os.path.join(folder, "..data"))
        for f in ("token", "ca.crt", "namespace"):
            os.symlink("..data/" + f, os.path.join(folder, f))
        return folder

    def put_account(self, folder, part, token):
        for name, text in (("token", token), ("namespace", self.namespace), ("ca.crt", open(self.ca).read())):
            with open(os.path.join(folder, part, name), "w") as f:
                f.write(text)

    def rotate(self, folder, token):
        """The kubelet's swap of one link."""
        part = "..v%d" % time.monotonic_ns()
        os.makedirs(os.path.join(folder, part))
        self.put_account(folder, part, token)
        os.symlink(part, os.path.join(folder, "..new"))
        os.rename(os.path.join(folder, "..new"), os.path.join(folder, "..data"))


class Api(Accounts):
    def __init__(self, folder, pods, namespace="ns", tokens=("token-1",), host="127.0.0.1"):
        self.folder, self.namespace, self.host = folder, namespace, host
        os.makedirs(folder, exist_ok=True)
        self.lock = threading.RLock()
        self.tokens = set(tokens)
        self.version = 100
        self.pods = {}
        for name in pods:
            self.add(name)
        self.script = []            # functions(method, pod, body) -> None to go on, or (status, headers, body), or "hang", "cut"
        self.may = lambda who, method, pod: True
        self.requests = []          # (time, method, pod, status)
        self.states = []            # (time, {pod: label}) after each change
        self.two = []               # moments at which two pods said primary
        self.certs(make_cert(folder, host=host))
        self.server, self.open = None, []
        self.port = harness.free_port()
        self.start()

    def certs(self, made):
        self.ca, self.cert, self.key = made

    def start(self):
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536         # head and body in one piece, or each answer takes 40 ms
            timeout = 60

            def log_message(self, *_):
                pass

            def do_GET(self):
                api.handle(self, "GET")

            def do_PATCH(self):
                api.handle(self, "PATCH")

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def get_request(self):
                sock, addr = self.socket.accept()
                sock.settimeout(30)
                tls = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                api.open.append(tls)
                return tls, addr

            def handle_error(self, request, client_address):
                pass

        self.server = Server((self.host, self.port), Handler)
        self.server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.context.load_cert_chain(self.cert, self.key)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None
            for sock in self.open:       # those that clients keep, too
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            self.open.clear()

    # --- what it holds ---------------------------------------------------------------------------

    def add(self, name, labels=None):
        with self.lock:
            self.version += 1
            self.pods[name] = {"apiVersion": "v1", "kind": "Pod", "metadata": {
                "name": name, "namespace": self.namespace, "uid": "uid-%s-%d" % (name, self.version), "resourceVersion": str(self.version),
                "labels": dict({"app": "demo"}, **(labels or {}))}, "spec": {"containers": [{"name": "x" * 200}]}}

    def touch(self, name):
        """As the kubelet does when it writes a pod's status."""
        with self.lock:
            self.version += 1
            self.pods[name]["metadata"]["resourceVersion"] = str(self.version)

    def label(self, name, key=LABEL):
        with self.lock:
            return self.pods[name]["metadata"]["labels"].get(key)

    def note(self, name, key="kvorum.io/status"):
        with self.lock:
            text = self.pods[name]["metadata"].get("annotations", {}).get(key)
            return text and json.loads(text)

    def labelled(self, value="primary", key=LABEL):
        with self.lock:
            return [n for n, p in self.pods.items() if p["metadata"]["labels"].get(key) == value]

    def relabel(self, name, value, key=LABEL):
        """Somebody else's hand."""
        with self.lock:
            labels = self.pods[name]["metadata"]["labels"]
            labels.pop(key, None)
            if value:
                labels[key] = value
            self.touch(name)
            self.write_down()

    def write_down(self):
        on = self.labelled()
        self.states.append((time.monotonic(), {n: self.label(n) for n in self.pods}))
        if len(on) > 1:
            self.two.append((time.monotonic(), on))

    def patches(self, pod=None):
        with self.lock:
            return [r for r in self.requests if r[1] == "PATCH" and pod in (None, r[2])]

    # --- requests ------------------------------------------------------------------------------------

    @staticmethod
    def status(code, reason, message):
        return code, {}, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": code}

    def handle(self, h, method):
        body = h.rfile.read(int(h.headers.get("Content-Length") or 0))
        pod = h.path.rsplit("/", 1)[-1]
        answer = None
        for step in list(self.script):
            answer = step(method, pod, body)
            if answer:
                break
        if answer == "hang":
            time.sleep(30)
            h.close_connection = True
            return
        if answer == "cut":
            h.close_connection = True
            h.connection.close()
            return
        if answer and callable(answer):
            answer = answer()
        with self.lock:              # done and written down in one moment, for whoever looks at both
            code, headers, out = answer or self.answer(h, method, pod, body)
            text = out if isinstance(out, bytes) else json.dumps(out).encode()
            self.requests.append((time.monotonic(), method, pod, code))
        try:
            h.send_response(code)
            for k, v in headers.items():
                h.send_header(k, v)
            h.send_header("Content-Type", "application/json")
            h.send_header("Content-Length", str(len(text)))
            h.end_headers()
            h.wfile.write(text)
            h.wfile.flush()
        except OSError:
            h.close_connection = True

    def answer(self, h, method, pod, body):
        token = (h.headers.get("Authorization") or "").replace("Bearer ", "", 1)
        with self.lock:
            if token not in self.tokens:
                return self.status(401, "Unauthorized", "Unauthorized")
            if h.path != "/api/v1/namespaces/%s/pods/%s" % (self.namespace, pod):
                return self.status(404, "NotFound", "the server could not find the requested resource")
            if not self.may(token, method, pod):
                return self.status(403, "Forbidden", 'pods "%s" is forbidden: User "agent" cannot %s resource "pods"' % (pod, method.lower()))
            if pod not in self.pods:
                return self.status(404, "NotFound", 'pods "%s" not found' % pod)
            if method == "GET":
                return 200, {}, self.pods[pod]
            if h.headers.get("Content-Type") != "application/merge-patch+json":
                return self.status(415, "UnsupportedMediaType", "not a merge patch")
            patch = json.loads(body)
            assert set(patch) == {"metadata"} and set(patch["metadata"]) <= {"uid", "resourceVersion", "labels", "annotations"}, patch
            old = self.pods[pod]
            want = patch["metadata"].pop("resourceVersion", None)
            if want is not None and want != old["metadata"]["resourceVersion"]:
                return self.status(409, "Conflict", "the object has been modified; please apply your changes to the latest version")
            if patch["metadata"].get("uid", old["metadata"]["uid"]) != old["metadata"]["uid"]:
                return self.status(422, "Invalid", 'Pod "%s" is invalid: metadata.uid: Invalid value: "%s": field is immutable' % (
                    pod, patch["metadata"]["uid"]))
            new = merged(copy.deepcopy(old), patch)
            if new != old:
                self.version += 1
                new["metadata"]["resourceVersion"] = str(self.version)
                self.pods[pod] = new
                self.write_down()
            return 200, {}, new

    def agent_lines(self, name, pods, node_port, timeout="1s", check="60s", more=()):
        return ["node 127.0.0.1 %d" % node_port, "kube on", "kube-pods " + " ".join(pods), "kube-pod " + name,
                "kube-api https://127.0.0.1:%d" % self.port, "kube-folder " + self.account(name), "kube-timeout " + timeout,
                "kube-check " + check, "http-port %d" % harness.free_port()] + list(more)


def follow_failovers(g, api, pods, count, noise):
    """So many failovers of a formed group whose nodes have an agent each: ordered ones, killed and stopped primaries. After each the
    label must come to the new primary's pod, and never stand on two. api: labelled(), two, states. How long each took, sorted."""
    stopped = [None]

    def is_open(n):
        try:
            with n.connect(socket_timeout=0.5) as c:
                return n.is_alive() and c.info("ha").get("ha_state") == "open"
        except (redis.exceptions.RedisError, OSError):
            return False             # down, or stopped for a while

    def owner():
        return next((i for i, n in enumerate(g.nodes) if i != stopped[0] and is_open(n)), None)

    def hand_over(old):
        """Ordered again until it happened: on a busy machine an order may be given up."""
        if owner() in (None, old):
            g.ask("FAILOVER", g.name)
        return owner() not in (None, old)

    def settled():
        i = owner()
        return i is not None and api.labelled() == [pods[i]] and i + 1

    g.order("SET", g.name, "mode", "prefer")
    took = []
    now = harness.wait_until(settled, 60, what="the first label") - 1
    noise()
    for k in range(count):
        harness.wait_until(lambda: g.can(), 60, what="a failover to be possible")
        before = time.monotonic()
        if k % 5 == 4:
            g.nodes[now].kill()
        elif k % 5 == 2:
            g.nodes[now].signal(signal.SIGSTOP)
            stopped[0] = now
        else:
            harness.wait_until(lambda: hand_over(now), 60, every=1, what="a hand-over")
        old = now
        harness.wait_until(lambda: (settled() or 0) not in (0, old + 1), 60,
                           what="another primary with the label (failover %d, from %d)\n%s" % (k, old, api.states[-5:]))
        took.append(time.monotonic() - before)
        if not g.nodes[old].is_alive():
            g.nodes[old].start()
        g.nodes[old].signal(signal.SIGCONT)
        stopped[0] = None
        assert not api.two, api.two
        now = harness.wait_until(settled, 60, what="the label to stay with the primary") - 1
    assert not api.two, api.two
    return sorted(took)
