"""Configurations made small: what must agree still does."""

import pytest

from benchmarks.narrow import narrowed

TOWERS = {
    "text_config": {
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "vocab_size": 151936,
        "rope_parameters": {"rope_type": "default", "mrope_section": [16, 24, 24]},
        "layer_types": [*["near"] * 5, "far"] * 5 + ["near"] * 2,
        "mlp_layer_types": ["dense", *["sparse"] * 31],
        "kv_source_layers": list(range(32)),
        "per_layer_config": {"05": {"head_dim": 512}, "11": {"head_dim": 512}},
    },
    "vision_config": {
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "out_indices": [6, 12, 18, 24],
        "out_features": ["stage6", "stage12", "stage18", "stage24"],
        "taken_indexes": [5, 11, 17, 23],
    },
    "adapter_config": {"intermediate_size": 4096, "vision_feature_layer": [24, 18], "text_hidden_size": 4096},
    "image_token_id": 151655,
    "video_token_id": 151656,
}


def test_widths_of_parts_agree() -> None:
    small = narrowed(TOWERS, {})
    width = small["text_config"]["hidden_size"]
    assert small["adapter_config"]["text_hidden_size"] == width < 4096
    assert small["adapter_config"]["intermediate_size"] == width


def test_sections_of_a_rotation_are_half_a_head() -> None:
    text = narrowed(TOWERS, {})["text_config"]
    head = text["hidden_size"] // text["num_attention_heads"]
    assert sum(text["rope_parameters"]["mrope_section"]) == head // 2
    by_layer = {"near": TOWERS["text_config"]["rope_parameters"], "far": None}
    nested = narrowed({**TOWERS["text_config"], "rope_parameters": by_layer}, {})["rope_parameters"]
    assert sum(nested["near"]["mrope_section"]) == head // 2
    assert nested["far"] is None


def test_every_kind_of_layer_is_among_those_that_stay() -> None:
    text = narrowed(TOWERS, {})["text_config"]
    assert text["num_hidden_layers"] == 2
    assert text["layer_types"] == ["near", "far"]
    assert text["mlp_layer_types"] == ["dense", "sparse"]
    assert text["kv_source_layers"] == [0, 1]
    assert text["per_layer_config"] == {"1": {"head_dim": 16}}  # the sixth layer, now the second


def test_as_many_layers_as_others_take() -> None:
    small = narrowed(TOWERS, {})
    vision = small["vision_config"]
    assert vision["num_hidden_layers"] == 4
    assert vision["out_indices"] == [1, 2, 3, 4]
    assert vision["out_features"] == ["stage1", "stage2", "stage3", "stage4"]
    assert vision["taken_indexes"] == [0, 1, 2, 3]
    assert small["adapter_config"]["vision_feature_layer"] == [3, 3]


def test_tokens_are_of_the_vocabulary_and_differ() -> None:
    small = narrowed(TOWERS, {})
    size = small["text_config"]["vocab_size"]
    assert small["image_token_id"] != small["video_token_id"]
    assert 2 < min(small["image_token_id"], small["video_token_id"]) < size


def test_what_is_none_or_of_no_width_stays() -> None:
    default = {"hidden_size": None, "qk_rope_head_dim": 0, "head_dim": 128, "bos_token_id": 0}
    assert narrowed(default, {}) == {**default, "head_dim": 16, "bos_token_id": 1}


@pytest.mark.parametrize("heads", [[3, 6, 12], [2, 4, 8]])
def test_heads_of_stages_divide_their_widths(heads: list[int]) -> None:
    default = {"embed_dim": 96, "num_heads": heads, "depths": [2, 2, 6], "image_size": 224, "patch_size": 16}
    small = narrowed(default, {})
    assert small["embed_dim"] % small["num_heads"][0] == 0
    assert small["image_size"] >= small["patch_size"] * 2 ** (len(heads) - 1)


def test_one_layer_a_stage_stays() -> None:
    default = {"num_hidden_layers": 3, "hidden_sizes": [8, 16, 32], "depths": [2, 2, 6]}
    assert narrowed(default, {}) == {**default, "depths": [1, 1, 1]}
