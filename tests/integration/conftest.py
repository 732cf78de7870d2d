"""What every integration test may ask for; logs of a failed test are left behind."""
import os
import re
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import formed  # noqa: E402
import harness  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="also the acceptance runs that take minutes")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes minutes; only with --long")
    config.addinivalue_line("markers", "alone: measures time, or needs all of the machine; scripts/test runs it when nothing else does")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--long"):
        keep = [i for i in items if "long" not in i.keywords]
        gone = [i for i in items if "long" in i.keywords]
        if gone:
            config.hook.pytest_deselected(items=gone)
            items[:] = keep


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    setattr(item, "report_" + report.when, report)


def _failed(request):
    return any(getattr(request.node, "report_" + when, None) and getattr(request.node, "report_" + when).failed
               for when in ("setup", "call"))


def _finish(request, yards):
    where = os.environ.get("KVORUM_LOGS")
    wrong = []
    for yard in yards:
        wrong += explained_wrong(yard)
        if where and (wrong or _failed(request)):
            yard.keep_logs(os.path.join(where, re.sub(r"[^\w.=-]+", "_", "%s-%s" % (request.node.path.stem, request.node.name))))
        yard.close()
    assert not wrong, "SENTINEL EXPLAIN said otherwise than it came:\n" + "\n".join(wrong)


def explained_wrong(yard):
    """Every try of a failover is compared with what EXPLAIN said; a sentinel logs when it said otherwise all the while."""
    found = []
    for p in yard.processes:
        if os.path.exists(p.log) and "sentinel" in os.path.basename(p.program):
            found += ["%s: %s" % (p.name, line) for line in p.log_text().splitlines() if "explain was wrong about" in line]
    return found


@pytest.fixture
def yard(request):
    y = harness.Yard("kvorum-test")
    yield y
    _finish(request, [y])


def _maker(request, kind):
    """make(...) -> one of a kind; what was made, also in part, is closed at the end."""
    made = []

    def make(**kw):
        made.append(kind.__new__(kind))
        made[-1].__init__(**kw)
        return made[-1]

    yield make
    _finish(request, [x.yard for x in made if hasattr(x, "yard")])


@pytest.fixture
def cluster(request):
    """cluster(nodes=3, sentinels=3, ...) -> harness.Cluster, closed at the end."""
    yield from _maker(request, harness.Cluster)


@pytest.fixture
def group(request):
    """group(nodes=3, sentinels=3, ...) -> formed.FormedGroup, closed at the end."""
    yield from _maker(request, formed.FormedGroup)


def need(program):
    if not harness.find(program):
        pytest.skip("%s is not installed (scripts/deps test)" % program)
