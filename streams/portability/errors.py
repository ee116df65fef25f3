"""What is wrong with a package."""

from __future__ import annotations

from streams.errors import Category, MonmouthError, Severity

ALTERED = "It was altered or damaged on its way; ask for it again."
"""The hint where a package is not what was written."""


class PackageError(MonmouthError):
    """A package that is not whole, not canonical, altered, or not one that may be taken in."""

    category = Category.PROCESSING
    severity = Severity.LOW
