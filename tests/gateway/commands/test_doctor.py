"""`smsgate doctor` on the certificate of the API."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli import main
from tests.smpp.certificates import CertificateAuthority


def found(folder: Path, http: str, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    path = folder / "smsgate.toml"
    path.write_text(f'[database]\ndata_dir = "{folder}/data"\n[http]\n{http}\n', encoding="utf-8")
    main(["doctor", "--json", "--config", str(path)])
    findings = json.loads(capsys.readouterr().out)
    return next((each for each in findings if "certificate" in each["what"]), {})


def test_a_certificate_is_looked_at_for_its_key_and_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    authority = CertificateAuthority(tmp_path)
    good = authority.issue("good", names=("127.0.0.1",))
    ended = authority.issue("ended", names=("127.0.0.1",), expired=True)
    here = 'listen = "127.0.0.1:1"\n'
    assert found(tmp_path, here, capsys) == {}
    for file, ok, said in ((good, None, "ends in"), (ended, False, "renew"), ("no", False, "no")):
        finding = found(tmp_path, f'{here}tls_certificate_file = "{file}"', capsys)
        assert ok is None or finding["ok"] is ok
        assert said in str(finding["detail"])
