"""Models outside the list: whatever else the libraries hold must be captured at the first try."""

import json
from pathlib import Path

import pytest
import torch

from wsc.commands.run import relative_error
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.passes.pipeline import run_pipeline
from wsc.frontend.capture import capture
from wsc.frontend.hf import load_hf

transformers = pytest.importorskip("transformers")

NARROW = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 60,
    "pad_token_id": 0,
}
EXPERTS = {"num_local_experts": 4, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
PICTURE = {"image_size": 32, "patch_size": 8}
SPEECH = {"conv_dim": [16, 16], "conv_kernel": [3, 3], "conv_stride": [4, 4], "num_feat_extract_layers": 2}
LATENT = {
    "q_lora_rank": 16,
    "kv_lora_rank": 8,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "head_dim": 8,
    "n_routed_experts": 4,
    "n_group": 2,
    "topk_group": 1,
    "first_k_dense_replace": 1,
    "num_key_value_heads": 4,
}
SEQ2SEQ = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "vocab_size": 60,
    "pad_token_id": 0,
}
STAGES = {
    "embedding_size": 8,
    "hidden_sizes": [8, 8, 16, 16],
    "depths": [1, 1, 1, 1],
    "groups_width": 4,
    "image_size": 64,
}
STAGED = {
    "swin",
    "segformer",
    "regnet",
    "dac",
}  # widths grow from stage to stage, and have names of their own
# model type: class, and what it needs besides NARROW
OTHERS = {
    "mistral": ("MistralForCausalLM", {"sliding_window": 4}),
    "phi3": ("Phi3ForCausalLM", {}),
    "falcon": ("FalconForCausalLM", {}),
    "opt": ("OPTForCausalLM", {"ffn_dim": 48, "word_embed_proj_dim": 32}),
    "bloom": ("BloomForCausalLM", {"n_layer": 2, "n_head": 4}),
    "gpt_neox": ("GPTNeoXForCausalLM", {}),
    "stablelm": ("StableLmForCausalLM", {}),
    "cohere": ("CohereForCausalLM", {}),
    "olmo2": ("Olmo2ForCausalLM", {}),
    "granite": ("GraniteForCausalLM", {}),
    "gemma2": ("Gemma2ForCausalLM", {"head_dim": 8, "sliding_window": 4}),
    "olmoe": ("OlmoeForCausalLM", EXPERTS),
    "qwen3_moe": ("Qwen3MoeForCausalLM", {**EXPERTS, "head_dim": 8}),
    "gpt_oss": ("GptOssForCausalLM", {**EXPERTS, "head_dim": 8, "sliding_window": 4}),
    "deepseek_v3": ("DeepseekV3ForCausalLM", {**EXPERTS, **LATENT}),
    "llama4_text": ("Llama4ForCausalLM", {**EXPERTS, "head_dim": 8, "intermediate_size_mlp": 48}),
    "falcon_mamba": ("FalconMambaForCausalLM", {"time_step_rank": 4}),
    "distilbert": ("DistilBertModel", {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48}),
    "electra": ("ElectraModel", {"embedding_size": 16}),
    "albert": ("AlbertModel", {"embedding_size": 16}),
    "deberta-v2": ("DebertaV2Model", {}),
    "modernbert": ("ModernBertModel", {}),
    "bart": ("BartForConditionalGeneration", SEQ2SEQ),
    "marian": ("MarianMTModel", {**SEQ2SEQ, "decoder_start_token_id": 0}),
    "dinov2": ("Dinov2Model", PICTURE),
    "deit": ("DeiTModel", PICTURE),
    "swin": (
        "SwinModel",
        {"image_size": 32, "embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4},
    ),
    "segformer": ("SegformerModel", {"image_size": 64}),
    "regnet": ("RegNetModel", STAGES),
    "gemma3": (
        "Gemma3ForConditionalGeneration",
        {
            "text_config": {**NARROW, "head_dim": 8, "sliding_window": 4},
            "vision_config": {**NARROW, **PICTURE},
            "mm_tokens_per_image": 4,
            "image_token_index": 59,
        },
    ),
    "patchtst": (
        "PatchTSTForPrediction",
        {"d_model": 32, "ffn_dim": 48, "context_length": 32, "patch_length": 4, "patch_stride": 4},
    ),
    "dac": (
        "DacModel",
        {
            "encoder_hidden_size": 8,
            "downsampling_ratios": [2, 4],
            "decoder_hidden_size": 32,
            "n_codebooks": 2,
            "codebook_size": 16,
            "codebook_dim": 4,
            "hidden_size": 32,
            "upsampling_ratios": [4, 2],
        },
    ),
    "wav2vec2": (
        "Wav2Vec2Model",
        {**SPEECH, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2},
    ),
}
DIFFUSION = {
    "FluxTransformer2DModel": {
        "patch_size": 1,
        "in_channels": 16,
        "sample_size": 8,
        "num_layers": 1,
        "num_single_layers": 1,
        "attention_head_dim": 16,
        "num_attention_heads": 2,
        "joint_attention_dim": 16,
        "pooled_projection_dim": 16,
        "axes_dims_rope": [4, 6, 6],
        "guidance_embeds": True,
    },
    "WanTransformer3DModel": {
        "num_attention_heads": 2,
        "attention_head_dim": 12,
        "in_channels": 4,
        "out_channels": 4,
        "sample_size": 4,
        "text_dim": 16,
        "freq_dim": 32,
        "ffn_dim": 32,
        "num_layers": 1,
        "patch_size": [1, 2, 2],
        "rope_max_seq_len": 32,
    },
    "ControlNetModel": {
        "block_out_channels": [16, 32],
        "sample_size": 8,
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
        "norm_num_groups": 8,
        "attention_head_dim": 4,
        "cross_attention_dim": 16,
        "conditioning_embedding_out_channels": [8, 16],
    },
    "AutoencoderKL": {
        "sample_size": 16,
        "block_out_channels": [8, 16],
        "down_block_types": ["DownEncoderBlock2D"] * 2,
        "up_block_types": ["UpDecoderBlock2D"] * 2,
        "norm_num_groups": 4,
        "layers_per_block": 1,
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*OTHERS, *DIFFUSION])
def test_a_model_outside_the_list(kind: str, tmp_path: Path) -> None:
    if kind in DIFFUSION:
        pytest.importorskip("diffusers")
        config = {"_class_name": kind, **DIFFUSION[kind]}
    else:
        name, entries = OTHERS[kind]
        config = {
            "model_type": kind,
            "architectures": [name],
            **({} if kind in STAGED else NARROW),
            **entries,
        }
    (tmp_path / "config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    source = load_hf(f"hf:{tmp_path}", {"weights": "random", "seq": "9"})
    captured = capture(source.module, source.example_inputs, kind)
    model = run_pipeline(captured.model)
    assert captured.example_inputs is not None
    ours = interpret(model.graph, captured.example_inputs, model.weights)
    for a, b in zip(ours, captured.reference(captured.example_inputs), strict=True):
        assert relative_error(a, b) <= 1e-4
