"""Proof documents in files, read with a limit and with messages for people; a receipt of an erasure stands for its proof."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from streams.core.merkle.document import Document, parse
from streams.core.merkle.fields import ProofError
from streams.errors import Category, MonmouthError, Severity

LIMIT = 1 << 20


class ProofFileError(MonmouthError):
    """A file is not a proof document."""

    category = Category.CONFIGURATION
    severity = Severity.LOW


def read_document(file: str) -> Document:
    """The document in ``file``, or on standard input for ``-``. Raises ProofFileError."""
    try:
        if file == "-":
            raw = sys.stdin.buffer.read(LIMIT + 1)
        else:
            with Path(file).open("rb") as stream:
                raw = stream.read(LIMIT + 1)
        if len(raw) > LIMIT:
            raise ProofFileError(f"{file} is larger than {LIMIT} bytes: no proof is")
        said = json.loads(raw)
        if isinstance(said, dict) and "absence" in said:
            if said["absence"] is None:
                raise ProofFileError(f"{file} proves nothing: the agent had no root", "See `monmouth erase verify`.")
            said = said["absence"]
        return parse(said)
    except OSError as error:
        raise ProofFileError(f"cannot read {file}: {error.strerror}") from None
    except ProofError as error:
        raise ProofFileError(f"{file} is not a proof: {error}", "Save the whole answer of the gateway, unchanged.") from None
    except (ValueError, RecursionError):
        raise ProofFileError(f"{file} is not JSON") from None
