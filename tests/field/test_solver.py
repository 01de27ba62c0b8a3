"""The potential against analytic solutions, and what physics demands of any solution.

Grids are as coarse as a percent allows: points are at least seven cells away from the source, where
the seven-point scheme itself errs by up to half a percent.
"""

import numpy as np
import pytest
from scipy import sparse
from scipy.special import eval_legendre

from otosynth.errors import InputError
from otosynth.field.finite_volumes import leaving_current
from otosynth.field.grid import GROWTH, grid_round
from otosynth.field.points import interpolation
from otosynth.field.sensitivity import sensitivity
from otosynth.field.solver import FieldSolver

MM = 0.25
EDGE = 26
PERCENT = 0.01


def solver_of(voxels: np.ndarray, boundary_mm: float = 6.0, growth: float = 1.15) -> FieldSolver:
    """A map whose border goes on to the far boundary."""
    grid = grid_round(voxels.shape, (MM,) * 3, boundary_mm, growth)
    return FieldSolver(grid.embed(voxels, None), grid)


def potentials(solver: FieldSolver, source_mm, points_mm) -> np.ndarray:
    """Potentials (V) at points (n, 3) for 1 A at a source (3,)."""
    weights = interpolation(np.array([source_mm, *points_mm]), solver.grid, solver.cells)
    return (weights @ solver.solve(weights[[0]].toarray()[0]))[1:]


def distance_m(points_mm, from_mm) -> np.ndarray:
    return np.linalg.norm(np.array(points_mm) - np.array(from_mm), axis=1) / 1e3


def cell(*index: float) -> np.ndarray:
    """Centre of a cell, mm."""
    return (np.array(index) + 0.5) * MM


def ring(middle_mm) -> np.ndarray:
    """Points in many directions round a point, whole cells away from it."""
    cells = [(7, 0, 0), (0, -8, 0), (0, 0, 8), (5, 6, 0), (4, -5, 6), (-6, 5, -4), (-6, -6, -6)]
    return np.array(middle_mm) + MM * np.array(cells)


@pytest.fixture(scope="module")
def homogeneous() -> FieldSolver:
    return solver_of(np.full((EDGE,) * 3, 0.33))


def test_a_point_source_in_a_homogeneous_medium(homogeneous):
    source = cell(12, 13, 12)
    points = ring(source)
    expected = 1 / (4 * np.pi * 0.33 * distance_m(points, source))
    np.testing.assert_allclose(potentials(homogeneous, source, points), expected, rtol=PERCENT)


def test_between_centres_of_cells_interpolation_costs_another_percent(homogeneous):
    source = cell(12.3, 12.9, 12.5)
    points = ring(source) + 0.06
    expected = 1 / (4 * np.pi * 0.33 * distance_m(points, source))
    found = potentials(homogeneous, source, points)
    np.testing.assert_allclose(found, expected, rtol=2 * PERCENT)


def test_a_point_source_in_two_layers():
    bone, fluid = 0.0156, 1.43
    voxels = np.full((EDGE,) * 3, fluid)
    voxels[: EDGE // 2] = bone
    wall_mm, source = EDGE // 2 * MM, cell(14, 13, 12)
    image = (2 * wall_mm - source[0], *source[1:])
    points = ring(source)
    same_side = points[:, 0] > wall_mm
    mirrored = (fluid - bone) / (fluid + bone)
    near = (1 / distance_m(points, source) + mirrored / distance_m(points, image)) / fluid
    across = 2 / (fluid + bone) / distance_m(points, source)
    expected = np.where(same_side, near, across) / (4 * np.pi)
    assert 0 < same_side.sum() < len(points)
    found = potentials(solver_of(voxels), source, points)
    np.testing.assert_allclose(found, expected, rtol=PERCENT)


def sphere_potential(points_mm, source_mm, radius_mm: float, inside: float, outside: float):
    """Potential (V) of 1 A at a point in a sphere round the origin, as a Legendre series."""
    points, source = np.asarray(points_mm) / 1e3, np.asarray(source_mm) / 1e3
    s, a = np.linalg.norm(source), radius_mm / 1e3
    r = np.linalg.norm(points, axis=1)
    cosine = points @ source / (r * s)
    direct = 1 / inside / np.sqrt(r**2 + s**2 - 2 * r * s * cosine)
    total = np.where(r < a, direct, 0.0)
    for n in range(60):
        legendre = eval_legendre(n, cosine)
        both = n * inside + (n + 1) * outside
        reflected = (n + 1) * (inside - outside) / (inside * both) * (s * r) ** n / a ** (2 * n + 1)
        passed = (2 * n + 1) / both * s**n / r ** (n + 1)
        total = total + np.where(r < a, reflected, passed) * legendre
    return total / (4 * np.pi)


def test_a_point_source_in_a_sphere():
    inside, outside, radius_mm = 0.33, 0.1, 2.5
    middle = EDGE * MM / 2
    axis = (np.arange(EDGE * 4) + 0.5) * MM / 4 - middle
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij", sparse=True)
    fine = z**2 + y**2 + x**2 < radius_mm**2
    # A voxel that the surface cuts has the mean of both by volume, so that steps do not show.
    share = fine.reshape(EDGE, 4, EDGE, 4, EDGE, 4).mean(axis=(1, 3, 5))
    solver = solver_of(outside + share * (inside - outside))
    source_mm = cell(16, 13, 13) - middle
    within = [cell(8, 16, 17), cell(7, 10, 11), cell(9, 19, 15), cell(11, 6, 13)]
    beyond = [cell(1, 10, 15), cell(16, 1, 17), cell(17, 8, 24), cell(2, 4, 9)]
    points = np.array(within + beyond) - middle
    assert (np.linalg.norm(points, axis=1) < radius_mm).tolist() == [True] * 4 + [False] * 4
    expected = sphere_potential(points, source_mm, radius_mm, inside, outside)
    found = potentials(solver, middle + source_mm, points + middle)
    np.testing.assert_allclose(found, expected, rtol=PERCENT)


@pytest.fixture(scope="module")
def ear() -> FieldSolver:
    """Tissues in blobs, with air."""
    random = np.random.default_rng(3)
    voxels = random.choice([0.0, 0.0156, 0.33, 1.43], size=(6, 6, 6), p=[0.2, 0.3, 0.3, 0.2])
    return solver_of(np.repeat(np.repeat(np.repeat(voxels, 2, 0), 2, 1), 2, 2), 5.0)


def conducting_points(solver: FieldSolver, count: int) -> np.ndarray:
    inner = np.argwhere(solver.cells[solver.grid.inner])
    chosen = np.random.default_rng(1).choice(len(inner), count, replace=False)
    return (inner[chosen] + 0.5) * MM + 0.04


def test_all_current_leaves_through_the_boundary(ear):
    weights = interpolation(conducting_points(ear, 1), ear.grid, ear.cells)
    assert weights.sum() == pytest.approx(1)
    volume = ear.volume(ear.solve(weights.toarray()[0]))
    assert leaving_current(volume, ear.conductivity, ear.grid) == pytest.approx(1, rel=1e-6)
    assert np.isnan(volume[ear.conductivity == 0]).all()


def test_the_transfer_matrix_is_symmetric(ear):
    weights = interpolation(conducting_points(ear, 6), ear.grid, ear.cells)
    potential = np.stack([ear.solve(row) for row in weights.toarray()], axis=1)
    transfer = weights @ potential
    np.testing.assert_allclose(transfer, transfer.T, rtol=1e-5)
    assert (np.linalg.eigvalsh(transfer) > 0).all()


def test_contacts_solved_together_are_as_by_a_direct_solver(ear):
    currents = interpolation(conducting_points(ear, 5), ear.grid, ear.cells).toarray().T
    together = ear.solve(currents)
    direct = sparse.linalg.splu(sparse.csc_array(ear.matrix)).solve(currents)
    np.testing.assert_allclose(together, direct, rtol=1e-5, atol=1e-6 * direct.max())
    np.testing.assert_allclose(ear.solve(currents[:, 2]), direct[:, 2], rtol=1e-5, atol=1e-6)
    in_threads = FieldSolver(ear.conductivity, ear.grid, threads=2).solve(currents)
    np.testing.assert_allclose(in_threads, together, rtol=1e-6, atol=1e-9 * direct.max())


def test_a_contact_without_current_has_no_potential(ear):
    currents = np.zeros((np.count_nonzero(ear.cells), 2))
    currents[7, 0] = 1
    assert (ear.solve(currents)[:, 1] == 0).all()


def test_the_cycle_is_symmetric_and_positive(ear):
    vectors = np.random.default_rng(2).normal(size=(np.count_nonzero(ear.cells), 6))
    products = vectors.T @ ear.multigrid.cycle(vectors.astype(np.float32)).astype(float)
    np.testing.assert_allclose(products, products.T, rtol=1e-4, atol=1e-6 * products.max())
    assert (np.linalg.eigvalsh(products) > 0).all()


def test_air_insulates_and_islands_in_it_are_known():
    voxels = np.full((9, 9, 9), 0.33)
    voxels[3:6, 3:6, 3:6] = 0
    voxels[4, 4, 4] = 1.43
    solver = solver_of(voxels, 5.0)
    inner = solver.grid.inner
    assert solver.islands[inner].sum() == 1
    assert solver.islands[inner][4, 4, 4]
    assert not solver.cells[inner][3:6, 3:6, 3:6].any()


def test_a_grounded_border_is_enough_without_cells_beyond_it():
    assert solver_of(np.full((6, 6, 6), 0.33), 0.0).grid.shape == (6, 6, 6)


def test_the_far_boundary_and_the_wide_cells_matter_less_than_two_percent():
    random = np.random.default_rng(5)
    voxels = random.choice([0.0156, 0.33, 1.43], size=(10, 10, 10))
    source, points = (1.25, 1.25, 1.25), [(2.2, 1.2, 1.1), (0.9, 0.6, 2.0), (0.3, 2.2, 1.3)]
    found = []
    for boundary_mm, growth in ((10.0, GROWTH), (60.0, 1.3)):
        grid = grid_round(voxels.shape, (MM,) * 3, boundary_mm, growth)
        found.append(potentials(FieldSolver(grid.embed(voxels, 0.33), grid), source, points))
    np.testing.assert_allclose(*found, rtol=0.02)


def test_the_error_falls_with_the_grid():
    errors = []
    for factor in (1, 2):
        edge, mm = 10 * factor, 0.5 / factor
        grid = grid_round((edge,) * 3, (mm,) * 3, 6.0, 1.15)
        solver = FieldSolver(np.full(grid.shape, 0.33), grid)
        source, points = (2.25, 2.75, 2.25), [(3.75, 2.75, 2.25), (1.25, 1.75, 3.25)]
        expected = 1 / (4 * np.pi * 0.33 * distance_m(points, source))
        errors.append(np.abs(potentials(solver, source, points) / expected - 1).max())
    assert errors[1] < errors[0] / 1.5


def test_the_sensitivity_is_the_derivative(ear):
    source, site = conducting_points(ear, 2)
    weights = interpolation(np.stack([source, site]), ear.grid, ear.cells).toarray()
    fields = [ear.volume(ear.solve(row)) for row in weights]
    derivative = sensitivity(ear, *fields)
    inner = ear.grid.inner
    cell = np.unravel_index(np.abs(derivative[inner]).argmax(), derivative[inner].shape)
    index = tuple(part.start + k for part, k in zip(inner, cell, strict=True))
    changed = []
    for step in (-0.01, 0.01):
        conductivity = ear.conductivity.copy()
        conductivity[index] *= np.exp(step)
        solver = FieldSolver(conductivity, ear.grid)
        changed.append(weights[1] @ solver.solve(weights[0]))
    assert (changed[1] - changed[0]) / 0.02 == pytest.approx(derivative[index], rel=1e-3)


def test_the_same_bytes_again(ear):
    current = interpolation(conducting_points(ear, 1), ear.grid, ear.cells).toarray()[0]
    again = FieldSolver(ear.conductivity, ear.grid)
    assert again.solve(current).tobytes() == ear.solve(current).tobytes()


@pytest.mark.parametrize("wrong", [-0.1, np.nan, np.inf])
def test_an_impossible_conductivity_is_refused(wrong):
    voxels = np.full((4, 4, 4), 0.33)
    voxels[1, 1, 1] = wrong
    with pytest.raises(InputError, match="negative or no number"):
        solver_of(voxels, 5.0)


def test_a_map_without_a_way_out_is_refused():
    voxels = np.zeros((6, 6, 6))
    voxels[2:4, 2:4, 2:4] = 0.33
    with pytest.raises(InputError, match="no current can leave"):
        solver_of(voxels, 0.0)
