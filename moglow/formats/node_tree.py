"""The nodes of a scene that form a figure with a single root, and their rest pose. Needs numpy alone."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from moglow.maths.rotations import Array, quat_conjugate, quat_multiply, quat_rotate


@dataclass(frozen=True)
class NodeTree:
    """The parents of nodes (−1 for top nodes), and an order of the nodes with parents first."""

    above: Sequence[int]
    order: Sequence[int]

    @classmethod
    def of(cls, above: Sequence[int]) -> "NodeTree":
        """Orders nodes depth first; raises `ValueError` if some are their own ancestors.

        >>> NodeTree.of([2, -1, 1]).order
        [1, 2, 0]
        """
        children: list[list[int]] = [[] for _ in above]
        for node, parent in enumerate(above):
            if parent >= 0:
                children[parent].append(node)
        order: list[int] = []
        waiting = [node for node, parent in reversed(list(enumerate(above))) if parent < 0]
        while waiting:
            order.append(waiting.pop())
            waiting += reversed(children[order[-1]])
        if len(order) != len(above):
            raise ValueError("nodes are their own ancestors")
        return cls(above, order)

    def line(self, node: int) -> list[int]:
        """Returns a node and its ancestors."""
        line = [node]
        while self.above[line[-1]] >= 0:
            line.append(self.above[line[-1]])
        return line

    def nearest(self, node: int, among: Collection[int]) -> int | None:
        """Returns the nearest ancestor of a node that is in ``among``, or None."""
        return next((above for above in self.line(node)[1:] if above in among), None)

    def between(self, joints: Iterable[int]) -> set[int]:
        """Returns joints and all nodes between two of them."""
        joints = set(joints)
        found = set(joints)
        for joint in joints:
            line = self.line(joint)
            places = [place for place, node in enumerate(line) if node in joints]
            found |= set(line[: places[-1]])
        return found

    def figure(self, joints: Iterable[int]) -> list[int]:
        """Returns joints as a tree with one root, parents first.

        Several roots are joined by their nearest common ancestor. If there is none, only the root with the most
        descendants is kept.
        """
        joints = set(joints)
        tops = [joint for joint in joints if self.nearest(joint, joints) is None]
        if len(tops) > 1:
            lines = [self.line(top) for top in tops]
            shared = [node for node in lines[0] if all(node in line for line in lines)]
            if shared:
                joints.add(shared[0])
            else:
                place = {node: number for number, node in enumerate(self.order)}
                best = max(
                    tops, key=lambda top: (sum(top in self.line(joint) for joint in joints), -place[top])
                )
                joints = {joint for joint in joints if best in self.line(joint)}
        return [node for node in self.order if node in joints]


def rest_pose(
    tree: NodeTree,
    joints: Sequence[int],
    bound: Mapping[int, tuple[Array, Array]],
    positions: Array,
    rotations: Array,
) -> tuple[Array, Array]:
    """Returns the world positions ``(J, 3)`` and rotations ``(J, 4)`` of joints at rest.

    ``bound`` has those of a skin's bind pose. The transforms of other joints relative to their parent are those of the
    nodes at ``positions`` ``(N, 3)`` and ``rotations`` ``(N, 4)``.
    """
    found = dict(bound)
    for joint in joints:
        above = tree.nearest(joint, found.keys())
        if joint in found:
            continue
        if above is None:
            found[joint] = positions[joint], rotations[joint]
            continue
        place, turn = found[above]
        turned = quat_multiply(turn, quat_conjugate(rotations[above]))
        found[joint] = (
            place + quat_rotate(turned, positions[joint] - positions[above]),
            quat_multiply(turned, rotations[joint]),
        )
    return np.array([found[joint][0] for joint in joints]), np.array([found[joint][1] for joint in joints])
