"""A real systemd machine: a minimal Debian, made once and kept, booted by systemd-nspawn over a throw-away overlay.

It shares the network of its host, so that programs in it are reached on loopback; its processes, mounts and
cgroups are its own and go with it.
"""
import glob
import hashlib
import os
import shutil
import signal
import subprocess
import time

import redis

from harness import BIN, TOP, wait_until

SUITE = "bookworm"
PACKAGES = ("systemd,systemd-sysv,dbus,procps,libcjson1,libcurl4,libev4,libhiredis0.14,libjemalloc2,liblzf1,libmicrohttpd12,"
            "libssl3,libpcre2-8-0,libsystemd0")
PROGRAMS = ("kvnode", "kvorum-sentinel", "kvorum-agent", "kvorumctl")
HIERARCHIES = [h for h in ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")
               if os.path.exists(os.path.join(h, "cgroup.procs"))]


def lacks():
    """Why no machine can be booted here, or None."""
    if os.geteuid() != 0:
        return "a booted machine needs root"
    for program, package in (("systemd-nspawn", "systemd-container"), ("mmdebstrap", "mmdebstrap"), ("nsenter", "util-linux")):
        if not shutil.which(program):
            return "%s is not installed (Debian package %s)" % (program, package)
    for program in PROGRAMS:
        path = os.path.join(BIN, program)
        if not os.access(path, os.X_OK):
            return "%s is not built" % path
        if b"libasan" in subprocess.run(["ldd", path], capture_output=True).stdout:
            return "the units' hardening does not fit programs with sanitizers; use a release build"
    return None


def rootfs():
    """The folder of the minimal system; made when it is not there yet (half a minute, some 200 MB)."""
    cache = os.environ.get("KVORUM_CACHE", os.path.join(os.path.expanduser("~"), ".cache", "kvorum"))
    root = os.path.join(cache, "nspawn-%s-%s" % (SUITE, hashlib.sha256(PACKAGES.encode()).hexdigest()[:8]))
    if not os.path.isdir(root):
        os.makedirs(cache, exist_ok=True)
        unfinished = root + ".unfinished-%d" % os.getpid()
        r = subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "--include=" + PACKAGES, SUITE, unfinished],
                           capture_output=True, text=True)
        if r.returncode != 0:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise RuntimeError("mmdebstrap: " + r.stderr[-2000:])
        os.rename(unfinished, root)
    return root


class Machine:
    """files: path in the machine -> text; programs and units of ours are where a package puts them."""

    def __init__(self, folder, files, name="kvt%d" % os.getpid()):
        self.name, self.folder = name, folder
        self.cgroups = [os.path.join(h, "kvorum-test-" + name) for h in HIERARCHIES]
        self.nspawn = self.leader = None
        binds = [(os.path.join(BIN, p), "/usr/bin/" + p) for p in PROGRAMS]
        binds += [(f, "/usr/lib/systemd/system/" + os.path.basename(f))
                  for f in glob.glob(os.path.join(TOP, "systemd", "*.service")) + glob.glob(os.path.join(TOP, "systemd", "*.target"))]
        binds += [(os.path.join(TOP, "systemd", "kvorum.sysusers"), "/usr/lib/sysusers.d/kvorum.conf"),
                  (os.path.join(TOP, "systemd", "kvorum.tmpfiles"), "/usr/lib/tmpfiles.d/kvorum.conf")]
        for i, (path, text) in enumerate(sorted(files.items())):
            source = os.path.join(folder, "file%d" % i)
            with open(source, "w") as f:
                f.write(text)
            os.chmod(source, 0o644)
            binds.append((source, path))
        self.binds = binds

    def boot(self, timeout=60):
        root = rootfs()
        for c in self.cgroups:
            os.makedirs(c, exist_ok=True)

        def into_cgroup():
            for c in self.cgroups:
                with open(os.path.join(c, "cgroup.procs"), "w") as f:
                    f.write("0")

        self.out = open(os.path.join(self.folder, "console.txt"), "wb")
        began = time.monotonic()
        self.nspawn = subprocess.Popen(
            ["systemd-nspawn", "-q", "-D", root, "--boot", "--register=no", "--keep-unit", "--volatile=overlay", "--machine=" + self.name,
             "--console=passive"] + ["--bind-ro=%s:%s" % b for b in self.binds],
            stdin=subprocess.DEVNULL, stdout=self.out, stderr=subprocess.STDOUT, preexec_fn=into_cgroup, start_new_session=True)
        self.out.close()
        try:
            wait_until(self._runs, timeout, every=0.1, what="the machine to run")
        except AssertionError as e:
            raise AssertionError("%s\n%s" % (e, self.console()))
        return time.monotonic() - began

    def _runs(self):
        """Its first process is the child of ours that lasts; one before it only prepares."""
        assert self.nspawn.poll() is None, self.console()
        with open("/proc/%d/task/%d/children" % (self.nspawn.pid, self.nspawn.pid)) as f:
            self.leader = int(f.read().split()[0])
        return self.run("systemctl", "is-system-running", check=False).strip() in ("running", "degraded")

    def console(self):
        with open(os.path.join(self.folder, "console.txt"), errors="replace") as f:
            return f.read()[-2000:]

    def run(self, *words, check=True):
        r = subprocess.run(["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-p", "-C"] + list(words), capture_output=True, text=True,
                           timeout=120)
        assert not check or r.returncode == 0, (words, r)
        return r.stdout

    def show(self, unit, *properties):
        out = self.run("systemctl", "show", unit, *["-p" + p for p in properties])
        return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)

    def active(self, pattern):
        """Names of the active units that match, sorted by number."""
        out = self.run("systemctl", "list-units", "--plain", "--no-legend", "--state=active", pattern)
        return sorted((line.split()[0] for line in out.splitlines() if line.strip()), key=lambda n: (len(n), n))

    def agent(self):
        """Its own socket, seen from outside."""
        return redis.Redis(unix_socket_path="/proc/%d/root/run/kvorum/agent.sock" % self.leader, decode_responses=True, socket_timeout=10)

    def journal(self, unit):
        return self.run("journalctl", "--no-pager", "-q", "-u", unit, "-o", "short-precise", check=False)

    def close(self):
        """Power off; what does not go is ended."""
        if self.nspawn is not None:
            self._tell(self.leader, signal.SIGRTMIN + 4)
            try:
                self.nspawn.wait(20)
            except subprocess.TimeoutExpired:
                self._tell(self.leader, signal.SIGKILL)
                self._tell(self.nspawn.pid, signal.SIGKILL)
                self.nspawn.wait(20)
        for c in self.cgroups:
            for folder, _, _ in sorted(os.walk(c), reverse=True):
                wait_until(lambda: _remove(folder), 5, what="%s to be empty" % folder)

    def _tell(self, pid, signum):
        if pid and self.nspawn.poll() is None:
            try:
                os.kill(pid, signum)
            except ProcessLookupError:
                pass


def _remove(folder):
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        pass
    return True
