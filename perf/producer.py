"""Producer transactions per CPU second of the client process, beside ethereum-etl's stream on the same anvil node.

    .venv/bin/python -m perf.producer [--blocks 500] [--transactions 60]

Ours reads blocks with receipts, checks them, encodes Avro and commits exactly-once transactions to a real Kafka broker; the
peer prints JSON. The peer's whole process is counted, less a run of its --help; so is ours.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from infra.broker import LocalBroker
from perf.measure import ROOT, Figure, peer, run_child, show
from perf.node import anvil

MONMOUTH = [sys.executable, "-m", "streams.cli"]


def etl(url: str, blocks: int, rows: int, batch: int) -> Figure:
    """Runs the peer's stream until the last block is printed."""
    name = f"ethereum-etl stream -B {batch}"
    with tempfile.TemporaryDirectory() as scratch:
        argv = [str(peer("ethereum-etl") / "ethereumetl"), "stream", "-p", url, "-s", "1", "-e", "block,transaction,log"]
        argv += ["--period-seconds", "1", "-b", str(min(batch, 50)), "-B", str(batch), "-w", "2"]
        start = time.perf_counter()
        out = Path(scratch) / "out"
        with out.open("wb") as sink:
            process = subprocess.Popen(argv, stdout=sink, stderr=subprocess.DEVNULL, cwd=scratch)
            synced = Path(scratch) / "last_synced_block.txt"
            while not (synced.exists() and synced.read_text().strip() == str(blocks)):
                if process.poll() is not None:
                    raise SystemExit("ethereum-etl ended early")
                time.sleep(0.05)
            wall = time.perf_counter() - start
            process.send_signal(signal.SIGKILL)
            _, _, usage = os.wait4(process.pid, 0)
            process.returncode = -signal.SIGKILL
        seen = sum(b'"type": "transaction"' in line for line in out.read_bytes().splitlines())
    if seen != rows:
        raise SystemExit(f"ethereum-etl gave {seen} transactions of {rows}")
    idle, _ = run_child("help", [str(peer("ethereum-etl") / "ethereumetl"), "--help"])
    return Figure(name, rows, usage.ru_utime + usage.ru_stime - idle.cpu, wall)


def ours(url: str, blocks: int, rows: int, verify: str, bootstrap: str, state: Path) -> Figure:
    prefix = f"perf-{verify}."
    environment = {
        "MONMOUTH_STATE_DIR": str(state),
        "MONMOUTH_KAFKA__BOOTSTRAP": bootstrap,
        "MONMOUTH_KAFKA__PREFIX": prefix,
        "MONMOUTH_CHAIN__VERIFY": verify,
    }
    run_child("topics", [*MONMOUTH, "topics", "apply"], **environment)
    idle, _ = run_child("help", [*MONMOUTH, "producer", "--help"], **environment)
    figure, output = run_child(
        f"monmouth, verify={verify}", [*MONMOUTH, "producer", "--rpc", url, "--until", str(blocks)], rows, **environment
    )
    if f"{rows} transactions" not in output:
        raise SystemExit(f"monmouth did not publish {rows} transactions:\n{output[-2000:]}")
    figure.cpu -= idle.cpu
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=500)
    parser.add_argument("--transactions", type=int, default=60)
    args = parser.parse_args()
    last, rows = args.blocks + 1, args.blocks * args.transactions + 1
    with tempfile.TemporaryDirectory() as scratch, anvil(args.blocks, args.transactions) as url:
        with LocalBroker(Path(scratch) / "state", port=0, jars=ROOT / ".monmouth" / "jars") as broker:
            fast = ours(url, last, rows, "header", broker.bootstrap, Path(scratch) / "a")
            full = ours(url, last, rows, "roots", broker.bootstrap, Path(scratch) / "b")
        peers = [etl(url, last, rows, 50), etl(url, last, rows, 1)]
    show(f"producer, {args.blocks} blocks of {args.transactions} transactions", [fast, full, *peers], "transactions")


if __name__ == "__main__":
    main()
