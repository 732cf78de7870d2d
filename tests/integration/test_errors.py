"""What a user does wrong: one line that says what and where, exit code 1, nothing started."""
import os
import socket
import subprocess

import pytest
from harness import find, free_port, monitor_lines, wait_until

PROGRAMS = ["kvnode", "kvorum-sentinel", "kvorum-agent"]


def run(program, *args, text=None, cwd=None):
    return subprocess.run([find(program)] + list(args), input=text, capture_output=True, text=True, timeout=60, cwd=cwd)


@pytest.mark.parametrize("program", PROGRAMS)
def test_unknown_directive_names_file_line_and_directive(program, tmp_path):
    f = tmp_path / "bad.conf"
    f.write_text("# a comment\n\nno-such-directive 1\n")
    r = run(program, str(f), "--check-config")
    assert r.returncode == 1
    said = (r.stderr + r.stdout).strip()
    assert "bad.conf:3" in said and "no-such-directive" in said, said
    assert len(said.splitlines()) == 1, said


@pytest.mark.parametrize("program", PROGRAMS)
def test_missing_file(program, tmp_path):
    r = run(program, str(tmp_path / "nowhere.conf"))
    assert r.returncode == 1
    assert "nowhere.conf" in r.stderr and len(r.stderr.strip().splitlines()) == 1, r.stderr


@pytest.mark.parametrize("line,word", [("port 70000", "port"), ("port abc", "port"), ("loglevel loud", "loglevel"),
                                       ("protected-mode perhaps", "protected-mode")])
@pytest.mark.parametrize("program", ["kvnode", "kvorum-sentinel"])
def test_value_out_of_range(program, line, word, tmp_path):
    f = tmp_path / "bad.conf"
    f.write_text(line + "\n")
    r = run(program, str(f), "--check-config")
    assert r.returncode == 1 and "bad.conf:1" in r.stderr and word in r.stderr, r.stderr


@pytest.mark.parametrize("line", ["appendonly yes", "cluster-enabled yes", "tls-port 6380"])
def test_promises_not_kept_yet_are_refused(line, tmp_path):
    f = tmp_path / "redis.conf"
    f.write_text(line + "\n")
    r = run("kvnode", str(f), "--check-config")
    assert r.returncode == 1 and "not supported yet" in r.stderr and line.split()[0] in r.stderr, r.stderr


def test_stock_redis_conf_is_accepted(tmp_path):
    stock = "/etc/redis/redis.conf"
    if not os.access(stock, os.R_OK):
        pytest.skip("no /etc/redis/redis.conf on this machine (scripts/deps test)")
    r = run("kvnode", stock, "--check-config")
    assert r.returncode == 0, r.stderr


def test_stock_sentinel_conf_is_accepted():
    stock = "/etc/redis/sentinel.conf"
    if not os.access(stock, os.R_OK):
        pytest.skip("no /etc/redis/sentinel.conf on this machine (scripts/deps test)")
    r = run("kvorum-sentinel", stock, "--check-config")
    assert r.returncode == 0, r.stderr


@pytest.mark.parametrize("program", ["kvnode", "kvorum-sentinel"])
def test_port_in_use(program, tmp_path):
    port = free_port()
    f = tmp_path / "a.conf"
    f.write_text("port %d\nbind 127.0.0.1\ndir %s\n" % (port, tmp_path))
    with socket.socket() as s:
        s.bind(("127.0.0.1", port))
        s.listen()
        r = run(program, str(f), cwd=tmp_path)
    assert r.returncode == 1
    assert "Failed listening on port %d" % port in r.stdout + r.stderr


def test_unwritable_state_folder_makes_an_observer(yard):
    s = yard.sentinel("sentinel", lines=monitor_lines("m", free_port(), quorum=1) + ["state-dir /proc/nowhere"])
    with s.connect() as c:
        info = c.info("sentinel")
        assert info["kvorum_votes"] == "no" and "/proc/nowhere" in str(info["kvorum_save_trouble"]), info
        assert "/proc/nowhere" in c.sentinel_master("m")["observer"]
        assert c.execute_command("SENTINEL", "IS-MASTER-DOWN-BY-ADDR", "127.0.0.1", s_port(c), 9, "a" * 40)[1] != "a" * 40
    assert s.log_text().count("/proc/nowhere") <= 3, s.log_text()


def s_port(c):
    return int(c.sentinel_master("m")["port"])


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_and_version_and_docs(program):
    for flag in ("--help", "--version"):
        r = run(program, flag)
        assert r.returncode == 0 and program in r.stdout, r
    r = run(program, "--print-docs")
    assert r.returncode == 0 and "| " in r.stdout and len(r.stdout) > 2000


@pytest.mark.parametrize("program", PROGRAMS)
def test_configuration_from_standard_input(program):
    r = run(program, "-", "--check-config", text="loglevel nonsense\n")
    assert r.returncode == 1 and "loglevel" in r.stderr, r.stderr


def test_broken_resp_ends_only_that_connection(yard):
    n = yard.node()
    with n.connect() as good:
        good.ping()
        for junk, expected in ((b"*3\r\n$3\r\nSET\r\n$x\r\n", b"invalid bulk length"), (b"*99999999\r\n", b"invalid multibulk length"),
                               (b"*1\r\nPING\r\n", b"expected '$'"), (b'set "a\r\n', b"unbalanced quotes")):
            with socket.create_connection(("127.0.0.1", n.port)) as s:
                s.settimeout(10)
                s.sendall(junk)
                got = b""
                while b"\n" not in got:
                    piece = s.recv(4096)
                    if not piece:
                        break
                    got += piece
                assert got.startswith(b"-ERR Protocol error") and expected in got, got
                assert s.recv(4096) == b"", "the connection must be closed"
        assert good.ping()


@pytest.mark.parametrize("spoil", ["truncate", "flip", "foreign"])
def test_corrupt_rdb_is_refused_and_left_in_place(yard, spoil):
    n = yard.node("node", lines=["save 3600 1"])
    with n.connect() as c:
        for i in range(1000):
            c.set("key:%d" % i, "x" * (i % 50))
            c.hset("hash:%d" % (i % 10), "f%d" % i, i)
        c.save()
    n.kill()
    path = os.path.join(n.folder, "dump.rdb")
    whole = open(path, "rb").read()
    spoiled = {"truncate": whole[:len(whole) // 2],
               "flip": whole[:len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 0xff]) + whole[len(whole) // 2 + 1:],
               "foreign": b"NOT A DUMP FILE AT ALL"}[spoil]
    with open(path, "wb") as f:
        f.write(spoiled)
    n.launch()
    wait_until(lambda: not n.is_alive(), what="kvnode to refuse the file")
    assert n.proc.returncode == 1
    assert "dump.rdb" in n.tail()
    assert open(path, "rb").read() == spoiled


def test_kvorumctl_exit_codes(tmp_path):
    r = run("kvorumctl", "-s", "127.0.0.1:%d" % free_port(), "status")
    assert r.returncode == 3 and r.stderr.strip(), r
    r = run("kvorumctl", "no-such-verb")
    assert r.returncode == 2 and "no-such-verb" in r.stderr, r
    r = run("kvorumctl", "--help")
    assert r.returncode == 0 and "status" in r.stdout
