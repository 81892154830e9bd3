"""Convolutions that decide for every output whether part of its dot product is enough.

    Yp = base part of the convolution          base pass
    d  = 1[G(Yp) > Δ]                          decision, strictly greater
    y  = Y·d + Yp·(1-d)                        Y the whole convolution

Training computes both and learns the threshold Δ of each output channel through a surrogate
gradient (:mod:`.decision`); the accelerator computes the rest of the dot product only where d = 1.
"""

import torch
from torch import nn
from torch.nn import functional as F

from models.layers.decision import choose
from models.layers.quantized import QuantConv2d
from models.layers.shuffle import channel_shuffle, shuffled_order

__all__ = ["ChannelGatedConv2d", "GatedConv2d", "threshold_penalty"]


class GatedConv2d(QuantConv2d):
    """What channel and precision gating share. A drop-in for ``nn.Conv2d``.

    Parameters
    ----------
    norms : 1: one batch norm follows the layer, for both paths, as in the
    released training code. 2: the layer holds a batch norm for each path, as in the paper, and none
    follows it.
    target : the target T that the thresholds are drawn towards
    slope : α of the surrogate gradient σ(α(G(Yp) - Δ))
    sparse : pass no gradient to the gate where it did not fire
    activity : τ_c. In an image where the gate fired for less than this fraction of a channel's
        positions, the channel is skipped whole. 0 switches it off. (Only the model knows it:
        network files have no place for it.)

    Members
    -------
    threshold : Δ, a parameter of ``out_channels`` numbers
    bn_base, bn_full : the two batch norms, or None
    activity : τ_c of each channel, a buffer of ``out_channels`` numbers
    recorder : called as ``recorder(layer, base, full, fired)`` in every forward pass, unless None
    """

    def __init__(
        self,
        *args,
        norms: int = 1,
        target: float = 0.0,
        slope: float,
        sparse: bool,
        activity: float = 0.0,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        if norms not in (1, 2):
            raise ValueError(f"norms must be 1 or 2, not {norms!r}")
        if not 0 <= activity <= 1:
            raise ValueError(f"activity must be 0 to 1, not {activity!r}")
        self.target, self.slope, self.sparse = float(target), float(slope), sparse
        where = {"device": self.weight.device, "dtype": self.weight.dtype}
        self.threshold = nn.Parameter(torch.zeros(self.out_channels, **where))
        self.register_buffer("activity", torch.full((self.out_channels,), float(activity), **where))
        self.bn_base = nn.BatchNorm2d(self.out_channels, **where) if norms == 2 else None
        self.bn_full = nn.BatchNorm2d(self.out_channels, **where) if norms == 2 else None
        self.recorder = None

    @property
    def norms(self) -> int:
        """1 or 2 batch norms."""
        return 1 if self.bn_full is None else 2

    @property
    def base_fraction(self) -> float:
        """Part of the work of a dot product that the base pass does."""
        raise TypeError(f"{type(self).__name__} defines no base")

    def prepared(self, x: torch.Tensor) -> torch.Tensor:
        """The input as the convolution sees it."""
        return x

    def base(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """The base part of the convolution of a prepared input."""
        raise TypeError(f"{type(self).__name__} defines no base")

    def seen_by_gate(self, base: torch.Tensor) -> torch.Tensor:
        """G(Yp), what is compared with the threshold."""
        return base

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, weight = self.prepared(x), self.effective_weight()
        base = self.base(x, weight)
        full = self._conv_forward(x, weight, self.bias)
        # In mixed precision a half-precision threshold would move the decisions.
        distance = self.seen_by_gate(base.to(self.threshold.dtype)) - self.threshold[:, None, None]
        fired = self._skip_quiet_channels(distance > 0)
        if self.recorder is not None:
            self.recorder(self, base, full, fired)
        if self.bn_full is not None:
            base, full = self.bn_base(base), self.bn_full(full)
        return choose(full, base, distance, fired, slope=self.slope, sparse=self.sparse)

    def _skip_quiet_channels(self, fired: torch.Tensor) -> torch.Tensor:
        fraction = fired.to(self.activity.dtype).mean(dim=(2, 3), keepdim=True)
        return fired & (fraction >= self.activity[:, None, None])

    def penalty(self) -> torch.Tensor:
        """How far the thresholds are from the target; the training loss adds a multiple of it."""
        raise TypeError(f"{type(self).__name__} defines no penalty")

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, norms={self.norms}, target={self.target}"


class ChannelGatedConv2d(GatedConv2d):
    """Channel gating (Hua et al., NeurIPS 2019): the base is a part of the input channels.

    G is a batch norm without affine parameters; the penalty is Σ_c (Δ_c - T)².

    Parameters
    ----------
    part : p: the base has ⌊C/p⌋ of the C input channels (of each group, in a
    grouped convolution), at least one grouping : each of p runs of output channels has its own run
    of input channels as base, so that not always the same weights are base weights. Without: the
    first channels for all.
    shuffle : deal the input channels to the groups before the convolution (:func:`channel_shuffle`
        with p groups), so that a network of grouping layers mixes what its base passes see

    Members
    -------
    base_count : input channels in the base, ⌊C/p⌋ base_starts : first base channel
    of each of ``len(base_starts)`` equal runs of output channels, counted along the second axis of
    the weight (after the shuffle)
    shuffle_groups : 1, or p
    gate_bn : the gate's batch norm (running mean and variance, no affine)
    """

    def __init__(
        self,
        *args,
        part: int = 8,
        grouping: bool = False,
        shuffle: bool = False,
        slope: float = 2.0,
        sparse: bool = False,
        **kwargs,
    ):
        super().__init__(*args, slope=slope, sparse=sparse, **kwargs)
        channels = self.in_channels // self.groups
        if not (isinstance(part, int) and part >= 2):
            raise ValueError(f"part must be an integer of at least 2, not {part!r}")
        if channels < 2:
            raise ValueError(
                "a convolution with one input channel per group has no channels to leave out; "
                "gate its precision instead"
            )
        if grouping and (channels % part or self.out_channels % part):
            raise ValueError(
                f"grouping needs channels that part = {part} divides, "
                f"not {channels} in and {self.out_channels} out"
            )
        if shuffle and not grouping:
            raise ValueError("shuffle needs grouping")
        self.part = part
        self.base_count = max(1, channels // part)
        runs = part if grouping else 1
        self.base_starts = tuple(run * self.base_count for run in range(runs))
        self.shuffle_groups = part if shuffle else 1
        self.gate_bn = nn.BatchNorm2d(
            self.out_channels, affine=False, device=self.weight.device, dtype=self.weight.dtype
        )

    @property
    def base_fraction(self) -> float:
        return self.base_count / (self.in_channels // self.groups)

    def base_mask(self) -> torch.Tensor:
        """1 for weights of the base and 0 for the others, (out_channels, in_channels / groups)."""
        mask = torch.zeros(self.out_channels, self.in_channels // self.groups)
        run = self.out_channels // len(self.base_starts)
        for index, start in enumerate(self.base_starts):
            mask[index * run : (index + 1) * run, start : start + self.base_count] = 1
        return mask

    @torch.no_grad()
    def absorb_shuffle(self) -> None:
        """Reorder the weights so that shuffling the input changes nothing (weights of a plain
        layer).
        """
        order = shuffled_order(self.in_channels, self.shuffle_groups).to(self.weight.device)
        if self.groups == 1:
            self.weight.copy_(self.weight[:, order])

    def prepared(self, x: torch.Tensor) -> torch.Tensor:
        return x if self.shuffle_groups == 1 else channel_shuffle(x, self.shuffle_groups)

    def base(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        runs, count, groups = len(self.base_starts), self.base_count, self.groups
        if runs > 1 and groups > 1:
            mask = self.base_mask().to(weight)[:, :, None, None]
            return self._conv_forward(x, weight * mask, self.bias)
        if runs > 1:
            blocks = weight.unflatten(0, (runs, -1))
            starts = enumerate(self.base_starts)
            weight = torch.cat([blocks[run, :, at : at + count] for run, at in starts])
            x, groups = x[:, : runs * count], runs
        else:
            weight = weight[:, :count]
            x = (
                x[:, :count]
                if groups == 1
                else x.unflatten(1, (groups, -1))[:, :, :count].flatten(1, 2)
            )
        return F.conv2d(x, weight, self.bias, self.stride, self.padding, self.dilation, groups)

    def seen_by_gate(self, base: torch.Tensor) -> torch.Tensor:
        return self.gate_bn(base)

    def penalty(self) -> torch.Tensor:
        return (self.threshold - self.target).square().sum()

    def extra_repr(self) -> str:
        starts = f"{self.base_count} channels from {', '.join(map(str, self.base_starts))}"
        return f"{super().extra_repr()}, base={starts}, shuffle_groups={self.shuffle_groups}"


def threshold_penalty(model: nn.Module) -> torch.Tensor | float:
    """Sum of the penalties of all gated layers of a model; 0.0 if it has none."""
    return sum((m.penalty() for m in model.modules() if isinstance(m, GatedConv2d)), start=0.0)
