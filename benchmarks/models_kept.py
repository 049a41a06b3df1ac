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
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.flops import Needed
from benchmarks.kept_back import DIFFUSERS, PICTURES, TRANSFORMERS
from benchmarks.kept_back_page import Row, equal_work, section
from benchmarks.models import first_sentence
from benchmarks.narrow import narrowed
from benchmarks.page import MODELS, ROOT, put_section

TOLERANCE = 1e-4
EXACT_TOLERANCE = 1e-9  # in 64 bits
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
    text = section(rows, len(known()))
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
        if not equal_work(graph.work().macs, counted):
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


if __name__ == "__main__":
    main()
