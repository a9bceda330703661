"""What joints are: names and sides (`joint_names`, `partners`), limbs, the body they form, roles; the unit and
axes of a file.
"""
