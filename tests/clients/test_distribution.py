"""What is published of the Python client: the package, its types, its license, one dependency."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

from packaging.requirements import Requirement

CLIENT = Path(__file__).parents[2] / "clients" / "python"


def test_the_wheel_is_whole_and_nothing_else(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run(
        [*build, "--directory", str(tmp_path)], cwd=CLIENT, check=True, capture_output=True
    )
    (wheel,) = tmp_path.glob("smsgate_client-*-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (home,) = (name for name in names if name.endswith("/METADATA"))
        metadata = Parser().parsestr(archive.read(home).decode())
        license_text = archive.read(home.replace("METADATA", "licenses/LICENSE")).decode()
    package = {f"smsgate_client/{path.name}" for path in (CLIENT / "smsgate_client").glob("*.py")}
    assert {name for name in names if ".dist-info/" not in name} == {
        *package,
        "smsgate_client/py.typed",
    }
    assert [Requirement(each).name for each in metadata.get_all("Requires-Dist", [])] == ["httpx2"]
    assert "Apache License" in license_text
