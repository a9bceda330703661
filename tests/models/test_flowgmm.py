"""FlowGMM: exact sums over styles, samples consistent with its density, styles learnt from few labels."""

import math
from typing import Any

import pytest
import torch
from torch import Generator, Tensor, nn

from moglow.models.flowgmm import FlowGMM
from tests.models.test_model_laws import build

B, T, D, S, SEEN = 3, 6, 5, 2, 2
EXACT = 1e-10


def model(**changes: Any) -> FlowGMM:
    """Returns a small FlowGMM of two styles, in double precision, whose components have parted."""
    made = build("flowgmm", **changes)
    assert isinstance(made, FlowGMM)
    return made


def windows(style: int | None = None, batch: int = B) -> tuple[Tensor, Tensor]:
    """Returns poses, and contexts whose last channels contain a style, or none."""
    generator = Generator().manual_seed(3)
    pose = torch.randn(batch, T, D, dtype=torch.float64, generator=generator)
    context = torch.randn(batch, T, SEEN + S, dtype=torch.float64, generator=generator)
    context[..., SEEN:] = 0.0
    if style is not None:
        context[..., SEEN + style] = 1.0
    return pose, context


def test_the_likelihood_of_a_window_is_the_sum_over_its_styles() -> None:
    """log Σₛ πₛ p(window | s), computed frame by frame, with `news` = 1."""
    flow = model(news=1.0)
    whole = flow.log_prob(*windows())[0].sum(dim=1)
    parts = torch.stack([flow.log_prob(*windows(style))[0].sum(dim=1) for style in range(S)])
    torch.testing.assert_close(whole, parts.logsumexp(dim=0) - math.log(S), rtol=0, atol=EXACT)


def test_the_flow_does_not_see_the_style() -> None:
    """Two components at one place are styles that no motion separates."""
    flow = model()
    with torch.no_grad():
        flow.means.zero_()
        flow.log_deviations.zero_()
    one, other, none = (flow.log_prob(*windows(style))[0] for style in (0, 1, None))
    torch.testing.assert_close(one, other, rtol=0, atol=0)
    torch.testing.assert_close(one, none, rtol=0, atol=EXACT)


@pytest.mark.parametrize("style", [0, 1, None])
def test_a_sample_leaves_the_state_that_scoring_it_does(style: int | None) -> None:
    flow, (_, context) = model(), windows(style)
    sampled = scored = flow.initial_state()
    for t in range(T):
        noise = flow.sample_noise(B, generator=Generator().manual_seed(t)).double()
        pose, sampled = flow.step(context[:, t], sampled, noise)
        _, scored = flow.log_prob(pose[:, None], context[:, t : t + 1], scored)
    assert isinstance(sampled, tuple) and isinstance(scored, tuple)
    torch.testing.assert_close(sampled[1], scored[1], rtol=0, atol=1e-8)


def test_a_style_is_sampled_from_its_component_and_no_style_from_all() -> None:
    flow, many = model(), 4000
    with torch.no_grad():
        flow.means.copy_(torch.tensor([[20.0], [-20.0]]).expand(S, D))
    noise = flow.sample_noise(many, generator=Generator().manual_seed(1)).double()
    shares = []
    for style in (0, 1, None):
        _, context = windows(style, batch=1)
        pose, _ = flow.step(context[:, 0].expand(many, -1), None, noise)
        labelled = [windows(s, batch=1)[1][:, :1].expand(many, -1, -1) for s in range(S)]
        scores = [flow.log_prob(pose[:, None], each)[0][:, 0] for each in labelled]
        shares.append(float((scores[0] > scores[1]).double().mean()))
    assert shares[:2] == [1.0, 0.0] and shares[2] == pytest.approx(0.5, abs=0.03)  # 3.8 standard errors


def test_motion_without_a_style_stays_in_the_one_that_it_has() -> None:
    flow = model()
    with torch.no_grad():
        flow.means.copy_(torch.tensor([[5.0], [-5.0]]).expand(S, D))
    _, context = windows(batch=50)
    state, chosen = flow.initial_state(), []
    for t in range(T):
        noise = flow.sample_noise(50, generator=Generator().manual_seed(t)).double()
        _, state = flow.step(context[:, t], state, noise)
        assert isinstance(state, tuple) and isinstance(state[1], Tensor)
        chosen.append(state[1].argmax(dim=-1))
    assert all(torch.equal(each, chosen[0]) for each in chosen) and 0 < int(chosen[0].sum()) < 50


def test_few_labels_name_the_clusters_of_many_clips() -> None:
    """Two clusters, with one labelled window each and sixty unlabelled ones, are separated."""
    generator = Generator().manual_seed(1)
    truth = torch.arange(62) % 2
    shift = 1.0 * (2 * truth - 1)[:, None, None]
    pose = torch.randn(62, 8, 3, generator=generator) + shift
    context = torch.zeros(62, 8, 1 + S)
    context[0, :, 1] = context[1, :, 2] = 1.0
    config = FlowGMM.Config(hidden=8, encoded=4, steps=2, net=8, latent="normal").fitted(styles=S)
    flow = FlowGMM(config, 3, 1 + S, generator=generator)
    flow.initialize(pose, context)
    optimizer = torch.optim.Adam(flow.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        loss, _ = flow.loss(pose, context, generator=generator)
        torch.autograd.backward(loss)
        optimizer.step()
    fresh = torch.randn(62, 8, 3, generator=generator) + shift
    labels = nn.functional.pad(torch.eye(S), (1, 0))[:, None, None].expand(S, 62, 8, 1 + S)
    with torch.no_grad():
        evidence = torch.stack([flow.log_prob(fresh, each)[0].sum(dim=1) for each in labels], dim=-1)
    assert (evidence.argmax(dim=-1) == truth).float().mean() > 0.95


def test_emphasis_is_the_weight_of_labelled_windows() -> None:
    labelled, unlabelled = windows(0), windows()
    pose, context = (torch.cat(parts) for parts in zip(labelled, unlabelled, strict=True))
    nats = [-model().log_prob(*each)[0].mean() for each in (labelled, unlabelled)]
    for emphasis in (1.0, 4.0):
        flow = build("flowgmm", emphasis=emphasis)
        loss, _ = flow.objectives()[0].loss(pose, context, generator=Generator())
        torch.testing.assert_close(loss, (emphasis * nats[0] + nats[1]) / (emphasis + 1), rtol=0, atol=EXACT)
    for wrong in ({"emphasis": 0.0}, {"news": 0.0}, {"news": 1.5}):
        with pytest.raises(ValueError, match="above 0"):
            FlowGMM.Config(**wrong)  # type: ignore[arg-type]


def test_a_smaller_share_of_news_delays_the_decision_for_a_style() -> None:
    """The first frame is the same; after it the weights are those of the evidence, more or less of it."""
    pose, context = windows()
    all_news, half = (model(news=share).log_prob(pose, context) for share in (1.0, 0.5))
    torch.testing.assert_close(all_news[0][:, 0], half[0][:, 0], rtol=0, atol=0)
    assert isinstance(all_news[1], tuple) and isinstance(half[1], tuple)
    assert isinstance(all_news[1][1], Tensor) and isinstance(half[1][1], Tensor)
    torch.testing.assert_close(0.5 * all_news[1][1], half[1][1], rtol=0, atol=EXACT)


def test_without_styles_it_is_one_gaussian() -> None:
    flow = FlowGMM(FlowGMM.Config(hidden=8, encoded=4, steps=2, net=8), D, SEEN).double()
    pose, context = windows()
    log_prob, state = flow.log_prob(pose, context[..., :SEEN])
    noise = flow.sample_noise(B, generator=Generator().manual_seed(1)).double()
    assert log_prob.isfinite().all() and flow.step(context[:, 0, :SEEN], state, noise)[0].isfinite().all()
