"""LtHash items per CPU second, beside the raw BLAKE3 output it cannot do without.

.venv/bin/python -m perf.lattice [--rows 200000]
"""

from __future__ import annotations

import argparse

from blake3 import blake3

from perf.measure import show, timed
from streams.core.lthash import STATE_BYTES, ZERO, element, sum_elements


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    rows = parser.parse_args().rows
    preimages = [i.to_bytes(32, "little") for i in range(rows)]
    sum_elements(preimages[:1000])
    with timed("LtHash, sum of a batch", rows) as batched:
        total = sum_elements(preimages)
    with timed("LtHash, one by one", rows) as single:
        state = ZERO
        for preimage in preimages:
            state = state + sum_elements([preimage])
    with timed("limit: BLAKE3 output of 2,048 B", rows) as limit:
        for preimage in preimages:
            blake3(preimage).digest(STATE_BYTES)
    assert state == total
    assert element(preimages[0]) != element(preimages[1])
    show("lattice hash", [batched, single, limit], "items")


if __name__ == "__main__":
    main()
