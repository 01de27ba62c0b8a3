"""Convolutions for GPUs: the same values and gradients, and left alone where nothing is gained."""

import pytest
import torch
from torch.nn import functional

from otosynth.training import tensor_cores
from otosynth.training.arithmetic import Arithmetic, resolve_arithmetic
from otosynth.training.budget import count_operations
from otosynth.training.tensor_cores import TensorCoreConvolutions

# What is taken; outputs, inputs, edge of the kernel, stride and padding.
OTHER_WAYS = {
    "from one channel": ("from_few_channels", 5, 1, 7, 1, 3),
    "from two channels": ("from_few_channels", 5, 2, 5, 1, 2),
    "to one channel": ("to_few_channels", 1, 9, 7, 1, 3),
    "to four channels": ("to_few_channels", 4, 9, 7, 1, 3),
    "halving a pair": ("halving", 6, 2, 4, 2, 1),
    "halving many channels": ("halving", 3, 128, 4, 2, 1),
}


@pytest.fixture
def taken(monkeypatch):
    """Return the names of the ways that were taken."""
    names = []

    def watch(name):
        way = getattr(tensor_cores, name)

        def watched(*given):
            names.append(name)
            return way(*given)

        monkeypatch.setattr(tensor_cores, name, watched)

    for name in ("from_few_channels", "to_few_channels", "halving"):
        watch(name)
    return names


def tensors_of(outputs, inputs, kernel, dtype=torch.float64):
    chance = torch.Generator().manual_seed(1)
    image = torch.randn(1, inputs, 8, 12, 10, generator=chance)
    weight = torch.randn(outputs, inputs, kernel, kernel, kernel, generator=chance) / kernel**2
    return image.to(dtype), weight.to(dtype), torch.randn(outputs, generator=chance).to(dtype)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("name", OTHER_WAYS)
def test_values_and_gradients_are_the_same(values_and_gradients, taken, name, last, biased):
    way, outputs, inputs, kernel, *settings = OTHER_WAYS[name]
    image, weight, bias = tensors_of(outputs, inputs, kernel)
    bias = bias if biased else None
    if last:
        image = image.to(memory_format=torch.channels_last_3d)

    def convolve(*tensors):
        return functional.conv3d(*tensors, *((number,) * 3 for number in settings))

    exact = values_and_gradients(convolve, image, weight, bias)
    with TensorCoreConvolutions():
        found = values_and_gradients(convolve, image, weight, bias)
    assert taken == [way]
    for value, expected in zip(found, exact, strict=True):
        # Sums of what kernels spread are float32.
        torch.testing.assert_close(value.double(), expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize(
    ("layer", "samples"),
    [
        (torch.nn.Conv3d(1, 8, 7, padding=3), 2),
        (torch.nn.Conv3d(1, 8, 3, padding=1), 1),
        (torch.nn.Conv3d(1, 8, 7, padding=2), 1),
        (torch.nn.Conv3d(1, 8, 7, padding="same"), 1),
        (torch.nn.Conv3d(1, 8, 7, padding=6, dilation=2), 1),
        (torch.nn.Conv3d(2, 2, 7, padding=3, groups=2), 1),
        (torch.nn.Conv3d(8, 8, 7, padding=3), 1),
        (torch.nn.Conv3d(8, 8, 4, stride=2, padding=1), 1),
        (torch.nn.Conv3d(2, 8, 4, stride=2), 1),
    ],
)
def test_others_are_left_alone(taken, layer, samples):
    with TensorCoreConvolutions():
        layer(torch.rand(samples, layer.in_channels, 12, 12, 12))
    assert not taken


def test_odd_edges_are_not_halved_in_another_way(taken):
    with TensorCoreConvolutions():
        torch.nn.Conv3d(2, 8, 4, stride=2, padding=1)(torch.rand(1, 2, 12, 11, 12))
    assert not taken


@pytest.mark.parametrize("shape", [(2, 12, 12, 12), (1, 3, 12, 12, 12)])
def test_channels_that_do_not_fit_fail_as_they_do_in_torch(taken, shape):
    layer, image = torch.nn.Conv3d(1, 8, 7, padding=3), torch.rand(shape)
    with pytest.raises(RuntimeError) as torchs:
        layer(image)
    with TensorCoreConvolutions(), pytest.raises(RuntimeError) as ours:
        layer(image)
    assert str(ours.value) == str(torchs.value)
    assert not taken


@pytest.mark.parametrize(("outputs", "inputs"), [(5, 3), (3, 5), (1, 9)])
def test_kernels_may_have_unlike_edges(values_and_gradients, taken, outputs, inputs):
    chance = torch.Generator().manual_seed(1)
    image = torch.randn(1, inputs, 8, 12, 10, generator=chance).double()
    weight = torch.randn(outputs, inputs, 5, 7, 9, generator=chance).double()

    def convolve(*tensors):
        return functional.conv3d(*tensors, None, (1, 1, 1), (2, 3, 4))

    exact = values_and_gradients(convolve, image, weight)
    with TensorCoreConvolutions():
        found = values_and_gradients(convolve, image, weight)
    assert len(taken) == 1
    for value, expected in zip(found, exact, strict=True):
        torch.testing.assert_close(value.double(), expected, rtol=2e-6, atol=2e-5)


@pytest.mark.parametrize("name", OTHER_WAYS)
def test_in_lower_precision_they_are_as_exact_as_torchs(values_and_gradients, taken, name):
    way, outputs, inputs, kernel, *settings = OTHER_WAYS[name]
    tensors = tensors_of(outputs, inputs, kernel, torch.float32)

    def convolve(*tensors):
        return functional.conv3d(*tensors, *((number,) * 3 for number in settings))

    exact = values_and_gradients(convolve, *(t.double() for t in tensors))
    with torch.autocast("cpu", torch.bfloat16):
        torchs = values_and_gradients(convolve, *tensors)
        with TensorCoreConvolutions():
            found = values_and_gradients(convolve, *tensors)
    assert taken == [way]
    for value, other, expected in zip(found, torchs, exact, strict=True):
        ours, its = ((v.double() - expected).norm() / expected.norm() for v in (value, other))
        assert ours < 1.3 * its + 1e-6


def test_networks_on_a_gpu_compute_with_them(taken):
    with Arithmetic(torch.device("cuda"), "float32").for_networks():
        torch.nn.Conv3d(1, 8, 7, padding=3)(torch.rand(1, 1, 8, 8, 8))
    assert taken == ["from_few_channels"]


def test_operations_are_counted_as_those_of_plain_convolutions():
    layer, image = torch.nn.Conv3d(1, 8, 7, padding=3), torch.rand(1, 1, 12, 12, 12)
    with TensorCoreConvolutions():
        assert count_operations(lambda: layer(image)) == 2 * 8 * 7**3 * 12**3


@pytest.mark.gpu
@pytest.mark.parametrize("name", OTHER_WAYS)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_gpu_computes_them_as_exactly_as_torch_does(values_and_gradients, name, precision):
    arithmetic = resolve_arithmetic("cuda", precision, 1)
    _, outputs, inputs, kernel, *settings = OTHER_WAYS[name]
    exact_tensors = [t.cuda() for t in tensors_of(outputs, inputs, kernel)]

    def convolve(*tensors):
        return functional.conv3d(*tensors, *((number,) * 3 for number in settings))

    def errors(context):
        with context:
            found = values_and_gradients(convolve, *(t.float() for t in exact_tensors))
        return [
            ((value.double() - e).norm() / e.norm()).item()
            for value, e in zip(found, exact, strict=True)
        ]

    exact = values_and_gradients(convolve, *exact_tensors)
    lower = precision == "bfloat16"
    torchs = errors(torch.autocast("cuda", torch.bfloat16, enabled=lower))
    for ours, its in zip(errors(arithmetic.for_networks()), torchs, strict=True):
        # Tensor cores round float32 to 10 bits (TF32), where torch takes them, too, or none.
        assert ours < max(1.3 * its, 1e-3)
