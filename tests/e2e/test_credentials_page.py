"""Row K2 of integrations.md: the page with a form made from an adapter's schema, in a headless Chromium, by the keyboard."""

import json
import subprocess
import unittest

import browser
from harness import ROOT, World, binary, call, until
from test_adapters import Recorder, said
from test_hostile_sinks import says

SECRET = "S3CR3T-typed-in"
KINDS = """name: kinds
title: All kinds
description: "<b>Of every type</b> & \\"one\\""
base_url: "{{config.url}}"
auth: { bearer: "{{credentials.token}}" }
config: [{ name: url, type: string, required: true, title: Address }]
credentials:
  - { name: token, type: password, required: true, title: Token, description: Where people find it }
  - { name: pin, type: string, sensitive: true, title: Pin }
  - { name: user, type: string, title: User, pattern: "[a-z]+", description: "<script>alert(1)</script>" }
  - { name: port, type: integer, min: 1, max: 65535, default: 443, title: Port }
  - { name: ratio, type: number, max: 1, title: Ratio }
  - { name: mode, enum: [fast, safe], required: true, title: Mode }
  - { name: verify, type: boolean, default: true, title: Verify }
  - { name: headers, type: object, title: Headers }
  - { name: hosts, type: array, title: Hosts }
test: { request: { path: /me }, expect: { status: [200] }, message: "Hello {{response.body.name}}" }
tasks: { go: { request: { path: /go } } }
"""
CONFIG = """listen: 127.0.0.1:0
store: sqlite:{folder}/orbridge.db
mappings: [{root}/mappings/openregister.yaml]
adapters: {{folders: [{root}/adapters, adapters], allow: [127.0.0.0/8]}}
credentials: {{key_file: master.key}}
sources:
  app: {{type: record, token: record-token-0123456789}}
targets:
  chat: {{adapter: kinds, credentials: main, config: {{url: '{fake}'}}}}
"""


@unittest.skipUnless(browser.found(), "needs a Chromium: apt-get install chromium-headless-shell")
class Page(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)
        self.fake = Recorder(says(said({"name": "Ada"})))
        self.addCleanup(self.fake.close)
        (self.world.folder / "adapters").mkdir()
        (self.world.folder / "adapters/kinds.yaml").write_text(KINDS)
        subprocess.run([binary(), "keygen", "--out", str(self.world.folder / "master.key")], check=True, capture_output=True)
        self.bridge = self.world.bridge(CONFIG.format(folder=self.world.folder, root=ROOT, fake=self.fake.url)).start()
        self.token = (self.world.folder / "admin.token").read_text().strip()
        self.page = browser.Browser(self.world.folder)
        self.addCleanup(self.page.close)

    def enter(self, name="main", adapter="kinds"):
        page = self.page
        page.open(self.bridge.url + "/ui/credentials")
        page.tab_to("token")
        page.type(self.token)
        page.press("Enter")
        page.until("!document.getElementById('choice').hidden")
        page.evaluate(f"document.getElementById('adapter').value = {json.dumps(adapter)}")
        page.tab_to("name")
        page.type(name)
        page.press("Enter")
        page.until("!document.getElementById('values').hidden && document.activeElement.id === 'title'")

    def write(self, field, text):
        self.page.tab_to(field)
        self.page.evaluate(f"document.getElementById({json.dumps(field)}).select?.()")
        self.page.type(text)

    def outcome(self, starts):
        return self.page.until(f"(t => t.startsWith({json.dumps(starts)}) && t)(document.getElementById('outcome').textContent)")

    def value(self, field):
        return self.page.evaluate(f"document.getElementById({json.dumps(field)}).value")

    def rows(self):
        return self.bridge.api("/api/v1/credentials?adapter=kinds")[1]["credentials"]

    def test_K2_each_type_has_its_kind_of_field_with_its_label_mark_and_help(self):
        self.enter()
        kinds = self.page.evaluate("""Object.fromEntries([...document.querySelectorAll('#fields .field')].map(row => {
            const made = row.querySelector('input, select, textarea');
            const help = made.getAttribute('aria-describedby').split(' ').map(id => document.getElementById(id).textContent).join('').trim();
            return [made.id, [made.localName + (made.type ? ':' + made.type : ''), made.required, row.querySelector('label').htmlFor === made.id,
                              row.querySelector('.mark') !== null, help, made.type === 'checkbox' ? made.checked : made.value]];
        }))""")
        self.assertEqual(kinds, {
            "credential-token": ["input:password", True, True, True, "Where people find it", ""],
            "credential-pin": ["input:password", False, True, False, "", ""],
            "credential-user": ["input:text", False, True, False, "<script>alert(1)</script>", ""],
            "credential-port": ["input:number", False, True, False, "", "443"],
            "credential-ratio": ["input:number", False, True, False, "", ""],
            "credential-mode": ["select:select-one", True, True, True, "", ""],
            "credential-verify": ["input:checkbox", False, True, False, "", True],
            "credential-headers": ["textarea:textarea", False, True, False, "", ""],
            "credential-hosts": ["textarea:textarea", False, True, False, "", ""]})
        # What a screen reader hears: everything has a name.
        controls = self.page.controls()
        for control in (("textbox", "Token"), ("textbox", "User"), ("spinbutton", "Port"), ("combobox", "Mode"), ("checkbox", "Verify"),
                        ("textbox", "Hosts"), ("textbox", "Address"), ("button", "Save"), ("button", "Test what is typed")):
            self.assertTrue(any(role == control[0] and name.startswith(control[1]) for role, name in controls), (control, controls))
        self.assertTrue(all(name for _, name in controls), controls)
        # Texts are texts.
        self.assertEqual(self.page.evaluate("document.getElementById('description').textContent"), '<b>Of every type</b> & "one"')
        self.assertEqual(self.page.evaluate("document.querySelectorAll('main script, main b').length"), 0)

    def test_K2_it_is_filled_in_tested_and_saved_by_the_keyboard_and_secrets_are_never_filled_in(self):
        page = self.page
        self.enter()
        page.press("Tab")
        self.assertEqual(page.focused(), "credential-token", "the first field comes after the heading")
        page.type(SECRET)
        self.write("credential-user", "Ada")
        self.write("credential-ratio", "1.5")
        page.press("Enter")
        self.outcome("user: ")
        wrong = page.evaluate("[...document.querySelectorAll('[aria-invalid=true]')].map(e => [e.id, document.getElementById(e.id + '-error').textContent])")
        self.assertEqual([each[0] for each in wrong], ["credential-user", "credential-ratio", "credential-mode"])
        self.assertEqual(wrong[2][1], "missing")
        self.assertEqual(page.focused(), "credential-user", "the first that is wrong")
        self.assertEqual(self.rows(), [])

        self.write("credential-user", "ada")
        self.write("credential-ratio", "0.5")
        page.tab_to("credential-mode")
        page.press("ArrowDown")
        self.write("credential-hosts", "[1,")
        page.tab_to("try")
        page.press("Enter")
        self.outcome("Not sent")
        self.assertEqual(page.evaluate("document.getElementById('credential-hosts-error').textContent"), "is no JSON")
        self.write("credential-hosts", '["a"]')
        self.write("config-url", self.fake.url)
        page.tab_to("try")
        page.press(" ")
        self.outcome("Hello Ada")
        self.assertIn(f"Authorization: Bearer {SECRET}".encode(), self.fake.seen[-1])
        self.assertEqual(self.rows(), [], "a test stores nothing")

        self.write("credential-pin", "S3CR3T-pin")
        page.tab_to("credential-verify")
        page.press(" ")
        page.tab_to("credential-user")
        page.press("Enter")
        self.outcome("Saved.")
        row, = self.rows()
        self.assertEqual(row["values"], {"token": "***", "pin": "***", "user": "ada", "port": 443, "ratio": 0.5, "mode": "fast", "verify": False, "hosts": ["a"]})
        html = page.evaluate("document.documentElement.outerHTML + JSON.stringify([...document.querySelectorAll('input, textarea')].map(e => e.value))")
        self.assertNotIn("S3CR3T", html, "what was saved is not kept in the page")

        # Again, by somebody else: what is no secret is there, secrets are empty, and saving keeps them.
        self.enter()
        self.assertEqual([self.value("credential-" + name) for name in ("token", "pin", "user", "port", "mode", "hosts")],
                         ["", "", "ada", "443", '"fast"', '[\n  "a"\n]'])
        self.assertNotIn("S3CR3T", page.evaluate("document.documentElement.outerHTML"))
        self.assertIn("Stored; leave it empty to keep it.", page.evaluate("document.getElementById('credential-token-help').textContent"))
        self.write("credential-user", "bob")
        page.press("Enter")
        self.outcome("Saved.")
        before = len(self.fake.seen)
        page.tab_to("try-stored")
        page.press("Enter")
        self.outcome("Hello Ada")
        self.assertIn(f"Authorization: Bearer {SECRET}".encode(), self.fake.seen[before])
        self.assertEqual((self.rows()[0]["values"]["user"], self.rows()[0]["is_valid"]), ("bob", True))
        self.assertEqual([each for each in page.complaints() if "422" not in each], [])
        self.assertNotIn(self.token, json.dumps([event for event in page.events if event.get("method") == "Network.requestWillBeSent"
                                                 and "?" in event["params"]["request"]["url"]][0]["params"]["request"]["url"]))

    def test_K2_every_shipped_adapter_has_a_form(self):
        names = [each["name"] for each in self.bridge.api("/api/v1/credentials")[1]["adapters"]]
        self.assertLessEqual({"slack", "github", "jira", "teams", "sendgrid", "s3", "http", "openregister", "windmill", "oauth2"}, set(names))
        for name in names:
            with self.subTest(name):
                self.enter("x", name)
                schema = self.bridge.api(f"/api/v1/adapters/{name}/form")[1]
                shown = self.page.evaluate("[...document.querySelectorAll('#fields input, #fields select, #fields textarea')].map(e => e.id)")
                self.assertEqual(shown, ["credential-" + field for field in schema["properties"]])

    def test_K2_what_the_page_may_do_is_fixed_and_it_says_when_the_token_is_wrong(self):
        status, headers, text = call("GET", self.bridge.url + "/ui/credentials")
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/html"))
        policy = headers["Content-Security-Policy"]
        for part in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"):
            self.assertIn(part, policy)
        self.assertNotIn("unsafe", policy)
        self.assertNotRegex(text, r"(?i)\son\w+=|style=|javascript:|https?://")
        self.assertEqual(call("GET", self.bridge.url + "/ui/nope")[0], 404)
        self.assertEqual(call("GET", self.bridge.url + "/ui/..%2fmain.cpp")[0], 404)
        page = self.page
        page.open(self.bridge.url + "/ui/credentials")
        page.evaluate("document.body.insertAdjacentText('beforeend', ''); window.ran = 0")
        page.evaluate("(() => { const s = document.createElement('script'); try { s.text = 'window.ran = 1'; document.body.append(s); } catch (e) {} })()")
        self.assertEqual(page.evaluate("window.ran"), 0, "a script in the page runs")
        page.tab_to("token")
        page.type("wrong")
        page.press("Enter")
        page.until("document.getElementById('outcome').className === 'bad'")
        self.assertTrue(page.evaluate("document.getElementById('choice').hidden"))


if __name__ == "__main__":
    unittest.main()
