"""The models that people run, as configurations: sizes of the public checkpoints, and a reduced width for tests.

Sizes are those of the checkpoints' own config.json on the Hugging Face hub, under the name in `source`. What is not
said is the library's default, which for these is the checkpoint's figure. Files are samples of this repository.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wsc.frontend.hf import load_hf
from wsc.frontend.model_file import ModelSource, load

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
Config = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """One model: a configuration or a file, options of the command line, and what makes it small."""

    name: str
    source: str
    config: Config = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    reduced: Config = field(default_factory=dict)
    reduced_options: dict[str, str] = field(default_factory=dict)

    def full(self, folder: Path) -> ModelSource:
        """The model at full size, weights on the meta device; the configuration is written into a folder."""
        if not self.config:
            return load(str(SAMPLES / self.source), self.options)
        return load_hf(f"hf:{_written(folder, self.name, self.config)}", self.options)

    def small(self, folder: Path) -> ModelSource:
        """The model at reduced width, with random weights."""
        if not self.config:
            return load(str(SAMPLES / self.source), self.reduced_options)
        config = {**self.config, **self.reduced}
        options = {"weights": "random", **self.options, **self.reduced_options}
        return load_hf(f"hf:{_written(folder, self.name, config)}", options)


def _written(folder: Path, name: str, config: Config) -> Path:
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    (place / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return place


def _decoder(kind: str, architecture: str, **sizes: Any) -> Config:
    return {"model_type": kind, "architectures": [architecture], "dtype": "bfloat16", **sizes}


_NARROW = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 60,
}
_SHORT = {"seq": "12"}
_LONG = {"seq": "2048"}
_LLAMA3 = {
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
    "rope_theta": 500000.0,
    "rms_norm_eps": 1e-5,
}

ZOO = (
    Entry(
        "gpt2",
        "openai-community/gpt2",
        {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]},
        {"seq": "1024"},
        {"n_embd": 32, "n_layer": 3, "n_head": 4, "vocab_size": 60},
        _SHORT,
    ),
    Entry(
        "bert",
        "google-bert/bert-base-uncased",
        {"model_type": "bert", "architectures": ["BertModel"]},
        {"seq": "512"},
        _NARROW,
        _SHORT,
    ),
    Entry(
        "llama3-8b",
        "meta-llama/Meta-Llama-3-8B",
        _decoder(
            "llama",
            "LlamaForCausalLM",
            hidden_size=4096,
            intermediate_size=14336,
            num_hidden_layers=32,
            num_attention_heads=32,
            num_key_value_heads=8,
            **_LLAMA3,
        ),
        _LONG,
        _NARROW,
        _SHORT,
    ),
    Entry(
        "llama3-70b",
        "meta-llama/Meta-Llama-3-70B",
        _decoder(
            "llama",
            "LlamaForCausalLM",
            hidden_size=8192,
            intermediate_size=28672,
            num_hidden_layers=80,
            num_attention_heads=64,
            num_key_value_heads=8,
            **_LLAMA3,
        ),
        _LONG,
        {**_NARROW, "num_hidden_layers": 5, "num_attention_heads": 8},
        _SHORT,
    ),
    Entry(
        "qwen2-7b",
        "Qwen/Qwen2-7B",
        _decoder(
            "qwen2",
            "Qwen2ForCausalLM",
            hidden_size=3584,
            intermediate_size=18944,
            num_hidden_layers=28,
            num_attention_heads=28,
            num_key_value_heads=4,
            vocab_size=152064,
        ),
        _LONG,
        _NARROW,
        _SHORT,
    ),
    Entry(
        "qwen3-8b",
        "Qwen/Qwen3-8B",
        _decoder(
            "qwen3",
            "Qwen3ForCausalLM",
            hidden_size=4096,
            intermediate_size=12288,
            num_hidden_layers=36,
            num_attention_heads=32,
            num_key_value_heads=8,
            head_dim=128,
            vocab_size=151936,
        ),
        _LONG,
        {**_NARROW, "head_dim": 8},
        _SHORT,
    ),
    Entry(
        "gemma3",
        "google/gemma-3-4b-pt (its text model)",
        _decoder(
            "gemma3_text",
            "Gemma3ForCausalLM",
            hidden_size=2560,
            intermediate_size=10240,
            num_hidden_layers=34,
            num_attention_heads=8,
            num_key_value_heads=4,
            head_dim=256,
            sliding_window=1024,
        ),
        _LONG,
        {**_NARROW, "num_hidden_layers": 6, "head_dim": 8, "sliding_window": 5},
        _SHORT,
    ),
    Entry(
        "mixtral-8x7b",
        "mistralai/Mixtral-8x7B-v0.1",
        _decoder("mixtral", "MixtralForCausalLM"),
        _LONG,
        {**_NARROW, "num_local_experts": 4},
        _SHORT,
    ),
    Entry(
        "t5-small",
        "google-t5/t5-small",
        {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]},
        {"seq": "512"},
        {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 4, "num_heads": 4, "vocab_size": 60},
        _SHORT,
    ),
    Entry(
        "vit-base",
        "google/vit-base-patch16-224",
        {"model_type": "vit", "architectures": ["ViTForImageClassification"]},
        {},
        {**_NARROW, "image_size": 32, "patch_size": 8},
    ),
    Entry(
        "convnext-tiny",
        "facebook/convnext-tiny-224",
        {"model_type": "convnext", "architectures": ["ConvNextForImageClassification"]},
        {},
        {"hidden_sizes": [8, 16, 24, 32], "depths": [3, 3, 4, 3], "image_size": 64},
    ),
    Entry(
        "resnet-50",
        "microsoft/resnet-50",
        {"model_type": "resnet", "architectures": ["ResNetForImageClassification"], "image_size": 224},
        {},
        {"embedding_size": 8, "hidden_sizes": [16, 16, 24, 32], "depths": [3, 4, 3, 2], "image_size": 64},
    ),
    Entry(
        "whisper-small",
        "openai/whisper-small",
        {
            "model_type": "whisper",
            "architectures": ["WhisperForConditionalGeneration"],
            "d_model": 768,
            "encoder_layers": 12,
            "decoder_layers": 12,
            "encoder_attention_heads": 12,
            "decoder_attention_heads": 12,
            "encoder_ffn_dim": 3072,
            "decoder_ffn_dim": 3072,
        },
        {"seq": "448"},
        {
            "d_model": 32,
            "encoder_layers": 3,
            "decoder_layers": 3,
            "encoder_attention_heads": 4,
            "decoder_attention_heads": 4,
            "encoder_ffn_dim": 48,
            "decoder_ffn_dim": 48,
            "num_mel_bins": 12,
            "max_source_positions": 16,
            "max_target_positions": 16,
            "pad_token_id": 0,
            "vocab_size": 60,
        },
        _SHORT,
    ),
    Entry(
        "mamba-130m",
        "state-spaces/mamba-130m-hf",
        {"model_type": "mamba", "architectures": ["MambaForCausalLM"], "num_hidden_layers": 24},
        _LONG,
        {"hidden_size": 32, "num_hidden_layers": 3, "vocab_size": 60, "time_step_rank": 4},
        _SHORT,
    ),
    Entry(
        "mamba2-130m",
        "state-spaces/mamba2-130m",
        {
            "model_type": "mamba2",
            "architectures": ["Mamba2ForCausalLM"],
            "hidden_size": 768,
            "num_hidden_layers": 24,
            "num_heads": 24,
            "head_dim": 64,
            "state_size": 128,
            "n_groups": 1,
            "vocab_size": 50288,
        },
        _LONG,
        {
            "hidden_size": 32,
            "num_hidden_layers": 3,
            "num_heads": 4,
            "head_dim": 16,
            "state_size": 8,
            "n_groups": 1,
            "chunk_size": 4,
            "vocab_size": 60,
        },
        _SHORT,
    ),
    Entry(
        "sd15-unet",
        "stable-diffusion-v1-5/stable-diffusion-v1-5 (unet)",
        {"_class_name": "UNet2DConditionModel", "sample_size": 64, "cross_attention_dim": 768},
        {"seq": "77"},
        {
            "sample_size": 16,
            "cross_attention_dim": 16,
            "block_out_channels": [16, 32],
            "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
            "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
            "norm_num_groups": 8,
            "attention_head_dim": 4,
        },
        _SHORT,
    ),
    Entry(
        "dit-xl-2",
        "facebook/DiT-XL-2-256 (transformer)",
        {
            "_class_name": "DiTTransformer2DModel",
            "num_layers": 28,
            "num_attention_heads": 16,
            "attention_head_dim": 72,
            "sample_size": 32,
            "out_channels": 8,
        },
        {},
        {"num_layers": 3, "num_attention_heads": 2, "attention_head_dim": 16, "sample_size": 8},
    ),
    Entry("lstm", "recurrent.py", options={"cell": "lstm"}, reduced_options={"cell": "lstm"}),
    Entry("gru", "recurrent.py", options={"cell": "gru"}, reduced_options={"cell": "gru"}),
    Entry("nanogpt", "nanogpt.py", options={"shape": "124m"}),
)
BY_NAME = {entry.name: entry for entry in ZOO}
