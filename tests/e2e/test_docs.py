"""The operator's documents name every metric there is, and only those; the alerts ask for none that is not there."""

import re
import subprocess
import unittest

from harness import ROOT, World, binary, call, config

OPERATIONS = (ROOT / "docs/operations.md").read_text()


class Metrics(unittest.TestCase):
    rows = re.findall(r"^\| (`orbridge_[^|]+) \|", OPERATIONS, re.M)  # one may name several
    documented = {name for row in rows for name in re.findall(r"`(orbridge_\w+)`", row)}

    def test_each_metric_of_the_sources_is_documented_and_no_other(self):
        built = set()
        for file in (*ROOT.glob("bridge/**/*.cpp"), *ROOT.glob("adapters/**/*.cpp")):
            built |= set(re.findall(r'\.Name\("(\w+)"\)', file.read_text()))
        self.assertGreater(len(built), 15)
        self.assertEqual(built, self.documented)

    def test_what_is_scraped_is_documented(self):
        with World() as world:
            bridge = world.bridge(config(world, world.windmill())).start()
            text = call("GET", bridge.url + "/metrics")[2]
        scraped = set(re.findall(r"^# TYPE (\w+) ", text, re.M))
        self.assertIn("orbridge_build_info", scraped)
        self.assertLessEqual(scraped, self.documented)

    def test_every_command_is_documented(self):
        usage = subprocess.run([binary(), "--help"], capture_output=True, text=True, timeout=60).stdout
        names = re.findall(r"^  (\S+) ", usage, re.M)
        self.assertGreater(len(names), 15)
        table = OPERATIONS.split("## Commands")[1].split("\n## ")[0]
        for name in names:
            self.assertIn(f"`{name}", table, name)

    def test_alerts_are_documented_and_ask_for_metrics_that_are_there(self):
        rules = (ROOT / "charts/orbridge/templates/prometheusrule.yaml").read_text()
        self.assertLessEqual(set(re.findall(r"\borbridge_[a-z_]+", rules)), self.documented)
        alerts = set(re.findall(r"alert: (\w+)", rules))
        self.assertGreaterEqual(len(alerts), 8)
        table = OPERATIONS.split("## Alerts")[1].split("\n## ")[0]
        self.assertEqual(alerts, set(re.findall(r"^\| (Orbridge\w+) \| \w+ \| .+ \| .+ \|$", table, re.M)))
        for name, severity in re.findall(r"^\| (Orbridge\w+) \| (\w+) ", table, re.M):
            self.assertRegex(rules, rf"alert: {name}\n(?:.*\n){{1,3}}\s*labels: {{severity: {severity}}}")

    def test_at_least_twenty_troubles_are_explained(self):
        table = OPERATIONS.split("## What you see")[1]
        self.assertGreaterEqual(len(re.findall(r"^\| .* \| .* \| .* \|$", table, re.M)), 22)


if __name__ == "__main__":
    unittest.main()
