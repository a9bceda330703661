"""The large products of a frame of MoGlow on a GPU, in Triton. Imported only where Triton is installed.

A weight lies in memory as ``(outputs, padded inputs)``, zeros at the end of its rows. A program does ROWS rows of a
batch: one, without matrix instructions, or 16 and more, with them. What it computes for a row depends neither on the
other rows nor on how many there are.
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
    """Returns the sum of a previous result (ROWS, COLUMNS) and rows of x times a weight, in float32."""
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
    """Returns rows of values times a small matrix: (inputs, outputs), or (outputs, inputs) for one row."""
    if ROWS == 1:
        return tl.sum(matrix * values, 1)[None, :]
    else:
        return tl.dot(values, matrix, input_precision="ieee")


@triton.jit
def small_matrix(weight, ROWS: tl.constexpr, INPUTS: tl.constexpr, OUTPUTS: tl.constexpr):
    """Loads a small matrix of (OUTPUTS, INPUTS) in the form that `turned` takes."""
    inputs, outputs = tl.arange(0, INPUTS), tl.arange(0, OUTPUTS)
    if ROWS == 1:
        found = tl.load(weight + outputs[:, None] * INPUTS + inputs[None, :])
    else:
        found = tl.load(weight + outputs[None, :] * INPUTS + inputs[:, None])
    return found


@triton.jit
def tanh(x):
    return 2 * tl.sigmoid(2 * x) - 1


@triton.jit(do_not_specialize=["batch"], do_not_specialize_on_alignment=["noise"])
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
    """Computes the latent of the noise and its log-density."""
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
    """Computes several products at once: out (G, B, outputs) of x (G, B, inputs) and a weight each."""
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
