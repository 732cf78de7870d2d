"""The chart in helm/: it renders, it validates, and what it renders keeps our rules.

Needs helm (v3.6 or later): on PATH, or named by KVORUM_HELM. Without it everything here is skipped;
nothing is downloaded. KVORUM_KUBE_SCHEMAS=<python with kubernetes-validate> adds a check of every manifest
against the schemas of Kubernetes."""
import glob
import json
import os
import re
import shutil
import subprocess

import pytest

import harness

yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed (scripts/deps test)")

CHART = os.path.join(harness.TOP, "helm")
HELM = os.environ.get("KVORUM_HELM") or shutil.which("helm")
VALUES = sorted(glob.glob(os.path.join(CHART, "ci", "*-values.yaml")))
NAMES = [os.path.basename(v)[:-len("-values.yaml")] for v in VALUES]
APIS = ["--kube-version", "1.30.0", "--api-versions", "monitoring.coreos.com/v1"]

if not HELM:
    pytest.skip("helm is not installed: put it on PATH or name it in KVORUM_HELM", allow_module_level=True)


def helm(*words, ok=True, text=None):
    r = subprocess.run([HELM] + list(words), capture_output=True, text=True, input=text, timeout=120)
    assert not ok or r.returncode == 0, "helm %s:\n%s" % (" ".join(words), r.stderr)
    return r


def render(*words, release="demo", apis=APIS):
    out = helm("template", release, CHART, "-n", "ns", *apis, *words).stdout
    docs = [d for d in yaml.safe_load_all(out) if d]
    assert len({(d["kind"], d["metadata"]["name"]) for d in docs}) == len(docs), "two manifests of one name"
    return docs


_rendered = {}


@pytest.fixture(params=VALUES, ids=NAMES)
def docs(request):
    if request.param not in _rendered:
        _rendered[request.param] = render("-f", request.param)
    return _rendered[request.param]


def of(docs, kind):
    return [d for d in docs if d["kind"] == kind]


def named(docs, kind, end):
    found = [d for d in of(docs, kind) if d["metadata"]["name"].endswith(end)]
    assert len(found) == 1, (kind, end, [d["metadata"]["name"] for d in of(docs, kind)])
    return found[0]


def pods(docs):
    for d in docs:
        if d["kind"] == "StatefulSet":
            yield d["metadata"]["name"], d["spec"]["template"]["metadata"], d["spec"]["template"]["spec"]
        elif d["kind"] == "Pod":
            yield d["metadata"]["name"], d["metadata"], d["spec"]


def containers(spec):
    return spec.get("initContainers", []) + spec["containers"]


# ---- helm's own judgement ---------------------------------------------------------------------------------------------


def test_at_least_five_value_files():
    assert len(VALUES) >= 5


@pytest.mark.parametrize("values", VALUES, ids=NAMES)
def test_lint(values):
    out = helm("lint", "--strict", CHART, "-f", values).stdout
    assert "0 chart(s) failed" in out and "[WARNING]" not in out and "[ERROR]" not in out, out


@pytest.mark.parametrize("setting, word", [
    ("node.replica=3", "replica"),                                   # a name that is none
    ("nodes.replicas=3", "nodes"),
    ("node.replicas=1", "replicas"),
    ("node.replicas=10", "replicas"),
    ("node.replicas=three", "replicas"),
    ("sentinel.replicas=4", "replicas"),
    ("sentinel.replicas=1", "replicas"),
    ("group.mode=safe", "mode"),
    ("group.mode=plain", "mode"),
    ("group.downAfter=5", "downAfter"),
    ("group.profile=moon", "profile"),
    ("node.port=0", "port"),
    ("node.port=70000", "port"),
    ("node.pdb.maxUnavailable=2", "maxUnavailable"),
    ("node.antiAffinity=yes please", "antiAffinity"),
    ("agent.tokenExpirationSeconds=60", "tokenExpirationSeconds"),
    ("agent.label.key=a b", "key"),
    ("agent.label.primary=-x", "primary"),
    ("agent.label.primary=", "primary"),
    ("image.digest=sha256:12", "digest"),
    ("image.repository=", "repository"),
    ("service.primary.type=Cluster", "type"),
    ("networkPolicy.enabled=maybe", "enabled"),
    ("auth.passwordKey=a/b", "passwordKey"),
    ("apiVersions.pdb=policy/v2", "pdb"),
    ("node.persistence.size=lots", "size"),
])
def test_schema_refuses(setting, word):
    name, value = setting.split("=", 1)
    how = "--set" if value.isdigit() else "--set-string"
    r = helm("template", "demo", CHART, how, setting.replace(",", "\\,"), ok=False)
    assert r.returncode != 0, "taken: " + setting
    assert word in r.stderr and "schema" in r.stderr, r.stderr


def test_schema_lets_parents_have_their_globals():
    render("--set", "global.storage.of.others=1")


def test_schema_covers_every_value():
    """Each default is valid, and each level of ours refuses strangers."""
    def look(value, schema, path):
        if schema.get("type") == "object" and "properties" in schema:
            assert schema["additionalProperties"] is False, path
            for k, v in value.items():
                assert k in schema["properties"], path + [k]
                look(v, schema["properties"][k], path + [k])
            strangers = set(schema["properties"]) - set(value) - {"initialDelaySeconds", "successThreshold", "rollingUpdate"}
            assert not strangers, "in the schema, not in values.yaml: %s %s" % (path, strangers)

    with open(os.path.join(CHART, "values.yaml")) as v, open(os.path.join(CHART, "values.schema.json")) as s:
        look(yaml.safe_load(v), json.load(s), [])


def test_kubernetes_schemas(docs):
    python = os.environ.get("KVORUM_KUBE_SCHEMAS")
    if not python:
        pytest.skip("KVORUM_KUBE_SCHEMAS names no python with kubernetes-validate")
    program = ("import json, sys, kubernetes_validate as k\n"
               "for d in json.load(sys.stdin):\n"
               "    for v in sys.argv[1:]:\n"
               "        if d['apiVersion'].startswith('monitoring.'): continue\n"
               "        k.validate(d, v, strict=True)\n")
    r = subprocess.run([python, "-c", program, "1.30", "1.33"], input=json.dumps(docs), capture_output=True, text=True, timeout=300)
    assert r.returncode == 0, r.stderr[-2000:]


# ---- our rules ------------------------------------------------------------------------------------------------------------


def test_restricted_profile(docs):
    """What the Pod Security Standard calls restricted, and a root file system that nobody writes to."""
    seen = 0
    for name, _, spec in pods(docs):
        seen += 1
        p = spec["securityContext"]
        assert p["runAsNonRoot"] is True and p["runAsUser"] > 0, name
        assert p["seccompProfile"]["type"] == "RuntimeDefault", name
        assert not any(spec.get(k) for k in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace")), name
        for c in containers(spec):
            s = c["securityContext"]
            assert s["allowPrivilegeEscalation"] is False and s["readOnlyRootFilesystem"] is True, (name, c["name"])
            assert s["capabilities"]["drop"] == ["ALL"] and not s["capabilities"].get("add"), (name, c["name"])
            assert not s.get("privileged") and not any("hostPort" in port for port in c.get("ports", [])), (name, c["name"])
        for v in spec.get("volumes", []):
            assert set(v) & {"configMap", "secret", "emptyDir", "projected", "persistentVolumeClaim", "downwardAPI"}, (name, v)
    assert seen >= 2


def test_no_shell_anywhere(docs):
    for name, _, spec in pods(docs):
        for c in containers(spec):
            assert c["command"][0].startswith("/usr/bin/k"), (name, c["command"])
            assert not re.search(r"\b(ba|da)?sh\b", " ".join(c["command"] + c.get("args", []))), (name, c["name"])
            for hook in ("preStop", "postStart"):
                assert hook not in c.get("lifecycle", {}), "the programs hand over at SIGTERM by themselves"


def test_only_the_agent_has_a_token(docs):
    for name, _, spec in pods(docs):
        assert spec["automountServiceAccountToken"] is False, name
        tokens = [v["name"] for v in spec.get("volumes", []) if any("serviceAccountToken" in s for s in v.get("projected", {}).get("sources", []))]
        for c in containers(spec):
            mounted = [m for m in c.get("volumeMounts", []) if m["name"] in tokens]
            assert bool(mounted) == (c["name"] == "agent"), (name, c["name"])
            assert all(m["readOnly"] for m in mounted)
    for d in of(docs, "ServiceAccount"):
        assert d["automountServiceAccountToken"] is False


def test_rights_by_name_only(docs):
    node = named(docs, "StatefulSet", "-node")
    for role in of(docs, "Role"):
        (rule,) = role["rules"]
        assert rule["apiGroups"] == [""] and rule["resources"] == ["pods"] and sorted(rule["verbs"]) == ["get", "patch"]
        want = ["%s-%d" % (node["metadata"]["name"], i) for i in range(9)]
        assert rule["resourceNames"] == want
        (binding,) = of(docs, "RoleBinding")
        assert binding["roleRef"]["name"] == role["metadata"]["name"]
        assert binding["subjects"][0]["name"] == node["spec"]["template"]["spec"]["serviceAccountName"]
    assert not of(docs, "ClusterRole") and not of(docs, "ClusterRoleBinding")
    conf = named(docs, "ConfigMap", "-node")["data"]["agent.conf"]
    assert re.findall(r"^kube-pods (\S+)$", conf, re.M) == ["%s-%d" % (node["metadata"]["name"], i) for i in range(9)]


def test_nobody_is_primary_by_number(docs):
    """No pod is born with the role's label, nothing names an ordinal as primary, every node waits for its group."""
    conf = named(docs, "ConfigMap", "-node")["data"]["kvnode.conf"]
    group = re.search(r"^ha-group (\S+)$", conf, re.M).group(1)
    assert not re.search(r"^(replicaof|slaveof)", conf, re.M)
    agent = named(docs, "ConfigMap", "-node")["data"]["agent.conf"]
    key = re.search(r"^kube-label (\S+)$", agent, re.M).group(1)
    for name, meta, spec in pods(docs):
        assert key not in meta["labels"], name
        for c in containers(spec):
            assert "replicaof" not in " ".join(c.get("args", []))
    sentinel = named(docs, "ConfigMap", "-sentinel")["data"]["kvorum-sentinel.conf"]
    assert re.search(r"^sentinel mode %s (async|prefer|strict)$" % re.escape(group), sentinel, re.M)
    replicas = named(docs, "StatefulSet", "-node")["spec"]["replicas"]
    known = re.findall(r"^sentinel (?:monitor|known-replica) %s (\S+) " % re.escape(group), sentinel, re.M)
    assert len(known) == len(set(known)) == replicas, "the group is formed of all nodes, so all are named"


def test_names_fit_together(docs):
    """Names of pods as the headless services make them, in every file that mentions one."""
    domain = "k8s.example.org" if any("k8s.example.org" in str(d) for d in of(docs, "ConfigMap")) else "cluster.local"
    for end, other in (("-node", "-sentinel"), ("-sentinel", "-node")):
        s = named(docs, "StatefulSet", end)
        svc = named(docs, "Service", end + "-headless")
        assert s["spec"]["serviceName"] == svc["metadata"]["name"]
        assert svc["spec"]["clusterIP"] == "None" and svc["spec"]["publishNotReadyAddresses"] is True
        full = "%s.ns.svc.%s" % (svc["metadata"]["name"], domain)
        names = ["%s-%d.%s" % (s["metadata"]["name"], i, full) for i in range(s["spec"]["replicas"])]
        text = "\n".join(t for c in of(docs, "ConfigMap") if c["metadata"]["name"].endswith(("-node", "-sentinel")) for t in c["data"].values())
        assert set(re.findall(r"\S+\.ns\.svc\.\S+", text)) >= set(names)
        assert any("$(POD_NAME).%s" % full in a for c in s["spec"]["template"]["spec"]["containers"] for a in c.get("args", []))


def test_services_select_what_they_should(docs):
    agent = named(docs, "ConfigMap", "-node")["data"]["agent.conf"]
    word = lambda name: re.search(r"^%s (\S+)$" % name, agent, re.M).group(1)
    node = named(docs, "StatefulSet", "-node")
    for d in of(docs, "Service"):
        sel, name = d["spec"]["selector"], d["metadata"]["name"]
        assert not {"helm.sh/chart", "app.kubernetes.io/version", "app.kubernetes.io/managed-by"} & set(sel), name
        if name.endswith("-primary"):
            assert sel[word("kube-label")] == word("kube-label-primary")
        elif name.endswith("-replicas"):
            assert sel[word("kube-label")] == word("kube-label-replica")
        else:
            assert word("kube-label") not in sel
        rest = {k: v for k, v in sel.items() if k != word("kube-label")}
        owner = node if sel["app.kubernetes.io/component"] == "node" else named(docs, "StatefulSet", "-sentinel")
        assert rest.items() <= owner["spec"]["template"]["metadata"]["labels"].items(), name
        ports = {p["name"] for c in owner["spec"]["template"]["spec"]["containers"] for p in c["ports"]}
        assert {p["targetPort"] for p in d["spec"]["ports"]} <= ports


def test_sets(docs):
    for end in ("-node", "-sentinel"):
        s = named(docs, "StatefulSet", end)["spec"]
        assert s["podManagementPolicy"] == "Parallel"
        labels = s["template"]["metadata"]["labels"]
        assert s["selector"]["matchLabels"].items() <= labels.items()
        for place in [s["selector"]["matchLabels"]] + [c["metadata"]["labels"] for c in s.get("volumeClaimTemplates", [])]:
            assert set(place) == {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"}, "never a version"
        spread = s["template"]["spec"]["topologySpreadConstraints"]
        assert spread and spread[0]["whenUnsatisfiable"] == "ScheduleAnyway"
        mounts = {m["name"] for c in s["template"]["spec"]["containers"] for m in c["volumeMounts"]}
        have = {v["name"] for v in s["template"]["spec"]["volumes"]} | {c["metadata"]["name"] for c in s.get("volumeClaimTemplates", [])}
        assert mounts <= have
    node = named(docs, "StatefulSet", "-node")["spec"]["template"]["spec"]
    conf = named(docs, "ConfigMap", "-node")["data"]["kvnode.conf"]
    assert node["terminationGracePeriodSeconds"] >= int(re.search(r"^shutdown-timeout (\d+)$", conf, re.M).group(1)) + 10


def test_probes(docs):
    """Liveness asks whether a loop turns, nothing else; readiness of a node is the agent's business."""
    agent_port = int(re.search(r"^http-port (\d+)$", named(docs, "ConfigMap", "-node")["data"]["agent.conf"], re.M).group(1))
    for name, _, spec in pods(docs):
        for c in spec["containers"] if not name.endswith("-test") else []:
            assert c["livenessProbe"]["httpGet"]["path"] == "/livez", (name, c["name"])
            if c["name"] == "kvnode":
                assert c["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": agent_port}
                if "startupProbe" in c:
                    s = c["startupProbe"]
                    assert s["httpGet"] == {"path": "/startupz", "port": agent_port}
                    assert s["periodSeconds"] * s["failureThreshold"] >= 3600, "loading takes as long as it takes"
            if c["name"] == "sentinel":
                assert c["readinessProbe"]["httpGet"]["path"] == "/healthz"
            for p in ("livenessProbe", "startupProbe", "readinessProbe"):
                assert "enabled" not in c.get(p, {})


def test_budgets(docs):
    for d in of(docs, "PodDisruptionBudget"):
        assert d["apiVersion"] == "policy/v1" and d["spec"]["maxUnavailable"] == 1
        assert d["spec"].get("unhealthyPodEvictionPolicy", "AlwaysAllow") == "AlwaysAllow"
        assert "app.kubernetes.io/component" in d["spec"]["selector"]["matchLabels"]


def test_secrets_are_files(docs):
    for name, _, spec in pods(docs):
        for c in containers(spec):
            assert not any("secretKeyRef" in e.get("valueFrom", {}) for e in c.get("env", [])), (name, c["name"])
    for d in of(docs, "ConfigMap"):
        for text in d["data"].values():
            assert not re.search(r"^(requirepass|masterauth|\S*password|sentinel (auth-pass|sentinel-pass)) ", text, re.M), text
    assert not of(docs, "Secret"), "the chart makes no passwords: helm upgrade would make others"


def test_kvorumctl_finds_its_passwords():
    """In the sentinels' pods, where people run it, and in those of helm test: the files are mounted where the variables say."""
    for sentinels, want in (("true", {"KVORUM_PASSWORD_FILE", "KVORUM_NODE_PASSWORD_FILE"}), ("false", {"KVORUM_NODE_PASSWORD_FILE"})):
        seen = 0
        for name, _, spec in pods(render("--set", "auth.existingSecret=s", "--set", "auth.sentinels=" + sentinels)):
            for c in containers(spec):
                env = {e["name"]: e.get("value") for e in c.get("env", []) if e["name"].startswith("KVORUM_")}
                if c["name"] == "sentinel" or c["command"][0].endswith("kvorumctl"):
                    assert set(env) == want and set(env.values()) == {"/etc/kvorum/auth/password"}, (name, env)
                    assert {"name": "auth", "mountPath": "/etc/kvorum/auth", "readOnly": True} in c["volumeMounts"], name
                    assert any(v["name"] == "auth" and v["secret"]["secretName"] == "s" for v in spec["volumes"]), name
                    seen += 1
        assert seen >= 4
    assert not any(e["name"].startswith("KVORUM_") for _, _, spec in pods(render()) for c in containers(spec) for e in c.get("env", []))


def test_auth_reaches_everybody():
    docs = render("--set", "auth.existingSecret=s")
    kvnode = named(docs, "ConfigMap", "-node")["data"]["kvnode.conf"]
    assert "protected-mode no" not in kvnode
    for d in ("requirepass", "masterauth"):
        assert "from-file /etc/kvorum/auth/password %s\n" % d in kvnode
    sentinel = named(docs, "ConfigMap", "-sentinel")["data"]["kvorum-sentinel.conf"]
    for d in ("requirepass", "sentinel sentinel-pass", "sentinel auth-pass demo-kvorum"):
        assert "from-file /etc/kvorum/auth/password %s\n" % d in sentinel + "\n"
    agent = named(docs, "ConfigMap", "-node")["data"]["agent.conf"]
    for d in ("directory", "node", "sentinel"):
        assert "%s-password-file /etc/kvorum/auth/password" % d in agent
    for name, _, spec in pods(docs):
        for c in spec["containers"] if not name.endswith("-test") else []:
            assert [m for m in c["volumeMounts"] if m["mountPath"] == "/etc/kvorum/auth" and m["readOnly"]], (name, c["name"])
    without = named(render("--set", "auth.existingSecret=s", "--set", "auth.sentinels=false"), "ConfigMap", "-sentinel")
    assert "requirepass" not in without["data"]["kvorum-sentinel.conf"]


def test_checksums_follow_the_configuration_alone():
    sums = lambda *w: [d["spec"]["template"]["metadata"]["annotations"]["checksum/config"] for d in of(render(*w), "StatefulSet")]
    base = sums()
    assert sums("--set", "commonLabels.a=b") == base, "a label restarts nobody"
    assert sums("--set", "node.replicas=5")[0] == base[0], "more nodes restart no node"
    assert sums("--set", "node.replicas=5")[1] != base[1], "the sentinels hear of more nodes"
    assert sums("--set", "node.shutdownTimeout=12")[0] != base[0]


def test_versions_of_kubernetes():
    old = render("--kube-version", "1.20.2", apis=[])
    assert {d["apiVersion"] for d in of(old, "PodDisruptionBudget")} == {"policy/v1beta1"}
    assert "minReadySeconds" not in of(old, "StatefulSet")[0]["spec"]
    new = render("--kube-version", "1.30.0", apis=[])
    assert {d["apiVersion"] for d in of(new, "PodDisruptionBudget")} == {"policy/v1"}
    assert of(new, "PodDisruptionBudget")[0]["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert of(render("--set", "apiVersions.pdb=policy/v1beta1"), "PodDisruptionBudget")[0]["apiVersion"] == "policy/v1beta1"
    monitor = ["--set", "metrics.podMonitor.enabled=true"]
    assert of(render(*monitor), "PodMonitor") and not of(render(*monitor, apis=[]), "PodMonitor"), "only where the cluster knows them"


def test_long_names():
    for release in ("a", "r" * 53):
        docs = render(release=release)
        for d in docs:
            assert len(d["metadata"]["name"]) <= 63
        for s in of(docs, "StatefulSet"):
            assert len(s["metadata"]["name"]) + len("-12") <= 63 - len("-1234567890"), "names of pods and of revisions"


def test_notes(tmp_path):
    """Helm shows them after an install only: rendered here as the text of a ConfigMap."""
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)
    shutil.copy(chart / "templates" / "NOTES.txt", chart / "notes")
    (chart / "templates" / "notes.yaml").write_text(
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes}\ndata: {text: {{ tpl (.Files.Get "notes") . | quote }}}\n')

    def notes(*words):
        out = helm("template", "demo", str(chart), "-n", "ns", "-s", "templates/notes.yaml", *words).stdout
        return yaml.safe_load(out)["data"]["text"]

    text = notes()
    assert "demo-kvorum-sentinels.ns.svc.cluster.local:26379" in text and "-L kvorum.io/role" in text
    assert "WARNING: no password" in text and text.count("WARNING") == 1
    text = notes("--set", "auth.existingSecret=s,node.shutdownTimeout=39,sentinel.persistence.enabled=false")
    assert "no password" not in text and "a primary may be killed while it hands over" in text and "sentinels without a volume" in text


# ---- the configuration that comes out, and the programs that read it ----------------------------------------------------------


def test_programs_take_their_files(docs, tmp_path):
    """Every file and every argument, as the pod would have them, read by the program itself."""
    password = tmp_path / "password"
    password.write_text("s3cret\n")
    programs = {"kvnode": "kvnode", "agent": "kvorum-agent", "sentinel": "kvorum-sentinel"}
    if not all(harness.find(p) for p in programs.values()):
        pytest.skip("the programs are not built")
    checked = 0
    for name, _, spec in pods(docs):
        for c in spec["containers"]:
            if c["name"] not in programs:
                continue
            program, path = c["command"]
            assert program == "/usr/bin/" + programs[c["name"]]
            files = named(docs, "ConfigMap", name[name.rindex("-"):])["data"]
            conf = tmp_path / os.path.basename(path)
            # folders that are volumes in the pod
            text = files[os.path.basename(path)].replace("/etc/kvorum/auth/password", str(password)).replace("/data", str(tmp_path))
            conf.write_text(text.replace("/run/kvorum", str(tmp_path)))
            args = [a.replace("$(POD_NAME)", name + "-0") for a in c["args"]]
            r = subprocess.run([harness.find(programs[c["name"]]), str(conf)] + args + ["--check-config"], capture_output=True, text=True,
                               timeout=30, env={"POD_NAME": name + "-0"})
            assert r.returncode == 0, "%s: %s%s" % (c["name"], r.stdout, r.stderr)
            checked += 1
    assert checked == 3


def test_dockerfile_names_what_is_there():
    with open(os.path.join(harness.TOP, "Dockerfile")) as f:
        lines = f.read().replace("\\\n", " ").splitlines()
    last = lines[max(i for i, line in enumerate(lines) if line.startswith("FROM")):]
    for line in lines:
        if line.startswith("COPY") and "--from=" not in line:
            for source in line.split()[1:-1]:
                assert os.path.exists(os.path.join(harness.TOP, source)), line
    user = [line for line in last if line.startswith("USER")]
    assert user and int(user[-1].split()[1].split(":")[0]) == yaml.safe_load(open(os.path.join(CHART, "values.yaml")))["podSecurityContext"]["runAsUser"]
    copied = next(line for line in last if "--from=build" in line)
    for program in ("kvnode", "kvorum-sentinel", "kvorum-agent", "kvorumctl"):
        assert "/build/bin/" + program in copied
    assert not [line for line in last if line.startswith(("ENTRYPOINT", "SHELL"))]
    installed = next(line for line in last if "apt-get install" in line)
    packages = re.findall(r"\blib[a-z0-9.-]+\b", installed.split("--no-install-recommends")[1].split("&&")[0])
    if shutil.which("dpkg-query"):
        for program in ("kvnode", "kvorum-sentinel", "kvorum-agent", "kvorumctl"):
            path = harness.find(program)
            if not path:
                pytest.skip("the programs are not built")
            dynamic = subprocess.run(["readelf", "-d", path], capture_output=True, text=True).stdout
            for lib in re.findall(r"NEEDED.*\[(.+?)\]", dynamic):
                if re.match(r"(libc|libm|ld-linux|libgcc_s|libasan|libubsan|libstdc)", lib):
                    continue
                where = subprocess.run("ldconfig -p | awk '$1==\"%s\"{print $NF; exit}'" % lib, shell=True, capture_output=True, text=True).stdout.strip()
                owner = subprocess.run(["dpkg-query", "-S", os.path.realpath(where)], capture_output=True, text=True).stdout.split(":")[0]
                assert owner in packages, "%s needs %s (package %s), which the image lacks" % (program, lib, owner or "?")
