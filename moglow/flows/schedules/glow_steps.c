/* The steps of a flow with one LSTM layer each, forward and backward, over whole sequences.

   Rows are sequences. They do not depend on each other, so each thread computes some of them through all steps, a few
   frames at a time; the gradients of the weights are sums over all rows, and each thread computes those of some steps.
   No result depends on the number of threads. Tables have an entry [k, t, b] for step k, frame t and row b.

   With -DNARROW the products of the LSTMs, of their inputs and of their gradients have factors in bfloat16 and sums in
   float32; it needs AVX512_BF16. */

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
#define LANES 16
#define TALL 8
#elif defined(__AVX2__) && defined(__FMA__)
#define LANES 8
#define TALL 6
#elif defined(__aarch64__)
#define LANES 4
#define TALL 8
#else
#error "a processor with AVX2 and FMA, or of 64-bit ARM, is needed"
#endif

#define BROAD (2 * LANES) /* columns of a tile; TALL rows at most */
#define FRAMES 8          /* computed at a time */
#define DEPTH 320         /* rows of a block of a gradient's sum */
#define MOST 64           /* threads */

typedef float floats __attribute__((vector_size(4 * LANES)));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));

/* Factors stand in words of 32 bits: a float, or two numbers in bfloat16 that follow each other in a sum. */
typedef uint32_t word;
#ifdef NARROW
#ifndef __AVX512BF16__
#error "a processor that multiplies in bfloat16 is needed"
#endif
typedef uint16_t number;
#define PAIR 2
#else
typedef float number;
#define PAIR 1
#endif

typedef struct {
    int64_t steps, frames, rows, pose, kept, context, hidden, threads;
    double floor;
    /* Of each step: weights and biases as torch's LSTM has them, the affine map x @ mix + shift, the head. */
    const float *const *w_in, *const *w_back, *const *b_in, *const *b_back, *const *w_head, *const *b_head;
    const float *mix, *shift;
    float *x, *opening, *memory; /* (K + 1, T, B, D), (K, T, B, D - kept), (K, T + 1, B, H) */
    number *gates, *hidden_states; /* (K, T, B, 4 H), (K, T + 1, B, H) */
    const float *given;            /* contexts (T, B, C) */
    number *narrow;                /* the same as numbers, rows of whole words */
    float *gain;                   /* (T, B) */
    /* Of the backward pass. `d_x` holds the gradient of z, at the end that of x; `dh` and `dc` (K, B, H) hold those of
       the last state, at the end those of the first. */
    float *d_x, *d_gain, *dh, *dc, *d_outputs, *d_y, *d_context;
    float *const *d_w_in, *const *d_w_back, *const *d_bias, *const *d_w_head, *const *d_b_head;
    float *d_mix, *d_shift;
    word *packed; /* the weights of all steps, in the order of the products */
} pass;

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to; }
static inline int64_t words(int64_t n) { return up(n, PAIR); }

static inline float widened(number from)
{
#ifdef NARROW
    uint32_t bits = (uint32_t)from << 16;
    float to;
    memcpy(&to, &bits, sizeof to);
    return to;
#else
    return from;
#endif
}

static inline number rounded(float from)
{
#ifdef NARROW
    uint32_t bits;
    memcpy(&bits, &from, sizeof bits);
    return (number)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
#else
    return from;
#endif
}

/* exp(x), by a polynomial of degree 6 on [-log(2) / 2, log(2) / 2]; the relative error is 2e-7. */
static inline float power(float x)
{
    x = x < -87.0f ? -87.0f : x > 87.0f ? 87.0f : x;
    float n = x * 1.44269504f + 12582912.0f;
    int32_t bits;
    memcpy(&bits, &n, sizeof bits);
    n -= 12582912.0f;
    float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.0f + r * (1.0f + r * (0.5f + r * (0.166666667f + r * (0.0416665795f + r * (0.00833345f + r * 0.00139f)))));
    bits = (bits << 23) + 0x3f800000;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

static inline float sigmoid(float x) { return 1.0f / (1.0f + power(-x)); }
static inline float bounded(float x) { return 2.0f / (1.0f + power(-2.0f * x)) - 1.0f; }

/* Products. `a` (rows, depth) has words a[row * along + d * across]; `b` stands in panels of BROAD columns, each
   (depth, BROAD), padded with zeros. */

static inline floats load(const void *from)
{
    floats to;
    memcpy(&to, from, sizeof to);
    return to;
}

static inline floats spread(const word *from)
{
    float one;
    memcpy(&one, from, sizeof one);
    return one - (floats){};
}

#define TILE(NAME, ADD)                                                                                              \
    static inline __attribute__((always_inline)) void NAME##_tile(                                                   \
        const int tall, const word *restrict a, int64_t along, int64_t across, const word *restrict b, int64_t depth, \
        float *restrict c, int64_t stride, int64_t columns, int add)                                                 \
    {                                                                                                                \
        floats sum[TALL][2];                                                                                         \
        for (int i = 0; i < tall; i++)                                                                               \
            sum[i][0] = sum[i][1] = (floats){};                                                                      \
        for (int64_t d = 0; d < depth; d++) {                                                                        \
            floats left = load(b + d * BROAD), right = load(b + d * BROAD + LANES);                                  \
            _Pragma("GCC unroll 8") for (int i = 0; i < tall; i++)                                                   \
            {                                                                                                        \
                floats one = spread(a + i * along + d * across);                                                     \
                sum[i][0] = ADD(sum[i][0], one, left);                                                               \
                sum[i][1] = ADD(sum[i][1], one, right);                                                              \
            }                                                                                                        \
        }                                                                                                            \
        if (columns >= BROAD) {                                                                                      \
            for (int i = 0; i < tall; i++)                                                                           \
                for (int j = 0; j < 2; j++) {                                                                        \
                    float *to = c + i * stride + j * LANES;                                                          \
                    floats total = add ? load(to) + sum[i][j] : sum[i][j];                                           \
                    memcpy(to, &total, sizeof total);                                                                \
                }                                                                                                    \
            return;                                                                                                  \
        }                                                                                                            \
        for (int i = 0; i < tall; i++) {                                                                             \
            float part[BROAD];                                                                                       \
            memcpy(part, &sum[i][0], sizeof sum[i]);                                                                 \
            for (int64_t j = 0; j < columns; j++)                                                                    \
                c[i * stride + j] = add ? c[i * stride + j] + part[j] : part[j];                                     \
        }                                                                                                            \
    }                                                                                                                \
                                                                                                                     \
    static void NAME##_panel(int64_t rows, const word *a, int64_t along, int64_t across, const word *b,              \
                             int64_t depth, float *c, int64_t stride, int64_t columns, int add)                      \
    {                                                                                                                \
        for (int64_t left = rows, tall; left > 0; left -= tall, a += tall * along, c += tall * stride) {             \
            tall = up(left, up(left, TALL)); /* of nearly equal height */                                            \
            switch (tall) {                                                                                          \
            case 8: NAME##_tile(least(8, TALL), a, along, across, b, depth, c, stride, columns, add); break;         \
            case 7: NAME##_tile(least(7, TALL), a, along, across, b, depth, c, stride, columns, add); break;         \
            case 6: NAME##_tile(6, a, along, across, b, depth, c, stride, columns, add); break;                      \
            case 5: NAME##_tile(5, a, along, across, b, depth, c, stride, columns, add); break;                      \
            case 4: NAME##_tile(4, a, along, across, b, depth, c, stride, columns, add); break;                      \
            case 3: NAME##_tile(3, a, along, across, b, depth, c, stride, columns, add); break;                      \
            case 2: NAME##_tile(2, a, along, across, b, depth, c, stride, columns, add); break;                      \
            default: NAME##_tile(1, a, along, across, b, depth, c, stride, columns, add);                            \
            }                                                                                                        \
        }                                                                                                            \
    }

#define MULADD(sum, a, b) ((sum) + (a) * (b))
TILE(single, MULADD)
#ifdef NARROW
#define DOT(sum, a, b) ((floats)_mm512_dpbf16_ps((__m512)(sum), (__m512bh)(a), (__m512bh)(b)))
TILE(number, DOT)
#else
#define number_panel single_panel
#endif

typedef void panel_function(int64_t, const word *, int64_t, int64_t, const word *, int64_t, float *, int64_t, int64_t, int);

/* Rows of a table: those of each of some frames. Strides are in words for factors, in floats for results. */
typedef struct {
    void *start;
    int64_t row, frame;
} table;

/* c = a @ b, or c += a @ b, for the rows of some frames. */
static void multiply(panel_function *panel, int64_t frames, int64_t rows, table a, const word *b, int64_t depth,
                     int64_t columns, table c, int add)
{
    if (a.frame == rows * a.row && c.frame == rows * c.row)
        rows *= frames, frames = 1;
    for (int64_t j = 0; j < columns; j += BROAD, b += depth * BROAD)
        for (int64_t t = 0; t < frames; t++)
            panel(rows, (const word *)a.start + t * a.frame, a.row, 1, b, depth, (float *)c.start + t * c.frame + j, c.row,
                  columns - j, add);
}

/* Panels of a matrix whose entry (d, j) is from[d * down + j * right], as floats or as numbers. */
static int64_t panels_of_floats(int64_t depth, int64_t columns) { return up(columns, BROAD) * BROAD * depth; }
static int64_t panels_of_numbers(int64_t depth, int64_t columns) { return up(columns, BROAD) * BROAD * words(depth); }

static void pack_floats(float *to, const float *from, int64_t depth, int64_t columns, int64_t down, int64_t right)
{
    for (int64_t j = 0; j < columns; j += BROAD, to += depth * BROAD) {
        int64_t some = least(BROAD, columns - j);
        if (some < BROAD)
            memset(to, 0, sizeof(float) * depth * BROAD);
        if (right == 1)
            for (int64_t d = 0; d < depth; d++)
                memcpy(to + d * BROAD, from + d * down + j, sizeof(float) * some);
        else
            for (int64_t i = 0; i < some; i++)
                for (int64_t d = 0; d < depth; d++)
                    to[d * BROAD + i] = from[d * down + (j + i) * right];
    }
}

static void pack_numbers(word *words_to, const float *from, int64_t depth, int64_t columns, int64_t down, int64_t right)
{
#ifdef NARROW
    number *to = (number *)words_to;
    for (int64_t j = 0; j < columns; j += BROAD, to += words(depth) * BROAD * PAIR) {
        int64_t some = least(BROAD, columns - j);
        if (some < BROAD || depth % PAIR)
            memset(to, 0, sizeof(word) * words(depth) * BROAD);
        for (int64_t d = 0; d < depth; d++)
            for (int64_t i = 0; i < some; i++)
                to[(d / PAIR * BROAD + i) * PAIR + d % PAIR] = rounded(from[d * down + (j + i) * right]);
    }
#else
    pack_floats((float *)words_to, from, depth, columns, down, right);
#endif
}

/* The packed weights of a step. */
typedef struct {
    word *kept, *context, *back, *d_kept, *d_context, *d_back;
    word *mix, *head, *d_mix, *d_head;
    int64_t size; /* of all, in words */
} weights;

static weights weights_of(const pass *p, int64_t k)
{
    int64_t gates = 4 * p->hidden, moved = p->pose - p->kept, at = 0;
    weights w;
#define PART(NAME, KIND, DEPTH_, COLUMNS)                                                                            \
    w.NAME = (word *)0 + at;                                                                                         \
    at += up(panels_of_##KIND(DEPTH_, COLUMNS), 16) * 16;
#define PARTS                                                                                                        \
    PART(kept, numbers, p->kept, gates)                                                                              \
    PART(context, numbers, p->context, gates)                                                                        \
    PART(back, numbers, p->hidden, gates)                                                                            \
    PART(mix, floats, p->pose, p->pose)                                                                              \
    PART(head, floats, p->hidden, 2 * moved)                                                                         \
    PART(d_kept, numbers, gates, p->kept)                                                                            \
    PART(d_context, numbers, gates, p->context)                                                                      \
    PART(d_back, numbers, gates, p->hidden)                                                                          \
    PART(d_mix, floats, p->pose, p->pose)                                                                            \
    PART(d_head, floats, 2 * moved, p->hidden)
    PARTS
#undef PART
    w.size = at;
#define PART(NAME, KIND, DEPTH_, COLUMNS) w.NAME = p->packed + k * at + (w.NAME - (word *)0);
    PARTS
#undef PART
    return w;
}

int64_t packed_words(const pass *p) { return weights_of(p, 0).size * p->steps; }

static void pack_forward(const pass *p, int64_t k)
{
    int64_t gates = 4 * p->hidden, moved = p->pose - p->kept, inputs = p->kept + p->context;
    weights w = weights_of(p, k);
    pack_numbers(w.kept, p->w_in[k], p->kept, gates, 1, inputs);
    pack_numbers(w.context, p->w_in[k] + p->kept, p->context, gates, 1, inputs);
    pack_numbers(w.back, p->w_back[k], p->hidden, gates, 1, p->hidden);
    pack_floats((float *)w.mix, p->mix + k * p->pose * p->pose, p->pose, p->pose, p->pose, 1);
    pack_floats((float *)w.head, p->w_head[k], p->hidden, 2 * moved, 1, p->hidden);
}

static void pack_backward(const pass *p, int64_t k)
{
    int64_t gates = 4 * p->hidden, moved = p->pose - p->kept, inputs = p->kept + p->context;
    weights w = weights_of(p, k);
    pack_numbers(w.d_kept, p->w_in[k], gates, p->kept, inputs, 1);
    pack_numbers(w.d_context, p->w_in[k] + p->kept, gates, p->context, inputs, 1);
    pack_numbers(w.d_back, p->w_back[k], gates, p->hidden, p->hidden, 1);
    pack_floats((float *)w.d_mix, p->mix + k * p->pose * p->pose, p->pose, p->pose, 1, p->pose);
    pack_floats((float *)w.d_head, p->w_head[k], 2 * moved, p->hidden, p->hidden, 1);
}

/* Rounds contexts, or copies them, to rows of whole words. */
static void narrow_context(const pass *p, int64_t frame)
{
#ifdef NARROW
    int64_t wide = words(p->context) * PAIR;
    for (int64_t row = frame * p->rows; row < (frame + 1) * p->rows; row++)
        for (int64_t j = 0; j < wide; j++)
            p->narrow[row * wide + j] = j < p->context ? rounded(p->given[row * p->context + j]) : 0;
#endif
}

/* What a thread needs for the rows of some frames. */
typedef struct {
    float *sums, *y, *outputs, *wide, *bias;
    number *kept;
    void *all;
} space;

static space space_for(const pass *p, int64_t rows)
{
    int64_t many = FRAMES * rows, gates = 4 * p->hidden;
    int64_t sizes[] = {many * gates, many * p->pose, many * 2 * (p->pose - p->kept), many * p->hidden, gates,
                       many * (words(p->kept) * PAIR)};
    int64_t at[6], total = 0;
    for (int i = 0; i < 6; i++)
        at[i] = total, total += up(sizes[i], 16) * 16;
    float *all = calloc(total, sizeof(float));
    space s = {all ? all + at[0] : 0, all ? all + at[1] : 0, all ? all + at[2] : 0, all ? all + at[3] : 0,
               all ? all + at[4] : 0, all ? (number *)(all + at[5]) : 0, all};
    return s;
}

static void activate(const pass *p, const float *restrict sums, const float *restrict bias, const float *restrict before,
                     float *restrict memory, number *restrict gates, number *restrict hidden)
{
    int64_t units = p->hidden;
    for (int64_t u = 0; u < units; u++) {
        number enter = rounded(sigmoid(sums[u] + bias[u])), keep = rounded(sigmoid(sums[units + u] + bias[units + u]));
        number new = rounded(bounded(sums[2 * units + u] + bias[2 * units + u]));
        number leave = rounded(sigmoid(sums[3 * units + u] + bias[3 * units + u]));
        gates[u] = enter, gates[units + u] = keep, gates[2 * units + u] = new, gates[3 * units + u] = leave;
        float c = widened(keep) * before[u] + widened(enter) * widened(new);
        memory[u] = c;
        hidden[u] = rounded(widened(leave) * bounded(c));
    }
}

static void forward_rows(const pass *p, int64_t first, int64_t rows, space s)
{
    int64_t D = p->pose, H = p->hidden, B = p->rows, T = p->frames, gates = 4 * H, kept = p->kept, M = D - kept;
    int64_t wide = words(kept) * PAIR, states = words(H) * PAIR, contexts = words(p->context);
    for (int64_t k = 0; k < p->steps; k++) {
        weights w = weights_of(p, k);
        for (int64_t j = 0; j < gates; j++)
            s.bias[j] = p->b_in[k][j] + p->b_back[k][j];
        for (int64_t from = 0; from < T; from += FRAMES) {
            int64_t some = least(FRAMES, T - from), row = from * B + first;
            table x = {p->x + (k * T * B + row) * D, D, B * D}, y = {s.y, D, rows * D};
            multiply(single_panel, some, rows, x, w.mix, D, D, y, 0);
            for (int64_t r = 0; r < some * rows; r++)
                for (int64_t j = 0; j < D; j++) {
                    s.y[r * D + j] += p->shift[k * D + j];
                    if (j < kept)
                        s.kept[r * wide + j] = rounded(s.y[r * D + j]);
                }
            table inward = {s.kept, words(kept), rows * words(kept)}, sums = {s.sums, gates, rows * gates};
            table given = {p->narrow + row * contexts * PAIR, contexts, B * contexts};
            multiply(number_panel, some, rows, inward, w.kept, words(kept), gates, sums, 0);
            multiply(number_panel, some, rows, given, w.context, contexts, gates, sums, 1);
            for (int64_t t = from; t < from + some; t++) {
                int64_t here = (k * (T + 1) + t) * B + first;
                table past = {p->hidden_states + here * states, words(H), 0};
                table now = {s.sums + (t - from) * rows * gates, gates, 0};
                multiply(number_panel, 1, rows, past, w.back, words(H), gates, now, 1);
                for (int64_t r = 0; r < rows; r++)
                    activate(p, (float *)now.start + r * gates, s.bias, p->memory + (here + r) * H,
                             p->memory + (here + B + r) * H, p->gates + ((k * T + t) * B + first + r) * gates,
                             p->hidden_states + (here + B + r) * states);
            }
            table outputs = {s.outputs, 2 * M, rows * 2 * M};
            number *after = p->hidden_states + ((k * (T + 1) + from + 1) * B + first) * states;
            for (int64_t t = 0; t < some; t++)
                for (int64_t r = 0; r < rows; r++)
                    for (int64_t u = 0; u < H; u++)
                        s.wide[(t * rows + r) * H + u] = widened(after[(t * B + r) * states + u]);
            table last = {s.wide, H, rows * H};
            multiply(single_panel, some, rows, last, w.head, H, 2 * M, outputs, 0);
            for (int64_t t = 0; t < some; t++)
                for (int64_t r = 0; r < rows; r++) {
                    int64_t here = (from + t) * B + first + r;
                    float *to = p->x + ((k + 1) * T * B + here) * D, *opening = p->opening + (k * T * B + here) * M;
                    const float *in = s.y + (t * rows + r) * D, *out = s.outputs + (t * rows + r) * 2 * M;
                    memcpy(to, in, sizeof(float) * kept);
                    for (int64_t j = 0; j < M; j++) {
                        opening[j] = sigmoid(out[M + j] + p->b_head[k][M + j] + 2.0f);
                        to[kept + j] = (in[kept + j] + out[j] + p->b_head[k][j]) * (opening[j] + (float)p->floor);
                    }
                    double product = 1.0, sum = 0.0; /* a logarithm of many factors */
                    for (int64_t j = 0; j < M; j++) {
                        product *= opening[j] + (float)p->floor;
                        if (j % 32 == 31 || j == M - 1)
                            sum += log(product), product = 1.0;
                    }
                    p->gain[here] = (k ? p->gain[here] : 0.0f) + (float)sum;
                }
        }
    }
}

static void gates_backward(int64_t units, number *restrict gates, const float *restrict before,
                           const float *restrict memory, const float *restrict d_hidden, float *restrict dh,
                           float *restrict dc)
{
    for (int64_t u = 0; u < units; u++) {
        float enter = widened(gates[u]), keep = widened(gates[units + u]), new = widened(gates[2 * units + u]);
        float leave = widened(gates[3 * units + u]), limited = bounded(memory[u]), d = dh[u] + d_hidden[u];
        float inner = dc[u] + d * leave * (1.0f - limited * limited);
        gates[u] = rounded(inner * new * enter * (1.0f - enter));
        gates[units + u] = rounded(inner * before[u] * keep * (1.0f - keep));
        gates[2 * units + u] = rounded(inner * enter * (1.0f - new * new));
        gates[3 * units + u] = rounded(d * limited * leave * (1.0f - leave));
        dc[u] = inner * keep;
    }
}

static void backward_rows(const pass *p, int64_t first, int64_t rows, space s)
{
    int64_t D = p->pose, H = p->hidden, B = p->rows, T = p->frames, gates = 4 * H, kept = p->kept, M = D - kept;
    for (int64_t k = p->steps; k-- > 0;) {
        weights w = weights_of(p, k);
        float *dh = p->dh + (k * B + first) * H, *dc = p->dc + (k * B + first) * H;
        for (int64_t from = (T - 1) / FRAMES * FRAMES; from >= 0; from -= FRAMES) {
            int64_t some = least(FRAMES, T - from), row = from * B + first;
            for (int64_t t = from; t < from + some; t++)
                for (int64_t r = 0; r < rows; r++) {
                    int64_t here = t * B + first + r;
                    const float *d = p->d_x + here * D, *opening = p->opening + (k * T * B + here) * M;
                    const float *x = p->x + ((k + 1) * T * B + here) * D + kept;
                    float *dy = p->d_y + (k * T * B + here) * D, *out = p->d_outputs + (k * T * B + here) * 2 * M;
                    memcpy(dy, d, sizeof(float) * kept);
                    for (int64_t j = 0; j < M; j++) {
                        float scale = opening[j] + (float)p->floor, d_shift = d[kept + j] * scale;
                        out[j] = dy[kept + j] = d_shift;
                        out[M + j] = (d[kept + j] * x[j] + p->d_gain[here]) / scale * opening[j] * (1.0f - opening[j]);
                    }
                }
            table outputs = {p->d_outputs + (k * T * B + row) * 2 * M, 2 * M, B * 2 * M}, wide = {s.wide, H, rows * H};
            multiply(single_panel, some, rows, outputs, w.d_head, 2 * M, H, wide, 0);
            for (int64_t t = from + some; t-- > from;) {
                int64_t here = (k * (T + 1) + t) * B + first;
                number *now = p->gates + ((k * T + t) * B + first) * gates;
                for (int64_t r = 0; r < rows; r++)
                    gates_backward(H, now + r * gates, p->memory + (here + r) * H, p->memory + (here + B + r) * H,
                                   s.wide + ((t - from) * rows + r) * H, dh + r * H, dc + r * H);
                table d_gates = {now, words(gates), 0}, to = {dh, H, 0};
                multiply(number_panel, 1, rows, d_gates, w.d_back, words(gates), H, to, 0);
            }
            table d_gates = {p->gates + (k * T * B + row) * gates, words(gates), B * words(gates)};
            table d_y = {p->d_y + (k * T * B + row) * D, D, B * D}, d_x = {p->d_x + row * D, D, B * D};
            multiply(number_panel, some, rows, d_gates, w.d_kept, words(gates), kept, d_y, 1);
            if (p->d_context) {
                table d_context = {p->d_context + row * p->context, p->context, B * p->context};
                multiply(number_panel, some, rows, d_gates, w.d_context, words(gates), p->context, d_context,
                         k < p->steps - 1);
            }
            multiply(single_panel, some, rows, d_y, w.d_mix, D, D, d_x, 0);
        }
    }
}

/* A factor of a gradient (rows, columns): floats, or numbers. */
typedef struct {
    const float *floats;
    const number *numbers;
    int64_t columns, stride;
} factor;

/* Panels, or tiles of TALL columns, of some rows of a factor, as floats or as numbers; `broad` is a constant. */
static inline __attribute__((always_inline)) void gather_floats_by(float *restrict to, factor from, int64_t first,
                                                                   int64_t rows, const int64_t broad)
{
    for (int64_t j = 0; j < from.columns; j += broad)
        for (int64_t r = 0, some = least(broad, from.columns - j); r < rows; r++, to += broad) {
            int64_t at = (first + r) * from.stride + j;
            if (from.floats && some == broad)
                memcpy(to, from.floats + at, sizeof(float) * broad);
            else if (some == broad)
                for (int64_t i = 0; i < broad; i++)
                    to[i] = widened(from.numbers[at + i]);
            else
                for (int64_t i = 0; i < broad; i++)
                    to[i] = i >= some ? 0.0f : from.floats ? from.floats[at + i] : widened(from.numbers[at + i]);
        }
}

static void gather_floats(float *to, factor from, int64_t first, int64_t rows, int64_t broad)
{
    if (broad == TALL)
        gather_floats_by(to, from, first, rows, TALL);
    else
        gather_floats_by(to, from, first, rows, BROAD);
}

#ifdef NARROW
static inline __attribute__((always_inline)) void gather_numbers_by(word *restrict to, factor from, int64_t first,
                                                                    int64_t rows, const int64_t broad)
{
    for (int64_t j = 0; j < from.columns; j += broad)
        for (int64_t r = 0, some = least(broad, from.columns - j); r < rows; r += PAIR, to += broad) {
            int64_t at = (first + r) * from.stride + j, next = r + 1 < rows ? at + from.stride : at;
            word last = r + 1 < rows ? 0xffff0000 : 0;
            if (some == broad && !from.floats)
                for (int64_t i = 0; i < broad; i++)
                    to[i] = from.numbers[at + i] | ((word)from.numbers[next + i] << 16 & last);
            else if (some == broad)
                for (int64_t i = 0; i < broad; i++)
                    to[i] = rounded(from.floats[at + i]) | ((word)rounded(from.floats[next + i]) << 16 & last);
            else
                for (int64_t i = 0; i < broad; i++)
                    to[i] = i >= some ? 0
                            : from.floats
                                ? rounded(from.floats[at + i]) | ((word)rounded(from.floats[next + i]) << 16 & last)
                                : from.numbers[at + i] | ((word)from.numbers[next + i] << 16 & last);
        }
}

static void gather_numbers(float *to, factor from, int64_t first, int64_t rows, int64_t broad)
{
    if (broad == TALL)
        gather_numbers_by((word *)to, from, first, rows, TALL);
    else
        gather_numbers_by((word *)to, from, first, rows, BROAD);
}
#else
#define gather_numbers gather_floats
#endif

typedef void gather_function(float *, factor, int64_t, int64_t, int64_t);

/* c = a' @ b for each of some b, summed over rows. */
static void gradients_of(panel_function *panel, gather_function *gather, int64_t pair, int64_t rows, factor a, int count,
                         const factor *b, float *const *c, const int64_t *strides, float *room)
{
    for (int64_t first = 0; first < rows; first += DEPTH) {
        int64_t some = least(DEPTH, rows - first), depth = up(some, pair);
        float *right = room + up(a.columns, TALL) * TALL * DEPTH;
        gather(room, a, first, some, TALL);
        for (int n = 0; n < count; n++) {
            gather(right, b[n], first, some, BROAD);
            for (int64_t j = 0; j < b[n].columns; j += BROAD)
                for (int64_t i = 0; i < a.columns; i += TALL)
                    panel(least(TALL, a.columns - i), (const word *)room + i * depth, 1, TALL,
                          (const word *)right + j * depth, depth, c[n] + i * strides[n] + j, strides[n],
                          b[n].columns - j, first > 0);
        }
    }
}

static void sum_rows(float *restrict to, factor a, int64_t rows)
{
    memset(to, 0, sizeof(float) * a.columns);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < a.columns; j++)
            to[j] += a.floats ? a.floats[r * a.stride + j] : widened(a.numbers[r * a.stride + j]);
}

static int64_t gradient_room(const pass *p)
{
    int64_t widest = 4 * p->hidden > p->context ? 4 * p->hidden : p->context;
    widest = p->pose > widest ? p->pose : widest;
    return 2 * (widest + 2 * BROAD) * DEPTH;
}

/* The gradients of the weights of a step. */
static void step_gradients(const pass *p, int64_t k, float *room)
{
    int64_t D = p->pose, H = p->hidden, B = p->rows, T = p->frames, M = D - p->kept, rows = T * B;
    int64_t inputs = p->kept + p->context, states = words(H) * PAIR, wide = words(p->context) * PAIR;
    factor gates = {0, p->gates + k * rows * 4 * H, 4 * H, 4 * H}, y = {p->d_y + k * rows * D, 0, D, D};
    factor outputs = {p->d_outputs + k * rows * 2 * M, 0, 2 * M, 2 * M}, x = {p->x + k * rows * D, 0, D, D};
    const number *hidden = p->hidden_states + k * (rows + B) * states;
    factor last = {0, hidden + B * states, H, states};
    factor inward[] = {{p->x + (k + 1) * rows * D, 0, p->kept, D}, {0, p->narrow, p->context, wide}, {0, hidden, H, states}};
    float *to[] = {p->d_w_in[k], p->d_w_in[k] + p->kept, p->d_w_back[k]};
    gradients_of(number_panel, gather_numbers, PAIR, rows, gates, 3, inward, to, (int64_t[]){inputs, inputs, H}, room);
    sum_rows(p->d_bias[k], gates, rows);
    gradients_of(single_panel, gather_floats, 1, rows, outputs, 1, &last, p->d_w_head + k, &H, room);
    sum_rows(p->d_b_head[k], outputs, rows);
    float *mix = p->d_mix + k * D * D;
    gradients_of(single_panel, gather_floats, 1, rows, x, 1, &y, &mix, &D, room);
    sum_rows(p->d_shift + k * D, y, rows);
}

/* Work for several threads: parts are taken one after the other. */
typedef struct {
    const pass *p;
    int64_t parts;
    int (*work)(const pass *, int64_t);
    atomic_long next;
    atomic_int failed;
} job;

static void *take_parts(void *from)
{
    job *j = from;
    for (int64_t part; (part = atomic_fetch_add(&j->next, 1)) < j->parts;)
        if (j->work(j->p, part))
            atomic_store(&j->failed, 1);
    return 0;
}

static int in_threads(const pass *p, int64_t parts, int (*work)(const pass *, int64_t))
{
    job j = {p, parts, work, 0, 0};
    pthread_t others[MOST];
    int64_t started = 0, wanted = least(least(p->threads, parts), MOST) - 1;
    while (started < wanted && !pthread_create(&others[started], 0, take_parts, &j))
        started++;
    take_parts(&j);
    for (int64_t i = 0; i < started; i++)
        pthread_join(others[i], 0);
    return atomic_load(&j.failed);
}

static int64_t shares(const pass *p) { return least(p->threads, up(p->rows, TALL)); }

static int in_rows(const pass *p, int64_t part, void (*work)(const pass *, int64_t, int64_t, space))
{
    int64_t first = part * p->rows / shares(p), stop = (part + 1) * p->rows / shares(p);
    space s = space_for(p, stop - first);
    if (s.all)
        work(p, first, stop - first, s);
    free(s.all);
    return !s.all;
}

static int forward_part(const pass *p, int64_t part) { return in_rows(p, part, forward_rows); }
static int backward_part(const pass *p, int64_t part) { return in_rows(p, part, backward_rows); }

static int pack_forward_part(const pass *p, int64_t part)
{
    if (part < p->steps)
        pack_forward(p, part);
    else
        narrow_context(p, part - p->steps);
    return 0;
}

static int pack_backward_part(const pass *p, int64_t part) { return pack_backward(p, part), 0; }

static int gradient_part(const pass *p, int64_t part)
{
    float *room = malloc(sizeof(float) * gradient_room(p));
    if (room)
        step_gradients(p, part, room);
    free(room);
    return !room;
}

/* Both return 0, or 1 if memory is lacking. */
int forward(const pass *p)
{
    return in_threads(p, p->steps + p->frames, pack_forward_part) || in_threads(p, shares(p), forward_part);
}

int backward(const pass *p)
{
    return in_threads(p, p->steps, pack_backward_part) || in_threads(p, shares(p), backward_part) ||
           in_threads(p, p->steps, gradient_part);
}
