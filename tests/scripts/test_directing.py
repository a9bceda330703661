"""The measures of in-betweens, and the page about pins and in-betweens that follows from results."""

import json
from pathlib import Path

import numpy as np
import pytest

from scripts.benchmarks.directing import gaps
from scripts.benchmarks.directing.page import written
from tests.support.rigs import RIGS
from tests.support.walking import skeleton_of, walk

DEVIATION = np.ones(3)


CLIP, _ = walk(skeleton_of(RIGS["cmu"]), seconds=3.0)


def test_a_recording_is_at_no_distance_from_itself() -> None:
    found = gaps.compared(CLIP, CLIP, 20, 35, DEVIATION)
    assert (found["l2p"], found["l2q"], found["npss"]) == (0.0, 0.0, 0.0)
    assert found["power"] > 0 and found["jerk"] > 0


@pytest.mark.parametrize("method", [gaps.slerped, gaps.curved])
def test_interpolation_keeps_the_known_frames_and_is_farther_away_in_longer_gaps(method: gaps.Method) -> None:
    far = []
    for stop in (24, 40):
        made = method(CLIP, 20, stop)
        kept = np.r_[0:20, stop : len(CLIP)]
        np.testing.assert_array_equal(made.positions[kept], CLIP.positions[kept])
        far.append(gaps.compared(made, CLIP, 20, stop, DEVIATION))
    assert 0 < far[0]["l2p"] < far[1]["l2p"] and 0 < far[0]["l2q"] < far[1]["l2q"]


def test_the_spectra_of_different_motions_differ() -> None:
    times = np.linspace(0, 1, 32, endpoint=False)[:, None, None]
    slow, fast = np.cos(2 * np.pi * times), np.cos(8 * np.pi * times)
    assert gaps.npss(slow, slow)[0] == 0.0
    distance, power = gaps.npss(fast, slow)
    assert distance > 1.0 and np.isclose(power, (np.abs(np.fft.fft(slow[:, 0, 0])) ** 2).sum())


def test_the_page_compares_methods_on_the_gaps_that_all_have_made(tmp_path: Path) -> None:
    measured = {"l2p": 1.0, "l2q": 0.5, "npss": 0.1, "power": 2.0, "slide": 3.0, "jerk": 100.0}
    pin = {
        "ahead": 1.0,
        "error": 1e-9,
        "slide": [2.0, 4.0],
        "jerk": [90.0, 100.0],
        "nats": 41.0,
        "seconds": 2.0,
    }
    rows = [
        {
            "key": {"stage": "gaps", "frames": 15, "number": number, "method": name, "recording": "a"},
            **measured,
        }
        for number, name in ((0, "slerp"), (0, "between"), (1, "slerp"))
    ]
    rows.append({"key": {"stage": "pins", "kind": "arms", "number": 0, "recording": "b"}, **pin})
    rows.append({"key": {"stage": "pins", "kind": "arms", "number": 1, "recording": "b"}, **pin})
    for number, slide in ((0, 10.0), (1, 90.0)):
        rows.append({"key": {"stage": "recorded", "kind": "arms", "number": number}, "slide": slide})
    rows.append({"key": {"stage": "pins", "kind": "reach", "number": 0}, "error_message": "too far"})
    results = tmp_path / "directing.jsonl"
    results.write_text("".join(json.dumps(row) + "\n" for row in rows))
    page = written(results)
    assert "2 of them" in page and "| reach |" not in page
    assert "In 1 of the recordings" in page and "The slide of the other 1 is 2.00" in page
    assert "| arms | 2 | 1.0e-09 | 2.00 | 4.00 | 0.50 | 50.00 | 90 | 100 | 0.90 | 41 | 2.0 |" in page
    assert "| 15 | 1 | slerp | 1.00 | 0.50 | 0.10 | 3.0 | 100 |" in page
