"""ResNet-50 (He et al., 2015, with the stride on the 3x3 convolution) written out, with random weights.

Shows convolutions of many shapes, batch norm that folds into them, and residual branches.

    wsc compile samples/resnet50.py
    wsc compile samples/resnet50.py -D size=32 -D width=8 -D blocks=1,1,1,1
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Conv(nn.Module):
    """A convolution and its batch norm."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


class Bottleneck(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * width
        self.reduce = Conv(inputs, width, 1)
        self.conv = Conv(width, width, 3, stride)
        self.grow = Conv(width, outputs, 1)
        self.shortcut = Conv(inputs, outputs, 1, stride) if stride > 1 or inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.reduce(x))
        y = F.relu(self.conv(y))
        return F.relu(self.grow(y) + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, width: int, blocks: list[int], classes: int) -> None:
        super().__init__()
        self.stem = Conv(3, width, 7, stride=2)
        stages: list[nn.Module] = []
        inputs = width
        for stage, count in enumerate(blocks):
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                stages.append(Bottleneck(inputs, width << stage, stride))
                inputs = 4 * (width << stage)
        self.blocks = nn.Sequential(*stages)
        self.head = nn.Linear(inputs, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.stem(images)), 3, stride=2, padding=1)
        x = F.adaptive_avg_pool2d(self.blocks(x), 1)
        return self.head(x.flatten(1))


def model(width: int = 64, blocks: str = "3,4,6,3", classes: int = 1000) -> nn.Module:
    return ResNet(width, [int(count) for count in blocks.split(",")], classes)


def example_inputs(size: int = 224, batch: int = 1) -> tuple[Tensor, ...]:
    return (torch.randn(batch, 3, size, size),)
