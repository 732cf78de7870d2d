"""One RESP2 connection with nothing around it: no pool, no retry, no back-off. What a
measurement needs is the moment an answer came, so nothing here waits longer than told."""
import errno
import os
import select
import socket
import time


class Gone(Exception):
    """The connection ended, or could not be made."""


class Error(str):
    """An error answer: a value, not an exception."""


def encode(args):
    out = [b"*%d\r\n" % len(args)]
    for a in args:
        a = a if isinstance(a, bytes) else str(a).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(a), a))
    return b"".join(out)


def parse(buf, at=0):
    """(value, next position), or None when the answer is not all there yet."""
    end = buf.find(b"\r\n", at)
    if end < 0:
        return None
    kind, line, at = buf[at:at + 1], bytes(buf[at + 1:end]), end + 2
    if kind == b"+":
        return line.decode(), at
    if kind == b"-":
        return Error(line.decode(errors="replace")), at
    if kind == b":":
        return int(line), at
    if kind == b"$":
        n = int(line)
        if n < 0:
            return None, at
        if len(buf) < at + n + 2:
            return None
        return bytes(buf[at:at + n]).decode(errors="replace"), at + n + 2
    if kind == b"*":
        out = []
        for _ in range(max(int(line), 0)):
            got = parse(buf, at)
            if got is None:
                return None
            out.append(got[0])
            at = got[1]
        return out, at
    raise Gone("not RESP: %r" % bytes(buf[:40]))


class Conn:
    """Non-blocking. `waiting` counts answers that are still to come."""

    def __init__(self, port, host="127.0.0.1", timeout=1.0):
        self.buf, self.waiting = bytearray(), 0
        self.sock = socket.socket()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(timeout)
        try:
            self.sock.connect((host, port))
        except OSError as e:
            self.sock.close()
            raise Gone(str(e))
        self.sock.setblocking(False)

    def fileno(self):
        return self.sock.fileno()

    def send(self, *args):
        try:
            self.sock.sendall(encode(args))
        except OSError as e:
            raise Gone(str(e))
        self.waiting += 1

    def answers(self):
        """Every whole answer that is here now. Gone when the other side closed and nothing is left."""
        gone = None
        try:
            while True:
                data = self.sock.recv(1 << 16)
                if not data:
                    gone = "closed"
                    break
                self.buf += data
        except OSError as e:
            if e.errno not in (errno.EAGAIN, errno.EWOULDBLOCK):
                gone = str(e)
        out, at = [], 0
        while at < len(self.buf):
            got = parse(self.buf, at)
            if got is None:
                break
            out.append(got[0])
            at = got[1]
            self.waiting -= 1
        del self.buf[:at]
        if gone and not out:
            raise Gone(gone)
        return out

    def wait(self, timeout):
        """The next answers, or [] after `timeout` seconds."""
        end = time.monotonic() + timeout
        while True:
            out = self.answers()
            left = end - time.monotonic()
            if out or left <= 0:
                return out
            select.select([self.sock], [], [], left)

    def call(self, *args, timeout=5.0):
        """One command, its answer. Gone when none came in time."""
        self.send(*args)
        out = self.wait(timeout)
        if not out:
            raise Gone("no answer in %.1f s" % timeout)
        return out[0]

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass


def ask(port, *args, host="127.0.0.1", timeout=2.0):
    """One command on a connection of its own; None when that was not possible."""
    try:
        c = Conn(port, host, timeout)
    except Gone:
        return None
    try:
        return c.call(*args, timeout=timeout)
    except Gone:
        return None
    finally:
        c.close()


def info(port, section, host="127.0.0.1"):
    text = ask(port, "INFO", section, host=host)
    if not isinstance(text, str) or isinstance(text, Error):
        return {}
    return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)


def cpu_seconds(pid):
    """User and system time of a process, threads included."""
    with open("/proc/%d/stat" % pid) as f:
        part = f.read().rsplit(")", 1)[1].split()
    return (int(part[11]) + int(part[12])) / os.sysconf("SC_CLK_TCK")
