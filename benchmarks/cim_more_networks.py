"""Further networks that PIMCOMP is shipped with, as its files have them: 224 x 224 images, norms folded.

Inception v3 (Szegedy et al., CVPR 2016), MobileNetV2 (Sandler et al., CVPR 2018), ShuffleNet (Zhang et al., CVPR 2018,
four groups), CaffeNet (Jia et al., 2014) and R-CNN's features for the 200 classes of ILSVRC13.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

CEIL = True


def conv(
    inputs: int,
    outputs: int,
    taps: int | tuple[int, int],
    stride: int = 1,
    padding: int | tuple[int, int] = 0,
    groups: int = 1,
    act: bool = True,
) -> nn.Module:
    convolution = nn.Conv2d(inputs, outputs, taps, stride, padding, groups=groups)
    return nn.Sequential(convolution, nn.ReLU()) if act else convolution


class Side(nn.Module):
    """Branches side by side, their channels one after another."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


def mean_pool(stride: int = 1) -> nn.Module:
    return nn.AvgPool2d(3, stride, 1)


def inception_a(inputs: int, pooled: int) -> nn.Module:
    return Side(
        conv(inputs, 64, 1),
        nn.Sequential(conv(inputs, 48, 1), conv(48, 64, 5, 1, 2)),
        nn.Sequential(conv(inputs, 64, 1), conv(64, 96, 3, 1, 1), conv(96, 96, 3, 1, 1)),
        nn.Sequential(mean_pool(), conv(inputs, pooled, 1)),
    )


def inception_b(inputs: int) -> nn.Module:
    return Side(
        conv(inputs, 384, 3, 2),
        nn.Sequential(conv(inputs, 64, 1), conv(64, 96, 3, 1, 1), conv(96, 96, 3, 2)),
        nn.MaxPool2d(3, 2),
    )


def along_x(inputs: int, outputs: int, taps: int = 7) -> nn.Module:
    return conv(inputs, outputs, (1, taps), 1, (0, taps // 2))


def along_y(inputs: int, outputs: int, taps: int = 7) -> nn.Module:
    return conv(inputs, outputs, (taps, 1), 1, (taps // 2, 0))


def inception_c(inner: int) -> nn.Module:
    n = inner
    return Side(
        conv(768, 192, 1),
        nn.Sequential(conv(768, n, 1), along_x(n, n), along_y(n, 192)),
        nn.Sequential(conv(768, n, 1), along_y(n, n), along_x(n, n), along_y(n, n), along_x(n, 192)),
        nn.Sequential(mean_pool(), conv(768, 192, 1)),
    )


def inception_d() -> nn.Module:
    return Side(
        nn.Sequential(conv(768, 192, 1), conv(192, 320, 3, 2)),
        nn.Sequential(conv(768, 192, 1), along_x(192, 192), along_y(192, 192), conv(192, 192, 3, 2)),
        nn.MaxPool2d(3, 2),
    )


def inception_e(inputs: int) -> nn.Module:
    def split() -> nn.Module:
        return Side(along_x(384, 384, 3), along_y(384, 384, 3))

    return Side(
        conv(inputs, 320, 1),
        nn.Sequential(conv(inputs, 384, 1), split()),
        nn.Sequential(conv(inputs, 448, 1), conv(448, 384, 3, 1, 1), split()),
        nn.Sequential(mean_pool(), conv(inputs, 192, 1)),
    )


def inception_v3() -> nn.Module:
    return nn.Sequential(
        conv(3, 32, 3, 2), conv(32, 32, 3), conv(32, 64, 3, 1, 1), nn.MaxPool2d(3, 2),
        conv(64, 80, 1), conv(80, 192, 3), nn.MaxPool2d(3, 2),
        inception_a(192, 32), inception_a(256, 64), inception_a(288, 64), inception_b(288),
        inception_c(128), inception_c(160), inception_c(160), inception_c(192), inception_d(),
        inception_e(1280), inception_e(2048), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000),
    )  # fmt: skip


class Inverted(nn.Module):
    """Widen, filter each channel by itself, narrow; with a sum where shapes stay."""

    def __init__(self, inputs: int, outputs: int, stride: int, factor: int) -> None:
        super().__init__()
        inner = inputs * factor
        widen = [conv(inputs, inner, 1)] if factor > 1 else []
        self.body = nn.Sequential(
            *widen, conv(inner, inner, 3, stride, 1, groups=inner), conv(inner, outputs, 1, act=False)
        )
        self.stays = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if self.stays else y


MOBILE = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenetv2() -> nn.Module:
    layers: list[nn.Module] = [conv(3, 32, 3, 2, 1)]
    inputs = 32
    for factor, outputs, count, stride in MOBILE:
        for number in range(count):
            layers.append(Inverted(inputs, outputs, stride if number == 0 else 1, factor))
            inputs = outputs
    head = (conv(320, 1280, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000))
    return nn.Sequential(*layers, *head)


class Shuffled(nn.Module):
    """Two 1 x 1 convolutions in four groups with a shuffle and a 3 x 3 for each channel between; `stride` 2 joins."""

    def __init__(self, inputs: int, inner: int, stride: int) -> None:
        super().__init__()
        self.inner, self.stride = inner, stride
        self.first = conv(inputs, inner, 1, groups=4)
        self.filter = conv(inner, inner, 3, stride, 1, groups=inner, act=False)
        self.last = conv(inner, inner, 1, groups=4, act=False)
        self.pool = mean_pool(2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.first(x)
        n, c, h, w = y.shape
        y = y.view(n, 4, c // 4, h, w).transpose(1, 2).reshape(n, c, h, w)
        y = self.last(self.filter(y))
        return torch.relu(torch.cat([self.pool(x), y], 1) if self.stride == 2 else x + y)


def shufflenet() -> nn.Module:
    layers: list[nn.Module] = [conv(3, 24, 3, 2, 1), nn.MaxPool2d(3, 2, 1)]
    for inputs, inner, count in ((24, 112, 3), (136, 136, 7), (272, 272, 3)):
        layers.append(Shuffled(inputs, inner, 2))
        layers += [Shuffled(inputs + inner, inputs + inner, 1) for _ in range(count)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(544, 1000))


def caffenet(classes: int = 1000) -> nn.Module:
    return nn.Sequential(
        conv(3, 96, 11, 4), nn.MaxPool2d(3, 2, ceil_mode=CEIL), conv(96, 256, 5, 1, 2, groups=2),
        nn.MaxPool2d(3, 2, ceil_mode=CEIL), conv(256, 384, 3, 1, 1), conv(384, 384, 3, 1, 1, groups=2),
        conv(384, 256, 3, 1, 1, groups=2), nn.MaxPool2d(3, 2, ceil_mode=CEIL), nn.Flatten(),
        nn.Linear(9216, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, classes),
    )  # fmt: skip
