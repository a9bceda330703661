"""A figure and its motion.

Reading order: skeleton (`Skeleton`), clip (`Clip`), clip_stream, contacts, foot_lock, mirror, canonical_pose, retarget;
root_motion and capsule_body.
"""
