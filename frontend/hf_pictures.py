"""Pictures as models of transformers take them: whole, several at once, or cut into patches by the caller."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from math import isqrt
from typing import Any

import torch
from torch import Tensor

from wsc.frontend.hf_call import Call
from wsc.frontend.hf_trials import Way

# How the names of arguments end that say how large each picture is.
OF_SIZES = ("grid_thw", "grid_hw", "target_sizes", "image_sizes", "original_sizes", "spatial_shapes")
_PLACES_OF_PATCHES = re.compile(r"^(pixel|image|patch)_position_ids$")
_MARKS = ("image_token_id", "image_token_index", "video_token_id", "video_token_index")
_SIZES = ("image_size", "crop_size", "input_size")


def pixels(call: Call) -> Tensor:
    """Pictures; with one dimension more for the frames of a video, or where a text may have several pictures."""
    config = call.of_pictures
    frames = getattr(config, "num_frames", None) or getattr(config, "frames_per_clip", None)
    several = {
        "pixel_attention_mask",
        "input_ids",
    } <= call.takes.keys() and "spatial_shapes" not in call.takes
    of_each = (frames,) if frames else (1,) if several else ()
    return _pictures(call, *of_each)


def other_pixels(call: Call, made: dict[str, Tensor]) -> Iterator[Way]:
    """Other ways to give a model the pictures among its arguments, `made` for all else, the likelier first."""
    name = next((name for name in ("pixel_values", "hidden_states") if name in made), None)
    if name is None:
        return
    yield from _by_patches(call, made, name)
    if name == "hidden_states":
        return
    if "spatial_shapes" in call.takes:
        yield _padded(call, made)
    if made[name].dim() == 5:
        yield Way({**made, name: _pictures(call)})
    for part in call.parts():
        if part is not call.of_pictures and any(getattr(part, size, None) for size in _SIZES):
            yield Way({**made, name: _pictures(call, part=part)})
    for count in (1, 2):
        more = {"image_attention_mask": torch.ones(call.batch, call.seq, count, dtype=torch.int64)}
        more = {key: value for key, value in more.items() if key in call.takes}
        yield Way({**made, name: _pictures(call, count), **more})
    if "input_ids" in made and name not in call.asked:
        yield Way({key: value for key, value in made.items() if key != name})


def _by_patches(call: Call, made: dict[str, Tensor], name: str) -> Iterator[Way]:
    """With pictures cut into patches, where an argument says how many, or where each is."""
    for key in call.takes:
        if key.endswith(("grid_thw", "grid_hw")):
            yield from _packed_ways(call, {key: _grid(call, key)}, made, name)
        elif name != "hidden_states" and _PLACES_OF_PATCHES.search(key):
            yield _with_places(call, made, name, key)


def _packed_ways(
    call: Call, fixed: dict[str, list[list[int]]], made: dict[str, Tensor], name: str
) -> Iterator[Way]:
    """Patches of all pictures in one row, with their grids fixed, and how many are merged where that is asked for."""
    (grid,) = fixed.values()
    merged = {"merge_sizes": [2] * call.batch} if "merge_sizes" in call.takes else {}
    others = {key: value for key, value in made.items() if key not in merged}
    yield from (Way({**others, name: patches}, {**fixed, **merged}) for patches in _packed(call, grid))


def flattened_patches(call: Call) -> Tensor:
    """Patches of pictures of any size, each with its row and column before its pixels."""
    side = max(isqrt(call.seq), 1)
    places = torch.arange(call.seq)
    grid = torch.stack([places // side + 1, places % side + 1], 1).expand(call.batch, -1, -1)
    return torch.cat([grid, torch.randn(call.batch, call.seq, call.entry("patch_embed_hidden_size"))], 2)


def with_pictures(model: Any, config: Any, made: dict[str, Tensor]) -> Tensor:
    """Tokens after as many tokens of a picture as the model makes of one, where it puts them among the others."""
    mark = next((mark for name in _MARKS if (mark := getattr(config, name, None)) is not None), None)
    features = getattr(model, "get_image_features", None) or getattr(model, "get_video_features", None)
    tokens = made["input_ids"]
    if mark is None or features is None:
        return tokens
    wanted = inspect.signature(features).parameters
    with torch.no_grad():
        found = features(**{key: made[key] for key in wanted if key in made})
    found = getattr(found, "pooler_output", found)
    rows = sum(part.shape[:-1].numel() for part in ([found] if isinstance(found, Tensor) else found))
    marks = torch.full((len(tokens), rows // len(tokens)), mark, device=tokens.device)
    return torch.cat([marks, tokens.where(tokens != mark, 0 if mark else 1)], 1)


def sizes_of(call: Call, name: str, inputs: Mapping[str, Any]) -> list[list[int]] | None:
    """Rows and columns of each picture, of patches or of pixels as the name of the argument says; None for others."""
    pixels = next((value for key, value in inputs.items() if key.startswith("pixel_values")), None)
    if name not in ("target_sizes", "image_sizes", "original_sizes") or not isinstance(pixels, Tensor):
        return None
    size = getattr(call.of_pictures, "patch_size", None) or 1
    rows, columns = (size, size) if isinstance(size, int) else size
    by = (rows, columns) if name == "target_sizes" else (1, 1)
    return [[pixels.shape[-2] // by[0], pixels.shape[-1] // by[1]]] * len(pixels)


def _pictures(call: Call, *of_each: int, part: Any = None) -> Tensor:
    config = part or call.of_pictures
    size = next(
        filter(None, (getattr(config, name, None) for name in _SIZES)), 224
    )  # what most are trained on
    height, width = (size, size) if isinstance(size, int) else size
    if "prompt_pixel_values" in call.takes:  # the size is of both, one above the other
        height //= 2
    return torch.randn(call.batch, *of_each, _channels(config), height, width)


def _channels(config: Any) -> int:
    names = ("num_channels", "in_channels", "in_chans")
    return int(next(filter(None, (getattr(config, name, None) for name in names)), 3))


def _side(call: Call) -> int:
    """Patches along a side of a small picture: twice as many as are merged."""
    merged = call.entry("spatial_merge_size", "merge_size", "downsample_factor", "pooling_kernel_size") or 1
    return 2 * max(int(merged) if isinstance(merged, int) else 2, 2)


def _grid(call: Call, name: str) -> list[list[int]]:
    """Frames (where there are any), rows and columns of patches of each picture."""
    side = _side(call)
    return [[1, side, side] if name.endswith("thw") else [side, side]] * call.batch


def _packed(call: Call, grid: list[list[int]]) -> Iterator[Tensor]:
    """The patches of all pictures in one row: flat over frames and pixels, or each a small picture."""
    config = call.of_pictures
    size = getattr(config, "patch_size", None) or 14
    height, width = (size, size) if isinstance(size, int) else size
    channels, frames = _channels(config), getattr(config, "temporal_patch_size", None) or 1
    count = sum(row[-1] * row[-2] for row in grid)
    yield torch.randn(count, channels * frames * height * width)
    yield torch.randn(count, channels, height, width)
    yield torch.randn(1, count, channels, height, width)
    yield torch.randn(count, height, width, channels)


def _with_places(call: Call, made: dict[str, Tensor], name: str, places: str) -> Way:
    """As many patches of each picture, with the column and the row of each."""
    side, config = _side(call), call.of_pictures
    size = getattr(config, "patch_size", None) or 16
    patches = torch.randn(call.batch, side * side, _channels(config) * size**2)
    rows = torch.arange(side * side)
    grid = torch.stack([rows % side, rows // side], 1).expand(call.batch, -1, -1)
    return Way({**made, name: patches, places: grid})


def _padded(call: Call, made: dict[str, Tensor]) -> Way:
    """As many patches of each picture, which may have sides of their own."""
    side, config = _side(call), call.of_pictures
    size = getattr(config, "patch_size", None) or 16
    patches = torch.randn(call.batch, side * side, _channels(config) * size**2)
    masks = {"pixel_attention_mask": torch.ones(call.batch, side * side, dtype=torch.int64)}
    masks = {key: value for key, value in masks.items() if key in call.takes}
    return Way({**made, "pixel_values": patches, **masks}, {"spatial_shapes": [[side, side]] * call.batch})
