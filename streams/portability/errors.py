"""What is wrong with a package."""

from __future__ import annotations

from streams.errors import Category, MonmouthError, Severity


class PackageError(MonmouthError):
    """A package that is not whole, not canonical, altered, or not one that may be taken in."""

    category = Category.PROCESSING
    severity = Severity.LOW
