"""Random shifts beside crops of the padded image."""

import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from primacy.agents.shifts import gathered, random_shift


@given(st.integers(0, 8), st.integers(0, 8), st.integers(5, 13), st.integers(5, 13))
def test_a_shift_is_a_crop_of_the_padded_image(down, right, height, width):
    images = torch.arange(2.0 * 3 * height * width).view(2, 3, height, width)
    padded = F.pad(images, (4, 4, 4, 4), mode="replicate")
    uniform = torch.tensor([(down + 0.5) / 9, (right + 0.5) / 9]).expand(2, 2)
    expected = padded[..., down : down + height, right : right + width]
    assert torch.equal(random_shift(images, uniform, 4), expected)
    first = torch.tensor([down, right]).expand(2, 2)
    assert torch.equal(gathered(images, first, 4), expected)


def test_shifts_are_drawn_per_stack_and_reach_both_ends():
    images = torch.arange(81, dtype=torch.uint8).view(1, 1, 9, 9).expand(3, 2, 9, 9)
    uniform = torch.tensor([[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]])
    moved = random_shift(images, uniform, 4)
    assert moved.dtype == torch.uint8
    assert torch.equal(moved[1], images[1])
    assert moved[0, 0, -1, -1] == images[0, 0, 4, 4]
    assert moved[2, 0, 0, 0] == images[0, 0, 4, 4]
    assert torch.equal(moved[:, 0], moved[:, 1])
