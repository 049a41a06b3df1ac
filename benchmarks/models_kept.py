"""Models beside the list of the zoo, at small width: which pass, and what is said of the others.

    python -m benchmarks.models_kept                      # all of `kept_back`, then the table into docs/models.md
    python -m benchmarks.models_kept --only fnet levit    # these alone, printed; any model type of transformers serves

A model passes where it is captured, lowered and verified, and the reference interpreter gives what eager gives within
1e-4 after all passes. One that picks rows by their scores may order two that are nearer than rounding otherwise than
eager, and all numbers after it are of other rows: such a model is asked again in 64 bits, and passes within 1e-9. Its
work is compared with what torch's FlopCounterMode counts, where that differs over the calls that results need. Each
runs in a process of its own, with limits of CPU seconds (`--seconds`) and memory, and what was found is kept
(`--keep`), so that a run that was cut off goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.flops import Needed
from benchmarks.kept_back import DIFFUSERS, LATER, PICTURES, TRANSFORMERS, Tried
from benchmarks.models import first_sentence
from benchmarks.narrow import narrowed
from benchmarks.page import MODELS, ROOT, put_section

HEADING = "## Models beside the list"
TOLERANCE = 1e-4
EXACT_TOLERANCE = 1e-9  # in 64 bits
WORK_TOLERANCE = 1e-3
_NOT_CALLED = ("arguments: ", "not called: ")  # how what was said of such a model begins
MEMORY_BYTES = 10 * 2**30  # of addresses, of which torch takes more than it fills
# Which class a model type has, where none is named: the first of these tasks that it is for.
_TASKS = (
    *("CAUSAL_LM", "SEQ_TO_SEQ_CAUSAL_LM", "IMAGE_TEXT_TO_TEXT", "IMAGE_CLASSIFICATION", "MASKED_LM"),
    *("SPEECH_SEQ_2_SEQ", "CTC", "TIME_SERIES_PREDICTION"),
)
# Sizes that networks of torchvision need, by how their names begin; pictures of 96 pixels do for the others.
_SIZES = {
    **dict.fromkeys(("vit", "maxvit", "swin_"), (224, 224)),
    **dict.fromkeys(("r3d", "mc3", "r2plus1d"), (8, 56, 56)),
    **dict.fromkeys(("s3d", "mvit"), (16, 224, 224)),
    "swin3d": (8, 64, 64),
    "inception": (128, 128),
}


@dataclass(frozen=True)
class Row:
    """What became of one model; `error` is empty where it passes."""

    library: str
    name: str
    error: str = ""
    nodes: int = 0
    macs: int = 0
    difference: float = 0.0
    cpu_s: float = 0.0
    counted_macs: int = 0  # by torch's FlopCounterMode in eager mode
    needed: Needed | None = None  # where these differ: over the calls that results need
    exact_difference: float | None = (
        None  # in 64 bits, where rows are picked by scores that are nearer than rounding
    )


def main() -> None:
    given = _arguments()
    chosen = [pair for pair in asked(given.keep) if not given.only or pair[1] in given.only]
    strangers = set(given.only) - {name for _, name in chosen}
    chosen += [("transformers", name) for name in sorted(strangers)]
    _preload()
    if given.seconds:
        rows = [_asked(*pair, given) for pair in chosen]
    else:
        rows = [_read(file) for pair in chosen if (file := _file(*pair, given)).exists()]
    text = section(rows)
    if not given.only:
        put_section(MODELS, text)
    print(json.dumps([asdict(row) for row in rows], indent=1) if given.json else text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--only", nargs="*", default=[], help="these models alone; docs/models.md stays as it is"
    )
    parser.add_argument("--seconds", type=int, default=120, help="CPU seconds for a model; 0 asks none")
    parser.add_argument("--again", nargs="*", default=[], help="models to ask again, of those that are kept")
    folder = ROOT / "build" / "models_kept"
    parser.add_argument("--keep", type=Path, default=folder, help="folder of what was found, model by model")
    parser.add_argument("--json", action="store_true", help="the rows as JSON")
    return parser.parse_args()


def known() -> list[tuple[str, str]]:
    """(library, model) of every model asked."""
    from benchmarks.kept_back_nets import NETS

    names: dict[str, Iterable[str]] = {
        "transformers": TRANSFORMERS,
        "diffusers": DIFFUSERS,
        "torch.nn": NETS,
        **PICTURES,
    }
    return [(library, name) for library, models in names.items() for name in models]


def asked(keep: Path) -> list[tuple[str, str]]:
    """Those of `known` whose library is installed, or of which something is kept."""
    return [
        pair
        for pair in known()
        if pair[0] not in PICTURES or find_spec(pair[0]) or _kept_in(keep, *pair).exists()
    ]


def _asked(library: str, name: str, given: argparse.Namespace) -> Row:
    """The row of a model: what is kept of it, or else a new one."""
    file = _file(library, name, given)
    if file.exists() and not (given.only or name in given.again):
        return _read(file)
    row = _in_a_process(library, name, given.seconds)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(row)), encoding="utf-8")
    return row


def _file(library: str, name: str, given: argparse.Namespace) -> Path:
    return _kept_in(given.keep, library, name)


def _kept_in(folder: Path, library: str, name: str) -> Path:
    return folder / f"{library}-{name}.json".replace(" ", "_")


def _read(file: Path) -> Row:
    row = json.loads(file.read_text(encoding="utf-8"))
    return Row(**{**row, "needed": Needed(**row["needed"]) if row.get("needed") else None})


def _preload() -> None:
    """Import what every model needs, so that no process spends its time on it."""
    for name in ("transformers", "diffusers", "wsc.commands.run", "wsc.frontend.hf", "wsc.frontend.capture"):
        import_module(name)


def _in_a_process(library: str, name: str, seconds: int) -> Row:
    processes = get_context("fork")
    receiver, sender = processes.Pipe(duplex=False)
    process = processes.Process(target=_send, args=(sender, library, name, seconds))
    process.start()
    sender.close()
    try:
        row: Row = receiver.recv()
    except EOFError:  # it ended without an answer
        process.join()
        row = Row(
            library,
            name,
            f"no answer in {seconds} CPU seconds, or stopped by signal {-(process.exitcode or 0)}",
        )
    process.join()
    print(f"{library} {name}: {row.error or 'passes'}", file=sys.stderr, flush=True)
    return row


def _send(sender: Connection, library: str, name: str, seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    sender.send(judged(library, name))


def judged(library: str, name: str) -> Row:
    """Capture, lower, verify, run and compare one model, in this process."""
    from benchmarks.flops import counted_macs, needed_macs
    from wsc.compiler.errors import UserError

    start = time.process_time()
    try:
        module, inputs = _made(library, name)
        captured, worst = _compared(module, inputs, name)
        took, counted = time.process_time() - start, counted_macs(captured)
        graph = captured.model.graph
        needed = None
        if not _equal(graph.work().macs, counted):
            with suppress(RuntimeError):  # of a view that other kernels than eager's do not allow
                needed = needed_macs(captured)
        exact = None
        if worst > TOLERANCE and any(node.op.kind == "topk" for node in graph):
            _, exact = _compared(module.double(), _in_64_bits(inputs), name)
    except UserError as error:
        return Row(library, name, f"{type(error).__name__}: {_short(error)}")
    except Exception as error:
        return Row(library, name, f"fails: {type(error).__name__}: {_short(error)}")
    agrees = worst <= TOLERANCE or (exact is not None and exact <= EXACT_TOLERANCE)
    said = "" if agrees else f"differs from eager by {worst:.1e}"
    return Row(library, name, said, len(graph.nodes), graph.work().macs, worst, took, counted, needed, exact)


def _equal(macs: int, counted: int) -> bool:
    return abs(macs - counted) <= WORK_TOLERANCE * counted


def _compared(module: Any, inputs: Any, name: str) -> tuple[Any, float]:
    """The model captured, and how far the interpreter after all passes is from eager."""
    from wsc.commands.run import relative_error
    from wsc.compiler.ir.interpret import interpret
    from wsc.compiler.ir.verify import verify
    from wsc.compiler.passes.pipeline import run_pipeline
    from wsc.frontend.capture import capture

    captured = capture(module, inputs, name)
    verify(captured.model.graph)
    model = run_pipeline(captured.model)
    assert captured.example_inputs is not None
    ours = interpret(model.graph, captured.example_inputs, model.weights)
    theirs = captured.reference(captured.example_inputs)
    return captured, max(relative_error(a, b) for a, b in zip(ours, theirs, strict=True))


def _in_64_bits(inputs: Any) -> Any:
    import torch

    def wide(leaf: Any) -> Any:
        return leaf.double() if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() else leaf

    return torch.utils._pytree.tree_map(wide, inputs)


def _short(error: Exception) -> str:
    """The first sentence, and for operations that are not known the first of them."""
    lines = str(error).splitlines() or [""]
    said = (
        " ".join(line.strip() for line in lines[:2]) if lines[0].endswith(":") else first_sentence(lines[0])
    )
    return said.replace("|", "/")[:300]


def _made(library: str, name: str) -> tuple[Any, Any]:
    """A module with random weights, and its example inputs."""
    import torch

    torch.manual_seed(0)
    if library == "torch.nn":
        from benchmarks.kept_back_nets import NETS

        return NETS[name]()
    if library in PICTURES:
        return _by_name(library, name)
    from wsc.frontend.hf import load_hf

    config = {"_class_name": name, **DIFFUSERS[name]} if library == "diffusers" else _narrow(name)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config), encoding="utf-8")
        source = load_hf(f"hf:{folder}", {"weights": "random", "seq": "9"})
    return source.module, source.example_inputs


def _by_name(library: str, name: str) -> tuple[Any, Any]:
    """A network of torchvision or timm at its own size, and a picture or a video of the size it takes."""
    import torch

    if library == "timm":
        module = import_module("timm").create_model(name, pretrained=False)
        return module, (torch.randn(1, *module.default_cfg["input_size"]),)
    models = import_module("torchvision.models")
    heads = {"weights_backbone": None} if name.startswith(("deeplab", "fcn", "lraspp")) else {}
    module = models.get_model(name, weights=None, **heads)
    if name.startswith("raft"):
        return module, (torch.randn(1, 3, 128, 128), torch.randn(1, 3, 128, 128))
    size = next((size for start, size in _SIZES.items() if name.startswith(start)), (96, 96))
    return module, (torch.randn(1, 3, *size),)


def _narrow(kind: str) -> dict[str, Any]:
    """The default configuration of a model type of transformers, made small."""
    transformers = import_module("transformers")
    entries = dict(TRANSFORMERS.get(kind, {}))
    given = entries.pop("class", None)
    default = transformers.CONFIG_MAPPING[kind]().to_dict()
    config = narrowed(default, entries)
    left_out = {"dtype", "torch_dtype", "transformers_version"}
    small = {key: value for key, value in config.items() if key not in left_out} | {"model_type": kind}
    names = [given] if given else _classes_of(kind, default)
    built = (name for name in names if len(names) == 1 or _builds(small, name))
    named = next(built, None)
    return {**small, "architectures": [named] if named else None}


def _classes_of(kind: str, default: dict[str, Any]) -> list[str]:
    """The classes for the tasks that a model type is for, in their order; not those for a part of it."""
    transformers = import_module("transformers")
    tables = import_module("transformers.models.auto.modeling_auto")
    parts = {value.get("model_type") for value in default.values() if isinstance(value, dict)}
    found: dict[str, None] = {}
    for task in _TASKS:
        names = getattr(tables, f"MODEL_FOR_{task}_MAPPING_NAMES").get(kind) or ()
        found |= dict.fromkeys((names,) if isinstance(names, str) else names)
    return [name for name in found if getattr(transformers, name).config_class.model_type not in parts]


def _builds(small: dict[str, Any], name: str) -> bool:
    """Whether the library makes a model of this class of a configuration."""
    import torch

    transformers = import_module("transformers")
    try:
        config = transformers.CONFIG_MAPPING[small["model_type"]].from_dict(dict(small))
        with torch.device("meta"):
            getattr(transformers, name)._from_config(config)
    except Exception:  # whatever it is, another may do
        return False
    return True


def section(rows: Sequence[Row]) -> str:
    """The part of the page on models beside the list."""
    passed = [row for row in rows if not row.error]
    share = len(passed) / max(len(rows), 1)
    lines = [
        HEADING,
        "",
        "Written by `python -m benchmarks.models_kept`: other models of the same libraries, at small width,",
        "each from its configuration to the graph after all passes, its numbers compared with eager's (1e-4).",
        "Networks of torchvision and timm, where these are installed, at their own width.",
        "",
        *_of_near_scores(passed),
        f"{len(passed)} of {len(rows)} asked pass ({share:.0%}); {len(known())} are on the list:",
    ]
    for library in dict.fromkeys(row.library for row in rows):
        names = ", ".join(row.name for row in passed if row.library == library)
        lines += ["", f"- {library}: {names or 'none'}"]
    lines += _of_first_tries()
    lines += _of_work(passed)
    if failed := [row for row in rows if row.error]:
        lines += ["", "| model | what is said |", "|---|---|"]
        lines += [f"| {row.name} | {row.error} |" for row in failed]
    return "\n".join(lines) + "\n"


def _of_near_scores(passed: Sequence[Row]) -> list[str]:
    """Which models pick other rows than eager in 32 bits, and how near to it they are in 64."""
    near = [row for row in passed if row.exact_difference is not None]
    if not near:
        return []
    told = ", ".join(f"{row.name} ({row.exact_difference:.0e})" for row in near)
    return [
        "Some pick rows by their scores; where two are nearer than rounding, eager and a program may pick either, and",
        f"numbers differ in 32 bits. These are held against eager in 64 bits: {told}.",
        "",
    ]


def _of_first_tries() -> list[str]:
    """How the later lists fared before anything was mended for them."""
    asked = {name: models for name, models in LATER.items() if all(one.first is not None for one in models)}
    lines = [
        "",
        "Later lists at the first try, before anything was mended for their models. One is *not called* where `hf:`",
        "made no or wrong arguments, the library has no model for the type, or its configuration made small",
        "contradicts itself; networks of torchvision and timm are called with a picture.",
        "",
        "| list | models | pass | not called | of those called, pass | by library |",
        "|---|---|---|---|---|---|",
    ]
    return lines + [_of_first_try(name, models) for name, models in asked.items()]


def _of_first_try(name: str, models: Sequence[Tried]) -> str:
    passed = [one for one in models if not one.first]
    not_called = [one for one in models if (one.first or "").startswith(_NOT_CALLED)]
    libraries = {
        library: f"{sum(one.library == library for one in passed)} of "
        f"{sum(one.library == library for one in models)} of {library}"
        for library in dict.fromkeys(one.library for one in models)
    }
    return (
        f"| {name}, `benchmarks/kept_back_{name}.json` | {len(models)} | {len(passed)} "
        f"({len(passed) / len(models):.0%}) | {len(not_called)} | "
        f"{len(passed) / (len(models) - len(not_called)):.0%} | {', '.join(libraries.values())} |"
    )


def _of_work(rows: Sequence[Row]) -> list[str]:
    """How many have the work that torch counts, over all calls or over those that results need, and the others."""
    other = [row for row in rows if not _equal(row.macs, row.counted_macs)]
    left = [row for row in other if row.needed is None or not _equal(row.needed.macs, row.needed.counted)]
    lines = [
        "",
        f"Multiply-accumulates are those of torch's FlopCounterMode within {WORK_TOLERANCE:.1%} in",
        f"{len(rows) - len(other)} of {len(rows)} over one eager call; in {len(rows) - len(left)} over the calls that",
        "results need, the calls that it has no formula for left out on both sides (`benchmarks.flops.needed_macs`).",
    ]
    if other:
        lines += [
            "",
            "| model | MACs | counted by torch | of calls that it counts, needed | counted of these | of other calls |",
            "|---|---|---|---|---|---|",
            *map(_of_one, other),
        ]
    return lines


def _of_one(row: Row) -> str:
    needed = row.needed
    told = ("", "", "")
    if needed is not None:
        others = ", ".join(f"{call} {macs:,}" for call, macs in needed.others.items())
        told = (f"{needed.macs:,}", f"{needed.counted:,}", others)
    return f"| {row.name} | {row.macs:,} | {row.counted_macs:,} | {' | '.join(told)} |"


if __name__ == "__main__":
    main()
