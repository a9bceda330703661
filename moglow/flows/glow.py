"""One step of Glow: normalise the channels, mix them, couple them."""

from moglow.flows.actnorm import ActNorm
from moglow.flows.bijection import Chain
from moglow.flows.coupling import AffineCoupling
from moglow.flows.linear import InvertibleLinear


class GlowStep(Chain):
    """ActNorm → invertible matrix → affine coupling; MoGlow's flow is a chain of K such steps."""

    actnorm: ActNorm
    linear: InvertibleLinear
    coupling: AffineCoupling

    def __init__(self, *, actnorm: ActNorm, linear: InvertibleLinear, coupling: AffineCoupling) -> None:
        super().__init__(actnorm=actnorm, linear=linear, coupling=coupling)
