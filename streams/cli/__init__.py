"""The ``monmouth`` command: gathers the commands of every part and turns errors into messages.

Commands load when they are named, so ``monmouth --help`` stays quick. Exit codes: 0 done, 1 a MonmouthError (message and
hint on stderr, no trace), 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from streams import __version__, last_words
from streams.errors import MonmouthError

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("streams.cli.demo:demo", "Run the whole pipeline on a chain with reorgs and check it."),
    "infra": ("streams.cli.infra:infra", "Start, stop and inspect the local broker."),
    "topics": ("streams.cli.infra:topics", "Create the topics and report drift."),
    "acls": ("streams.cli.acls:acls", "Who may do what on the cluster: print, apply, check."),
    "producer": ("streams.cli.producer:producer", "Publish blocks of a node or of history files."),
    "worker": ("streams.cli.worker:worker", "Run stream agents on a share of the partitions."),
    "supervise": ("streams.cli.supervise:supervise", "Run a deployment's processes on this machine, and heal them."),
    "replay": ("streams.cli.replay:replay", "Have a stream agent do old blocks again."),
    "checkpoint": ("streams.cli.checkpoint:checkpoint", "Show, make and go back to checkpoints."),
    "archive": ("streams.cli.archive:archive", "Copy the log to files; check such copies."),
    "rebuild": ("streams.cli.rebuild:rebuild_command", "Build local state and stores anew."),
    "recover": ("streams.cli.recover:recover_command", "Restore what an agent remembers."),
    "verify": ("streams.cli.verify:verify_command", "Compare stores, roots and the node with the log."),
    "gateway": ("streams.cli.gateway:gateway", "Answer queries over REST; serve metrics."),
    "query": ("streams.cli.query:query", "Ask for an agent's memories in words."),
    "memory": ("streams.cli.memory:memory", "Store, list, read and forget memories."),
    "session": ("streams.cli.session:session", "Memories that belong to one task."),
    "shared": ("streams.cli.shared:shared", "Ask for what other agents share."),
    "graph": ("streams.cli.graph:graph", "Ask who deals with whom, and whom to trust."),
    "export": ("streams.cli.packages:export", "Write an agent's memories to a file."),
    "import": ("streams.cli.packages:import_", "Take a file in as memories."),
    "watch": ("streams.cli.watch:watch", "Follow what happens to an agent's memories."),
    "mcp": ("streams.cli.mcp:mcp", "Serve memories to language models (Model Context Protocol)."),
    "erase": ("streams.cli.erase:erase", "Erase an agent for good; check receipts."),
    "agent": ("streams.cli.agent:agent", "Keys, tokens and grants of an agent."),
    "keys": ("streams.cli.keys:keys", "Rotate the keys that encrypt memories."),
    "dlq": ("streams.cli.dlq:dlq", "Dead letters: look at them, send them again, drop them."),
    "sync": ("streams.cli.sync:sync", "Compare with another deployment of the chain; mend this one."),
    "ops": ("streams.cli.ops:ops", "Fold what processes report into windows of time."),
    "slo": ("streams.cli.slo:slo", "Service levels: budgets, burn rates, the report of a month."),
    "alerts": ("streams.cli.alerts:alerts", "Alert rules: check them, watch metrics with them."),
    "dashboard": ("streams.cli.dashboard:dashboard", "Where the dashboard is; what it shows, as a file."),
    "health": ("streams.cli.health:health", "How every component is, why, and what is about to break."),
    "circuits": ("streams.cli.circuits:circuits", "Circuit breakers of a gateway: list, open, close, reset."),
    "root": ("streams.cli.query:root", "Show an agent's lattice root."),
    "proof": ("streams.cli.proof:proof", "Check proofs."),
    "openapi": ("streams.cli.openapi:openapi", "Print the description of the REST interface."),
    "devchain": ("streams.cli.devchain:devchain", "Run the development chain as a node."),
    "settings": ("streams.cli.settings:settings", "List all settings, as variables."),
    "model": ("streams.cli.model:model", "Fetch and check the embedding model."),
}


class Commands(click.Group):
    """A group that imports a command only when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", type=click.Path(path_type=Path), help="Settings file (default: monmouth.toml, if there is one).")
@click.option("--state-dir", type=click.Path(path_type=Path), help="Folder for data, keys, models (default: .monmouth).")
@click.option("--bootstrap", help="Kafka to use, host:port[,host:port] (default: the local broker).")
@click.option("-v", "--verbose", count=True, help="More log lines; twice for debug.")
@click.version_option(__version__, prog_name="monmouth")
@click.pass_context
def cli(ctx: click.Context, config: Path | None, state_dir: Path | None, bootstrap: str | None, verbose: int) -> None:
    """Memory and retrieval for AI agents that act on an EVM chain.

    \b
    Examples:
      monmouth demo                        everything on one machine, with a chain that reorganises
      monmouth infra up                    start the local Kafka broker
      monmouth worker --agents memory,lattice
      monmouth query 0xAGENT "what did I swap last?"

    Settings also come from monmouth.toml and from MONMOUTH_... variables (MONMOUTH_KAFKA__BOOTSTRAP=host:9092).
    """
    logging.basicConfig(
        level=(logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)],
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL if verbose < 2 else logging.INFO)
    from streams.settings import CONFIG_ENV, load_settings  # noqa: PLC0415  (keeps --help quick)

    if config is not None:
        if not config.is_file():
            raise click.UsageError(f"no settings file {config}")
        os.environ[CONFIG_ENV] = str(config)
    settings = load_settings(**({"state_dir": state_dir} if state_dir else {}))
    if bootstrap:
        settings.kafka.bootstrap = bootstrap
    if settings.kafka.newest_schema is not None:
        from schemas.codec import Codec, use  # noqa: PLC0415

        use(Codec(bound=settings.kafka.newest_schema))
    ctx.obj = settings


def main(argv: list[str] | None = None) -> Any:
    """Entry point. Returns the exit code."""
    last_words.end_with_parent()
    try:
        return cli.main(argv, standalone_mode=False) or 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except MonmouthError as error:
        last_words.leave(error)
        click.echo(f"error: {error}", err=True)
        return 1
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # a defect: it keeps its trace
        last_words.leave(error)
        raise


if __name__ == "__main__":
    sys.exit(main())
