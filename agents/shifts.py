"""Random shifts of images (Kostrikov et al. 2020).

On a CPU the crops are copied by NumPy, row by row: a compiled gather of single pixels takes five
times as long and an eager one four times. On other devices the gather is fused with what follows.
"""

import numpy as np
import torch
from torch import Tensor

_library = torch.library.Library("primacy", "FRAGMENT")
_library.define("crops(Tensor images, Tensor first, int pad) -> Tensor")


def random_shift(images: Tensor, uniform: Tensor, pad: int) -> Tensor:
    """Replicate `pad` >= 1 pixels at the edges and crop at a random offset: [..., C, H, W] and
    uniform numbers [..., 2] in [0, 1] -> the same shape. Has no gradient.

    Offsets are 0 to 2 pad, row then column; `pad` is the centre.
    """
    first = (uniform * (2 * pad + 1)).long().clamp(max=2 * pad)
    if images.device.type == "cpu":
        flat = torch.ops.primacy.crops(images.flatten(0, -4), first.flatten(0, -2), pad)
        return flat.view(images.shape)
    return gathered(images, first, pad)


def gathered(images: Tensor, first: Tensor, pad: int) -> Tensor:
    """Crops [..., C, H, W] that begin at `first` [..., 2], rows and columns of the padded image."""
    height, width = images.shape[-2:]
    lines = torch.arange(max(height, width), device=images.device)
    offset = first - pad
    rows = (lines[:height] + offset[..., :1]).clamp(0, height - 1)[..., None, :, None]
    columns = (lines[:width] + offset[..., 1:]).clamp(0, width - 1)[..., None, None, :]
    moved = images.gather(-2, rows.expand(images.shape))
    return moved.gather(-1, columns.expand(images.shape))


def _crops(images: Tensor, first: Tensor, pad: int) -> Tensor:
    whole = images.numpy()
    height, width = whole.shape[-2:]
    padded = np.pad(whole, ((0, 0), (0, 0), (pad, pad), (pad, pad)), mode="edge")
    crops = np.empty_like(whole, order="C")
    for image, crop, (top, left) in zip(padded, crops, first.tolist(), strict=True):
        crop[:] = image[:, top : top + height, left : left + width]
    return torch.from_numpy(crops)


_library.impl("crops", _crops, "CPU")


@torch.library.register_fake("primacy::crops", lib=_library)
def _(images: Tensor, first: Tensor, pad: int) -> Tensor:
    return images.new_empty(images.shape)
