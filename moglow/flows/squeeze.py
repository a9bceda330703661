"""The squeeze of multi-scale flows: several moments in one vector go through the same bijection."""

from torch import Tensor

from moglow.flows.bijection import Bijection, State


class Squeeze(Bijection):
    """z = (f(x₁), …, f(xₙ)) for x = (x₁, …, xₙ), ladj = Σ ladj of f: n moments of C channels, side by side.

    A window of 2 n frames of D channels is n moments of 2 D channels: half as many, with twice the channels. This is
    the squeeze of *RealNVP* (arXiv 1605.08803, 2017), there for pixels. No number moves; only the grouping changes, and
    so which numbers f mixes. The state of f is carried over the moments of one vector and is zero before the first.

    >>> import torch
    >>> from moglow.flows.permutation import Permutation
    >>> flow = Squeeze(Permutation.reversal(2), moments=3)
    >>> flow(torch.arange(6.0).view(1, 1, 6), torch.zeros(1, 1, 0))[0]
    tensor([[[1., 0., 3., 2., 5., 4.]]])
    """

    def __init__(self, bijection: Bijection, *, moments: int) -> None:
        super().__init__()
        self.bijection = bijection
        self.moments = moments

    def apart(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the moments of each vector as a sequence (B T, n, C), and the context of each moment."""
        again = context[..., None, :].expand(-1, -1, self.moments, -1)
        return x.reshape(-1, self.moments, x.shape[-1] // self.moments), again.flatten(end_dim=1)

    def forward(self, x: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
        z, ladj, _ = self.bijection(*self.apart(x, context))
        return z.reshape(x.shape), ladj.sum(dim=-1).view(x.shape[:-1]), state

    def inverse(self, z: Tensor, context: Tensor, state: State = None) -> tuple[Tensor, State]:
        x, _ = self.bijection.inverse(*self.apart(z, context))
        return x.reshape(z.shape), state

    def initialize(self, x: Tensor, context: Tensor) -> Tensor:
        return self.bijection.initialize(*self.apart(x, context)).reshape(x.shape)
