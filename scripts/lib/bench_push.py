"""How quickly a SET becomes a file, and what waiting for it costs.

  one     SET -> the file is in place, and -> the agent says that it is durable (its answer is in the directory, which
          comes after the synced rename), beside two peers: a bare client that is told by tracking, reads, writes, syncs
          and renames (the floor), and a loop that reads every second
  fleet   the same SET to --simulated agents (plain connections that are told and read again, as agents do) and --agents
          real ones: the last real agent has the file
  idle    resident memory and CPU of an agent that has nothing to do, over --minutes

The agents' quiet time is 0. A directory of each kind, in one run."""
import ctypes
import json
import multiprocessing
import os
import random
import resource
import select
import shutil
import socket
import struct
import sys
import tempfile
import time

from bench_cluster import Host, Program, find, free_port
from bench_stats import Load, number, p50, quantile, table
from bench_wire import Conn, encode

DIRECTORIES = ("kvnode", "redis-server")
PARTS = ("one", "fleet", "idle")
IN_MOVED_TO = 0x80
LIBC = ctypes.CDLL(None, use_errno=True)


def options(p):
    p.add_argument("--sets", type=int, default=1000, help="SETs to one agent (1000)")
    p.add_argument("--polls", type=int, default=20, help="SETs to the loop that reads every second (20)")
    p.add_argument("--simulated", type=int, default=1000, help="simulated agents of the fleet (1000)")
    p.add_argument("--agents", type=int, default=20, help="real agents of the fleet (20)")
    p.add_argument("--rounds", type=int, default=50, help="SETs to the fleet (50)")
    p.add_argument("--minutes", type=float, default=5, help="how long the idle agent is watched (5)")
    p.add_argument("--directories", nargs="+", default=list(DIRECTORIES), choices=DIRECTORIES)
    p.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    p.add_argument("--folder", help="where the agents write (a temporary folder; its file system is what is measured)")


class Watch:
    """Renames into folders, as inotify tells them."""

    def __init__(self):
        self.fd = LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self.of = {}

    def add(self, folder, what):
        self.of[LIBC.inotify_add_watch(self.fd, folder.encode(), IN_MOVED_TO)] = what

    def fileno(self):
        return self.fd

    def take(self):
        """[(what, name of the file)] since the last time."""
        try:
            data = os.read(self.fd, 1 << 16)
        except BlockingIOError:
            return []
        out, at = [], 0
        while at < len(data):
            wd, _, _, n = struct.unpack_from("iIII", data, at)
            out.append((self.of[wd], data[at + 16:at + 16 + n].rstrip(b"\0").decode()))
            at += 16 + n
        return out

    def close(self):
        os.close(self.fd)


def read(path):
    try:
        with open(path) as f:
            return f.read()
    except FileNotFoundError:
        return None


def directory(folder, kind):
    port = free_port()
    lines = ["port %d" % port, "bind 127.0.0.1", 'save ""', "maxclients 20000", "dir %s/%s" % (folder, kind)]
    return Program(kind, find(kind), lines, folder, port, Host()).start()


class Agent:
    def __init__(self, folder, name, port):
        self.name = name
        self.root = os.path.join(folder, name, "root")
        os.makedirs(self.root)
        self.socket = os.path.join(folder, name, "s")
        lines = ["directory 127.0.0.1 %d" % port, "node-id " + name, "root files " + self.root, "quiesce-min 0",
                 "quiesce-max 0", "state-dir " + os.path.join(folder, name, "state"), "unixsocket " + self.socket,
                 "http-port 0"]
        self.program = Program(name, find("kvorum-agent"), lines, folder, None, Host())
        self.program.socket_path = self.socket

    def start(self):
        self.program.launch()
        return self

    def text(self):
        return read(os.path.join(self.root, "f"))


def set_document(c, n):
    """A document whose file says n."""
    doc = {"v": 1, "files": [{"root": "files", "path": "f", "template": "%d {{r.host}}:{{r.port}}\n" % n,
                              "data": {"r": "config:redis:bench"}}]}
    c.call("SET", "config:files:bench", json.dumps(doc))


def expected(n):
    return "%d 127.0.0.1:6379\n" % n


def prepare(c):
    c.call("SET", "config:redis:bench", '{"host":"127.0.0.1","port":6379}')
    set_document(c, 0)
    c.call("SET", "config:agent:default", '{"v":1,"apply":["files:bench"]}')


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit("waited %d s for %s" % (seconds, what))
        time.sleep(0.01)


class Told:
    """A connection that is told when one key changes."""

    def __init__(self, port):
        self.push, self.data = Conn(port), Conn(port)
        ident = self.push.call("CLIENT", "ID")
        self.push.call("SUBSCRIBE", "__redis__:invalidate")
        self.data.call("CLIENT", "TRACKING", "ON", "REDIRECT", ident)

    def fileno(self):
        return self.push.fileno()

    def close(self):
        self.push.close()
        self.data.close()


def one_by_one(port, sets, root, key, n0, acknowledged, pause=0.0):
    """SET after SET, each when the one before is done (and up to `pause` seconds later): milliseconds until the file,
    and until the answer."""
    c, watch, answer = Conn(port), Watch(), Told(port) if acknowledged else None
    in_place, durable = [], []
    watch.add(root, "f")
    if answer:
        answer.data.call("HGET", "cfgack:files:bench", "one")
    for n in range(n0, n0 + sets):
        time.sleep(random.random() * pause)
        watch.take()
        t = time.perf_counter()
        set_document(c, n) if acknowledged else c.call("SET", key, str(n))
        want = expected(n) if acknowledged else str(n)
        seen = told = None
        while seen is None or (answer and told is None):
            ready = select.select([watch] + ([answer] if answer else []), [], [], 10)[0]
            now = (time.perf_counter() - t) * 1000
            if not ready:
                sys.exit("SET %d never became a file" % n)
            if watch in ready and any(name == "f" for _, name in watch.take()) and read(root + "/f") == want:
                seen = now
            if answer in ready and answer.push.answers():
                value = answer.data.call("HGET", "cfgack:files:bench", "one")
                if seen is not None and value and json.loads(value)["st"] == "ok":
                    told = now
        in_place.append(seen)
        if answer:
            durable.append(told)
    watch.close()
    c.close()
    if answer:
        answer.close()
    return in_place, durable


def bare_client(port, root, polls):
    """What there is to do and nothing else: told (or not), GET, write, sync, rename, sync the folder."""
    me = Told(port)
    folder = os.open(root, os.O_RDONLY)
    last = None
    while True:
        value = me.data.call("GET", "bench:bare", timeout=30)
        if value != last:
            fd = os.open(root + "/.f", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.write(fd, value.encode())
            os.fsync(fd)
            os.close(fd)
            os.rename(root + "/.f", root + "/f")
            os.fsync(folder)
            last = value
            continue                        # read again: what came meanwhile is told only once
        if polls:
            time.sleep(1)
        else:
            select.select([me], [], [])
            me.push.answers()


def with_bare_client(port, folder, sets, polls):
    root = os.path.join(folder, "polling" if polls else "bare")
    os.makedirs(root)
    c = Conn(port)
    c.call("SET", "bench:bare", "-")
    c.close()
    p = multiprocessing.Process(target=bare_client, args=(port, root, polls), daemon=True)
    p.start()
    try:
        wait_for(lambda: read(root + "/f") == "-", 10, "the bare client")
        return one_by_one(port, sets, root, "bench:bare", 1, False, 1.0 if polls else 0.0)[0]
    finally:
        p.kill()
        p.join()


def simulated(port, count, ready, seen):
    """`count` agents on two connections each; `seen` counts the readings that followed a push."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit[1], 65536), limit[1]))
    mget = encode(["MGET", "config:agent:none", "config:agent:default", "config:files:bench", "cfgschema:agent",
                   "cfgschema:files", "config:redis:bench", "cfgschema:redis"])
    poll, at = select.epoll(), {}

    def connection(*first):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(encode(first))
        return sock, sock.recv(4096)

    try:
        for _ in range(count):
            push, ident = connection("CLIENT", "ID")
            data, _ = connection("CLIENT", "TRACKING", "ON", "REDIRECT", ident[1:-2])
            push.sendall(encode(["SUBSCRIBE", "__redis__:invalidate"]))
            push.recv(4096)
            data.sendall(mget)
            for sock in (push, data):
                at[sock.fileno()] = (sock, sock is push, data)
                poll.register(sock.fileno(), select.EPOLLIN)
        ready.set()
        while True:
            for fd, _ in poll.poll():
                sock, is_push, data = at[fd]
                if not sock.recv(1 << 16):
                    return
                if is_push:
                    data.send(mget)
                else:
                    seen.value += 1
    except OSError as e:
        print("simulated agents: %s" % e, file=sys.stderr)


def fleet(port, folder, args, say):
    """Milliseconds until the last real agent has the file, per round; and how many simulated ones had read by then."""
    agents = [Agent(folder, "fleet%d" % i, port).start() for i in range(args.agents)]
    ready, seen = multiprocessing.Event(), multiprocessing.Value("q", 0, lock=False)
    p = multiprocessing.Process(target=simulated, args=(port, args.simulated, ready, seen), daemon=True)
    p.start()
    watch, c = Watch(), Conn(port)
    last, first, read_by = [], [], []
    try:
        if not ready.wait(60):
            sys.exit("the simulated agents did not connect")
        set_document(c, 100000)
        for a in agents:
            wait_for(lambda: a.text() == expected(100000), 30, "agent " + a.name)
            watch.add(a.root, a)
        for n in range(100001, 100001 + args.rounds):
            time.sleep(0.3)                  # answers are delivered, everybody has read again
            watch.take()
            before = seen.value
            waiting = {a.name for a in agents}
            t = time.perf_counter()
            set_document(c, n)
            firsts = None
            while waiting:
                if not select.select([watch], [], [], 20)[0]:
                    sys.exit("no file at %s" % " ".join(sorted(waiting)))
                for a, name in watch.take():
                    if name == "f" and a.name in waiting and a.text() == expected(n):
                        waiting.discard(a.name)
                        firsts = firsts or time.perf_counter() - t
            last.append((time.perf_counter() - t) * 1000)
            first.append(firsts * 1000)
            read_by.append(seen.value - before)
    finally:
        p.kill()
        p.join()
        for a in agents:
            a.program.stop()
        watch.close()
        c.close()
    say("  simulated agents that had read again when the last real one was done: %d of %d (median)" % (p50(read_by), args.simulated))
    return first, last


def status_kb(pid, name):
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith(name + ":"))


def cpu_ns(pid):
    """Time on a CPU, of all threads, to the nanosecond (the clock ticks of stat are too coarse for an idle process)."""
    total = 0
    for t in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/schedstat" % (pid, t)) as f:
            total += int(f.read().split()[0])
    return total


def idle(agent, minutes):
    pid = agent.program.pid
    before, wakes, t = cpu_ns(pid), status_kb(pid, "voluntary_ctxt_switches"), time.monotonic()
    time.sleep(minutes * 60)
    t = time.monotonic() - t
    return (status_kb(pid, "VmRSS") / 1024, status_kb(pid, "RssAnon") / 1024, (cpu_ns(pid) - before) / 1e7 / t,
            (status_kb(pid, "voluntary_ctxt_switches") - wakes) / t)


def measure(kind, folder, args, say):
    d = directory(folder, kind)
    rows, quiet = [], None
    c = Conn(d.port)
    try:
        prepare(c)
        one = Agent(folder, "one", d.port).start()
        wait_for(lambda: one.text() == expected(0), 20, "the agent's first file; its log: " + one.program.log)
        if "one" in args.parts:
            in_place, durable = one_by_one(d.port, args.sets, one.root, None, 1, True)
            rows += [["one agent: file in place", in_place], ["one agent: durable and acknowledged", durable],
                     ["bare client: told, read, written, synced", with_bare_client(d.port, folder, args.sets, False)]]
            if args.polls:
                rows.append(["loop that reads every second", with_bare_client(d.port, folder, args.polls, True)])
        if "idle" in args.parts:
            time.sleep(2)
            quiet = idle(one, args.minutes)
        if "fleet" in args.parts:
            first, last = fleet(d.port, folder, args, say)
            rows += [["fleet of %d + %d: first real agent" % (args.simulated, args.agents), first],
                     ["fleet of %d + %d: last real agent" % (args.simulated, args.agents), last]]
        one.program.stop()
    finally:
        c.close()
        d.stop()
    return [[kind, name, number(min(v)), number(p50(v)), number(quantile(v, 0.99)), number(max(v)), len(v)] for name, v in rows], quiet


def main(args, say):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit[1], 65536), limit[1]))
    rows, quiet = [], []
    for kind in args.directories:
        if not find(kind):
            say("directory %s left out: not installed or not built" % kind)
            continue
        watch, folder = Load(), tempfile.mkdtemp(prefix="kvorum-push-", dir=args.folder)
        try:
            got, still = measure(kind, folder, args, say)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        rows += got
        if still:
            quiet.append([kind] + [number(x) for x in still[:2]] + ["%.3f" % still[2], number(still[3])])
        say("  %s: %s" % (kind, watch.text()))
    if rows:
        say(table(["directory", "from SET, in ms", "min", "p50", "p99", "max", "n"], rows))
    if quiet:
        say()
        say(table(["directory", "idle agent: resident MiB", "of that its own", "CPU %", "wakes/s"], quiet))
    return 0
