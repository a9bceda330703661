"""Finding and repairing the damage of recorded clips.

Read `damage` first, then one file for each kind: `teleport`, `frozen`, `swap`, `frame_rate`, `spike`, `sunk`, `tempo`.
`mend` repairs the damage of a clip; `damage_search` also lists damage without a repair, which `inspect` reports.
`knees`, `t_poses`, `levelling` and `joint_limits` prepare recordings for training. `injection` adds damage to clips for
tests and benchmarks.
"""
