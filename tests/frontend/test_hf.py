"""hf: models from their configuration: phases with a cache, options, and what is refused."""

import json

import numpy as np
import pytest
import torch

from wsc.compiler.errors import ModelError
from wsc.compiler.ir.interpret import interpret
from wsc.compiler.ir.verify import verify
from wsc.frontend.capture import capture
from wsc.frontend.hf import load_hf

transformers = pytest.importorskip("transformers")

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 50,
    "max_position_embeddings": 32,
}
LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "torch_dtype": "bfloat16", **SIZES}
MAMBA = {"model_type": "mamba", "architectures": ["MambaForCausalLM"], **SIZES}
GEMMA = {
    "model_type": "gemma3_text",
    "architectures": ["Gemma3ForCausalLM"],
    "head_dim": 8,
    "sliding_window": 4,
    "layer_types": ["sliding_attention", "full_attention"],
    **SIZES,
}


@pytest.fixture
def spec(tmp_path):
    def write(config, name="tiny"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "config.json").write_text(json.dumps(config))
        return f"hf:{tmp_path / name}"

    return write


def captured(source):
    found = capture(source.module, source.example_inputs, source.name)
    verify(found.model.graph)
    return found


def test_a_folder_gives_its_model_on_meta(spec):
    found = captured(load_hf(spec(LLAMA), {"seq": "5", "batch": "2"}))
    assert found.model.graph.name == "tiny"
    assert found.example_inputs is None
    assert [str(found.model.graph[name].type) for name in found.model.graph.outputs] == ["bf16[2,5,50]"]


def test_parameters_made_on_another_device_are_on_meta_too(spec):
    sizes = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 16}
    convolutions = {"conv_dim": [8, 8], "conv_kernel": [4, 3], "conv_stride": [2, 2]}
    groups = {"num_conv_pos_embedding_groups": 2, "num_feat_extract_layers": 2}
    source = load_hf(spec({"model_type": "unispeech", **sizes, **convolutions, **groups}), {})
    assert all(parameter.is_meta for parameter in source.module.parameters())
    assert captured(source).model.graph.outputs


def test_entries_of_the_configuration_can_be_replaced(spec):
    source = load_hf(spec(LLAMA), {"num_hidden_layers": "1", "hidden_size": "16"})
    assert len(source.module.model.layers) == 1
    assert source.module.config.hidden_size == 16


@pytest.mark.parametrize("config", [LLAMA, MAMBA, GEMMA], ids=["llama", "mamba", "gemma"])
def test_decoding_after_prefill_equals_the_whole_prompt(spec, config):
    length, options = 6, {"weights": "random"}
    whole = load_hf(spec(config), {**options, "seq": str(length)})
    tokens = whole.example_inputs["input_ids"]
    expected = whole.module(input_ids=tokens)[0][:, -1]
    step = load_hf(spec(config), {**options, "phase": "decode", "context": str(length)})
    step.module.load_state_dict(
        {f"model.{key}": value for key, value in whole.module.state_dict().items()}, strict=False
    )
    found = captured(step)
    names = [node.name for node in found.model.graph.inputs]
    assert names[:2] == ["input_ids", "position"]
    # Of the sliding layers one branch is captured, that of a full window; the state of earlier tokens is torch's.
    state = cache_after(whole.module, tokens[:, :-1], step.module)
    inputs = [tokens[:, -1:].numpy(), np.array(length - 1), *state]
    ours, *after = interpret(found.model.graph, inputs, found.model.weights)
    np.testing.assert_allclose(ours[:, 0], expected.detach(), rtol=1e-4, atol=1e-5)
    assert [a.shape for a in after] == [s.shape for s in state]
    assert len(found.model.graph.state) == len(state) == len(names) - 2


def cache_after(model, tokens, step):
    """The tensors of a static cache after some tokens, in the order of the step's buffers."""
    cache = transformers.StaticCache(config=model.config, max_cache_len=tokens.shape[1] + 1)
    kind = "cache_params" if "mamba" in type(model).__name__.lower() else "past_key_values"
    with torch.no_grad():
        model(input_ids=tokens, use_cache=True, **{kind: cache})
    from wsc.frontend.hf_phases import _tensors

    found = _tensors(cache)
    order = [name for name, _ in step.named_buffers() if name.startswith("cache_")]
    return [found[name].numpy() for name in order]


VIDEO = {
    "model_type": "videomae",
    **{
        key: SIZES[key]
        for key in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    },
    "image_size": 16,
    "patch_size": 8,
    "num_frames": 4,
    "tubelet_size": 2,
}
SPEECH = {"model_type": "parakeet_encoder", **SIZES, "num_mel_bins": 80}
VOCODER = {"model_type": "speecht5_hifigan", "architectures": ["SpeechT5HifiGan"], "model_in_dim": 20}
PATCHES = {
    "architectures": ["Pix2StructVisionModel"],
    "model_type": "pix2struct_vision_model",
    "patch_embed_hidden_size": 12,
    "seq_len": 16,
    "d_ff": 16,
    "d_kv": 8,
    **SIZES,
}
BACKBONE = {"model_type": "rt_detr_resnet", "embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]}
TOWER = {
    **{key: SIZES[key] for key in ("hidden_size", "intermediate_size")},
    "model_type": "qwen3_5_vision",
    "depth": 1,
    "num_heads": 2,
    "patch_size": 4,
    "out_hidden_size": 8,
    "num_position_embeddings": 16,
    "temporal_patch_size": 2,
    "spatial_merge_size": 2,
}
SIDES = {
    "model_type": "siglip2",
    "text_config": {**SIZES, "projection_size": 32},
    "vision_config": {**SIZES, "patch_size": 4, "num_patches": 16},
}
HEARD = {
    "model_type": "qwen3_asr_encoder",
    "num_mel_bins": 16,
    "d_model": 32,
    "encoder_layers": 1,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "downsample_hidden_size": 8,
    "output_dim": 8,
}
KINDS = {
    "patches of all pictures in one row": (TOWER, {"hidden_states": (32, 96)}),
    "patches of pictures with sides of their own": (
        SIDES,
        {"input_ids": (2, 6), "pixel_values": (2, 16, 48), "pixel_attention_mask": (2, 16)},
    ),
    "a spectrogram of whole windows": (
        HEARD,
        {"input_features": (2, 16, 400), "input_features_mask": (2, 400)},
    ),
    "frames of a video": (VIDEO, {"pixel_values": (2, 4, 3, 16, 16)}),
    "a spectrogram, time first": (SPEECH, {"input_features": (2, 128, 80)}),
    "what a vocoder is given": (VOCODER, {"spectrogram": (2, 128, 20)}),
    "patches with their places": (PATCHES, {"flattened_patches": (2, 6, 14)}),
    "a model of one task alone": (BACKBONE, {"pixel_values": (2, 3, 224, 224)}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_example_inputs_by_what_a_model_takes(spec, kind):
    config, shapes = KINDS[kind]
    source = load_hf(spec(config), {"batch": "2", "seq": "6"})
    assert {key: tuple(tensor.shape) for key, tensor in source.example_inputs.items()} == shapes


def test_sizes_of_pictures_are_fixed(spec):
    """They decide what is computed, so that a program has them as numbers, and its pictures alone as inputs."""
    found = captured(load_hf(spec(TOWER), {"weights": "random"}))
    assert [str(node.type) for node in found.model.graph.inputs] == ["f32[16,96]"]
    ours = interpret(found.model.graph, found.example_inputs, found.model.weights)
    for result, expected in zip(ours, found.reference(found.example_inputs), strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


MOCHI = {
    "_class_name": "MochiTransformer3DModel",
    "num_attention_heads": 2,
    "attention_head_dim": 8,
    "num_layers": 1,
    "pooled_projection_dim": 8,
    "in_channels": 4,
    "text_embed_dim": 8,
    "time_embed_dim": 4,
    "sample_size": 4,
    "max_sequence_length": 4,
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:In CPU autocast")
def test_masks_that_decide_what_is_computed_are_fixed(spec):
    """Where a model counts what its mask lets through, the mask leaves nothing out and is no input."""
    pytest.importorskip("diffusers")
    source = load_hf(spec(MOCHI), {"weights": "random", "seq": "4"})
    assert not any("mask" in key for key in source.example_inputs)
    found = captured(source)
    ours = interpret(found.model.graph, found.example_inputs, found.model.weights)
    np.testing.assert_allclose(ours[0], found.reference(found.example_inputs)[0], rtol=1e-4, atol=1e-5)


def test_the_loss_of_a_model_with_sizes_fixed(spec):
    config = {**SIDES, "architectures": ["Siglip2ForImageClassification"]}
    module, arguments = load_hf(spec(config), {"weights": "random"}).trainable()
    assert "spatial_shapes" not in arguments
    assert torch.isfinite(module(**arguments))


def test_a_part_of_a_model_by_the_type_of_its_configuration(spec):
    """The library's tables name no class for it."""
    part = {**SIZES, "model_type": "owlv2_vision_model", "image_size": 8, "patch_size": 4}
    assert type(load_hf(spec(part), {}).module).__name__ == "Owlv2VisionModel"


def test_random_weights_are_no_zeros(spec):
    """A router of zeros would leave every choice of experts open, and the numbers would tell nothing."""
    config = {**SIZES, "model_type": "afmoe", "num_experts": 4, "num_experts_per_tok": 2, "head_dim": 8}
    config |= {"moe_intermediate_size": 16, "num_dense_layers": 1, "layer_types": ["full_attention"] * 2}
    weights = load_hf(spec(config), {"weights": "random"}).module.state_dict()
    assert all(value.any() for value in weights.values() if value.dim() > 1)


def test_prefill_gives_the_last_logits_and_the_cache(spec):
    found = captured(load_hf(spec(LLAMA), {"phase": "prefill", "seq": "7"}))
    types = [str(found.model.graph[name].type) for name in found.model.graph.outputs]
    assert types == ["bf16[1,1,50]", *["bf16[1,2,7,8]"] * 4]


T5 = {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "d_model": 16, "vocab_size": 20}
REFUSED = {
    "no such phase": (LLAMA, {"phase": "training"}, "A phase is prefill or decode, not 'training'"),
    "no number": (LLAMA, {"batch": "many"}, "'batch' is a number from 1 on, not 'many'"),
    "too long": (LLAMA, {"seq": "64"}, "'seq' is 64, and the model has 32 positions"),
    "no such weights": (LLAMA, {"weights": "best"}, "Weights are meta or random, not 'best'"),
    "no such entry": (LLAMA, {"hidden_sise": "4"}, "no entry 'hidden_sise'. Did you mean 'hidden_size'"),
    "no such type": ({"model_type": "nothing"}, {}, "does not know the model type 'nothing'"),
    "no model": ({"layers": 3}, {}, "names no model"),
    "no such diffusion model": ({"_class_name": "Nothing"}, {}, "does not know the model 'Nothing'"),
    "phases of an encoder": (T5, {"phase": "decode"}, "is an encoder with a decoder"),
    "phases of a model without tokens": (VIDEO, {"phase": "decode"}, "generates no tokens: it has no phases"),
    "an argument nobody makes": (
        {"model_type": "sam3_tracker_video"},
        {},
        "does not know how to make the 'inference_session' that Sam3TrackerVideoModel takes: write a model file whose "
        "model() builds it and whose example_inputs() returns its arguments",
    ),
    "no model of its own": (
        {"model_type": "t5_gemma_module"},
        {},
        "transformers has no model of its own for the model type 't5_gemma_module'",
    ),
    "does not build": ({**LLAMA, "hidden_size": "wide"}, {}, "cannot be built from its configuration"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_mistakes(spec, why):
    config, options, message = REFUSED[why]
    with pytest.raises(ModelError) as caught:
        load_hf(spec(config), options)
    assert message in str(caught.value)


def test_places_without_a_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=r"There is no config\.json in '\./nowhere'"):
        load_hf("hf:./nowhere", {})
    with pytest.raises(ModelError, match="not in the local Hugging Face cache: fetch it with --download"):
        load_hf("hf:meta-llama/Meta-Llama-3-8B", {})
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelError, match="is no configuration in JSON"):
        load_hf(f"hf:{tmp_path}", {})
