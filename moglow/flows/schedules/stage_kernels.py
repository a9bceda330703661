"""The kernels of `fused_stages`, in Triton; `stages` computes the same in torch and is easier to read.

Each program computes a tile of rows of the batch in one cell of the diagonal. Cell n of a stage is (k, t) = (first + n,
stage − k); tables are contiguous, so a cell begins at row k · T + t. Products of the flow's variables are in float32,
the recurrent ones in the precision of the gates.
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
def _load(pointer, rows, columns, width, ROWS, COLUMNS):
    """Loads rows × columns of a matrix with rows of the given width; zero outside of ROWS × COLUMNS."""
    mask = (rows < ROWS)[:, None] & (columns < COLUMNS)[None, :]
    return tl.load(pointer + rows[:, None] * width + columns[None, :], mask=mask, other=0.0)


@triton.jit
def _store(pointer, rows, columns, width, ROWS, COLUMNS, values):
    mask = (rows < ROWS)[:, None] & (columns < COLUMNS)[None, :]
    tl.store(
        pointer + rows[:, None] * width + columns[None, :], values.to(pointer.dtype.element_ty), mask=mask
    )


@triton.jit
def _split_gates(gates, ROWS: tl.constexpr, UNITS: tl.constexpr):
    """Splits gates (ROWS, 4 · UNITS), those of a unit adjacent, into the four kinds."""
    even, odd = tl.split(tl.reshape(gates, (ROWS, UNITS, 2, 2)))
    enter, new = tl.split(even)
    keep, leave = tl.split(odd)
    return enter, keep, new, leave


@triton.jit
def _join_gates(enter, keep, new, leave, ROWS: tl.constexpr, UNITS: tl.constexpr):
    return tl.reshape(tl.join(tl.join(enter, new), tl.join(keep, leave)), (ROWS, 4 * UNITS))


@triton.jit(do_not_specialize=["stage", "first"])
def layer_kernel(
    below, hidden, memory, gates, inward, back, bias,
    stage, first, T, B,
    BELOW_K, BELOW_T, BELOW_WIDTH: tl.constexpr, INPUTS: tl.constexpr, H: tl.constexpr, SHARED: tl.constexpr,
    BM: tl.constexpr, BN: tl.constexpr, BI: tl.constexpr, BK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Computes gates, memory and hidden state of a layer; `below` points to the entry of cell (0, 0)."""
    k = first + tl.program_id(2)
    t = stage - k
    rows = tl.program_id(1) * BM + tl.arange(0, BM)
    units = tl.program_id(0) * BN + tl.arange(0, BN)
    columns = tl.program_id(0) * 4 * BN + tl.arange(0, 4 * BN)
    kind = gates.dtype.element_ty
    total = tl.zeros((BM, 4 * BN), tl.float32)
    past = (k * (T + 1) + t).to(tl.int64) * B * H
    below += k.to(tl.int64) * BELOW_K + t.to(tl.int64) * BELOW_T
    inward += k.to(tl.int64) * INPUTS * 4 * H
    back += k.to(tl.int64) * H * 4 * H
    for start in range(0, INPUTS, BI):
        i = start + tl.arange(0, BI)
        x = _load(below, rows, i, BELOW_WIDTH, B, INPUTS).to(kind)
        total = tl.dot(x, _load(inward, i, columns, 4 * H, INPUTS, 4 * H), total, input_precision=PRECISION)
    for start in range(0, H, BK):
        i = start + tl.arange(0, BK)
        x = _load(hidden + past, rows, i, H, B, H)
        total = tl.dot(x, _load(back, i, columns, 4 * H, H, 4 * H), total, input_precision=PRECISION)

    gates += (k * T + t).to(tl.int64) * B * 4 * H
    if SHARED:
        total += _load(gates, rows, columns, 4 * H, B, 4 * H).to(tl.float32)
    else:
        total += tl.load(bias + k * 4 * H + columns, mask=columns < 4 * H, other=0.0)[None, :]
    enter, keep, new, leave = _split_gates(total, BM, BN)
    enter = _sigmoid(enter)
    keep = _sigmoid(keep)
    new = _tanh(new)
    leave = _sigmoid(leave)
    c = keep * _load(memory + past, rows, units, H, B, H) + enter * new
    _store(gates, rows, columns, 4 * H, B, 4 * H, _join_gates(enter, keep, new, leave, BM, BN))
    _store(memory + past + B * H, rows, units, H, B, H, c)
    _store(hidden + past + B * H, rows, units, H, B, H, leave * _tanh(c))


@triton.jit
def _add_product(hidden, head, total, PRECISION: tl.constexpr):
    """Adds hidden @ head as exactly as float32 does; for a bfloat16 hidden state two bfloat16 products are enough."""
    if hidden.dtype == tl.bfloat16:
        most = head.to(tl.bfloat16)
        rest = (head - most.to(tl.float32)).to(tl.bfloat16)
        return tl.dot(hidden, rest, tl.dot(hidden, most, total))
    else:
        return tl.dot(hidden, head, total, input_precision=PRECISION)


@triton.jit(do_not_specialize=["stage", "first"])
def coupling_kernel(
    hidden, x, y, opening, head, head_bias, mix, shift, floor,
    stage, first, K, T, B,
    H: tl.constexpr, KEPT: tl.constexpr, MOVED: tl.constexpr,
    BM: tl.constexpr, BH: tl.constexpr, BC: tl.constexpr, BD: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Computes head, coupling, and the mixing of the next step where there is one."""
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
        h = _load(hidden + after, rows, i, H, B, H)
        shifted = _add_product(h, _load(head, i, part, 2 * MOVED, H, MOVED), shifted, PRECISION)
        a = _add_product(h, _load(head + MOVED, i, part, 2 * MOVED, H, MOVED), a, PRECISION)
    head_bias += k * 2 * MOVED + part
    shifted += tl.load(head_bias, mask=part < MOVED, other=0.0)[None, :]
    a += tl.load(head_bias + MOVED, mask=part < MOVED, other=0.0)[None, :]
    wide = _sigmoid(a + 2.0)
    _store(opening + cell * MOVED, rows, part, MOVED, B, MOVED, wide)
    kept = _load(y + cell * D, rows, part, D, B, KEPT)
    moved = _load(y + cell * D + KEPT, rows, part, D, B, MOVED)
    moved = (moved + shifted) * (wide + floor)
    moved = tl.where((part < MOVED)[None, :], moved, 0.0)
    following = ((k + 1) * T + t).to(tl.int64) * B * D
    _store(x + following, rows, part, D, B, KEPT, kept)
    _store(x + following + KEPT, rows, part, D, B, MOVED, moved)
    if k + 1 < K:
        mix += (k + 1) * D * D
        mixed = tl.dot(kept, _load(mix, part, whole, D, KEPT, D), input_precision=PRECISION)
        mixed = tl.dot(
            moved, _load(mix + KEPT * D, part, whole, D, MOVED, D), mixed, input_precision=PRECISION
        )
        mixed += tl.load(shift + (k + 1) * D + whole, mask=whole < D, other=0.0)[None, :]
        _store(y + following, rows, whole, D, B, D, mixed)


@triton.jit
def _gates_backward(
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
    """Overwrites the gates of a tile of units with their gradients; `d_h` is the hidden state's gradient from above."""
    units = tile * BN + tl.arange(0, BN)
    columns = tile * 4 * BN + tl.arange(0, 4 * BN)
    gates += (k * T + t).to(tl.int64) * B * 4 * H
    past = memory + (k * (T + 1) + t).to(tl.int64) * B * H
    own = k.to(tl.int64) * B * H
    d_h += _load(d_hidden + own, rows, units, H, B, H)
    enter, keep, new, leave = _split_gates(
        _load(gates, rows, columns, 4 * H, B, 4 * H).to(tl.float32), BM, BN
    )
    bounded = _tanh(_load(past + B * H, rows, units, H, B, H))
    d_c = _load(d_memory + own, rows, units, H, B, H) + d_h * leave * (1.0 - bounded * bounded)
    d_keep = d_c * _load(past, rows, units, H, B, H)
    _store(d_memory + own, rows, units, H, B, H, d_c * keep)
    before = _join_gates(
        d_c * new * enter * (1.0 - enter),
        d_keep * keep * (1.0 - keep),
        d_c * enter * (1.0 - new * new),
        d_h * bounded * leave * (1.0 - leave),
        BM, BN,
    )  # fmt: skip
    _store(gates, rows, columns, 4 * H, B, 4 * H, before)


@triton.jit(do_not_specialize=["stage", "first"])
def coupling_backward_kernel(
    x, opening, head, mix, gates, memory, d_z, d_gain, d_y, d_outputs, d_hidden, d_memory, floor,
    stage, first, K, T, B,
    H: tl.constexpr, KEPT: tl.constexpr, MOVED: tl.constexpr,
    BM: tl.constexpr, BN: tl.constexpr, BC: tl.constexpr, BD: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Computes the gradients of the next step's mixing, the coupling, the head and the last layer's gates."""
    D: tl.constexpr = KEPT + MOVED
    k = first + tl.program_id(2)
    t = stage - k
    rows = tl.program_id(1) * BM + tl.arange(0, BM)
    columns = tl.program_id(0) * BN + tl.arange(0, BN)
    part, whole = tl.arange(0, BC), tl.arange(0, BD)
    cell = (k * T + t).to(tl.int64) * B
    following = ((k + 1) * T + t).to(tl.int64) * B * D
    if k + 1 < K:
        d_mixed = _load(d_y + following, rows, whole, D, B, D)
        mix += (k + 1) * D * D
        d_kept = tl.dot(d_mixed, tl.trans(_load(mix, part, whole, D, KEPT, D)), input_precision=PRECISION)
        d_moved = tl.dot(
            d_mixed, tl.trans(_load(mix + KEPT * D, part, whole, D, MOVED, D)), input_precision=PRECISION
        )
    else:
        d_kept = _load(d_z + t * B * D, rows, part, D, B, KEPT)
        d_moved = _load(d_z + t * B * D + KEPT, rows, part, D, B, MOVED)
    wide = _load(opening + cell * MOVED, rows, part, MOVED, B, MOVED)
    scale = wide + floor
    shifted = _load(x + following + KEPT, rows, part, D, B, MOVED) / scale
    gain = tl.load(d_gain + t * B + rows, mask=rows < B, other=0.0)[:, None]
    d_a = (d_moved * shifted + gain / scale) * wide * (1.0 - wide)
    d_a = tl.where((part < MOVED)[None, :], d_a, 0.0)
    d_shift = d_moved * scale
    if tl.program_id(0) == 0:
        _store(d_outputs + cell * 2 * MOVED, rows, part, 2 * MOVED, B, MOVED, d_shift)
        _store(d_outputs + cell * 2 * MOVED + MOVED, rows, part, 2 * MOVED, B, MOVED, d_a)
        _store(d_y + cell * D, rows, part, D, B, KEPT, d_kept)
        _store(d_y + cell * D + KEPT, rows, part, D, B, MOVED, d_shift)
    head += k.to(tl.int64) * H * 2 * MOVED
    d_h = tl.dot(
        d_shift, tl.trans(_load(head, columns, part, 2 * MOVED, H, MOVED)), input_precision=PRECISION
    )
    d_h = tl.dot(
        d_a, tl.trans(_load(head + MOVED, columns, part, 2 * MOVED, H, MOVED)), d_h, input_precision=PRECISION
    )
    _gates_backward(d_h, gates, memory, d_hidden, d_memory, k, t, T, B, rows, tl.program_id(0), H, BM, BN)


@triton.jit(do_not_specialize=["stage", "first"])
def layer_backward_kernel(
    gates, inward, back, d_hidden, d_y, lower_gates, lower_memory, lower_d_hidden, lower_d_memory,
    stage, first, T, B,
    INPUTS: tl.constexpr, H: tl.constexpr, D: tl.constexpr, LOWEST: tl.constexpr,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Computes the gradients of a layer's past, and of the frame's channels or the gates of the layer below."""
    k = first + tl.program_id(2)
    t = stage - k
    rows = tl.program_id(1) * BM + tl.arange(0, BM)
    tile = tl.program_id(0)
    pasts: tl.constexpr = (H + BN - 1) // BN
    gates += (k * T + t).to(tl.int64) * B * 4 * H
    total = tl.zeros((BM, BN), tl.float32)
    if tile < pasts:
        columns = tile * BN + tl.arange(0, BN)
        back += k.to(tl.int64) * H * 4 * H
        for start in range(0, 4 * H, BK):
            i = start + tl.arange(0, BK)
            d_gates = _load(gates, rows, i, 4 * H, B, 4 * H)
            total = tl.dot(
                d_gates, tl.trans(_load(back, columns, i, 4 * H, H, 4 * H)), total, input_precision=PRECISION
            )
        _store(d_hidden + k.to(tl.int64) * B * H, rows, columns, H, B, H, total)
    else:
        columns = (tile - pasts) * BN + tl.arange(0, BN)
        inward += k.to(tl.int64) * INPUTS * 4 * H
        for start in range(0, 4 * H, BK):
            i = start + tl.arange(0, BK)
            d_gates = _load(gates, rows, i, 4 * H, B, 4 * H)
            total = tl.dot(
                d_gates,
                tl.trans(_load(inward, columns, i, 4 * H, INPUTS, 4 * H)),
                total,
                input_precision=PRECISION,
            )
        if LOWEST:
            d_y += (k * T + t).to(tl.int64) * B * D
            total += _load(d_y, rows, columns, D, B, INPUTS)
            _store(d_y, rows, columns, D, B, INPUTS, total)
        else:
            _gates_backward(
                total, lower_gates, lower_memory, lower_d_hidden, lower_d_memory,
                k, t, T, B, rows, tile - pasts, H, BM, BN,
            )  # fmt: skip
