"""Figures and their tables. A figure is a list of numbers in milliseconds (or plain
numbers); what is printed of it is always the same: minimum, median, p99, spread."""
import math
import os


def quantile(values, q):
    """The value below which a share q lies; with few values p99 is the largest."""
    v = sorted(values)
    return v[min(len(v) - 1, max(0, math.ceil(q * len(v)) - 1))]


def p50(values):
    v = sorted(values)
    n = len(v)
    return v[n // 2] if n % 2 else (v[n // 2 - 1] + v[n // 2]) / 2


def number(x):
    if x is None:
        return "-"
    a = abs(x)
    return "%.0f" % x if a >= 1000 else "%.1f" % x if a >= 10 else "%.2f" % x


def spread(values):
    """(max - min) / median."""
    m = p50(values)
    return (max(values) - min(values)) / m if m else 0.0


def short(values):
    """min / p50 / p99 (spread)"""
    values = [v for v in values if v is not None]
    if not values:
        return "-"
    return "%s / %s / %s (%s)" % (number(min(values)), number(p50(values)), number(quantile(values, 0.99)),
                                  number(spread(values)))


def ratio(values, base):
    """p50 against the peer's p50, as "x 0.012"."""
    values = [v for v in values if v is not None]
    base = [v for v in base if v is not None]
    if not values or not base or p50(base) == 0:
        return "-"
    r = p50(values) / p50(base)
    return "x%.4f" % r if r < 0.01 else "x%.3f" % r if r < 1 else "x%.2f" % r


def table(head, rows):
    """Markdown, aligned."""
    rows = [[str(c) for c in r] for r in rows]
    width = [max(len(r[i]) for r in [head] + rows) for i in range(len(head))]
    line = lambda r: "| " + " | ".join(c.ljust(w) for c, w in zip(r, width)) + " |"
    return "\n".join([line(head), "|" + "|".join("-" * (w + 2) for w in width) + "|"] + [line(r) for r in rows])


class Load:
    """How busy others kept the machine while we measured: the share of CPU time that was not idle."""

    def __init__(self):
        self.was = self.read()

    @staticmethod
    def read():
        with open("/proc/stat") as f:
            v = [int(x) for x in f.readline().split()[1:9]]
        return sum(v), v[3] + v[4]

    def text(self):
        total, idle = self.read()
        dt, di = total - self.was[0], idle - self.was[1]
        return "%d cores, %.0f %% busy during the run, load average %.1f now" % (
            os.cpu_count(), 100 * (1 - di / dt) if dt else 0, os.getloadavg()[0])
