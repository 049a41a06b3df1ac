"""Arguments of transformers' models by their documentation, and by what calls that fail say of them."""

import inspect

import pytest
import torch
from torch import nn

from wsc.frontend.hf_call import Call
from wsc.frontend.hf_completed import Taken, completed
from wsc.frontend.hf_documents import documented, from_documents
from wsc.frontend.hf_failures import of_other_extents
from wsc.frontend.hf_trials import Way

transformers = pytest.importorskip("transformers")

DOCUMENTS = """
    input_ids (`torch.LongTensor` of shape `(batch_size, sequence_length)`, *optional*):
        Tokens.
    codes (`torch.LongTensor` of shape `(batch_size, 2 * num_codebooks, frames)`):
        Codes.
    mel: a torch.Tensor of shape [batch, num_frames,
      hidden_size].
    mask (`torch.BoolTensor` of shape `(batch_size, sequence_length)`): What is there.
    position_ids (`torch.LongTensor` of shape `(batch_size, sequence_length)`): Places.
    unknown (`torch.FloatTensor` of shape `(batch_size, moons)`): Nothing tells how many moons.
"""


class Config:
    """As much of a configuration as a call asks for."""

    vocab_size, hidden_size, num_codebooks, codebook_size = 12, 8, 3, 5

    def __init__(self) -> None:
        self.image_token_id = 11

    def get_text_config(self, decoder: bool = False) -> "Config":
        return self


def call_of(forward=lambda input_ids: None, seq=6):
    return Call(Config(), inspect.signature(forward).parameters, 2, seq, documented(DOCUMENTS))


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("input_ids", (2, 6), torch.int64),
        ("codes", (2, 6, 16), torch.int64),
        ("mel", (2, 16, 8), torch.float32),
        ("mask", (2, 6), torch.bool),
    ],
)
def test_an_argument_as_it_is_documented(name, shape, dtype):
    made = from_documents(call_of(), name)
    assert (tuple(made.shape), made.dtype) == (shape, dtype)


def test_values_are_those_of_what_is_documented():
    call = call_of()
    assert from_documents(call, "codes").max() < Config.codebook_size
    assert from_documents(call, "mask").all()
    assert from_documents(call, "position_ids").tolist() == [[0, 1, 2, 3, 4, 5]] * 2
    assert from_documents(call, "unknown") is None
    assert from_documents(call, "elsewhere") is None


def test_random_tokens_stand_for_words():
    """A token that stands for a picture would ask for one."""
    torch.manual_seed(0)
    assert 11 not in call_of(seq=500).tokens(Config())


class Needs(nn.Module):
    """A model with an argument that it cannot do without, though it has a default."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(5, 4)

    def forward(self, sound, words=None, unused=None):
        return self.inner(sound) + words.mean()


class Deep(nn.Module):
    """A model that asks for pictures with an extent more than it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Conv2d(3, 2, 1)

    def forward(self, sound):
        _batch, _channels, _rows, _columns = sound.shape
        return self.inner(sound)


class Marked(nn.Module):
    """A model that puts as many vectors as it has in the places that are marked."""

    def __init__(self) -> None:
        super().__init__()
        self.own = nn.Parameter(torch.randn(5, 4))

    def forward(self, input_ids, places_mask=None):
        found = torch.zeros(*input_ids.shape, 4)
        found[places_mask.bool()] = self.own.detach()
        return found


class Either(nn.Module):
    """A model that takes one of two arguments, and says so."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, sound=None, embeds=None):
        if sound is not None:
            raise ValueError("`sound` is expected to be `None`: give `embeds`")
        return self.inner(embeds)


@pytest.mark.parametrize(
    ("model", "given", "shapes"),
    [
        (Needs(), {"sound": torch.randn(2, 7, 5)}, {"sound": (2, 7, 5), "words": (2, 3)}),
        (Needs(), {"sound": torch.randn(2, 7, 9)}, {"sound": (2, 7, 5), "words": (2, 3)}),
        (Deep(), {"sound": torch.randn(2, 3, 9)}, {"sound": (2, 3, 3, 9)}),
        (Marked(), {"input_ids": torch.ones(1, 3, dtype=torch.int64)}, {"input_ids": (1, 5)}),
        (Either(), {"sound": torch.randn(2, 4)}, {"embeds": (2, 4)}),
    ],
    ids=[
        "one is missing",
        "one is missing, one has another width",
        "an extent more, and another width",
        "more places",
        "another in its place",
    ],
)
def test_a_call_is_changed_by_what_its_failures_say(model, given, shapes):
    call = call_of(model.forward)
    sizes = {"words": (2, 3), "embeds": (2, 4)}
    made = {name: torch.zeros(size) for name, size in sizes.items()}
    make = (made | {"places_mask": torch.ones(1, 3, dtype=torch.int64)}).get
    found = completed(model, Taken(call.takes, call.asked, make), [Way(given)], lambda way: way)
    assert {name: tuple(value.shape) for name, value in found.inputs.items()} == shapes
    assert found.fixed == ({"places_mask": [[1] * 5]} if isinstance(model, Marked) else {})


def test_a_call_that_nothing_mends():
    class Never(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, sound):
            raise ValueError("no")

    taken = Taken(["sound"], ["sound"], {}.get)
    assert completed(Never(), taken, [Way({"sound": torch.zeros(1)})], lambda way: way) is None


@pytest.mark.parametrize(
    ("message", "given", "shapes"),
    [
        ("`sound` length 1 is not a multiple of 40", (2, 50), [(2, 80), (2, 320)]),
        ("Kernel size can't be greater than actual input size", (2, 3, 8), [(2, 3, 512)]),
        ("Kernel size can't be greater than actual input size", (2, 3, 8, 8), [(2, 3, 32, 32)]),
        (
            "Sizes of tensors must match except in dimension 1. Expected size 4 but got size 9 for tensor number 1",
            (2, 9, 5),
            [(2, 5), (2, 4, 5)],
        ),
        (
            "The size of tensor a (9) must match the size of tensor b (2) at non-singleton dimension 1",
            (2, 9, 5),
            [(2, 2, 5)],
        ),
        ("something else", (2, 9), []),
    ],
)
def test_extents_by_what_a_message_says(message, given, shapes):
    assert list(of_other_extents(RuntimeError(message), torch.zeros(given))) == shapes


def test_tokens_in_place_of_numbers():
    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(6, 4)

        def forward(self, codes):
            return self.table(codes)

    taken = Taken(["codes"], ["codes"], {}.get)
    found = completed(Reads(), taken, [Way({"codes": torch.randn(2, 3)})], lambda way: way)
    assert found.inputs["codes"].dtype == torch.int64
    assert found.inputs["codes"].max() < 6
