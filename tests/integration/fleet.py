"""A directory, and agents that vouch for services in it: what the tests of registration and of history begin with."""
import json
import socket
import threading

from conftest import need
from harness import free_port, wait_until

ENGINES = ["redis-server", "kvnode"]
TTL = 3.0


# --- an old program, as it stands ---

def register_service(redis_client, service_name, host, port):
    redis_client.hset('services', service_name, f'{host}:{port}')


def discover_service(redis_client, service_name):
    return redis_client.hget('services', service_name)


# --- what is served, and who says so ---

class Listener:
    """Something that accepts; what a service's check finds."""

    def __init__(self):
        self.open(free_port())       # not of those that outgoing connections get: it is opened again

    def open(self, port):
        self.s = socket.socket()
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.s.bind(("127.0.0.1", port))
        self.s.listen(64)
        self.port = self.s.getsockname()[1]
        self.thread = threading.Thread(target=self.run, args=(self.s,), daemon=True)
        self.thread.start()

    @staticmethod
    def run(s):
        while True:
            try:
                s.accept()[0].close()
            except OSError:
                return

    def close(self):
        try:
            self.s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.s.close()
        self.thread.join()


def service(port, name="web", **more):
    """A document of an instance."""
    return dict({"v": 1, "name": name, "port": port, "host": "10.0.0.1", "ttl": "%dms" % (TTL * 1000), "interval": "200ms"}, **more)


class Fleet:
    """A directory, and agents that vouch for one instance of `web` each."""

    def __init__(self, yard, engine="redis-server", agents=3, lines=(), node_lines=()):
        need(engine)
        self.yard = yard
        self.node = yard.node("directory", engine, node_lines)
        self.c = self.node.connect()
        self.lines = ["directory 127.0.0.1 %d" % self.node.port, "ping-interval 200ms", "ping-timeout 1500ms"] + list(lines)
        self.agents = {}
        for i in range(1, agents + 1):
            self.add("n%d" % i, 8000 + i)

    def document(self, name, port, of="web", **more):
        self.c.set("config:service:%s" % name, json.dumps(service(port, of, **more)))

    def add(self, name, port, service="web", **more):
        self.document(name, port, service, **more)
        self.c.set("config:agent:%s" % name, json.dumps({"v": 1, "apply": ["service:" + name]}))
        self.agents[name] = self.yard.agent(name, self.lines)

    def id(self, name):
        return "%s:%s" % (name, name)

    def web(self):
        return self.c.hgetall("svcs:web")

    def up(self):
        return sorted(k.split(":")[0] for k, v in self.web().items() if "state=up" in v)

    def wait_up(self, *names, timeout=40):
        try:
            wait_until(lambda: self.up() == sorted(names), timeout)
        except AssertionError:
            raise AssertionError("%s, not %s\n%s" % (self.web(), names, self.logs()))

    def holder(self):
        return self.c.get("kvorum:controller")

    def wait_controller(self):
        return wait_until(lambda: self.holder(), what="a controller")

    def wait_known_controller(self):
        """Every agent has seen who it is: none of them is about to ask for a role that was free a moment ago."""
        def known():
            who = self.holder()
            for a in self.agents.values():
                with a.connect() as k:
                    if not who or k.info("controller").get("controller_holder") != who:
                        return False
            return who

        return wait_until(known, what="a controller that every agent knows")

    def wait_history(self):
        """There is a controller, and it knows every document that is there: what is deleted now is brought back."""
        def knows():
            with self.agents[self.holder()].connect() as k:
                return k.info("controller")["history_documents"] >= len(self.c.keys("config:*"))

        return wait_until(knows, what="a controller that knows all documents")

    def logs(self):
        return "\n".join("%s: %s" % (n, a.tail(12)) for n, a in self.agents.items())

    def said(self, word):
        return sum(a.log_text().count(word) for a in self.agents.values())


# --- history as the controller writes it ---

def meta(c, doc):
    return c.hgetall("cfgmeta:" + doc)


def log(c, doc):
    out = {}
    for ver, text in c.hgetall("cfglog:" + doc).items():
        head, body = text.split("\n", 1)
        sha, t, by = head.split(" ")
        out[int(ver)] = (sha, int(t), by, body)
    return out
