"""Unit and axes are found again after those of a file were changed."""

import numpy as np
import pytest

from moglow.anatomy.unit_and_axes import UNITS, find_basis, find_unit
from tests.support.rigs import DOGS, RIGS, Rig

ALL = RIGS | {f"dog, {name}": dog for name, dog in DOGS.items()}
AXES = {
    "Y up, facing Z": np.eye(3),
    "Z up, facing -Y": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "Z up, facing X": np.array([[0, 0, 1.0], [1, 0, 0], [0, 1, 0]]),
    "Y up, facing -Z": np.diag([-1.0, 1.0, -1.0]),
    "Y down": np.diag([1.0, -1.0, -1.0]),
}
TOLERANCE = 1e-12


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
@pytest.mark.parametrize("name", RIGS)
def test_an_adults_unit_is_found(name: str, unit: float) -> None:
    rig = RIGS[name]
    found, confidence = find_unit(rig.names, rig.parents, rig.rest / unit)
    assert found == unit
    assert confidence > 0.8


@pytest.mark.parametrize("unit", [1.0, 0.01, 0.001])
@pytest.mark.parametrize("size", [0.6, 0.7, 1.0, 1.15])
def test_a_childs_and_a_tall_mans_unit_is_found(unit: float, size: float) -> None:
    rig = RIGS["mixamo"]
    assert find_unit(rig.names, rig.parents, size * rig.rest / unit)[0] == unit


@pytest.mark.parametrize("unit", [1.0, 0.01, 0.001])
@pytest.mark.parametrize("size", [0.5, 1.0, 2.5])  # from the cat to the horse
def test_the_unit_of_an_animal_is_found(unit: float, size: float) -> None:
    dog = DOGS["rigify"]
    assert find_unit(dog.names, dog.parents, size * dog.rest / unit)[0] == unit


def test_a_figure_between_two_units_has_low_confidence() -> None:
    rig = RIGS["mixamo"]
    sizes = (
        UNITS["inch"] * np.linspace(0.3, 1.0, 30) / UNITS["cm"]
    )  # from a small child in cm to an adult in inches
    found = [find_unit(rig.names, rig.parents, rig.rest / UNITS["inch"] * size / sizes[-1]) for size in sizes]
    assert min(confidence for _, confidence in found) < 0.7
    assert found[-1][0] == UNITS["inch"]


def test_a_figure_without_extent_has_no_confidence() -> None:
    assert find_unit(("Root",), (-1,), np.zeros((1, 3)))[1] == 0.0
    basis, confidence = find_basis(("Root",), (-1,), np.zeros((1, 3)))
    assert confidence == 0.0
    assert np.array_equal(basis, np.eye(3))


@pytest.mark.parametrize("axes", AXES.values(), ids=AXES)
@pytest.mark.parametrize("name", ["snu", "unreal", "dog, rigify"])
@pytest.mark.parametrize("scrambled", [False, True])
def test_the_axes_are_found(name: str, axes: np.ndarray, scrambled: bool) -> None:
    rig: Rig = ALL[name].scrambled() if scrambled else ALL[name]
    basis, confidence = find_basis(rig.names, rig.parents, rig.rest @ axes.T)
    assert np.allclose(basis @ axes, np.eye(3), atol=TOLERANCE)
    assert confidence > (
        0.25 if scrambled else 0.5
    )  # from behind, a dog without names could be a man lying down


def test_the_poses_give_the_up_axis_where_bones_are_along_x() -> None:
    rig = RIGS["bandai"]
    lying = lay_along_x(rig)
    axes = AXES["Z up, facing -Y"]
    basis, confidence = find_basis(rig.names, rig.parents, lying, poses=(rig.rest @ axes.T)[None])
    assert np.allclose(basis @ axes, np.eye(3), atol=TOLERANCE)
    assert confidence > 0.5
    assert find_basis(rig.names, rig.parents, lying)[1] < 0.3


def test_toes_take_precedence_over_names_of_sides() -> None:
    rig = RIGS["snu"]
    swapped = tuple(rig.names[partner] for partner in rig.partners)
    assert np.array_equal(find_basis(swapped, rig.parents, rig.rest)[0], np.eye(3))


def lay_along_x(rig: Rig) -> np.ndarray:
    """Returns the zero pose of Bandai's rig: every bone along X, those of the right side along −X."""
    rest = np.zeros_like(rig.rest)
    for joint, parent in enumerate(rig.parents[1:], start=1):
        length = np.linalg.norm(rig.rest[joint] - rig.rest[parent])
        sign = -1.0 if rig.names[joint].endswith("_R") and rig.names[parent].endswith("_R") else 1.0
        rest[joint] = rest[parent] + [sign * length, 0.0, 0.0]
    return rest


def test_the_users_map_is_followed() -> None:
    rig, legless = RIGS["snu"], {"left_foot": "", "right_foot": "", "head": ""}
    assert find_unit(rig.names, rig.parents, rig.rest, legless)[1] <= 0.5
    assert find_basis(rig.names, rig.parents, rig.rest, overrides=legless)[1] == 0.0
