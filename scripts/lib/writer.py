"""A client as an application would write it: python3-redis, its Sentinel class, nothing else.

    writer.py GROUP FILE PORT [PORT ...]

Writes key after key through the sentinels until standard input closes, and notes in FILE
what was acknowledged and when: "ok <number> <monotonic seconds>" or "no <reason> <seconds>".
"""
import select
import sys
import time

import redis
from redis.sentinel import Sentinel

group, path, ports = sys.argv[1], sys.argv[2], [int(p) for p in sys.argv[3:]]
sentinel = Sentinel([("127.0.0.1", p) for p in ports], socket_timeout=0.5)
primary = sentinel.master_for(group, socket_timeout=0.5)
n = 0
with open(path, "w", buffering=1) as out:
    while not select.select([sys.stdin], [], [], 0)[0]:
        try:
            primary.set("demo:%d" % n, "value-%d" % n)
            out.write("ok %d %.6f\n" % (n, time.monotonic()))
            n += 1
            time.sleep(0.001)
        except redis.exceptions.RedisError as e:
            out.write("no %s %.6f\n" % (type(e).__name__, time.monotonic()))
            n += 1          # a key whose answer never came is not counted either way
            time.sleep(0.001)
