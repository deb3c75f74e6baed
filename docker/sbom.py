"""What the image is made of, as a bill of materials (CycloneDX 1.6), from the lock file:

    python -m docker.sbom > build/smsgate.cdx.json

Owns that form. Must not ask a registry nor look at what is installed: the lock says it all. The
same lock makes the same octets.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "run.txt"
PROJECT = ROOT / "pyproject.toml"
OURSELVES = "smsgate"

_PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9.-]*)==(?P<version>[^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_VIA = re.compile(r"#\s+(?:via )?(?P<who>[a-z0-9][a-z0-9.-]*)")


class Locked(NamedTuple):
    """One package: its version, the SHA-256 of each of its files, and who asks for it."""

    name: str
    version: str
    hashes: list[str]
    asked_by: list[str]

    @property
    def reference(self) -> str:
        """Its package URL."""
        return f"pkg:pypi/{self.name}@{self.version}"


def locked(text: str) -> Iterator[Locked]:
    """The packages of a lock, in its order."""
    found: Locked | None = None
    for line in text.splitlines():
        if pin := _PIN.match(line):
            if found is not None:
                yield found
            found = Locked(pin["name"], pin["version"], [], [])
        elif found is not None and (digest := _HASH.search(line)):
            found.hashes.append(digest[1])
        elif found is not None and (via := _VIA.search(line)) and via["who"] != "via":
            found.asked_by.append(via["who"])
    if found is not None:
        yield found


def bill(lock: str, version: str) -> dict[str, Any]:
    """The document. `version`: of smsgate."""
    packages = list(locked(lock))
    ours = f"pkg:generic/{OURSELVES}@{version}"
    needs: dict[str, list[str]] = {ours: []}
    needs.update((each.reference, []) for each in packages)
    references = {OURSELVES: ours} | {each.name: each.reference for each in packages}
    for each in packages:
        for asker in each.asked_by:
            if asker in references:
                needs[references[asker]].append(each.reference)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, ours + lock)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": ours,
                "name": OURSELVES,
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            }
        },
        "components": [_component(each) for each in packages],
        "dependencies": [
            {"ref": reference, "dependsOn": sorted(below)} for reference, below in needs.items()
        ],
    }


def _component(package: Locked) -> dict[str, Any]:
    hashes = [{"alg": "SHA-256", "content": digest} for digest in package.hashes]
    return {
        "type": "library",
        "bom-ref": package.reference,
        "name": package.name,
        "version": package.version,
        "purl": package.reference,
        "externalReferences": [
            {
                "type": "distribution",
                "url": f"https://pypi.org/project/{package.name}/{package.version}/#files",
                "hashes": hashes,
            }
        ],
    }


def render() -> str:
    """The bill of this checkout."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    return json.dumps(bill(LOCK.read_text(encoding="utf-8"), project["version"]), indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
