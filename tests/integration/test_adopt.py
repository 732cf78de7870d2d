"""A running stock deployment is adopted one sentinel at a time: scripts/adopt-demo, as it is."""
import os
import subprocess

import pytest
from conftest import need
from harness import BIN, TOP


@pytest.mark.long
def test_no_command_fails_outside_the_failover():
    need("redis-server")
    need("redis-sentinel")
    r = subprocess.run([os.path.join(TOP, "scripts", "adopt-demo"), "--bin", BIN], capture_output=True, text=True, timeout=300)
    print(r.stdout)
    assert r.returncode == 0, r.stdout + r.stderr
    assert "failed commands outside the failover: 0 of " in r.stdout
