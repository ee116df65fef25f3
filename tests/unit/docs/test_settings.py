"""The page of settings is what ``streams.settings`` has, and each setting says what it is for, numbers also of what."""

from __future__ import annotations

import pytest

from tests.settings_table import BEGIN, PAGE, Row, groups, says_of_what, table

ROWS = [row for _, _, rows in groups() for row in rows]
each = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def test_the_page_is_what_the_settings_are() -> None:
    assert PAGE.read_text().partition(BEGIN)[2] == table(), "python -m tests.settings_table writes the tables anew"


@each
def test_a_setting_says_what_it_is_for(row: Row) -> None:
    assert row.says
    assert row.says.endswith(".")


@each
def test_a_number_says_of_what(row: Row) -> None:
    assert says_of_what(row)


def test_defaults_and_bounds_are_shown_and_secrets_are_not() -> None:
    rows = {row.name: row for row in ROWS}
    assert rows["kafka.partitions"][1:3] == ("`4`", "from 1 to 1,024")
    assert rows["chain.poll_interval"][1:3] == ("`1.0`", "above 0")
    assert rows["security.commands"].may_be == "`gateway`, `signed`, `open`"
    assert rows["kafka.access.allow_unencrypted"].default == "`false`"
    assert {rows[name].default for name in ("security.master_key", "kafka.access.password")} == {""}


def test_the_check_of_units_says_no() -> None:
    assert says_of_what(Row("kafka.bootstrap", "", "", "Where it is."))
    assert says_of_what(Row("kafka.session_timeout_ms", "", "", "How long."))
    assert not says_of_what(Row("chain.poll_interval", "", "", "How often."))
