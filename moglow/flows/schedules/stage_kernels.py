"""The kernels of `fused_stages`, in Triton: what one stage of the diagonal schedule does to a tile of rows.

Each program does a tile of rows of the batch in one cell of the diagonal. Cell n of a stage is (k, t) = (first + n,
stage − k); tables are contiguous, so that it begins at (k · T + t) rows. Products of the flow's own variables are in
float32, the recurrent ones in the precision of the gates. `stages` is the readable form.
"""

import triton
import triton.language as tl


@triton.jit
def _sigmoid(x):
    return 1.0 / (1.0 + tl.exp(-x))


@triton.jit
def _tanh(x):
    return 2.0 / (1.0 + tl.exp(-2.0 * x)) - 1.0


@triton.jit
def _tile(pointer, rows, columns, width, ROWS, COLUMNS):
    """Loads rows × columns of a matrix whose rows have a width; zero outside of ROWS × COLUMNS."""
    mask = (rows < ROWS)[:, None] & (columns < COLUMNS)[None, :]
    return tl.load(pointer + rows[:, None] * width + columns[None, :], mask=mask, other=0.0)


@triton.jit
def _put(pointer, rows, columns, width, ROWS, COLUMNS, values):
    mask = (rows < ROWS)[:, None] & (columns < COLUMNS)[None, :]
    tl.store(
        pointer + rows[:, None] * width + columns[None, :], values.to(pointer.dtype.element_ty), mask=mask
    )


@triton.jit
def _apart(gates, ROWS: tl.constexpr, UNITS: tl.constexpr):
    """Takes gates (ROWS, 4 · UNITS), those of a unit neighbours, apart into the four kinds."""
    even, odd = tl.split(tl.reshape(gates, (ROWS, UNITS, 2, 2)))
    enter, new = tl.split(even)
    keep, leave = tl.split(odd)
    return enter, keep, new, leave


@triton.jit
def _together(enter, keep, new, leave, ROWS: tl.constexpr, UNITS: tl.constexpr):
    return tl.reshape(tl.join(tl.join(enter, new), tl.join(keep, leave)), (ROWS, 4 * UNITS))


@triton.jit(do_not_specialize=["stage", "first"])
def remember_kernel(
    below, hidden, memory, gates, inward, back, bias,
    stage, first, T, B,
    BELOW_K, BELOW_T, BELOW_WIDTH: tl.constexpr, INPUTS: tl.constexpr, H: tl.constexpr, SHARED: tl.constexpr,
    BM: tl.constexpr, BN: tl.constexpr, BI: tl.constexpr, BK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Gates, memory and hidden state of a layer; `below` begins at the entry of cell (0, 0)."""
    k = first + tl.program_id(2)
    t = stage - k
    rows = tl.program_id(1) * BM + tl.arange(0, BM)
    units = tl.program_id(0) * BN + tl.arange(0, BN)
    columns = tl.program_id(0) * 4 * BN + tl.arange(0, 4 * BN)
    kind = gates.dtype.element_ty
    made = tl.zeros((BM, 4 * BN), tl.float32)
    past = (k * (T + 1) + t).to(tl.int64) * B * H
    below += k.to(tl.int64) * BELOW_K + t.to(tl.int64) * BELOW_T
    inward += k.to(tl.int64) * INPUTS * 4 * H
    back += k.to(tl.int64) * H * 4 * H
    for start in range(0, INPUTS, BI):
        i = start + tl.arange(0, BI)
        x = _tile(below, rows, i, BELOW_WIDTH, B, INPUTS).to(kind)
        made = tl.dot(x, _tile(inward, i, columns, 4 * H, INPUTS, 4 * H), made, input_precision=PRECISION)
    for start in range(0, H, BK):
        i = start + tl.arange(0, BK)
        x = _tile(hidden + past, rows, i, H, B, H)
        made = tl.dot(x, _tile(back, i, columns, 4 * H, H, 4 * H), made, input_precision=PRECISION)

    gates += (k * T + t).to(tl.int64) * B * 4 * H
    if SHARED:
        made += _tile(gates, rows, columns, 4 * H, B, 4 * H).to(tl.float32)
    else:
        made += tl.load(bias + k * 4 * H + columns, mask=columns < 4 * H, other=0.0)[None, :]
    enter, keep, new, leave = _apart(made, BM, BN)
    enter = _sigmoid(enter)
    keep = _sigmoid(keep)
    new = _tanh(new)
    leave = _sigmoid(leave)
    c = keep * _tile(memory + past, rows, units, H, B, H) + enter * new
    _put(gates, rows, columns, 4 * H, B, 4 * H, _together(enter, keep, new, leave, BM, BN))
    _put(memory + past + B * H, rows, units, H, B, H, c)
    _put(hidden + past + B * H, rows, units, H, B, H, leave * _tanh(c))


@triton.jit
def _heard(hidden, head, found, PRECISION: tl.constexpr):
    """Adds hidden @ head as exactly as float32 would; of a rounded hidden state it takes two rounded products."""
    if hidden.dtype == tl.bfloat16:
        most = head.to(tl.bfloat16)
        rest = (head - most.to(tl.float32)).to(tl.bfloat16)
        return tl.dot(hidden, rest, tl.dot(hidden, most, found))
    else:
        return tl.dot(hidden, head, found, input_precision=PRECISION)


@triton.jit(do_not_specialize=["stage", "first"])
def couple_kernel(
    hidden, x, y, opening, head, head_bias, mix, shift, floor,
    stage, first, K, T, B,
    H: tl.constexpr, KEPT: tl.constexpr, MOVED: tl.constexpr,
    BM: tl.constexpr, BH: tl.constexpr, BC: tl.constexpr, BD: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Head, coupling, and the mixing of the next step where there is one."""
    D: tl.constexpr = KEPT + MOVED
    k = first + tl.program_id(1)
    t = stage - k
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    part, whole = tl.arange(0, BC), tl.arange(0, BD)
    cell = (k * T + t).to(tl.int64) * B
    after = (k * (T + 1) + t + 1).to(tl.int64) * B * H
    head += k.to(tl.int64) * H * 2 * MOVED
    shifted = tl.zeros((BM, BC), tl.float32)
    a = tl.zeros((BM, BC), tl.float32)
    for start in range(0, H, BH):
        i = start + tl.arange(0, BH)
        h = _tile(hidden + after, rows, i, H, B, H)
        shifted = _heard(h, _tile(head, i, part, 2 * MOVED, H, MOVED), shifted, PRECISION)
        a = _heard(h, _tile(head + MOVED, i, part, 2 * MOVED, H, MOVED), a, PRECISION)
    head_bias += k * 2 * MOVED + part
    shifted += tl.load(head_bias, mask=part < MOVED, other=0.0)[None, :]
    a += tl.load(head_bias + MOVED, mask=part < MOVED, other=0.0)[None, :]
    wide = _sigmoid(a + 2.0)
    _put(opening + cell * MOVED, rows, part, MOVED, B, MOVED, wide)
    kept = _tile(y + cell * D, rows, part, D, B, KEPT)
    moved = _tile(y + cell * D + KEPT, rows, part, D, B, MOVED)
    moved = (moved + shifted) * (wide + floor)
    moved = tl.where((part < MOVED)[None, :], moved, 0.0)
    following = ((k + 1) * T + t).to(tl.int64) * B * D
    _put(x + following, rows, part, D, B, KEPT, kept)
    _put(x + following + KEPT, rows, part, D, B, MOVED, moved)
    if k + 1 < K:
        mix += (k + 1) * D * D
        mixed = tl.dot(kept, _tile(mix, part, whole, D, KEPT, D), input_precision=PRECISION)
        mixed = tl.dot(
            moved, _tile(mix + KEPT * D, part, whole, D, MOVED, D), mixed, input_precision=PRECISION
        )
        mixed += tl.load(shift + (k + 1) * D + whole, mask=whole < D, other=0.0)[None, :]
        _put(y + following, rows, whole, D, B, D, mixed)


@triton.jit
def _gate_back(
    d_h,
    gates,
    memory,
    d_hidden,
    d_memory,
    k,
    t,
    T,
    B,
    rows,
    tile,
    H: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
):
    """Turns the gates of a tile of units into their gradients, given that of the hidden state from above."""
    units = tile * BN + tl.arange(0, BN)
    columns = tile * 4 * BN + tl.arange(0, 4 * BN)
    gates += (k * T + t).to(tl.int64) * B * 4 * H
    past = memory + (k * (T + 1) + t).to(tl.int64) * B * H
    own = k.to(tl.int64) * B * H
    d_h += _tile(d_hidden + own, rows, units, H, B, H)
    enter, keep, new, leave = _apart(_tile(gates, rows, columns, 4 * H, B, 4 * H).to(tl.float32), BM, BN)
    seen = _tanh(_tile(past + B * H, rows, units, H, B, H))
    d_c = _tile(d_memory + own, rows, units, H, B, H) + d_h * leave * (1.0 - seen * seen)
    d_keep = d_c * _tile(past, rows, units, H, B, H)
    _put(d_memory + own, rows, units, H, B, H, d_c * keep)
    before = _together(
        d_c * new * enter * (1.0 - enter),
        d_keep * keep * (1.0 - keep),
        d_c * enter * (1.0 - new * new),
        d_h * seen * leave * (1.0 - leave),
        BM, BN,
    )  # fmt: skip
    _put(gates, rows, columns, 4 * H, B, 4 * H, before)


@triton.jit(do_not_specialize=["stage", "first"])
def couple_back_kernel(
    x, opening, head, mix, gates, memory, d_z, d_gain, d_y, d_said, d_hidden, d_memory, floor,
    stage, first, K, T, B,
    H: tl.constexpr, KEPT: tl.constexpr, MOVED: tl.constexpr,
    BM: tl.constexpr, BN: tl.constexpr, BC: tl.constexpr, BD: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Back through the mixing of the next step, the coupling and the head, to the gates of the last layer."""
    D: tl.constexpr = KEPT + MOVED
    k = first + tl.program_id(2)
    t = stage - k
    rows = tl.program_id(1) * BM + tl.arange(0, BM)
    columns = tl.program_id(0) * BN + tl.arange(0, BN)
    part, whole = tl.arange(0, BC), tl.arange(0, BD)
    cell = (k * T + t).to(tl.int64) * B
    following = ((k + 1) * T + t).to(tl.int64) * B * D
    if k + 1 < K:
        d_mixed = _tile(d_y + following, rows, whole, D, B, D)
        mix += (k + 1) * D * D
        d_kept = tl.dot(d_mixed, tl.trans(_tile(mix, part, whole, D, KEPT, D)), input_precision=PRECISION)
        d_moved = tl.dot(
            d_mixed, tl.trans(_tile(mix + KEPT * D, part, whole, D, MOVED, D)), input_precision=PRECISION
        )
    else:
        d_kept = _tile(d_z + t * B * D, rows, part, D, B, KEPT)
        d_moved = _tile(d_z + t * B * D + KEPT, rows, part, D, B, MOVED)
    wide = _tile(opening + cell * MOVED, rows, part, MOVED, B, MOVED)
    scale = wide + floor
    shifted = _tile(x + following + KEPT, rows, part, D, B, MOVED) / scale
    gain = tl.load(d_gain + t * B + rows, mask=rows < B, other=0.0)[:, None]
    d_a = (d_moved * shifted + gain / scale) * wide * (1.0 - wide)
    d_a = tl.where((part < MOVED)[None, :], d_a, 0.0)
    d_shift = d_moved * scale
    if tl.program_id(0) == 0:
        _put(d_said + cell * 2 * MOVED, rows, part, 2 * MOVED, B, MOVED, d_shift)
        _put(d_said + cell * 2 * MOVED + MOVED, rows, part, 2 * MOVED, B, MOVED, d_a)
        _put(d_y + cell * D, rows, part, D, B, KEPT, d_kept)
        _put(d_y + cell * D + KEPT, rows, part, D, B, MOVED, d_shift)
    head += k.to(tl.int64) * H * 2 * MOVED
    d_h = tl.dot(
        d_shift, tl.trans(_tile(head, columns, part, 2 * MOVED, H, MOVED)), input_precision=PRECISION
    )
    d_h = tl.dot(
        d_a, tl.trans(_tile(head + MOVED, columns, part, 2 * MOVED, H, MOVED)), d_h, input_precision=PRECISION
    )
    _gate_back(d_h, gates, memory, d_hidden, d_memory, k, t, T, B, rows, tl.program_id(0), H, BM, BN)


@triton.jit(do_not_specialize=["stage", "first"])
def remember_back_kernel(
    gates, inward, back, d_hidden, d_y, lower_gates, lower_memory, lower_d_hidden, lower_d_memory,
    stage, first, T, B,
    INPUTS: tl.constexpr, H: tl.constexpr, D: tl.constexpr, LOWEST: tl.constexpr,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """From a layer's gates to its past, and to the frame's channels or the gates of the layer below."""
    k = first + tl.program_id(2)
    t = stage - k
    rows = tl.program_id(1) * BM + tl.arange(0, BM)
    tile = tl.program_id(0)
    pasts: tl.constexpr = (H + BN - 1) // BN
    gates += (k * T + t).to(tl.int64) * B * 4 * H
    made = tl.zeros((BM, BN), tl.float32)
    if tile < pasts:
        columns = tile * BN + tl.arange(0, BN)
        back += k.to(tl.int64) * H * 4 * H
        for start in range(0, 4 * H, BK):
            i = start + tl.arange(0, BK)
            d_gates = _tile(gates, rows, i, 4 * H, B, 4 * H)
            made = tl.dot(
                d_gates, tl.trans(_tile(back, columns, i, 4 * H, H, 4 * H)), made, input_precision=PRECISION
            )
        _put(d_hidden + k.to(tl.int64) * B * H, rows, columns, H, B, H, made)
    else:
        columns = (tile - pasts) * BN + tl.arange(0, BN)
        inward += k.to(tl.int64) * INPUTS * 4 * H
        for start in range(0, 4 * H, BK):
            i = start + tl.arange(0, BK)
            d_gates = _tile(gates, rows, i, 4 * H, B, 4 * H)
            made = tl.dot(
                d_gates,
                tl.trans(_tile(inward, columns, i, 4 * H, INPUTS, 4 * H)),
                made,
                input_precision=PRECISION,
            )
        if LOWEST:
            d_y += (k * T + t).to(tl.int64) * B * D
            made += _tile(d_y, rows, columns, D, B, INPUTS)
            _put(d_y, rows, columns, D, B, INPUTS, made)
        else:
            _gate_back(
                made, lower_gates, lower_memory, lower_d_hidden, lower_d_memory,
                k, t, T, B, rows, tile - pasts, H, BM, BN,
            )  # fmt: skip
