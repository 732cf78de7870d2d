"""A connection that shows replies as they came."""
import socket


class Wire:
    """A connection that shows replies as they are: a tag and a value."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.settimeout(20)
        self.file = self.sock.makefile("rb")

    def send(self, *words):
        out = [b"*%d\r\n" % len(words)]
        for w in words:
            w = w if isinstance(w, bytes) else str(w).encode()
            out.append(b"$%d\r\n%s\r\n" % (len(w), w))
        self.sock.sendall(b"".join(out))

    def read(self):
        line = self.file.readline()
        assert line.endswith(b"\r\n"), "closed after %r" % line
        tag, rest = line[:1], line[1:-2]
        if tag in b"+-:_,#(":
            return (tag, rest)
        n = int(rest)
        if tag in b"$=":
            if n < 0:
                return (tag, None)
            return (tag, self.file.read(n + 2)[:-2])
        if n < 0:
            return (tag, None)
        return (tag, [self.read() for _ in range(n * 2 if tag in b"%|" else n)])

    def ask(self, *words):
        self.send(*words)
        return self.read()

    def close(self):
        self.file.close()
        self.sock.close()
