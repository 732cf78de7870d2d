"""What scripts/bench runs once everything is built: Kvorum beside redis-sentinel and
redis-server, both measured in one run. Rounds are interleaved, so that the machine's mood is
in all rows; every figure is min / p50 / p99 (spread) or a count; nothing passes or fails."""
import argparse
import importlib
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

WHAT = {
    "failover": "how long a group has no primary: kill -9, SIGSTOP, planned switch",
    "loss": "how many acknowledged writes a failover loses (root: network namespaces)",
    "busy": "how many failovers a busy but living primary suffers",
    "strict": "throughput of a strict group beside an async and a plain one",
    "push": "from SET to a synced file: one agent, a fleet, and what an idle agent costs",
    "node": "kvnode beside redis-server: CPU per operation, memory per key",
}


def say(text=""):
    print(text, flush=True)


def main():
    ap = argparse.ArgumentParser(prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = ap.add_subparsers(dest="what", metavar="|".join(WHAT), required=True)
    run = {}
    for name, summary in WHAT.items():
        m = importlib.import_module("bench_" + name)
        p = sub.add_parser(name, help=summary, description=m.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        m.options(p)
        run[name] = m.main
    args = ap.parse_args()
    signal.signal(signal.SIGTERM, lambda *a: sys.exit(143))
    try:
        return run[args.what](args, say)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
