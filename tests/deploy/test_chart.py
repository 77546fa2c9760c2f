"""The Helm chart: lints, renders valid objects, refuses wrong values, and what it renders is a configuration that works.

Needs helm, and the Python packages kubernetes-validate, promql-parser and PyYAML: `./dev charts` brings them."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import kubernetes_validate
import promql_parser
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
from harness import World, config  # noqa: E402

CHART = ROOT / "charts/orbridge"
SETS = sorted((CHART / "ci").glob("*.values.yaml"))
VERSION = "1.31.0"
OF_OPERATORS = {"ServiceMonitor", "PrometheusRule", "HTTPRoute"}  # their schemas are not Kubernetes' own
HELM = os.environ.get("HELM", "helm")

# What is set, and what the refusal must name.
WRONG = [({"replicas": 2}, "replicas"), ({"config": {"sources": {}}}, "sources"),
         ({"config": {"sources": {"a": {}}, "store": "x"}}, "config.store: the chart sets it"),
         ({"config": {"sources": {"a": {}}, "public_url": "orbridge:8080"}}, "public_url"),
         ({"config": {"sources": {"a": {}}, "standby": "no"}}, "standby"),
         ({"image": {"pullPolicy": "Sometimes"}}, "pullPolicy"), ({"persistence": {"size": "10"}}, "size"),
         ({"persistence": {"accessMode": "ReadWriteMany"}}, "accessMode"), ({"service": {"port": 80000}}, "port"),
         ({"ingress": {"enabled": True, "hosts": []}}, "hosts"), ({"httpRoute": {"enabled": True}}, "parentRefs"),
         ({"prometheusRule": {"backlogRatio": 2}}, "backlogRatio"), ({"mappings": {"../x": "y"}}, "mappings"),
         ({"repilcas": 1}, "repilcas")]


def helm(*arguments):
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, timeout=300)


def rendered(values):
    done = helm("template", "r", str(CHART), "--kube-version", VERSION, "-f", str(values))
    assert done.returncode == 0, f"{values.name}: {done.stderr}"
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def leaves(values):
    """Dotted names of the values that the README must have."""
    for key, value in values.items():
        inner = isinstance(value, dict) and value and not (set(value) <= {"cpu", "memory"})
        yield from (f"{key}.{name}" for name in leaves(value)) if inner else [key]


class Chart(unittest.TestCase):
    def test_it_lints_strictly(self):
        self.assertGreaterEqual(len(SETS), 5)
        for values in SETS:
            done = helm("lint", "--strict", "--kube-version", VERSION, str(CHART), "-f", str(values))
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_every_object_is_valid(self):
        seen = set()
        for values in SETS:
            for one in rendered(values):
                seen.add(one["kind"])
                if one["kind"] not in OF_OPERATORS:
                    kubernetes_validate.validate(one, VERSION, strict=True)
        self.assertLessEqual({"Deployment", "Service", "ConfigMap", "Secret", "PersistentVolumeClaim", "NetworkPolicy",
                              "PodDisruptionBudget", "Ingress", "ServiceAccount", "Pod", *OF_OPERATORS}, seen)

    def test_what_it_renders_is_a_configuration_that_works(self):
        for values in SETS:
            [config] = [one for one in rendered(values) if one["kind"] == "ConfigMap"]
            with tempfile.TemporaryDirectory() as folder:
                self.check(pathlib.Path(folder), config["data"], values.name)

    def check(self, folder, files, name):
        shutil.copytree(ROOT / "mappings", folder / "mappings")
        etc, secrets = folder / "etc", folder / "secrets"
        (etc / "mappings").mkdir(parents=True)
        secrets.mkdir()
        text = files["orbridge.yaml"]
        for secret in re.findall(r"/run/secrets/orbridge/(\w+)", text):
            (secrets / secret).write_text("0123456789abcdef0123456789abcdef\n")
        (etc / "orbridge.yaml").write_text(text.replace("/run/secrets/orbridge", str(secrets)))
        for file in set(files) - {"orbridge.yaml"}:
            (etc / "mappings" / file).write_text(files[file])
        binary = os.environ.get("ORBRIDGE_BINARY", str(ROOT / "build/dev/orbridge"))
        done = subprocess.run([binary, "check", "--config", str(etc / "orbridge.yaml")], capture_output=True, text=True,
                              timeout=300)
        self.assertEqual(done.returncode, 0, f"{name}: {done.stdout}{done.stderr}")

    def test_every_alert_is_a_question_that_prometheus_understands(self):
        [rules] = [one for one in rendered(CHART / "ci/everything.values.yaml") if one["kind"] == "PrometheusRule"]
        alerts = [rule for group in rules["spec"]["groups"] for rule in group["rules"]]
        self.assertGreaterEqual(len(alerts), 12)
        for rule in alerts:
            self.assertIn('namespace="default",service="r-orbridge"', str(promql_parser.parse(rule["expr"])), rule["alert"])
            self.assertIn(rule["labels"]["severity"], ("info", "warning", "critical"))

    def test_a_pod_that_stands_by_starts_while_the_old_one_ends(self):
        strategies = {}
        for name in ("least", "standby"):
            [deployment] = [one for one in rendered(CHART / f"ci/{name}.values.yaml") if one["kind"] == "Deployment"]
            strategies[name] = deployment["spec"]["strategy"]
            self.assertEqual(deployment["spec"]["replicas"], 1)
        self.assertEqual(strategies, {"least": {"type": "Recreate"}, "standby": {
            "type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}})

    def pod(self):
        [deployment] = [one for one in rendered(CHART / "ci/least.values.yaml") if one["kind"] == "Deployment"]
        return deployment["spec"]["template"]["spec"]

    def test_the_pod_checks_first_is_asked_how_it_is_and_can_do_nothing_else(self):
        pod = self.pod()
        [check], [bridge] = pod["initContainers"], pod["containers"]
        self.assertEqual(check["args"][0], "check")
        self.assertEqual((check["image"], check["volumeMounts"]), (bridge["image"], bridge["volumeMounts"]))
        self.assertEqual([bridge[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")],
                         ["/healthz", "/healthz", "/readyz"])
        for one in (check, bridge):
            self.assertEqual(one["securityContext"], {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                                      "capabilities": {"drop": ["ALL"]}})
        self.assertTrue(pod["securityContext"]["runAsNonRoot"])
        self.assertFalse(pod["automountServiceAccountToken"])

    def test_the_hook_of_helm_test_tells_a_bridge_that_is_ready_from_none(self):
        [hook] = [one for one in rendered(CHART / "ci/least.values.yaml")
                  if one["metadata"].get("annotations", {}).get("helm.sh/hook") == "test"]
        [container] = hook["spec"]["containers"]
        with World() as world:
            bridge = world.bridge(config(world, world.windmill())).start()
            script = container["args"][0].replace("/dev/tcp/r-orbridge/8080", f"/dev/tcp/127.0.0.1/{bridge.port}")
            self.assertIn(str(bridge.port), script)
            asked = lambda: subprocess.run([*container["command"], script], capture_output=True, timeout=300)  # noqa: E731
            self.assertEqual(asked().returncode, 0)
            bridge.stop()
            self.assertNotEqual(asked().returncode, 0)

    def test_wrong_values_are_refused_and_named(self):
        base = yaml.safe_load((CHART / "ci/least.values.yaml").read_text())
        for wrong, named in WRONG:
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                file.write(json.dumps({**base, **wrong}))
                file.flush()
                done = helm("template", "r", str(CHART), "--kube-version", VERSION, "-f", file.name)
            self.assertNotEqual(done.returncode, 0, wrong)
            self.assertIn(named, done.stderr, wrong)

    def test_a_changed_configuration_replaces_the_pod(self):
        marks = set()
        for level in ("info", "debug"):
            done = helm("template", "r", str(CHART), "--kube-version", VERSION, "-f", str(CHART / "ci/least.values.yaml"),
                        "--set", f"config.log.level={level}")
            [deployment] = [one for one in yaml.safe_load_all(done.stdout) if one and one["kind"] == "Deployment"]
            marks.add(deployment["spec"]["template"]["metadata"]["annotations"]["checksum/config"])
            self.assertEqual(deployment["spec"]["strategy"], {"type": "Recreate"})
        self.assertEqual(len(marks), 2)

    def test_the_readme_has_every_value(self):
        sys.path.insert(0, str(CHART))
        import readme
        self.assertEqual((CHART / "README.md").read_text(), readme.readme())
        text = (CHART / "values.yaml").read_text()
        for key, _, comment in readme.rows(text):
            self.assertTrue(comment, f"{key} is not explained")
        self.assertEqual([key for key, _, _ in readme.rows(text)], list(leaves(yaml.safe_load(text))))


if __name__ == "__main__":
    unittest.main()
