"""Finding and repairing the damage of recorded clips.

Read `damage` first, then one file for each kind: `teleport`, `frozen`, `swap`, `frame_rate`, `spike`, `sunk`, `tempo`.
`inspect` lists the damage of a clip, `mend` repairs it. `knees`, `t_poses`, `levelling` and `joint_limits` prepare
recordings for training. `injection` adds damage to clips for tests and benchmarks.
"""
