"""Configurations of transformers at a width that runs in a moment: the library's defaults, made small by rule.

A rule is for the name of an entry, in whatever model it occurs, so that it serves models that nobody has looked at.
What a model needs beside (widths that must agree under names of its own) is given by who asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Config = dict[str, Any]

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
    **dict.fromkeys(("d_kv", "head_dim", "query_pre_attn_scalar", "d_head", "v_head_dim"), _WIDTH // _HEADS),
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
    "vocab_size": 99,
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
# What picks out layers by name or number is left to the library.
_OF_LAYERS = ("out_features", "out_indices")
# Lists with one entry a layer: as many of their different entries as there are layers.
_BY_LAYER = ("layer_types", "mlp_layer_types", "layers_block_type", "block_types")


def narrowed(default: Mapping[str, Any], entries: Mapping[str, Any]) -> Config:
    """A configuration made small by the rules, then with the entries given; those of its parts are nested."""
    small = {key: _small(key, value, entries) for key, value in default.items()}
    layers = next((small[k] for k in ("num_hidden_layers", "num_layers", "n_layer") if small.get(k)), 2)
    for key in _BY_LAYER:
        if isinstance(small.get(key), list | tuple):
            kinds = list(dict.fromkeys(map(_hashable, small[key])))
            small[key] = (kinds * layers)[:layers]
    if default.get("num_key_value_heads") == default.get("num_attention_heads") is not None:
        small["num_key_value_heads"] = small["num_attention_heads"]  # heads that are not grouped stay so
    small |= dict.fromkeys((key for key in _OF_LAYERS if key in small), None)
    for key, value in entries.items():
        nested = isinstance(value, dict) and isinstance(default.get(key), dict)
        small[key] = narrowed(default[key], value) if nested else value
    return small


def _small(key: str, value: Any, entries: Mapping[str, Any]) -> Any:
    if isinstance(value, dict) and key.endswith(("config", "encoder", "decoder")):
        return narrowed(value, {})
    if key == "depths" and isinstance(value, list | tuple):
        return [1] * len(value)
    rule = RULES.get(key)
    if rule is None or value is None or isinstance(value, bool | str):
        return value
    of_one_kind = isinstance(value, list | tuple) == isinstance(rule, tuple)
    return list(rule) if of_one_kind and isinstance(rule, tuple) else rule if of_one_kind else value


def _hashable(entry: Any) -> Any:
    return tuple(entry) if isinstance(entry, list) else entry
