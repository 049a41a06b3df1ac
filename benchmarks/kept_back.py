"""Models beside the list of `zoo`: what `benchmarks.models_kept` asks, by library, with what makes each small.

Models of transformers are the library's defaults made small by the rules of `narrow`, and the entries given here where
widths must agree under names of their own; `class` is the class, where the library's own choice is not the one meant.
Models of diffusers are configurations; those of torch.nn are in `kept_back_nets`. Models that could not be captured
when this list was made are on it too.

Later lists are in `kept_back_<name>.json`, with what was said at the first try of each model, null where it was not
asked yet. The third was drawn by lot: of the model types of transformers on no list a hundred, and of these all whose
default configuration, made small by the rules, transformers itself builds. The fourth likewise, and fixed before any
of its models was tried: `random.Random(4).sample` of 80 of the 267 types, sorted, that have a class in the tables
`MODEL_*_MAPPING_NAMES` and that no list or test named, of which 51 were built by transformers from what the rules made
of them; and of 20 of the 123 classes of diffusers that were on no list, configurations written from their signatures.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Config = dict[str, Any]


@dataclass(frozen=True)
class Tried:
    """A model of a later list, and what was said of it before anything was mended for it; nothing if it passed.

    None where it was not asked yet.
    """

    library: str
    name: str
    entries: Config
    first: str | None


def _later(name: str) -> tuple[Tried, ...]:
    text = Path(__file__).with_name(f"kept_back_{name}.json").read_text(encoding="utf-8")
    return tuple(Tried(**one) for one in json.loads(text))


LATER = {name: _later(name) for name in ("second", "third", "fourth")}

_CONVOLVED = {"image_size": 64}

TRANSFORMERS: dict[str, Config] = {
    # decoders
    **{kind: {} for kind in ("phi", "mpt", "gptj", "gpt_bigcode", "codegen", "persimmon", "starcoder2")},
    **{
        kind: {}
        for kind in ("glm", "glm4", "helium", "diffllama", "ernie4_5", "smollm3", "exaone4", "nanochat")
    },
    **{
        kind: {}
        for kind in ("biogpt", "ctrl", "xglm", "openai-gpt", "olmo", "cohere2", "arcee", "bitnet", "seed_oss")
    },
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "attention_layers": ["global", "local"]},
    # mixtures of experts, state-space and hybrid models
    **{
        kind: {}
        for kind in (
            "jetmoe",
            "granitemoe",
            "phimoe",
            "minimax",
            "glm4_moe",
            "ernie4_5_moe",
        )
    },
    "hunyuan_v1_moe": {"head_dim": 16},
    "mobilebert": {"intra_bottleneck_size": 64},
    **{
        kind: {}
        for kind in ("rwkv", "xlstm", "recurrent_gemma", "jamba", "qwen3_next", "lfm2", "olmo_hybrid")
    },
    # encoders
    **{
        kind: {}
        for kind in ("roberta", "xlm", "xlnet", "mpnet", "camembert", "roformer", "rembert", "nystromformer")
    },
    **{
        kind: {}
        for kind in (
            "big_bird",
            "longformer",
            "fnet",
            "yoso",
            "funnel",
            "ibert",
            "tapas",
        )
    },
    "esm": {"vocab_size": 33, "mask_token_id": 32, "pad_token_id": 1},
    # encoders with decoders
    **{kind: {} for kind in ("m2m_100", "pegasus", "prophetnet", "longt5", "led", "mbart", "umt5", "fsmt")},
    **{kind: {} for kind in ("switch_transformers", "nllb-moe")},
    # pictures
    **{kind: {} for kind in ("vit_msn", "pvt", "cvt", "poolformer", "focalnet", "hiera", "dpt")},
    **{kind: {} for kind in ("mobilenet_v1", "mobilenet_v2", "bit", "swiftformer", "yolos", "ijepa")},
    "mobilevit": {"initializer_range": 0.2},  # else no number is left after its layers
    "beit": {"out_features": ["stage2"], "out_indices": [2]},
    "levit": {"image_size": 64, "patch_size": 16},
    "superpoint": {"class": "SuperPointForKeypointDetection"},
    # pictures with words
    **{kind: {} for kind in ("clip", "siglip", "blip", "vilt")},
    "align": {"vision_config": {"width_coefficient": 0.1, "depth_coefficient": 0.3}},
    # sound and series
    **{kind: {} for kind in ("hubert", "wavlm", "sew", "unispeech-sat", "speech_to_text", "moonshine")},
    **{kind: {} for kind in ("patchtsmixer", "vits")},
    "time_series_transformer": {"prediction_length": 4, "context_length": 8},
}

_UNET = {"sample_size": 16, "block_out_channels": [16, 32], "norm_num_groups": 8, "layers_per_block": 1}
DIFFUSERS: dict[str, Config] = {
    "UNet2DModel": {
        **_UNET,
        "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
        "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
        "attention_head_dim": 4,
    },
    "UNet1DModel": {
        "sample_size": 64,
        "in_channels": 2,
        "out_channels": 2,
        "extra_in_channels": 64,
        "block_out_channels": [32, 64],
        "down_block_types": ["DownBlock1DNoSkip", "DownBlock1D"],
        "up_block_types": ["UpBlock1D", "UpBlock1DNoSkip"],
    },
    "UNet3DConditionModel": {
        **_UNET,
        "down_block_types": ["CrossAttnDownBlock3D", "DownBlock3D"],
        "up_block_types": ["UpBlock3D", "CrossAttnUpBlock3D"],
        "cross_attention_dim": 16,
        "attention_head_dim": 4,
    },
    "UNetSpatioTemporalConditionModel": {
        "sample_size": 16,
        "block_out_channels": [32, 32],
        "down_block_types": ["CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"],
        "up_block_types": ["UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"],
        "cross_attention_dim": 16,
        "num_attention_heads": 2,
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 24,
        "layers_per_block": 1,
        "transformer_layers_per_block": 1,
        "num_frames": 3,
    },
    "PixArtTransformer2DModel": {
        "num_attention_heads": 2,
        "attention_head_dim": 8,
        "num_layers": 2,
        "sample_size": 8,
        "cross_attention_dim": 16,
        "caption_channels": 12,
    },
    "SD3Transformer2DModel": {
        "sample_size": 8,
        "in_channels": 4,
        "num_layers": 2,
        "attention_head_dim": 8,
        "num_attention_heads": 2,
        "joint_attention_dim": 16,
        "caption_projection_dim": 16,
        "pooled_projection_dim": 16,
        "out_channels": 4,
        "pos_embed_max_size": 8,
    },
    "HunyuanDiT2DModel": {
        "sample_size": 8,
        "patch_size": 2,
        "in_channels": 4,
        "num_layers": 2,
        "attention_head_dim": 8,
        "num_attention_heads": 2,
        "cross_attention_dim": 16,
        "cross_attention_dim_t5": 16,
        "pooled_projection_dim": 8,
        "hidden_size": 16,
        "text_len": 9,
        "text_len_t5": 9,
    },
    "LuminaNextDiT2DModel": {
        "sample_size": 8,
        "patch_size": 2,
        "in_channels": 4,
        "hidden_size": 24,
        "num_layers": 2,
        "num_attention_heads": 3,
        "num_kv_heads": 1,
        "multiple_of": 16,
        "cross_attention_dim": 16,
    },
    "CogVideoXTransformer3DModel": {
        "num_attention_heads": 2,
        "attention_head_dim": 8,
        "in_channels": 4,
        "out_channels": 4,
        "time_embed_dim": 2,
        "text_embed_dim": 8,
        "num_layers": 1,
        "sample_width": 8,
        "sample_height": 8,
        "sample_frames": 9,
        "patch_size": 2,
        "max_text_seq_length": 9,
    },
    "SanaTransformer2DModel": {
        "in_channels": 4,
        "out_channels": 4,
        "num_layers": 1,
        "attention_head_dim": 4,
        "num_attention_heads": 2,
        "num_cross_attention_heads": 2,
        "cross_attention_head_dim": 4,
        "cross_attention_dim": 8,
        "caption_channels": 8,
        "sample_size": 8,
    },
    "VQModel": {
        "block_out_channels": [8, 16],
        "down_block_types": ["DownEncoderBlock2D"] * 2,
        "up_block_types": ["UpDecoderBlock2D"] * 2,
        "norm_num_groups": 4,
        "num_vq_embeddings": 12,
        "sample_size": 16,
    },
    "AutoencoderTiny": {
        "encoder_block_out_channels": [8, 8],
        "decoder_block_out_channels": [8, 8],
        "num_encoder_blocks": [1, 1],
        "num_decoder_blocks": [1, 1],
        "sample_size": 16,
    },
}

_TRIED = [one for models in LATER.values() for one in models]
TRANSFORMERS |= {one.name: one.entries for one in _TRIED if one.library == "transformers"}
DIFFUSERS |= {one.name: one.entries for one in _TRIED if one.library == "diffusers"}
# Networks by name, of libraries that need not be installed.
PICTURES = {
    library: [one.name for one in _TRIED if one.library == library] for library in ("torchvision", "timm")
}
