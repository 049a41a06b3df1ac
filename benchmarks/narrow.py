"""Configurations of transformers at a width that runs in a moment: the library's defaults, made small by rule.

A rule is for the name of an entry, in whatever model it occurs, or for what its default says (see `narrow_ties`), so
that it serves models that nobody has looked at. What a model needs beside is given by who asks.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from benchmarks.narrow_ties import (
    Config,
    Layers,
    Ties,
    heads_of_stages,
    of_one_width,
    patches_a_side,
    side_of_stages,
    width_of_stages,
    with_sections,
)

_HEADS, _WIDTH, _INNER = 4, 64, 96
# What an entry becomes where a model has it; one that is None stays so.
RULES: Config = {
    **dict.fromkeys(
        (
            "hidden_size",
            "n_embd",
            "d_model",
            "dim",
            "word_embed_proj_dim",
            "lru_width",
            "attention_hidden_size",
        ),
        _WIDTH,
    ),
    **dict.fromkeys(
        ("d_embed", "encoder_hidden_size", "embed_dim", "embedding_size", "embedding_dim"), _WIDTH
    ),
    **dict.fromkeys(("n_layer", "num_layers", "num_hidden_layers", "encoder_layers", "decoder_layers"), 2),
    **dict.fromkeys(("num_decoder_layers", "num_encoder_layers", "n_layers", "num_block_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "encoder_attention_heads", "n_heads"), _HEADS),
    **dict.fromkeys(("decoder_attention_heads", "num_heads", "num_decoder_heads"), _HEADS),
    **dict.fromkeys(
        ("intermediate_size", "encoder_ffn_dim", "decoder_ffn_dim", "d_ff", "hidden_dim"), _INNER
    ),
    **dict.fromkeys(("ffn_dim", "ffn_hidden_size", "d_inner", "intermediate_size_mlp"), _INNER),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads"), 2),
    **dict.fromkeys(
        ("d_kv", "head_dim", "mamba_d_head", "query_pre_attn_scalar", "d_head", "v_head_dim"),
        _WIDTH // _HEADS,
    ),
    **dict.fromkeys(("qk_rope_head_dim", "qk_nope_head_dim", "kv_lora_rank"), _WIDTH // _HEADS),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "moe_topk", "moe_k", "n_group", "time_step_rank"), 2),
    **dict.fromkeys(
        ("moe_intermediate_size", "shared_expert_intermediate_size", "expert_ffn_hidden_size"), 48
    ),
    **dict.fromkeys(("n_shared_experts", "topk_group", "first_k_dense_replace", "decoder_sparse_step"), 1),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_seq_len"), 64),
    **dict.fromkeys(("max_source_positions", "max_target_positions", "projection_dim"), 32),
    **dict.fromkeys(("conv_dim", "tdnn_dim"), (32, 32)),
    **dict.fromkeys(("num_queries", "two_stage_num_proposals"), 5),
    "vocab_size": 99,
    "out_hidden_size": _WIDTH,
    "rotary_dim": 8,
    "q_lora_rank": 32,
    "state_size": 8,
    "patch_size": 8,
    "image_size": 32,
    "sliding_window": 4,
    "num_mel_bins": 16,
    "conv_kernel": (3, 3),
    "conv_stride": (2, 2),
    "tdnn_kernel": (3, 3),
    "tdnn_dilation": (1, 1),
    "num_feat_extract_layers": 2,
    "classifier_proj_size": 32,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
# What a part for sound halves time by, in step with others.
_IN_STEP = ("conv_dim", "conv_kernel", "conv_stride", "num_feat_extract_layers")


def narrowed(default: Mapping[str, Any], entries: Mapping[str, Any]) -> Config:
    """A configuration made small by the rules, then with the entries given; those of its parts are nested."""
    return _part(default, entries, Ties.of(default, RULES, _WIDTH))


def _part(default: Mapping[str, Any], entries: Mapping[str, Any], ties: Ties, name: str = "") -> Config:
    names = _other_names(default.get("model_type"))
    layers = Layers.of(default, names)
    small: Config = {}
    for key, value in default.items():
        if isinstance(value, dict):
            small[key] = _nested(key, value, ties, layers)
        else:
            rule = (
                None
                if name and key in _IN_STEP
                else RULES.get(key, RULES.get(names.get(key, key.removesuffix("_per_layer"))))
            )
            small[key] = _small(key, value, rule, ties.of_part(name), layers)
    small |= layers.told()
    if default.get("num_key_value_heads") == default.get("num_attention_heads") is not None:
        small["num_key_value_heads"] = small["num_attention_heads"]  # heads that are not grouped stay so
    small |= layers.given(default)
    small |= heads_of_stages(small) | side_of_stages(small) | width_of_stages(default)
    small |= patches_a_side(small, default)
    _agree(small, default)
    for key, value in entries.items():
        nested = isinstance(value, dict) and isinstance(default.get(key), dict)
        small[key] = _part(default[key], value, ties, key) if nested else value
    return small


def _nested(key: str, value: dict[str, Any], ties: Ties, layers: Layers) -> Any:
    if value and all(
        str(one).isdecimal() and isinstance(own, dict) for one, own in value.items()
    ):  # what single layers have of their own
        return {number: _part(own, {}, ties) for number, own in layers.own(value).items()}
    return (
        _part(value, {}, ties, key)
        if key.endswith(("config", "encoder", "decoder"))
        else RULES.get(key, value)
    )


def _small(key: str, value: Any, rule: Any, ties: Ties, layers: Layers) -> Any:
    if value is None or isinstance(value, bool | str | float):
        return value
    if (value == 0 and key.endswith("dim")) or (
        value == 1 and ("expert" in key or "topk" in key)
    ):  # there is none, or no choice
        return value
    if key == "depths" and isinstance(value, list | tuple):
        return [1] * len(value)
    if isinstance(value, list | tuple) and (fewer := layers.of_list(key, value, ties.layers_of_pictures)):
        return [rule if isinstance(rule, int) and isinstance(one, int) else one for one in fewer]
    tied = ties.tied(key, value) if rule is None or ties.first or key.endswith("head_dim") else None
    if tied is not None:
        return tied
    if rule is None:
        return value
    if key == "patch_size" and type(value) is int and isinstance(rule, int):
        return min(value, rule)
    of_one_kind = isinstance(value, list | tuple) == isinstance(rule, tuple)
    return list(rule) if of_one_kind and isinstance(rule, tuple) else rule if of_one_kind else value


def _agree(small: Config, default: Mapping[str, Any]) -> None:
    """What must be the sum or the product of others."""
    small |= of_one_width(small, default)
    if isinstance(sides := small.get("axial_pos_embds_dim"), list | tuple) and small.get("hidden_size"):
        small["axial_pos_embds_dim"] = [small["hidden_size"] // len(sides)] * len(sides)
    if isinstance(small.get("context_size"), int) and small.get("max_position_embeddings"):
        small["context_size"] = min(small["context_size"], small["max_position_embeddings"])
    heads, width = small.get("num_attention_heads"), small.get("hidden_size")
    for key in ("rope_parameters", "rope_scaling"):
        if isinstance(small.get(key), dict) and isinstance(heads, int) and isinstance(width, int):
            rotated = small.get("head_dim") or width // heads
            known = _reads(small.get("model_type"), "mrope_section")
            small[key] = with_sections(small[key], rotated, small.get("partial_rotary_factor", 1.0), known)


def _other_names(kind: str | None) -> dict[str, str]:
    """The name that the rules have for entries of a model type, by the name that its configuration has for them."""
    mapping = import_module("transformers").CONFIG_MAPPING
    names = getattr(mapping[kind], "attribute_map", None) if kind in mapping else None
    return {own: common for common, own in (names or {}).items()}


def _reads(kind: str | None, entry: str) -> bool:
    """Whether the models of this type ask their configuration for an entry, which it need not have."""
    mapping = import_module("transformers").CONFIG_MAPPING
    if kind not in mapping:
        return False
    place = mapping[kind].__module__.replace(".configuration_", ".modeling_")
    try:
        return f'"{entry}"' in inspect.getsource(import_module(place))
    except (ImportError, OSError):
        return False
