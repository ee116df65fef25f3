"""A change of a file is said once, and looked for now and then."""

from __future__ import annotations

from pathlib import Path

from streams.changes import LOOK_SECONDS, Changes


def test_a_change_is_said_once_and_looked_for_now_and_then(tmp_path: Path) -> None:
    now, file = 0.0, tmp_path / "file"
    changes = Changes(file, lambda: now)
    assert not changes.any(), "absent, as at first"
    file.write_text("one")
    assert not changes.any(), "looked a moment ago"
    now += LOOK_SECONDS
    assert changes.any()
    now += LOOK_SECONDS
    assert not changes.any(), "said"
    (tmp_path / "new").write_text("two")
    (tmp_path / "new").replace(file)
    now += LOOK_SECONDS
    assert changes.any()
    file.unlink()
    now += LOOK_SECONDS
    assert changes.any(), "gone"
    now += LOOK_SECONDS
    assert not changes.any()
