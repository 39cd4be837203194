"""Where the ink of gray images lies."""

import pytest
import torch

from metagan_cli.images.ink import centre, places, profiles


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("halved", [False, True])
def test_a_dot_lies_where_it_is(dtype: torch.dtype, halved: bool) -> None:
    ink = torch.zeros(2, 1, 32, 32, dtype=dtype)
    ink[0, 0, 3, 20], ink[1, 0, 31, 0] = 0.5, 2.0
    with torch.autocast("cpu", torch.bfloat16, enabled=halved):
        found = centre(profiles(ink))
    expected = torch.tensor([[41 / 32 - 1, 7 / 32 - 1], [1 / 32 - 1, 63 / 32 - 1]], dtype=dtype)
    assert found.dtype == dtype
    assert torch.allclose(found, expected, atol=1e-6)


def test_profiles_add_up_to_one_and_no_ink_lies_in_the_middle() -> None:
    assert torch.allclose(profiles(torch.rand(3, 1, 8, 8)).sum(2), torch.ones(3, 2))
    assert torch.equal(centre(profiles(torch.zeros(1, 1, 8, 8))), torch.zeros(1, 2))
    assert torch.allclose(places(4, torch.device("cpu")), torch.tensor([-0.75, -0.25, 0.25, 0.75]))
