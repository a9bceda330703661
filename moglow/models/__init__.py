"""The models. `MODELS` names them for the command line, recipes, checkpoints and the law tests.

Reading order: model (the interface), flow, moglow; reader and the flows on it (realnvp, maf, planar, radial, flowgmm);
windowed and glow; vae, gan, regression; autoencoder and its variants.
"""

from collections.abc import Mapping

from moglow.models.denoising import Denoising
from moglow.models.flowgmm import FlowGMM
from moglow.models.gan import GAN
from moglow.models.glow import Glow
from moglow.models.maf import MAF
from moglow.models.model import MotionModel
from moglow.models.moglow import MoGlow
from moglow.models.overcomplete import Overcomplete
from moglow.models.planar import PlanarFlow
from moglow.models.radial import RadialFlow
from moglow.models.realnvp import RealNVP
from moglow.models.regression import Regression
from moglow.models.sparse import SparseKL, SparseL1
from moglow.models.undercomplete import Undercomplete
from moglow.models.vae import VAE

MODELS: Mapping[str, type[MotionModel]] = {
    "moglow": MoGlow,
    "planar": PlanarFlow,
    "radial": RadialFlow,
    "realnvp": RealNVP,
    "maf": MAF,
    "flowgmm": FlowGMM,
    "glow": Glow,
    "vae": VAE,
    "gan": GAN,
    "regression": Regression,
    "undercomplete": Undercomplete,
    "overcomplete": Overcomplete,
    "denoising": Denoising,
    "sparse_l1": SparseL1,
    "sparse_kl": SparseKL,
}
