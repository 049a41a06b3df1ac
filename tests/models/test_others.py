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
STAGED = {"swin", "segformer", "regnet"}  # widths grow from stage to stage, and have names of their own
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
    "wav2vec2": (
        "Wav2Vec2Model",
        {**SPEECH, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", OTHERS)
def test_a_model_outside_the_list(kind: str, tmp_path: Path) -> None:
    name, entries = OTHERS[kind]
    config = {"model_type": kind, "architectures": [name], **({} if kind in STAGED else NARROW), **entries}
    (tmp_path / "config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    source = load_hf(f"hf:{tmp_path}", {"weights": "random", "seq": "9"})
    captured = capture(source.module, source.example_inputs, kind)
    model = run_pipeline(captured.model)
    assert captured.example_inputs is not None
    ours = interpret(model.graph, captured.example_inputs, model.weights)
    for a, b in zip(ours, captured.reference(captured.example_inputs), strict=True):
        assert relative_error(a, b) <= 1e-4
