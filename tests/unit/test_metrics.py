"""What every process measures of its machine."""

import pytest

from streams.metrics import used_percent


@pytest.mark.parametrize(("used", "free", "percent"), [(0, 10, 0), (10, 0, 100), (3, 1, 75), (0, 0, 0)])
def test_a_disk_is_as_full_as_df_says(used: int, free: int, percent: float) -> None:
    """Also where the system keeps back a part for itself: a disk without free bytes is full."""
    assert used_percent(used, free) == percent
