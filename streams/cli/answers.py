"""How answers about memories are shown on a terminal."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.cli.asking import print_json, source, when
from streams.serving.wire import Context, ContextItem, MemoryList, MemoryView, Receipt


def show_context(context: Context) -> None:
    """Items, best first, with their sources; or the one text that was asked for."""
    if context.prompt is not None:
        click.echo(context.prompt)
        return
    console = Console()
    if not context.items:
        console.print("nothing found")
    for place, item in enumerate(context.items, 1):
        show_item(console, place, item)
    if context.left_out:
        console.print(Text(f"{context.left_out} more went over the token budget", "dim"))
    if context.root is not None:
        console.print(Text(f"all proven under root {context.root.merkle_root}", "dim"), soft_wrap=True)
    if context.next:
        console.print(Text(f"older: --cursor {context.next}", "dim"), soft_wrap=True)


def show_item(console: Console, place: int, item: ContextItem, whose: str = "") -> None:
    """One item of an answer."""
    console.print(Text.assemble((f"{place}. {item.score:.3f}  ", "bold"), item.text))
    console.print(Text(f"   {whose}{when(item.timestamp)}  {source(item.citation)}", "dim"))


def show_memories(found: MemoryList) -> None:
    """One line a memory."""
    table = Table("when", "type", "content", "id", box=None, pad_edge=False)
    for item in found.items:
        table.add_row(when(item.timestamp), item.type, Text(content(item)), Text(item.id, "dim", overflow="fold"))
    Console().print(table if found.items else "no memories")


def show_memory(found: MemoryView) -> None:
    """One memory whole."""
    table = Table.grid(padding=(0, 2))
    for name, value in (
        ("content", content(found)),
        ("type", found.type),
        ("importance", f"{found.importance:g}"),
        ("tags", ", ".join(found.tags)),
        ("when", when(found.timestamp)),
        ("source", source(found.citation)),
    ):
        table.add_row(Text(name, "bold"), Text(value, overflow="fold"))
    Console().print(table)


def content(found: MemoryView) -> str:
    """The text, or the bytes in base64."""
    return found.text if found.text is not None else f"{found.media_type}, base64 {found.content_base64}"


def show_receipt(receipt: Receipt, done: str, as_json: bool, *, meanwhile: str = "reads do not show it yet") -> None:
    """``done`` where reads show the command's effect; else that it is accepted, and what reads do ``meanwhile``."""
    if as_json:
        print_json(receipt)
    else:
        click.echo(f"{receipt.memory_id}  {done if receipt.visible else f'accepted; {meanwhile}'}")
