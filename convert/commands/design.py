"""The commands that count what a network costs before it is trained."""

from typing import Annotated

import typer

from convert.commands import tables
from convert.commands.options import Json, complete_board
from groupcomm.console import line, new_table, out, report, step
from groupcomm.errors import UserError
from tf_model.commands import Sizes, complete_network, given_sizes

COUNTS = {  # labels of `tf_model.cost.cost`
    "params": "parameters",
    "params_paper": "parameters, as PyTorch",
    "macs_per_hop": "MACs per hop",
    "macs_per_second": "MACs per second",
    "macs_4s": "MACs of 4 s",
    "macs_4s_thop": "MACs of 4 s, as thop",
    "state_bytes": "state, bytes in int8",
    "latency_ms": "latency, ms",
}
Board = Annotated[
    str | None,
    typer.Option(
        "--board",
        help="Predict instructions, cycles and load on this board, or on a core at 100 MHz.",
        autocompletion=complete_board,
    ),
]


def cost(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Name of a network (`groupcomm list`), or the folder of a trained one.",
            autocompletion=complete_network,
        ),
    ] = None,
    board: Board = None,
    sizes: Sizes = None,
    paper: Annotated[
        bool,
        typer.Option("--paper", help="Compare the papers' systems with their published counts."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Count the parameters, multiply-accumulates (MACs) and state of a network.

    With --board, also predict the instructions, the cycles and the load of a streaming network in
    int8, from counted kernels. With --paper, the exit code is 1 if a count that must be exact is
    not.
    """
    if (name is None) != paper:
        raise UserError("cost: name one network, or give --paper")
    if paper:
        for option, given in (("--board", board), ("--set", sizes)):
            if given:
                raise UserError(
                    f"{option} is for one network, and --paper counts all; leave it out"
                )
        _cost_of_papers(as_json)
        return
    from convert import boards
    from tf_model import networks
    from tf_model.training import checkpoint

    trained = checkpoint.find(name)
    net = checkpoint.load(name).net if trained else networks.find(name)
    net = networks.changed(net, given_sizes(sizes or []))
    target = boards.find(board) if board else None
    if not isinstance(net, networks.Streaming):
        if board:
            raise UserError(
                f"--board {board}: {name} is a network of the papers' family, which does not run "
                "on boards; name a network of the streaming family, for example enhance"
            )
        from tf_model import load_tensorflow

        load_tensorflow()  # the layers of the papers' family count themselves
    from convert.measure import cost_model
    from tf_model import cost as costs
    from tf_model.paper import counts as papers

    counts = costs.cost(net)
    published = [papers.judge(row, counts) for row in papers.ROWS if networks.find(row.name) == net]
    predicted = {board: cost_model.estimate(net, target)} if target else {}

    def show() -> None:
        for key, value in counts.items():
            line(f"{COUNTS[key]:>22}  {value:,}")
        for row in published:
            line(f"{row['source']}: {_published(row)}; {row['verdict']}{_note(row)}")
        for found in predicted.values():
            tables.show_prediction(found, target.title)

    then = f"groupcomm train {name}" + "".join(f" --set {size}" for size in sizes or [])
    then = f"groupcomm evaluate {name}" if trained and not sizes else then
    result = {"name": name, **counts, "published": published}
    report(result | ({"boards": predicted} if board else {}), as_json, show, then=then)


def search(
    board: Annotated[
        str,
        typer.Option(
            "--board",
            help="Name of a board, e.g. nano33ble, or of a core at 100 MHz, e.g. cortex-m4.",
            autocompletion=complete_board,
        ),
    ],
    load: Annotated[
        float,
        typer.Option(
            "--load", metavar="PERCENT", min=1, max=1000, help="Highest load, in percent."
        ),
    ],
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NETWORK]...",
            help="Networks of the streaming family to start from; by default enhance and "
            "enhance-nano.",
            autocompletion=complete_network,
        ),
    ] = None,
    sizes: Sizes = None,
    count: Annotated[int, typer.Option(min=1, help="Number of networks to list.")] = 20,
    as_json: Json = False,
) -> None:
    """List sizes whose predicted load on a board is low enough, the largest capacity first.

    The capacity is the number of multiply-accumulates per hop. Blocks, features, hidden units,
    units of TAC and the bottleneck vary, except those that --set gives. The exit code is 1 when
    none fits.
    """
    from convert import boards
    from convert.measure import cost_model

    target = boards.find(board)
    with step("predict"):
        found = cost_model.search(
            names or ["enhance", "enhance-nano"],
            target,
            load / 100,
            given_sizes(sizes or []),
        )
    result = {
        "board": board,
        "load": load / 100,
        "candidates": found["candidates"],
        "fitting": len(found["networks"]),
        "networks": found["networks"][:count],
    }
    best = result["networks"][0] if result["networks"] else None
    then = f"groupcomm train {best['network']} {cost_model.options(best['set'])}" if best else ""
    report(result, as_json, lambda: tables.show_search(result, target.title), then=then)
    if best is None:
        raise typer.Exit(1)


def _cost_of_papers(as_json: bool) -> None:
    from tf_model import load_tensorflow

    load_tensorflow()
    from tf_model.paper import counts

    with step("count", len({row.name for row in counts.ROWS})) as shown:

        def tell(name: str) -> None:
            shown.update(f"count {name}")
            shown.advance()

        result = counts.table(tell)
    report(result, as_json, lambda: _show_papers(result))
    if not result["ok"]:
        raise typer.Exit(1)


def _show_papers(result: dict) -> None:
    params = new_table(
        "network", "parameters", "as PyTorch", "published", "difference", title="Parameters"
    )
    macs = new_table("network", "MACs", "as thop", "published", "difference", title="MACs of 4 s")
    for row in result["rows"]:
        name = row["network"]
        difference = _percent(row["params_difference_percent"])
        params.add_row(
            name,
            f"{row['params']:,}",
            f"{row['params_paper']:,}",
            row["published_params"] or "-",
            difference,
        )
        difference = _percent(row["macs_difference_percent"])
        macs.add_row(
            name,
            f"{row['macs_4s']:,}",
            f"{row['macs_4s_thop']:,}",
            row["published_macs_4s"] or "-",
            difference,
        )
    out.print(params, macs)
    for row in result["rows"]:
        line(f"{row['network']}, {row['source']}: {row['verdict']}{_note(row)}")
    for ratio in result["ratios"]:
        verdict = "exact" if ratio["exact"] else "differs"
        line(
            f"dprnn : gc-dprnn, {ratio['quantity']}: published {ratio['published']}, ours "
            f"{ratio['ours']:.2f}: {verdict}"
        )


def _percent(difference: float | None) -> str:
    return "-" if difference is None else f"{difference:+.2f} %"


def _note(row: dict) -> str:
    return f" ({row['note']})" if row["note"] else ""


def _published(row: dict) -> str:
    """Format the published counts of a row, each with the difference of ours."""
    pairs = (
        (row["published_params"], row["params_difference_percent"]),
        (row["published_macs_4s"], row["macs_difference_percent"]),
    )
    return ", ".join(
        f"{printed} ({_percent(difference)})" if printed else "-" for printed, difference in pairs
    )
