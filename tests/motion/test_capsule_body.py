"""The capsule body is closed, faces outward and hangs on the right joints."""

from collections import Counter

import numpy as np
import pytest

from moglow.motion.capsule_body import RINGS, SIDES, CapsuleBody, capsule_body
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton
from tests.support.rigs import DOGS, RIGS
from tests.support.walking import skeleton_of

EXACT = 1e-9

SKELETONS = {
    "lone joint": Skeleton(("Root",), (-1,), np.eye(3)[1:2]),
    **{name: skeleton_of(rig) for name, rig in {**RIGS, **DOGS}.items()},
}


@pytest.fixture(params=SKELETONS)
def skeleton(request: pytest.FixtureRequest) -> Skeleton:
    return SKELETONS[request.param]


def volume(body: CapsuleBody) -> float:
    a, b, c = (body.points[body.triangles[:, k]] for k in range(3))
    return float(np.sum(np.cross(a, b) * c) / 6)


def test_triangles_face_outward_along_their_normals(skeleton: Skeleton) -> None:
    body = capsule_body(skeleton)
    a, b, c = (body.points[body.triangles[:, k]] for k in range(3))
    faces = np.cross(b - a, c - a)
    assert np.sum(faces * body.normals[body.triangles].mean(1), axis=-1).min() > -EXACT
    assert np.abs(np.linalg.norm(body.normals, axis=-1) - 1).max() < EXACT
    assert volume(body) > 0


def test_every_edge_joins_two_triangles(skeleton: Skeleton) -> None:
    """Points at a pole coincide, so edges are identified by their positions."""
    body = capsule_body(skeleton)
    first = body.triangles[: 2 * (2 * RINGS - 2) * SIDES]
    places = [tuple(place) for place in np.round(body.points, 6) + 0.0]
    edges = Counter((places[f[k]], places[f[(k + 1) % 3]]) for f in first for k in range(3))
    real = {edge: count for edge, count in edges.items() if edge[0] != edge[1]}
    assert all(count == real.get(edge[::-1]) for edge, count in real.items())


def test_a_capsule_reaches_from_joint_to_joint(skeleton: Skeleton) -> None:
    """Along its bone, each capsule spans the whole bone and no more than a radius beyond either end."""
    body = capsule_body(skeleton)
    for joint in set(body.joints.tolist()):
        own = body.points[body.joints == joint]
        for child in skeleton.children(joint):
            length = skeleton.bone_lengths[child]
            if length > 0.05:
                along = own @ skeleton.offsets[child] / length
                assert along.min() < 0 and along.max() > length


def test_a_bigger_figure_has_a_bigger_body_of_the_same_shape(skeleton: Skeleton) -> None:
    if len(skeleton) > 1:
        small, big = capsule_body(skeleton), capsule_body(skeleton.scaled(100.0))
        assert np.allclose(100 * small.points, big.points, rtol=1e-6, atol=1e-6)


def test_the_body_of_a_person_is_about_a_person() -> None:
    """65 to 100 litres if parts did not overlap; capsules do, so a wide band."""
    body = capsule_body(SKELETONS["mixamo"])
    assert 0.03 < volume(body) < 0.15
    rest = Clip.at_rest(SKELETONS["mixamo"])
    assert np.array_equal(body.posed(*rest.world())[0], body.points + rest.world_positions[0][body.joints])
