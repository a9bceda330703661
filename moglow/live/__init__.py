"""Live links to other programs: `osc` messages over UDP, `vmc` poses as avatars take them, `paced` frames in time."""
