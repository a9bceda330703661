"""The anatomy of a skeleton: names and sides of joints (`joint_names`, `partners`), limbs, body and roles.

`unit_and_axes` estimates the unit and axes of a file.
"""
