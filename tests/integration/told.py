"""What one sentinel tells an operator of a group: EXPLAIN and JOURNAL."""
from harness import pairs


def explain(s, group="demo"):
    with s.connect() as c:
        x = pairs(c.execute_command("SENTINEL", "EXPLAIN", group))
    x["lacks"] = [pairs(l) for l in x["lacks"]]
    return x


def can(s, group="demo"):
    return explain(s, group)["can-failover"] == "yes"


def lacks(s, group="demo"):
    """(what, why) -> the whole of it."""
    return {(l["what"], l["why"]): l for l in explain(s, group)["lacks"]}


def journal(s, group="demo"):
    with s.connect() as c:
        return [line for _, line in c.execute_command("SENTINEL", "JOURNAL", group, "512")]
