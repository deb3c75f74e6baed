"""The bill of materials says what the lock says, and an audit says when it could not be made."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

from docker import sbom

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements" / "run.txt"


def test_every_locked_package_is_in_the_bill() -> None:
    text = LOCK.read_text(encoding="utf-8")
    made = json.loads(sbom.render())
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", made["serialNumber"])
    pinned = dict(re.findall(r"^([a-z0-9.-]+)==([^\s;\\]+)", text, re.MULTILINE))
    assert {each["name"]: each["version"] for each in made["components"]} == pinned
    digests = [
        digest["content"]
        for each in made["components"]
        for digest in each["externalReferences"][0]["hashes"]
    ]
    assert digests == re.findall(r"sha256:([0-9a-f]{64})", text)


def test_who_needs_what_is_one_whole() -> None:
    """Everything is needed by us, by one way or another, and every reference leads somewhere."""
    made = json.loads(sbom.render())
    needs = {each["ref"]: each["dependsOn"] for each in made["dependencies"]}
    reached, new = set[str](), [made["metadata"]["component"]["bom-ref"]]
    while new:
        reference = new.pop()
        if reference not in reached:
            reached.add(reference)
            new += needs[reference]
    assert reached == {made["metadata"]["component"]["bom-ref"]} | {
        each["bom-ref"] for each in made["components"]
    }


def test_the_same_lock_makes_the_same_bill() -> None:
    assert sbom.render() == sbom.render()
    lock = "a==1 \\\n    --hash=sha256:" + "0" * 64 + "\n    # via smsgate (pyproject.toml)\n"
    assert sbom.bill(lock, "1")["serialNumber"] != sbom.bill(lock, "2")["serialNumber"]


def test_an_audit_without_a_network_says_that_nothing_was_audited() -> None:
    """Through a proxy where nobody listens."""
    away = dict.fromkeys(("https_proxy", "HTTPS_PROXY"), "http://127.0.0.1:9")
    run = subprocess.run(
        ["make", "--no-print-directory", "audit"],
        cwd=ROOT,
        env={**os.environ, **away, "no_proxy": "", "NO_PROXY": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode != 0
    assert "NOT AUDITED" in run.stderr
