"""A flow step of MoGlow on a GPU, in Triton. Imported only where Triton is installed.

A flow step is a `cell` for each layer of its net and a `couple`, which for one row the next step's first cells do as
well. Of a cell's outputs, the four gates i, f, o, g of one unit are neighbours; of a head's, the shift and the scale of
a channel.
"""

import triton
import triton.language as tl

from moglow.sampling.fast.fused_kernels import small_matrix, tanh, turned, weighed


@triton.jit
def coupled(
    parts,
    head_bias,
    x,
    unmix_kept,
    unmix_moved,
    shift,
    rows,
    batch,
    dim,
    kept,
    scale_floor,
    ROWS: tl.constexpr,
    KEPT: tl.constexpr,
    MOVED: tl.constexpr,
    DIM: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """Returns the variables (ROWS, DIM) after an inverted flow step, and the sum of the logarithms of its scales."""
    stays, moves, channels = tl.arange(0, KEPT), tl.arange(0, MOVED), tl.arange(0, DIM)
    real = (rows[:, None] < batch) & (moves[None, :] < dim - kept)
    row = x + rows[:, None] * dim
    first = tl.load(row + stays[None, :], mask=(rows[:, None] < batch) & (stays[None, :] < kept), other=0.0)
    second = tl.load(row + kept + moves[None, :], mask=real, other=0.0)
    upper = small_matrix(unmix_kept, ROWS, KEPT, DIM)
    lower = small_matrix(unmix_moved, ROWS, MOVED, DIM)
    offset = tl.load(shift + channels, mask=channels < dim, other=0.0)[None, :]
    pairs = tl.arange(0, 2 * MOVED)
    signal = tl.zeros((ROWS, 2 * MOVED), tl.float32) + tl.load(head_bias + pairs)[None, :]
    if ROWS == 1:
        blocks = tl.arange(0, triton.next_power_of_2(BLOCKS))
        place = parts + (blocks[:, None] * batch + rows[None, :]) * 2 * MOVED + pairs[None, :]
        signal += tl.sum(tl.load(place, mask=blocks[:, None] < BLOCKS, other=0.0), 0)[None, :]
    else:
        for block in tl.static_range(BLOCKS):  # unrolled, so that no load waits for the one before it
            place = parts + (block * batch + rows[:, None]) * 2 * MOVED + pairs[None, :]
            signal += tl.load(place, mask=rows[:, None] < batch, other=0.0)
    slide, wide = tl.split(tl.reshape(signal, (ROWS, MOVED, 2)))
    scale = tl.where(real, tl.sigmoid(wide + 2) + scale_floor, 1.0)
    second = tl.where(real, second / scale - slide, 0.0)
    unmixed = turned(first, upper, ROWS) + turned(second, lower, ROWS) - offset
    return unmixed, tl.sum(tl.log(scale).to(tl.float64), 1)


@triton.jit
def keep(unmixed, gain, out, nats, rows, batch, dim, DIM: tl.constexpr):
    """Writes the result of `coupled`: the variables, and the likelihood with their scales."""
    channels = tl.arange(0, DIM)
    inside = (rows[:, None] < batch) & (channels[None, :] < dim)
    tl.store(out + rows[:, None] * dim + channels[None, :], unmixed, mask=inside)
    before = tl.load(nats + rows, mask=rows < batch, other=0.0)
    tl.store(nats + rows, before + gain, mask=rows < batch)


@triton.jit(do_not_specialize=["batch"])
def couple(
    parts,
    head_bias,
    x,
    unmix_kept,
    unmix_moved,
    shift,
    out,
    nats,
    batch,
    dim,
    kept,
    scale_floor,
    ROWS: tl.constexpr,
    KEPT: tl.constexpr,
    MOVED: tl.constexpr,
    DIM: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    """Computes the rest of an inverted flow step from the partial outputs of its net."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    unmixed, gain = coupled(
        parts, head_bias, x, unmix_kept, unmix_moved, shift, rows, batch, dim, kept, scale_floor,
        ROWS, KEPT, MOVED, DIM, BLOCKS,
    )  # fmt: skip
    keep(unmixed, gain, out, nats, rows, batch, dim, DIM)


@triton.jit(do_not_specialize=["batch"])
def cell(
    x,
    weight,
    given,
    remembered,
    before,
    h,
    c,
    head,
    parts,
    earlier_parts,
    head_bias,
    unmix_kept,
    unmix_moved,
    shift,
    out,
    nats,
    batch,
    inputs,
    padded: tl.constexpr,
    hidden,
    padded_hidden,
    x_row,
    given_row,
    dim,
    kept,
    scale_floor,
    ROWS: tl.constexpr,
    UNITS: tl.constexpr,
    INPUTS: tl.constexpr,
    PRECISION: tl.constexpr,
    KEPT: tl.constexpr,
    MOVED: tl.constexpr,
    DIM: tl.constexpr,
    BLOCKS: tl.constexpr,
    FIRST: tl.constexpr,
    LAST: tl.constexpr,
):
    """Computes a layer of LSTM cells: h and c after a frame; known, given and remembered are summands of its gates.

    The LAST of a net's layers says what its units have to say, a part for each program. The FIRST ends the flow step
    before it, from such parts: each program again, so that none has to wait for another.
    """
    rows = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    columns = tl.program_id(0) * 4 * UNITS + tl.arange(0, 4 * UNITS)
    units = tl.program_id(0) * UNITS + tl.arange(0, UNITS)
    here = (rows[:, None] < batch) & (columns[None, :] < 4 * hidden)
    inside = (rows[:, None] < batch) & (units[None, :] < hidden)
    place = rows[:, None] * hidden + units[None, :]
    known = tl.load(given + rows[:, None] * given_row + columns[None, :], mask=here, other=0.0)
    known += tl.load(remembered + rows[:, None] * 4 * hidden + columns[None, :], mask=here, other=0.0)
    memory = tl.load(before + place, mask=inside, other=0.0)
    if FIRST:  # of one row alone: the weight has an input for each variable, 0 for those that move
        at = tl.arange(0, DIM)
        entries = tl.load(
            weight + columns[:, None] * DIM + at[None, :], mask=columns[:, None] < 4 * hidden, other=0.0
        )
        unmixed, gain = coupled(
            earlier_parts, head_bias, x, unmix_kept, unmix_moved, shift, rows, batch, dim, kept, scale_floor,
            ROWS, KEPT, MOVED, DIM, BLOCKS,
        )  # fmt: skip
        if tl.program_id(0) == 0:
            keep(unmixed, gain, out, nats, rows, batch, dim, DIM)
        gates = known + tl.sum(entries.to(tl.float32) * unmixed, 1)[None, :]
    else:
        gates = weighed(
            known, x, weight, rows, columns, batch, inputs, 4 * hidden, padded, x_row,
            ROWS, 4 * UNITS, INPUTS, PRECISION,
        )  # fmt: skip
    first, second = tl.split(tl.reshape(gates, (ROWS, UNITS, 2, 2)))
    enter, show = tl.split(first)
    stay, new = tl.split(second)
    # The sigmoids' weights are halved, see `folded`.
    memory = tl.sigmoid(2 * stay) * memory + tl.sigmoid(2 * enter) * tanh(new)
    signal = tl.sigmoid(2 * show) * tanh(memory)
    tl.store(c + place, memory, mask=inside)
    tl.store(h + place, signal, mask=inside)
    if LAST:
        signal = tl.where(inside, signal, 0.0)
        pairs = tl.arange(0, 2 * MOVED)
        if ROWS == 1:
            entries = head + pairs[:, None] * padded_hidden + units[None, :]
            part = turned(signal, tl.load(entries, mask=units[None, :] < hidden, other=0.0), ROWS)
        else:
            entries = head + pairs[None, :] * padded_hidden + units[:, None]
            part = turned(signal, tl.load(entries, mask=units[:, None] < hidden, other=0.0), ROWS)
        place = parts + (tl.program_id(0) * batch + rows[:, None]) * 2 * MOVED + pairs[None, :]
        tl.store(place, part, mask=rows[:, None] < batch)
