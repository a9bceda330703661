"""A frame of MoGlow as few programs for a GPU, in Triton. Floor 10; imported only where there is Triton.

All that is known before the flow starts is multiplied by `products`; then each flow step is a `cell` for each layer of
its net and a `couple`. A weight lies in memory as ``(outputs, padded inputs)``, zeros at the end of its rows. Of a
cell's outputs, the four gates i, f, o, g of one unit are neighbours; of a head's, the shift and the scale of a channel.

A program does ROWS rows of a batch: one, without matrix instructions, or 16 and more, with them. What it computes for a
row depends neither on the other rows nor on how many there are.
"""

import triton
import triton.language as tl


@triton.jit
def weighed(
    found,
    x,
    weight,
    rows,
    columns,
    batch,
    inputs,
    outputs,
    padded: tl.constexpr,
    x_row,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    INPUTS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """What was found before (ROWS, COLUMNS) and rows of x times a weight, in float32."""
    if ROWS == 1:
        parts = tl.zeros((COLUMNS, INPUTS), tl.float32)
        for start in range(0, padded, INPUTS):
            at = start + tl.arange(0, INPUTS)
            values = tl.load(x + rows[:, None] * x_row + at[None, :], mask=at[None, :] < inputs, other=0.0)
            there = (columns[:, None] < outputs) & (at[None, :] < padded)
            entries = tl.load(weight + columns[:, None] * padded + at[None, :], mask=there, other=0.0)
            parts += entries.to(tl.float32) * values
        found += tl.sum(parts, 1)[None, :]
    else:
        for start in range(0, padded, INPUTS):
            at = start + tl.arange(0, INPUTS)
            inside = (rows[:, None] < batch) & (at[None, :] < inputs)
            values = tl.load(x + rows[:, None] * x_row + at[None, :], mask=inside, other=0.0)
            there = (columns[None, :] < outputs) & (at[:, None] < padded)
            entries = tl.load(weight + columns[None, :] * padded + at[:, None], mask=there, other=0.0)
            found = tl.dot(values.to(entries.dtype), entries, found, input_precision=PRECISION)
    return found


@triton.jit
def turned(values, matrix, ROWS: tl.constexpr):
    """Rows of values times a small matrix: (inputs, outputs), or (outputs, inputs) for one row."""
    if ROWS == 1:
        return tl.sum(matrix * values, 1)[None, :]
    else:
        return tl.dot(values, matrix, input_precision="ieee")


@triton.jit
def small_matrix(weight, ROWS: tl.constexpr, INPUTS: tl.constexpr, OUTPUTS: tl.constexpr):
    """A small matrix of (OUTPUTS, INPUTS), as `turned` takes it."""
    inputs, outputs = tl.arange(0, INPUTS), tl.arange(0, OUTPUTS)
    if ROWS == 1:
        found = tl.load(weight + outputs[:, None] * INPUTS + inputs[None, :])
    else:
        found = tl.load(weight + outputs[None, :] * INPUTS + inputs[:, None])
    return found


@triton.jit
def tanh(x):
    return 2 * tl.sigmoid(2 * x) - 1


@triton.jit(do_not_specialize=["batch"])
def begin(
    noise,
    x,
    nats,
    batch,
    dim,
    temperature,
    constant,
    ROWS: tl.constexpr,
    DIM: tl.constexpr,
    DEGREES: tl.constexpr,
    PADDED_DEGREES: tl.constexpr,
):
    """The latent that the noise stands for, and its log-density."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    channels = tl.arange(0, DIM)
    inside = (rows[:, None] < batch) & (channels[None, :] < dim)
    row = noise + rows[:, None] * (dim + DEGREES)
    latent = tl.load(row + channels[None, :], mask=inside, other=0.0) * temperature
    if DEGREES > 0:
        extra = tl.arange(0, PADDED_DEGREES)
        there = (rows[:, None] < batch) & (extra[None, :] < DEGREES)
        others = tl.load(row + dim + extra[None, :], mask=there, other=0.0)
        chi_square = tl.where(rows < batch, tl.sum(others * others, 1), 1.0)
        latent *= tl.sqrt(DEGREES / chi_square)[:, None]
    precise = latent.to(tl.float64)
    square = tl.sum(precise * precise, 1)
    if DEGREES > 0:
        likely = constant - 0.5 * (DEGREES + dim) * tl.log(1.0 + square / DEGREES)
    else:
        likely = constant - 0.5 * square
    tl.store(x + rows[:, None] * dim + channels[None, :], latent, mask=inside)
    tl.store(nats + rows, likely, mask=rows < batch)


@triton.jit(do_not_specialize=["batch"])
def products(
    x,
    weight,
    bias,
    out,
    batch,
    inputs,
    outputs,
    padded: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    INPUTS: tl.constexpr,
    PRECISION: tl.constexpr,
    BIAS: tl.constexpr,
    SILU: tl.constexpr,
):
    """Several products at once: out (G, B, outputs) of x (G, B, inputs) and a weight each."""
    group = tl.program_id(2).to(tl.int64)
    rows = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    columns = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    found = tl.zeros((ROWS, COLUMNS), tl.float32)
    if BIAS:
        found += tl.load(bias + columns, mask=columns < outputs, other=0.0)[None, :]
    found = weighed(
        found,
        x + group * batch * inputs,
        weight + group * outputs * padded,
        rows, columns, batch, inputs, outputs, padded, inputs, ROWS, COLUMNS, INPUTS, PRECISION,
    )  # fmt: skip
    if SILU:
        found *= tl.sigmoid(found)
    inside = (rows[:, None] < batch) & (columns[None, :] < outputs)
    place = out + group * batch * outputs + rows[:, None] * outputs + columns[None, :]
    tl.store(place, found, mask=inside)


@triton.jit(do_not_specialize=["batch"])
def cell(
    x,
    weight,
    given,
    remembered,
    before,
    h,
    c,
    batch,
    inputs,
    padded: tl.constexpr,
    hidden,
    x_row,
    given_row,
    ROWS: tl.constexpr,
    UNITS: tl.constexpr,
    INPUTS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """A layer of LSTM cells: h and c after a frame; its gates' other summands are known, given and remembered."""
    rows = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    columns = tl.program_id(0) * 4 * UNITS + tl.arange(0, 4 * UNITS)
    units = tl.program_id(0) * UNITS + tl.arange(0, UNITS)
    here = (rows[:, None] < batch) & (columns[None, :] < 4 * hidden)
    inside = (rows[:, None] < batch) & (units[None, :] < hidden)
    place = rows[:, None] * hidden + units[None, :]
    known = tl.load(given + rows[:, None] * given_row + columns[None, :], mask=here, other=0.0)
    known += tl.load(remembered + rows[:, None] * 4 * hidden + columns[None, :], mask=here, other=0.0)
    memory = tl.load(before + place, mask=inside, other=0.0)
    gates = weighed(
        known, x, weight, rows, columns, batch, inputs, 4 * hidden, padded, x_row,
        ROWS, 4 * UNITS, INPUTS, PRECISION,
    )  # fmt: skip
    first, second = tl.split(tl.reshape(gates, (ROWS, UNITS, 2, 2)))
    enter, show = tl.split(first)
    keep, new = tl.split(second)
    # The sigmoids' weights are halved, see `folded`.
    memory = tl.sigmoid(2 * keep) * memory + tl.sigmoid(2 * enter) * tanh(new)
    tl.store(c + place, memory, mask=inside)
    tl.store(h + place, tl.sigmoid(2 * show) * tanh(memory), mask=inside)


@triton.jit(do_not_specialize=["batch"])
def couple(
    said,
    head,
    head_bias,
    x,
    unmix_kept,
    unmix_moved,
    shift,
    out,
    nats,
    batch,
    hidden,
    padded: tl.constexpr,
    dim,
    kept,
    scale_floor,
    ROWS: tl.constexpr,
    KEPT: tl.constexpr,
    MOVED: tl.constexpr,
    DIM: tl.constexpr,
    INPUTS: tl.constexpr,
):
    """The rest of an inverted flow step: what the net says about the half that moves, then the affine map."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    stays, moves, channels = tl.arange(0, KEPT), tl.arange(0, MOVED), tl.arange(0, DIM)
    real = (rows[:, None] < batch) & (moves[None, :] < dim - kept)
    row = x + rows[:, None] * dim
    first = tl.load(row + stays[None, :], mask=(rows[:, None] < batch) & (stays[None, :] < kept), other=0.0)
    second = tl.load(row + kept + moves[None, :], mask=real, other=0.0)
    upper = small_matrix(unmix_kept, ROWS, KEPT, DIM)
    lower = small_matrix(unmix_moved, ROWS, MOVED, DIM)
    pairs = tl.arange(0, 2 * MOVED)
    both = tl.zeros((ROWS, 2 * MOVED), tl.float32) + tl.load(head_bias + pairs)[None, :]
    both = weighed(
        both,
        said,
        head,
        rows,
        pairs,
        batch,
        hidden,
        2 * MOVED,
        padded,
        hidden,
        ROWS,
        2 * MOVED,
        INPUTS,
        "ieee",
    )
    slide, wide = tl.split(tl.reshape(both, (ROWS, MOVED, 2)))
    scale = tl.where(real, tl.sigmoid(wide + 2) + scale_floor, 1.0)
    second = tl.where(real, second / scale - slide, 0.0)
    unmixed = turned(first, upper, ROWS) + turned(second, lower, ROWS)
    unmixed -= tl.load(shift + channels, mask=channels < dim, other=0.0)[None, :]
    inside = (rows[:, None] < batch) & (channels[None, :] < dim)
    tl.store(out + rows[:, None] * dim + channels[None, :], unmixed, mask=inside)
    gain = tl.sum(tl.log(scale).to(tl.float64), 1)
    tl.store(nats + rows, tl.load(nats + rows, mask=rows < batch, other=0.0) + gain, mask=rows < batch)
