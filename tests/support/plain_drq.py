"""The DrQ of PLASTIC for one seed as the field writes it: C51, noisy dueling streams, double
targets, a clipped gradient; nn.Module, autograd, torch.optim.Adam. It shares no code with the
package. Images are already augmented, float [B, C, H, W] in [0, 1]."""

import copy
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Sample(NamedTuple):
    images: Tensor
    following: Tensor
    action: Tensor
    reward: Tensor
    discount: Tensor
    weight: Tensor


class Noisy(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.weight_sigma = nn.Parameter(torch.empty(outputs, inputs))
        self.bias_sigma = nn.Parameter(torch.empty(outputs))

    def forward(self, x: Tensor, normal: Tensor) -> Tensor:
        inputs = self.weight.shape[1]
        scaled = torch.sign(normal) * torch.sqrt(torch.abs(normal))
        into, out = scaled[:inputs], scaled[inputs:]
        weight = self.weight + self.weight_sigma * torch.outer(out, into)
        return F.linear(x, weight, self.bias + self.bias_sigma * out)


class Network(nn.Module):
    def __init__(
        self, shape: tuple[int, int, int], widths: tuple[int, ...], hidden: int, actions: int
    ) -> None:
        super().__init__()
        self.actions = actions
        one, two, three = widths
        self.convs = nn.ModuleList(
            [nn.Conv2d(shape[0], one, 8, 4), nn.Conv2d(one, two, 4, 2), nn.Conv2d(two, three, 3, 1)]
        )
        features = self.features(torch.zeros(1, *shape)).shape[1]
        self.value_hidden, self.advantage_hidden = Noisy(features, hidden), Noisy(features, hidden)
        self.value, self.advantage = Noisy(hidden, 51), Noisy(hidden, actions * 51)
        self.noisy = (self.value_hidden, self.advantage_hidden, self.value, self.advantage)

    def features(self, x: Tensor) -> Tensor:
        h = x
        for conv in self.convs:
            h = F.relu(conv(h))
        return h.flatten(1)

    def forward(self, x: Tensor, normal: Tensor) -> Tensor:
        h = self.features(x)
        if h.requires_grad:
            h.register_hook(lambda gradient: gradient / 2**0.5)
        parts = normal.split([sum(layer.weight.shape) for layer in self.noisy])
        value = self.value(F.relu(self.value_hidden(h, parts[0])), parts[2])
        advantage = self.advantage(F.relu(self.advantage_hidden(h, parts[1])), parts[3])
        advantage = advantage.view(len(h), self.actions, 51)
        return value[:, None] + advantage - advantage.mean(1, keepdim=True)


class PlainDrQ:
    def __init__(
        self,
        shape: tuple[int, int, int],
        widths: tuple[int, ...],
        hidden: int,
        actions: int,
        learning_rate: float,
        clip: float,
    ) -> None:
        self.online = Network(shape, widths, hidden, actions)
        self.target = copy.deepcopy(self.online)
        self.adam = torch.optim.Adam(self.online.parameters(), learning_rate, eps=1.5e-4)
        self.clip = clip
        self.z = torch.linspace(-10.0, 10.0, 51)

    def update(self, batch: Sample, normals: Tensor) -> float:
        """`normals` [3, N]: for the online network at s and at s', and for the target."""
        rows = torch.arange(len(batch.reward))
        with torch.no_grad():
            q = (self.online(batch.following, normals[1]).softmax(-1) * self.z).sum(-1)
            p = self.target(batch.following, normals[2])[rows, q.argmax(-1)].softmax(-1)
            m = torch.zeros_like(p)
            for b in range(len(p)):
                for j in range(51):
                    tz = (batch.reward[b] + batch.discount[b] * self.z[j]).clamp(-10.0, 10.0)
                    place = float((tz + 10.0) / 0.4)
                    low = min(int(place), 49)
                    m[b, low] += p[b, j] * (low + 1 - place)
                    m[b, low + 1] += p[b, j] * (place - low)
        logits = self.online(batch.images, normals[0])[rows, batch.action]
        loss = (batch.weight * -(m * logits.log_softmax(-1)).sum(-1)).mean()
        self.adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.online.parameters(), self.clip)
        self.adam.step()
        with torch.no_grad():
            pairs = zip(self.target.parameters(), self.online.parameters(), strict=True)
            for target, value in pairs:
                target.mul_(0.99).add_(value, alpha=0.01)
        return loss.item()
