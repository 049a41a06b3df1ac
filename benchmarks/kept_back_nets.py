"""Networks written with torch.nn alone, of the kinds that people bring: no library wrote them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Made = tuple[nn.Module, tuple[Tensor, ...]]


class Dense(nn.Module):
    """Each layer reads all before it (DenseNet)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(8 + 4 * i), nn.ReLU(), nn.Conv2d(8 + 4 * i, 4, 3, padding=1))
            for i in range(4)
        )
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.head = nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return self.head(F.adaptive_avg_pool2d(x, 1).flatten(1))  # type: ignore[no-any-return]


class Inverted(nn.Module):
    """Depthwise convolutions with squeeze and excitation (MobileNet-V3, EfficientNet)."""

    def __init__(self) -> None:
        super().__init__()
        self.expand = nn.Conv2d(3, 24, 1)
        self.depthwise = nn.Conv2d(24, 24, 5, padding=2, groups=24)
        self.squeeze = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(24, 6, 1), nn.SiLU(), nn.Conv2d(6, 24, 1)
        )
        self.project = nn.Conv2d(24, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.hardswish(self.depthwise(F.hardswish(self.expand(x))))
        return x + self.project(y * F.hardsigmoid(self.squeeze(y)))  # type: ignore[no-any-return]


class Shuffle(nn.Module):
    """Channels shuffled between groups (ShuffleNet), then pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(8, 16, 1, groups=4)
        self.shuffle = nn.ChannelShuffle(4)
        self.second = nn.Conv2d(16, 12, 3, padding=1, groups=4)
        self.up = nn.PixelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.second(self.shuffle(self.first(x))))  # type: ignore[no-any-return]


class Unet(nn.Module):
    """Down, up by transposed convolutions and by interpolation, joined across (U-Net)."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, padding=1)
        self.deeper = nn.Conv2d(8, 16, 3, padding=1)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.out = nn.Conv2d(24, 3, 1)
        self.norm = nn.InstanceNorm2d(8, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        a = F.leaky_relu(self.norm(self.down(x)))
        b = self.deeper(F.max_pool2d(a, 2))
        smooth = F.interpolate(b[:, :8], scale_factor=2, mode="bicubic")
        return self.out(torch.cat([a, self.up(b), smooth], 1))  # type: ignore[no-any-return]


class SpatialTransformer(nn.Module):
    """Turns its picture by what it sees in it."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(1, 4, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(144, 6)
        )

    def forward(self, x: Tensor) -> Tensor:
        grid = F.affine_grid(self.look(x).view(-1, 2, 3), list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, align_corners=False)


class Waves(nn.Module):
    """A Fourier neural operator: frequencies weighted by complex matrices."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4, 6, 2) / 4)
        self.lift, self.skip = nn.Conv1d(1, 4, 1), nn.Conv1d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.lift(x)
        parts = torch.fft.rfft(x)[..., :6]
        mixed = torch.einsum("bik,iok->bok", parts, torch.view_as_complex(self.weight))
        return F.gelu(torch.fft.irfft(F.pad(mixed, (0, x.shape[-1] // 2 - 5)), n=x.shape[-1]) + self.skip(x))


class Graphs(nn.Module):
    """Messages along the edges of a graph, summed and the largest taken at each node."""

    def __init__(self) -> None:
        super().__init__()
        self.message, self.update = nn.Linear(16, 8), nn.Linear(24, 8)

    def forward(self, nodes: Tensor, source: Tensor, target: Tensor) -> Tensor:
        sent = F.relu(self.message(torch.cat([nodes[source], nodes[target]], -1)))
        zeros = torch.zeros_like(nodes)
        index = target[:, None].expand_as(sent)
        total = zeros.index_add(0, target, sent)
        largest = zeros.scatter_reduce(0, index, sent, "amax")
        return self.update(torch.cat([nodes, total, largest], -1))  # type: ignore[no-any-return]


class Codebook(nn.Module):
    """The nearest of some vectors, by distance (VQ-VAE)."""

    def __init__(self) -> None:
        super().__init__()
        self.codes = nn.Embedding(12, 8)

    def forward(self, x: Tensor) -> Tensor:
        nearest = torch.cdist(x, self.codes.weight[None]).argmin(-1)
        return x + (self.codes(nearest) - x).detach()  # type: ignore[no-any-return]


class Wavenet(nn.Module):
    """Causal convolutions, wider apart from layer to layer, gated (WaveNet)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv1d(8, 16, 2, dilation=2**i) for i in range(4))

    def forward(self, x: Tensor) -> Tensor:
        for i, layer in enumerate(self.layers):
            a, b = layer(F.pad(x, (2**i, 0))).chunk(2, 1)
            x = x + torch.tanh(a) * torch.sigmoid(b)
        return x


class Tower(nn.Module):
    """Sparse and dense features, every pair of them multiplied (DLRM)."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.EmbeddingBag(20, 8, mode="sum") for _ in range(3))
        self.bottom, self.top = nn.Linear(5, 8), nn.Linear(14, 1)

    def forward(self, dense: Tensor, ids: Tensor) -> Tensor:
        x = self.bottom(dense).relu()
        rows = torch.stack([x, *(table(ids[:, i]) for i, table in enumerate(self.tables))], 1)
        pairs = rows @ rows.mT
        i, j = torch.tril_indices(4, 4, -1)
        return self.top(torch.cat([x, pairs[:, i, j]], 1)).sigmoid()  # type: ignore[no-any-return]


class Points(nn.Module):
    """Points told apart by sines of their places, and from their neighbours (NeRF, PointNet)."""

    def __init__(self) -> None:
        super().__init__()
        self.each, self.all = nn.Linear(21, 16), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        turned = torch.cat([x, *(fn(2.0**k * x) for k in range(3) for fn in (torch.sin, torch.cos))], -1)
        near = torch.cdist(x, x).topk(3, largest=False).indices
        each = self.each(turned).relu()
        around = each.gather(1, near.flatten(1)[..., None].expand(-1, -1, 16)).unflatten(1, (-1, 3))
        return self.all(around.amax(2).amax(1))  # type: ignore[no-any-return]


def _encoder() -> nn.Module:
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 24, batch_first=True), 2)


def _image(channels: int = 3, size: int = 16) -> tuple[Tensor, ...]:
    return (torch.randn(2, channels, size, size),)


NETS: dict[str, Callable[[], Made]] = {
    "DenseNet": lambda: (Dense(), _image()),
    "inverted bottleneck": lambda: (Inverted(), _image()),
    "ShuffleNet": lambda: (Shuffle(), _image(8)),
    "U-Net": lambda: (Unet(), _image()),
    "spatial transformer": lambda: (SpatialTransformer(), _image(1)),
    "Fourier operator": lambda: (Waves(), (torch.randn(2, 1, 32),)),
    "graph network": lambda: (
        Graphs(),
        (torch.randn(6, 8), torch.tensor([0, 1, 2, 3, 4, 5, 0]), torch.tensor([1, 2, 3, 4, 5, 0, 2])),
    ),
    "VQ-VAE codebook": lambda: (Codebook(), (torch.randn(2, 5, 8),)),
    "WaveNet": lambda: (Wavenet(), (torch.randn(2, 8, 20),)),
    "DLRM": lambda: (Tower(), (torch.randn(2, 5), torch.randint(0, 20, (2, 3, 4)))),
    "points": lambda: (Points(), (torch.randn(2, 9, 3),)),
    "nn.TransformerEncoder": lambda: (_encoder(), (torch.randn(2, 7, 16),)),
    "nn.Transformer": lambda: (
        nn.Transformer(16, 4, 1, 1, 24, batch_first=True),
        (torch.randn(2, 7, 16), torch.randn(2, 5, 16)),
    ),
    "nn.LSTM, both ways": lambda: (
        nn.LSTM(8, 12, 2, bidirectional=True, batch_first=True),
        (torch.randn(2, 6, 8),),
    ),
    "nn.GRU": lambda: (nn.GRU(8, 12, 2), (torch.randn(6, 2, 8),)),
    "nn.RNN": lambda: (nn.RNN(8, 12, nonlinearity="relu"), (torch.randn(6, 2, 8),)),
    "autoencoder with unpooling": lambda: (_Unpooled(), _image()),
}


class _Unpooled(nn.Module):
    """What was largest goes back to where it was (SegNet)."""

    def __init__(self) -> None:
        super().__init__()
        self.there, self.back = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y, places = F.max_pool2d(self.there(x), 2, return_indices=True)
        return self.back(F.max_unpool2d(y.relu(), places, 2))  # type: ignore[no-any-return]
