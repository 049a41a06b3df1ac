"""What must agree in a configuration that is made small: widths of parts, entries by layer, sections of rotations.

The library's default says it: entries of one value that name a width are one width, a list as long as there are layers
is by layer, and what numbers layers numbers fewer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

Config = dict[str, Any]

_COUNTS = ("num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers", "decoder_layers")
_NO_WIDTHS = ("max_position_embeddings", "n_positions", "max_seq_len")  # that are as large
# Lists with one entry a layer, in the order of how much they say of what the layer is.
_BY_LAYER = ("layer_types", "mlp_layer_types", "layers_block_type", "block_types")
_STAGES = ("depths", "hidden_sizes", "conv_dims")
OF_STAGES = ("out_features", "out_indices")  # names and numbers of layers that a backbone gives
# Entries that say how many heads a state-space layer has, and how wide each is.
_HEADS_OF_STATES = (("mamba_n_heads", "mamba_d_head"), ("n_mamba_heads", "mamba_headdim"))
_PARTS_OF_HEADS = ("qk_nope_head_dim", "qk_rope_head_dim")
_FEWEST, _MOST = 2, 5
# Entries that say how wide something of another part is.
_OTHER = (
    "cross|condition|cond|out|input|in|audio|speech|text|vision|image|encoder|decoder|backbone|qformer|llm|lm|"
    "language|context|kv|projector|output|latent|feature|codebook|vit|quantization"
)
_WIDTH_OF_OTHER = re.compile(
    rf"(^|_)({_OTHER})_(.*_)?(hidden_size|hidden_dim|dim|size|width|channels)$|_groups$|_hidden_size$"
)
_NO_WIDTH = re.compile(
    r"vocab|image_size|patch|kernel|window|codebook_size|intermediate|ffn|^input_size$|max_|num_.*(?<!groups)$"
)
_NUMBERS_LAYERS = re.compile(r"(index|indices|indexes|idx|idxs|layer_ids|hook_ids|layers|feature_layer)$")
_PICTURES = ("vision_config", "image_config", "backbone_config")
_ADAPTS = re.compile(r"adapt|project|connect")
_TOKEN = re.compile(r"(token|start|end|patch|pad|col|row)_(id|index)$")


@dataclass(frozen=True)
class Layers:
    """How many layers there are by default and after, and which of them stay."""

    before: int
    after: int
    chosen: tuple[int, ...]
    of_stages: bool

    counts: tuple[str, ...]

    @staticmethod
    def of(default: Mapping[str, Any], names: Mapping[str, str]) -> Layers:
        """By the entries that say how many there are, `names` being other names of entries."""
        counts = [key for key in default if names.get(key, key) in _COUNTS and _is_count(default[key])]
        counts.sort(key=lambda key: _COUNTS.index(names.get(key, key)))
        before = default[counts[0]] if counts else 0
        numbers = [
            len(set(value))
            for key, value in default.items()
            if (key in OF_STAGES or _numbers(key, value))
            and value
            and len(value) < before
            and value != [0, 1]
        ]
        stages = next((default[key] for key in _STAGES if isinstance(default.get(key), list | tuple)), None)
        after = min(max([_FEWEST, *(n for n in numbers if n <= _MOST)]), before)
        after = before if stages and len(stages) == before else after  # one layer a stage
        same = tuple(key for key in counts if default[key] == before)
        return Layers(before, after, _chosen(default, before, after), stages is not None, same)

    def told(self) -> Config:
        """The entries that say how many there are."""
        return dict.fromkeys(self.counts, self.after)

    def of_list(self, key: str, value: Sequence[Any], of_pictures: tuple[int, int]) -> list[Any] | None:
        """A list by layer, or one that numbers layers, for fewer of them; None for any other."""
        if key in _BY_LAYER or (len(value) == self.before > _MOST and not self.of_stages):
            if _numbers(key, value) and len(value) == self.before and max(value) >= self.after:
                return [
                    new if value[old] == old else min(value[old] * self.after // self.before, new)
                    for new, old in enumerate(self.chosen)
                ]
            return (
                [value[old] for old in self.chosen]
                if len(value) == self.before
                else _kinds(value, self.after)
            )
        if _numbers(key, value):
            before, after = (self.before, self.after) if self.before else of_pictures
            if before > after and max(value) >= after:
                fewer = [min(one * after // before, after - 1) for one in value]
                return fewer if len(value) <= after else sorted(set(fewer))[int(len(value) < before) :]
        return None

    def given(self, default: Mapping[str, Any]) -> Config:
        """Names and numbers of the layers that a backbone gives; its own choice where nothing says which those are."""
        found = {key: default[key] for key in OF_STAGES if key in default}
        if self.before == self.after:
            both = len(found) == len(OF_STAGES) and all(found.values())
            return found if both else dict.fromkeys(found)
        numbers: list[int] = []
        given = default.get("out_indices") or ()
        for place, one in enumerate(given):
            last = self.after - (len(given) - 1 - place)  # as near the end as those after it let it be
            numbers.append(one if one < 0 else min(-(-one * self.after // self.before), last))
        if not numbers or any(key not in default for key in OF_STAGES) or len(set(numbers)) < len(numbers):
            return dict.fromkeys(found)
        names = None if min(numbers) < 0 else [f"stage{one}" if one else "stem" for one in numbers]
        return {"out_features": names, "out_indices": numbers}

    def own(self, by_layer: Mapping[Any, Any]) -> dict[str, Any]:
        """What single layers have, by their number, for those that stay."""
        known = {int(number): value for number, value in by_layer.items()}
        return {str(new): known[old] for new, old in enumerate(self.chosen) if old in known}


def _numbers(key: str, value: Any) -> bool:
    whole = isinstance(value, list | tuple) and value and all(type(one) is int and one >= 0 for one in value)
    return bool(whole) and _NUMBERS_LAYERS.search(key) is not None


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _chosen(default: Mapping[str, Any], before: int, after: int) -> tuple[int, ...]:
    """As many of the layers, the first of them, and such that as much as can be of what layers are is among them."""
    lists = [default[key] for key in _BY_LAYER if _of_length(default.get(key), before)]
    kinds = [tuple(str(kind) for kind in of_one) for of_one in zip(*lists, strict=True)]
    if not kinds:
        return tuple(range(after))
    found = [0]
    while len(found) < after:
        seen = {(place, kind) for one in found for place, kind in enumerate(kinds[one])}
        left = [one for one in range(before) if one not in found]
        found.append(max(left, key=lambda one: (len({*enumerate(kinds[one])} - seen), -one)))
    return tuple(sorted(found))


def _of_length(value: Any, length: int) -> bool:
    return isinstance(value, list | tuple) and len(value) == length > 0


def _kinds(value: Sequence[Any], count: int) -> list[Any]:
    """So many entries, of all kinds in turn."""
    kinds = [entry for place, entry in enumerate(value) if entry not in value[:place]]
    return (kinds * count)[:count]


@dataclass(frozen=True)
class Ties:
    """Widths by the widths of the default; tokens by theirs; layers of the part for pictures, before and after."""

    widths: Mapping[int, int]
    tokens: Mapping[int, int]
    layers_of_pictures: tuple[int, int]
    heads: Mapping[int, int]  # of queries and keys, by the sum of their rotated and plain parts
    first: bool = False  # whether they come before the rules: in what fits one part to another

    @staticmethod
    def of(default: Mapping[str, Any], rules: Mapping[str, Any], width: int) -> Ties:
        every = list(_entries(default))
        projected = [(key, value) for key, value in every if key == "projection_dim"]
        wide = [(key, value) for key, value in every if rules.get(key) == width and key not in _NO_WIDTHS]
        widths = {
            value: rules[key]
            for key, value in (*projected, *wide)
            if type(value) is int and value >= width // 2
        }
        parts = [name for name in (*_PICTURES, *default) if isinstance(default.get(name), dict)]
        layers = (Layers.of(default[name], {}) for name in parts if name.endswith("config"))
        first = next((one for one in layers if one.before), None)
        seen = (first.before, first.after) if first else (0, 0)
        return Ties(widths, _tokens(every, rules), seen, _heads(every, rules))

    def of_part(self, name: str) -> Ties:
        return replace(self, first=_ADAPTS.search(name) is not None)

    def tied(self, key: str, value: Any) -> Any:
        """What an entry becomes that says how wide another part is, or which token stands for something."""
        if key.endswith("head_dim") and type(value) is int and value in self.heads:
            return self.heads[value]
        if _TOKEN.search(key) and type(value) is int:
            return self.tokens.get(value)
        if key.endswith("pos_feats") and type(value) is int and 2 * value in self.widths:
            return self.widths[2 * value] // 2  # of rows, then of columns
        of_other = _WIDTH_OF_OTHER.search(key) and not _NO_WIDTH.search(key)
        if not of_other and not (self.first and key.endswith(("hidden_size", "intermediate_size", "_dim"))):
            return None
        if isinstance(value, list | tuple):
            whole = [self.widths.get(one) for one in value if type(one) is int]
            return whole if len(whole) == len(value) and None not in whole else None
        parts = (part for part in (1, 2, 3, 4) if type(value) is int and value // part in self.widths)
        return next((part * self.widths[value // part] for part in parts if value % part == 0), None)


def _entries(default: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The entries of a configuration and of those nested in it."""
    for key, value in default.items():
        if isinstance(value, dict):
            yield from _entries(value)
        elif isinstance(key, str):
            yield key, value


def _tokens(every: Sequence[tuple[str, Any]], rules: Mapping[str, Any]) -> dict[int, int]:
    """The last tokens of the small vocabulary, for those that stand for something beyond it."""
    size = rules["vocab_size"]
    found = dict.fromkeys(
        value
        for key, value in every
        if _TOKEN.search(key) and key not in rules and type(value) is int and value >= size
    )
    return {value: size - 1 - place for place, value in enumerate(found) if place < size // 2}


def _heads(every: Sequence[tuple[str, Any]], rules: Mapping[str, Any]) -> dict[int, int]:
    parts = {key: value for key, value in every if key in _PARTS_OF_HEADS and type(value) is int and value}
    return (
        {sum(parts.values()): sum(rules[key] for key in parts)} if len(parts) == len(_PARTS_OF_HEADS) else {}
    )


def with_sections(rotation: Mapping[str, Any], width: int, part: float, known: bool) -> Config:
    """Parameters of a rotation whose sections sum to half of what is rotated of a head's width."""
    if not rotation or all(isinstance(one, dict) or one is None for one in rotation.values()):
        return {key: with_sections(one, width, part, known) if one else one for key, one in rotation.items()}
    sections = rotation.get("mrope_section")
    if sections is None and (not known or rotation.get("rope_type") != "default"):
        return dict(rotation)
    half = int(width * rotation.get("partial_rotary_factor", part)) // 2
    sections = sections or (1, 1, 1)
    smaller = [one * half // sum(sections) for one in sections]
    smaller[0] += half - sum(smaller)
    return {**rotation, "mrope_section": smaller}


def heads_of_stages(small: Config) -> Config:
    """Heads by stage, where those of the default do not divide the width of the first."""
    heads, width = small.get("num_heads"), small.get("embed_dim")
    if not isinstance(heads, list | tuple) or not isinstance(width, int) or width % heads[0] == 0:
        return {}
    return {"num_heads": [2 * one // heads[0] for one in heads]}


def side_of_stages(small: Config) -> Config:
    """Pictures of which a patch is left in the last of stages that each halve them."""
    stages, side, patch = small.get("depths"), small.get("image_size"), small.get("patch_size")
    if not isinstance(stages, list | tuple) or type(side) is not int or type(patch) is not int:
        return {}
    return {"image_size": max(side, patch * 2 ** (len(stages) - 1))}


def of_one_width(small: Config, default: Mapping[str, Any]) -> Config:
    """Heads and their widths, whose product is what is told apart by heads: a multiple of the hidden width."""
    before, after = default.get("hidden_size"), small.get("hidden_size")
    if not (_is_count(before) and _is_count(after)):
        return {}
    found: Config = {}
    wide = default.get("attention_hidden_size")
    if _is_count(wide) and wide % before == 0:
        found["attention_hidden_size"] = wide // before * after
        heads = default.get("num_attention_heads") or 1
        if default.get("attention_head_dim") == wide // heads:
            found["attention_head_dim"] = found["attention_hidden_size"] // small["num_attention_heads"]
    for heads, width in _HEADS_OF_STATES:
        if not (_is_count(small.get(heads)) and _is_count(small.get(width))):
            continue
        inner = small.get("mamba_d_ssm") or int(small.get("mamba_expand") or small.get("expand") or 1) * after
        if small[heads] * small[width] != inner:
            found[width] = max(inner // small[heads], 1)
            found[heads] = inner // found[width]
    return found


def patches_a_side(small: Config, default: Mapping[str, Any]) -> Config:
    """How many patches a picture has along a side, where that has an entry of its own."""
    side, patch = default.get("image_size"), default.get("patch_size")
    if not (_is_count(side) and _is_count(patch) and _is_count(small["image_size"])):
        return {}
    now = small["image_size"] // small["patch_size"]
    return {key: now for key in ("image_embedding_size",) if default.get(key) == side // patch}


def width_of_stages(default: Mapping[str, Any]) -> Config:
    """The width where it is the first of those of stages, which stay as they are."""
    width = default.get("hidden_size")
    lists = (value for key, value in default.items() if isinstance(value, list | tuple) and "stage" in key)
    return {"hidden_size": width} if any(value and value[0] == width for value in lists) else {}
