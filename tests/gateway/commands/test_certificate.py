"""`smsgate doctor` on the certificate of the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.commands.certificate import DAYS_MIN, certificate
from gateway.config.settings import Config, HttpSettings
from tests.smpp.certificates import CertificateAuthority
from web.edge.tls import certificate_end


def test_a_certificate_is_looked_at_for_its_key_and_its_end(tmp_path: Path) -> None:
    file = CertificateAuthority(tmp_path).issue("api", names=("127.0.0.1",))
    Path(file).chmod(0o600)
    config = Config(http=HttpSettings(tls_certificate_file=file))
    end = datetime.fromtimestamp(certificate_end(file), UTC)
    for before, ok, said in (
        (timedelta(days=DAYS_MIN + 1), True, "ends in 8 days"),
        (timedelta(days=DAYS_MIN - 1), False, "ends in 6 days"),
        (timedelta(days=-2), False, "ended 2 days ago"),
    ):
        [finding] = certificate(config, end - before)
        assert finding.ok is ok
        assert said in finding.detail
        assert bool(finding.remedy) is not ok
    Path(file).chmod(0o644)
    [_, finding] = certificate(config, end - timedelta(days=DAYS_MIN + 1))
    assert (finding.ok, finding.remedy) == (True, f"chmod o= {file}")
    Path(file).write_text("nonsense", encoding="utf-8")
    [finding] = certificate(config, end)
    assert not finding.ok
    assert "api.pem" in finding.detail
    assert certificate(Config(), end) == []
