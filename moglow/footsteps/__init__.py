"""Where and when feet stand: the `footprints` of a clip, their files, and motion that follows given footprints.

`following` is the whole computation. Its steps are `matching` (which requested footprint replaces which original one),
`timing` (the new time of each frame), `tracks` (the position of each foot in each frame) and `placing` (the pose of the
body on its feet). `soles` finds the parts of a foot that touch the ground; `standing` puts a walk on uneven ground.
"""
