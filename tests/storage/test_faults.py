"""What is said of an error in a log line, or of a database that is not there."""

from __future__ import annotations

import asyncpg
import pytest

from smpp.text import Unencodable
from storage.faults import DatabaseDown, StorageDown, in_words, or_storage_down, without_values
from storage.pool import Connection


@pytest.mark.parametrize(
    ("cast", "value"), [("text[]", ["8613812345678\ud800"]), ("smallint", 8_613_812_345_678)]
)
async def test_a_value_that_postgresql_refuses_is_not_repeated(
    connection: Connection, cast: str, value: object
) -> None:
    with pytest.raises((asyncpg.DataError, ValueError)) as caught:
        await connection.execute(f"SELECT $1::{cast}", value)
    assert "8613812345678" in str(caught.value)  # else there is nothing to keep back
    said = without_values(caught.value)
    assert said.startswith("DataError: invalid input for query argument $1")
    assert "8613812345678" not in said


def test_characters_of_a_text_that_cannot_be_sent_are_not_repeated() -> None:
    assert "你" not in without_values(Unencodable("你好"))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "no answer in time"),
        (ConnectionResetError(), "ConnectionResetError()"),
        (ConnectionResetError("reset by peer"), "reset by peer"),
    ],
)
def test_a_reason_is_never_empty(error: BaseException, words: str) -> None:
    assert in_words(error) == words


@pytest.mark.parametrize("error", [DatabaseDown(), asyncpg.DiskFullError("full"), OSError()])
def test_what_the_database_cannot_do_is_storage_down(error: Exception) -> None:
    with pytest.raises(StorageDown) as caught, or_storage_down():
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [asyncpg.UniqueViolationError("twice"), ValueError("ours")])
def test_what_is_wrong_with_the_work_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, or_storage_down():
        raise error
    assert caught.value is error
