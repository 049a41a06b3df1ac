"""Networks that others compiled for crossbars, written out without their norms, which fold into the weights.

`network(name)` knows the published names; `mlp(sizes)` is PUMA's fully connected chain. Weights are random: cycles do
not depend on them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.cim_more_networks import caffenet, inception_v3, mobilenetv2, shufflenet


def conv(
    inputs: int,
    outputs: int,
    taps: int | tuple[int, int],
    stride: int = 1,
    padding: int | tuple[int, int] = 0,
) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, taps, stride, padding), nn.ReLU())


class Residual(nn.Module):
    """Two 3 x 3 convolutions, or 1 x 1, 3 x 3, 1 x 1 where `inner` is given."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, inner: int = 0) -> None:
        super().__init__()
        if inner:
            self.body = nn.Sequential(
                conv(inputs, inner, 1), conv(inner, inner, 3, stride, 1), nn.Conv2d(inner, outputs, 1)
            )
        else:
            self.body = nn.Sequential(
                conv(inputs, outputs, 3, stride, 1), nn.Conv2d(outputs, outputs, 3, 1, 1)
            )
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.shortcut(x))


def resnet(blocks: Sequence[int], bottleneck: bool) -> nn.Module:
    layers: list[nn.Module] = [conv(3, 64, 7, 2, 3), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for stage, count in enumerate(blocks):
        width = 64 << stage
        outputs = 4 * width if bottleneck else width
        for block in range(count):
            stride = 2 if stage and not block else 1
            layers.append(Residual(inputs, outputs, stride, width if bottleneck else 0))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 1000))


def alexnet() -> nn.Module:
    """The one column form, 54 x 54 after the first layer: what PIMCOMP's 32,096 products come from."""
    return nn.Sequential(
        conv(3, 96, 11, 4), nn.MaxPool2d(3, 2), conv(96, 256, 5, 1, 2), nn.MaxPool2d(3, 2),
        conv(256, 384, 3, 1, 1), conv(384, 384, 3, 1, 1), conv(384, 256, 3, 1, 1), nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.Flatten(), nn.Linear(9216, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000),
    )  # fmt: skip


def vgg(plan: Sequence[int]) -> nn.Module:
    """`plan`: outputs of each convolution, 0 for a pool."""
    layers: list[nn.Module] = []
    inputs = 3
    for outputs in plan:
        layers.append(conv(inputs, outputs, 3, 1, 1) if outputs else nn.MaxPool2d(2))
        inputs = outputs or inputs
    head = (nn.Linear(25088, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000))
    return nn.Sequential(*layers, nn.Flatten(), *head)


class Branches(nn.Module):
    """Branches side by side, their channels one after another."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


def fire(inputs: int, squeeze: int, expand: int) -> nn.Module:
    return nn.Sequential(
        conv(inputs, squeeze, 1), Branches(conv(squeeze, expand, 1), conv(squeeze, expand, 3, 1, 1))
    )


def squeezenet(first: int = 3) -> nn.Module:
    """SqueezeNet 1.1 (first convolution 3 x 3: PIMCOMP's 50,962 products), or 1.0 where `first` is 7."""
    pool = lambda: nn.MaxPool2d(3, 2, ceil_mode=True)  # noqa: E731
    tail = [nn.Dropout(), conv(512, 1000, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if first == 7:
        return nn.Sequential(
            conv(3, 96, 7, 2), pool(), fire(96, 16, 64), fire(128, 16, 64), fire(128, 32, 128), pool(),
            fire(256, 32, 128), fire(256, 48, 192), fire(384, 48, 192), fire(384, 64, 256), pool(),
            fire(512, 64, 256), *tail,
        )  # fmt: skip
    return nn.Sequential(
        conv(3, 64, 3, 2), pool(), fire(64, 16, 64), fire(128, 16, 64), pool(), fire(128, 32, 128), fire(256, 32, 128),
        pool(), fire(256, 48, 192), fire(384, 48, 192), fire(384, 64, 256), fire(512, 64, 256), *tail,
    )  # fmt: skip


def inception(inputs: int, a: int, b: tuple[int, int], c: tuple[int, int], d: int) -> nn.Module:
    """A block of GoogLeNet; the third branch is 3 x 3 as in torchvision."""
    return Branches(
        conv(inputs, a, 1),
        nn.Sequential(conv(inputs, b[0], 1), conv(b[0], b[1], 3, 1, 1)),
        nn.Sequential(conv(inputs, c[0], 1), conv(c[0], c[1], 3, 1, 1)),
        nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(inputs, d, 1)),
    )


def googlenet() -> nn.Module:
    pool = lambda: nn.MaxPool2d(3, 2, ceil_mode=True)  # noqa: E731
    return nn.Sequential(
        conv(3, 64, 7, 2, 3), pool(), conv(64, 64, 1), conv(64, 192, 3, 1, 1), pool(),
        inception(192, 64, (96, 128), (16, 32), 32), inception(256, 128, (128, 192), (32, 96), 64), pool(),
        inception(480, 192, (96, 208), (16, 48), 64), inception(512, 160, (112, 224), (24, 64), 64),
        inception(512, 128, (128, 256), (24, 64), 64), inception(512, 112, (144, 288), (32, 64), 64),
        inception(528, 256, (160, 320), (32, 128), 128), nn.MaxPool2d(2, 2, ceil_mode=True),
        inception(832, 256, (160, 320), (32, 128), 128), inception(832, 384, (192, 384), (48, 128), 128),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, 1000),
    )  # fmt: skip


def vgg8() -> nn.Module:
    """The VGG-8 for CIFAR-10 that NeuroSim is shipped with."""
    return nn.Sequential(
        conv(3, 128, 3, 1, 1), conv(128, 128, 3, 1, 1), nn.MaxPool2d(2), conv(128, 256, 3, 1, 1),
        conv(256, 256, 3, 1, 1),
        nn.MaxPool2d(2), conv(256, 512, 3, 1, 1), conv(512, 512, 3, 1, 1), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(8192, 1024), nn.ReLU(), nn.Linear(1024, 10),
    )  # fmt: skip


VGG16 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)
VGG19 = (64, 64, 0, 128, 128, 0, *4 * (256,), 0, *4 * (512,), 0, *4 * (512,), 0)

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "alexnet": alexnet,
    "vgg16": lambda: vgg(VGG16),
    "vgg19": lambda: vgg(VGG19),
    "resnet18": lambda: resnet((2, 2, 2, 2), bottleneck=False),
    "resnet34": lambda: resnet((3, 4, 6, 3), bottleneck=False),
    "resnet50": lambda: resnet((3, 4, 6, 3), bottleneck=True),
    "squeezenet": squeezenet,
    "squeezenet1_0": lambda: squeezenet(7),
    "googlenet": googlenet,
    "inception_v3": inception_v3,
    "mobilenetv2": mobilenetv2,
    "shufflenet": shufflenet,
    "caffenet": caffenet,
    "rcnn-ilsvrc13": lambda: caffenet(200),
    "vgg8": vgg8,
}


_ALIASES = {"".join(c for c in name if c.isalnum()): name for name in NETWORKS}


def known(name: str) -> str:
    """The name among NETWORKS that is meant, whatever its case and signs; "" for none."""
    return _ALIASES.get("".join(c for c in name.lower() if c.isalnum()), "")


def network(name: str, size: int = 224) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """A network and one image of `size` pixels a side; raises KeyError for a name that is not among NETWORKS."""
    torch.manual_seed(0)
    return NETWORKS[known(name)](), (torch.randn(1, 3, size, size),)


def mlp(sizes: Sequence[int]) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Fully connected layers with a sigmoid-like unit after each but the last, and one vector."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*(layers[:-1] if len(layers) > 2 else layers[:1])), (torch.randn(1, sizes[0]),)
