"""`smsgate clicks reclassify`: what it prints, puts on record, and does not do twice."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.cli import main
from shortlinks.classify import RULES
from storage.ids import id_at
from storage.pool import close_connection, connect
from tests.conftest import LoopThread


@pytest.fixture
def config(tmp_path: Path, database_url: str) -> Path:
    path = tmp_path / "smsgate.toml"
    path.write_text(f'[database]\nurl = "{database_url}"\ndata_dir = "{tmp_path}"\n')
    return path


def test_the_past_comes_under_todays_rules_once_and_is_on_record(
    config: Path, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = LoopThread()
    connection = loop.run(connect(database_url, application_name="tests"))
    yesterday = datetime.now(UTC) - timedelta(days=1)
    for number, agent in enumerate(("curl/8.5", "Mozilla/5.0 (Linux; Android 14; K) Mobile")):
        loop.run(
            connection.execute(
                "INSERT INTO click (id, link_seq, slot, message_id, class, reasons, method,"
                " user_agent, ip_prefix, facts) VALUES ($1, 1, 0, 7, 1, '{}', 'GET', $2, '', $3)",
                id_at(yesterday) + number,
                agent,
                ["text/html", "en", "", "", ""],
            )
        )

    def reclassify(*arguments: str) -> str:
        capsys.readouterr()
        assert main(["clicks", "reclassify", *arguments, "--config", str(config)]) == 0
        return capsys.readouterr().out

    day = yesterday.date().isoformat()
    shown = f"{day}: 2 clicks, 1 changed: 1 human to scanner\n"
    assert reclassify("--dry-run", "--since", "3d") == (
        f"{shown}2 clicks looked at, 1 would change; rules {RULES}\n"
    )
    assert reclassify("--since", "3d", "--until", day) == (
        f"0 clicks looked at, 0 changed; rules {RULES}\n"
    )
    assert reclassify("--tell") == f"{shown}2 clicks looked at, 1 changed; rules {RULES}\n"
    assert reclassify() == f"0 clicks looked at, 0 changed; rules {RULES}\n"
    again = json.loads(reclassify("--again", "--json", "--since", "2d"))
    assert again == {"day": day, "clicks": 2, "changed": 0, "moved": []}
    rows = loop.run(connection.fetch("SELECT action, detail FROM audit"))
    assert [row["action"] for row in rows] == ["clicks.reclassify"]
    assert rows[0]["detail"] == {"day": day, "rules": RULES, "looked_at": 2, "changed": 1}
    classes = loop.run(connection.fetch("SELECT class, revision FROM click ORDER BY id"))
    assert [tuple(row) for row in classes] == [(4, 2), (1, 1)]
    loop.run(close_connection(connection))
    loop.close()
