/* Frames of a MoGlow in float32, for many rows at once: each row as if it were alone, with the same bits everywhere.

   Each output is a bias to which the products are added in the order of the inputs, each with one rounding (a fused
   multiply-add). Vectors go over outputs and blocks over rows, so neither the number of rows nor the width of the
   vectors changes the order. Exponentials are polynomials of the same operations. Compile with -ffp-contract=off.

   Cells may have weights of short integers. Their inputs are rounded to short integers too, with one scale for each row,
   and 32 bits hold each sum exactly, in any order: vectors, or the processor's matrix unit, compute the same. */

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#if defined(__AMX_INT8__) && defined(__linux__)
#define HAS_UNIT
#include <sys/syscall.h>
#include <unistd.h>
#endif

#if defined(__AVX512F__)
#include <immintrin.h>
#define LANES 16
#define FEW 6
#define BROAD 4
#define ROWS 12
#define NARROW 2
#define MIDDLE 18
#define SPAN 4
#define WORTH 1
typedef __m512 floats;
#define muladd(a, b, c) _mm512_fmadd_ps(a, b, c)
#define larger(a, b) _mm512_max_ps(a, b)
#define smaller(a, b) _mm512_min_ps(a, b)
#define widen(from) _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(from)))
#if defined(__AVX512VNNI__)
#define dot(sum, a, b) ((ints)_mm512_dpwssd_epi32((__m512i)(sum), (__m512i)(a), (__m512i)(b)))
#else
#define dot(sum, a, b) ((sum) + (ints)_mm512_madd_epi16((__m512i)(a), (__m512i)(b)))
#endif
#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include <immintrin.h>
#define LANES 8
#define FEW 1
#define BROAD 8
#define ROWS 6
#define NARROW 2
#define MIDDLE 1
#define SPAN 2
#define WORTH 2
typedef __m256 floats;
#define muladd(a, b, c) _mm256_fmadd_ps(a, b, c)
#define larger(a, b) _mm256_max_ps(a, b)
#define smaller(a, b) _mm256_min_ps(a, b)
#define widen(from) _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(from)))
#define dot(sum, a, b) ((sum) + (ints)_mm256_madd_epi16((__m256i)(a), (__m256i)(b)))
#elif defined(__aarch64__)
#include <arm_neon.h>
#define LANES 4
#define FEW 1
#define BROAD 16
#define ROWS 6
#define NARROW 4
#define MIDDLE 1
#define SPAN 4
#define WORTH 2
typedef float32x4_t floats;
#define muladd(a, b, c) vfmaq_f32(c, a, b)
#define larger(a, b) vmaxq_f32(a, b)
#define smaller(a, b) vminq_f32(a, b)
#define widen(from) vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(from)))
#define dot(sum, a, b) ((sum) + (ints)pairs_added((int16x8_t)(a), (int16x8_t)(b)))
static inline int32x4_t pairs_added(int16x8_t a, int16x8_t b)
{
    return vpaddq_s32(vmull_s16(vget_low_s16(a), vget_low_s16(b)), vmull_high_s16(a, b));
}
#else
#error "a processor with AVX2 and FMA, or of 64-bit ARM, is needed"
#endif

#define BLOCK 64 /* outputs of a block of weights */
#define AHEAD 64 /* inputs whose weights are fetched ahead; the fetch of what lies behind the last one does nothing */
#define MANY 64  /* rows that one thread computes at a time, at most */
#define SOME 32  /* rows for which another thread is started */
#define TALL 6   /* rows of a tile of short integers, with SPAN vectors */
#define SIDE 16  /* rows and outputs of a tile of the matrix unit */
#define UNIT 8   /* rows beyond which the matrix unit is faster than vectors */
#define GROUP 16 /* scales whose product is taken before its logarithm */
#define LARGEST 8191.0f /* of the short integers */
#define LARGEST_SUM 260000.0f /* of those of an output; times LARGEST, with what rounding adds, it is below 2^31 */

/* The sums of a tile fill the registers: FEW rows at most times BROAD vectors, or ROWS times NARROW. Up to MIDDLE rows are
   computed in tiles of FEW. For WORTH narrow tiles or two broad ones weights are widened in each of them, for more of
   them once for all. */

typedef int32_t ints __attribute__((vector_size(sizeof(floats))));
typedef uint32_t bits __attribute__((vector_size(sizeof(floats))));
typedef int16_t shorts __attribute__((vector_size(sizeof(floats) / 2)));

/* The kinds of weights. SINGLE and HALF, in float32 and float16, stand as (outputs / BLOCK, inputs, BLOCK); SHORT, short
   integers, as (outputs / BLOCK, inputs / 2, BLOCK, 2). Outputs are rounded up to BLOCK, inputs of SHORT to 2. */
enum { SINGLE, HALF, SHORT };

typedef struct {
    const void *weight;
    const float *bias, *scale; /* (outputs), rounded up; scale of short integers */
    int64_t inputs, outputs, kind;
} dense;

typedef struct {
    int64_t context, given, pose, kept, hidden, steps, layers, encoders, degrees;
    double log_det, log_at_zero; /* of the affine maps; of the latent's density at zero */
    float scale_floor, unused;
    const dense *encoder, *cells, *heads, *unmix;
} model;

static inline floats load(const float *from)
{
    floats to;
    memcpy(&to, from, sizeof to);
    return to;
}

static inline void store(float *to, floats from) { memcpy(to, &from, sizeof from); }

/* The first numbers of a row of which `left` are left, then zeros. */
static inline floats some(const float *from, int64_t left)
{
    floats to = {0};
    if (left >= LANES)
        return load(from);
    if (left > 0)
        memcpy(&to, from, left * sizeof(float));
    return to;
}

static int64_t up(int64_t n) { return (n + BLOCK - 1) / BLOCK * BLOCK; }

static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

static inline int64_t even(int64_t n) { return n + (n & 1); }

static inline floats all(float value) { return value - (floats){0}; }

static inline floats choose(ints mask, floats yes, floats no) { return (floats)((mask & (ints)yes) | (~mask & (ints)no)); }

/* exp(x) within two units of the last place, for x between -86 and a bound of at most 88; beyond, that of the bound. */
static inline floats exponential(floats x, float bound)
{
    const floats magic = all(12582912.0f);
    x = smaller(all(bound), larger(all(-86.0f), x));
    floats shifted = muladd(x, all(1.44269504f), magic), whole = shifted - magic;
    floats rest = muladd(whole, all(-0.693359375f), x);
    rest = muladd(whole, all(2.12194440e-4f), rest);
    floats sum = all(1.0f / 5040);
    sum = muladd(sum, rest, all(1.0f / 720));
    sum = muladd(sum, rest, all(1.0f / 120));
    sum = muladd(sum, rest, all(1.0f / 24));
    sum = muladd(sum, rest, all(1.0f / 6));
    sum = muladd(sum, rest, all(0.5f));
    sum = muladd(sum, rest, all(1.0f));
    sum = muladd(sum, rest, all(1.0f));
    return (floats)((ints)sum + ((ints)shifted << 23));
}

static inline floats sigmoid(floats x) { return all(1.0f) / (all(1.0f) + exponential(-x, 88)); }

/* The natural logarithm of a positive normal number, by the series of the area tangent. */
static double logarithm(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (!(x > 1e-300 && x < 1e300))
        return x > 0 ? (x < 1 ? -HUGE_VAL : HUGE_VAL) : x - x;
    uint64_t above = bits - 0x3FE6A09E667F3BCDull; /* the bits of sqrt(1/2) */
    int64_t power = (int64_t)above >> 52;
    bits -= (uint64_t)power << 52;
    memcpy(&x, &bits, sizeof x);
    double ratio = (x - 1) / (x + 1), square = ratio * ratio, sum = 0;
    for (int n = 23; n > 0; n -= 2)
        sum = fma(sum, square, 1.0 / n);
    return fma((double)power, 0.6931471805599453, 2 * ratio * sum);
}

/* A tile of `rows` rows and `vectors` vectors of outputs, both constant where this is inlined. */
static inline __attribute__((always_inline)) void tile(const float *x, int64_t wide, const void *weight, int half,
                                                       const float *bias, int64_t inputs, float *y, int64_t tall,
                                                       const int rows, const int vectors)
{
    floats sum[rows * vectors], by[vectors];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++)
            sum[r * vectors + v] = load(bias + v * LANES);
    for (int64_t k = 0; k < inputs; k++) {
        if (rows <= 2 && vectors * LANES == BLOCK) /* few rows wait for the weights */
            for (int line = 0; line < BLOCK * (half ? 2 : 4); line += 64)
                __builtin_prefetch((const char *)weight + (k + AHEAD) * BLOCK * (half ? 2 : 4) + line);
        for (int v = 0; v < vectors; v++)
            by[v] = half ? widen((const uint16_t *)weight + k * BLOCK + v * LANES)
                         : load((const float *)weight + k * BLOCK + v * LANES);
        for (int r = 0; r < rows; r++) {
            floats each = all(x[r * wide + k]);
            for (int v = 0; v < vectors; v++)
                sum[r * vectors + v] = muladd(each, by[v], sum[r * vectors + v]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++)
            store(y + r * tall + v * LANES, sum[r * vectors + v]);
}

#define CASE(n)                                                                                    \
    case n:                                                                                        \
        if (broad)                                                                                 \
            tile(x, wide, weight, half, bias, inputs, y, tall, n < FEW ? n : FEW, BROAD);          \
        else                                                                                       \
            tile(x, wide, weight, half, bias, inputs, y, tall, n < ROWS ? n : ROWS, NARROW);       \
        break;

static inline __attribute__((always_inline)) void tiles(const float *x, int64_t wide, const void *weight, int half,
                                                        const float *bias, int64_t inputs, float *y, int64_t tall,
                                                        int64_t rows, const int broad)
{
    switch (rows) {
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
    }
}

/* y = bias + x · weight for rows; `room` holds a block of weights in float32. */
static void product(const float *x, int64_t wide, int64_t rows, const dense *by, float *y, int64_t tall, float *room)
{
    int64_t highest = rows <= MIDDLE ? FEW : ROWS;
    int64_t count = (rows + highest - 1) / highest, size = (rows + count - 1) / count;
    int64_t across = (size <= FEW ? BROAD : NARROW) * LANES;
    int half = (by->kind == HALF) && count <= (size <= FEW ? 2 : WORTH);
    for (int64_t block = 0; block < by->outputs; block += BLOCK) {
        const char *weight = (const char *)by->weight + block * by->inputs * ((by->kind == HALF) ? 2 : 4);
        if ((by->kind == HALF) && !half) {
            for (int64_t k = 0; k < by->inputs * BLOCK; k += LANES)
                store(room + k, widen((const uint16_t *)weight + k));
            weight = (const char *)room;
        }
        for (int64_t part = 0; part < BLOCK; part += across)
            for (int64_t row = 0; row < rows; row += size) {
                int64_t these = rows - row < size ? rows - row : size;
                const float *in = x + row * wide, *bias = by->bias + block + part;
                const char *from = weight + part * (half ? 2 : 4);
                float *out = y + row * tall + block + part;
                if (size <= FEW && half)
                    tiles(in, wide, from, 1, bias, by->inputs, out, tall, these, 1);
                else if (size <= FEW)
                    tiles(in, wide, from, 0, bias, by->inputs, out, tall, these, 1);
                else if (half)
                    tiles(in, wide, from, 1, bias, by->inputs, out, tall, these, 0);
                else
                    tiles(in, wide, from, 0, bias, by->inputs, out, tall, these, 0);
            }
    }
}

/* A weight (inputs, outputs) as short integers times a scale for each output, in blocks. Each is at most LARGEST, and the
   sum of those of an output so small that 32 bits hold the sum of their products with the integers of a row. */
void shorten(const float *weight, int64_t inputs, int64_t outputs, int16_t *to, float *scale)
{
    for (int64_t block = 0; block < outputs; block += BLOCK, weight += BLOCK, scale += BLOCK) {
        float sum[BLOCK] = {0}, top[BLOCK] = {0};
        for (int64_t k = 0; k < inputs; k++)
            for (int o = 0; o < BLOCK; o++) {
                float size = fabsf(weight[k * outputs + o]);
                sum[o] += size;
                top[o] = size > top[o] ? size : top[o];
            }
        for (int o = 0; o < BLOCK; o++) {
            float by_sum = sum[o] / LARGEST_SUM, by_top = top[o] / LARGEST;
            scale[o] = by_sum > by_top ? by_sum : by_top;
            scale[o] = scale[o] > 0 ? scale[o] : 1;
        }
        for (int64_t k = 0; k < even(inputs); k++)
            for (int o = 0; o < BLOCK; o++)
                to[k / 2 * 2 * BLOCK + 2 * o + k % 2] = k < inputs ? (int16_t)rintf(weight[k * outputs + o] / scale[o]) : 0;
        to += even(inputs) * BLOCK;
    }
}

/* Rows of floats as short integers times a scale for each row: the largest is LARGEST. What is not finite becomes zero. */
static void rounded(const float *x, int64_t wide, int64_t rows, int64_t count, int16_t *to, int64_t tall, float *scale)
{
    const floats magic = all(12582912.0f);
    for (int64_t r = 0; r < rows; r++, x += wide, to += tall) {
        floats most = {0};
        for (int64_t k = 0; k < count; k += LANES) {
            floats size = (floats)((ints)some(x + k, count - k) & 0x7FFFFFFF);
            most = choose((ints)(size > most), size, most); /* which ignores what is no number */
        }
        float top = 0;
        for (int lane = 0; lane < LANES; lane++)
            top = most[lane] > top ? most[lane] : top;
        int usable = top > 1e-30f && top < 1e30f;
        floats by = all(usable ? LARGEST / top : 0);
        scale[r] = usable ? top / LARGEST : 0;
        for (int64_t k = 0; k < up(count); k += LANES) {
            floats value = some(x + k, count - k) * by;
            value = choose((ints)(value == value), value, (floats){0});
            shorts whole = __builtin_convertvector((ints)(value + magic) - (ints)magic, shorts);
            memcpy(to + k, &whole, sizeof whole);
        }
    }
}

/* A tile of the product of short integers: exact sums, then one rounding to float32 and one for scale and bias. */
static inline __attribute__((always_inline)) void whole_tile(const int16_t *x, int64_t wide, const float *by,
                                                             const int16_t *weight, const float *scale,
                                                             const float *bias, int64_t inputs, float *y, int64_t tall,
                                                             const int rows, const int vectors)
{
    ints sum[rows * vectors], with[vectors];
    for (int i = 0; i < rows * vectors; i++)
        sum[i] = (ints){0};
    for (int64_t k = 0; k < inputs; k += 2) {
        if (rows <= 2 && vectors * LANES == BLOCK)
            for (int line = 0; line < BLOCK * 4; line += 64)
                __builtin_prefetch((const char *)(weight + (k + AHEAD) * BLOCK) + line);
        for (int v = 0; v < vectors; v++)
            memcpy(with + v, weight + k * BLOCK + 2 * v * LANES, sizeof(ints));
        for (int r = 0; r < rows; r++) {
            int32_t pair;
            memcpy(&pair, x + r * wide + k, sizeof pair);
            ints each = pair - (ints){0};
            for (int v = 0; v < vectors; v++)
                sum[r * vectors + v] = dot(sum[r * vectors + v], with[v], each);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) {
            float *to = y + r * tall + v * LANES;
            floats value = __builtin_convertvector(sum[r * vectors + v], floats);
            store(to, muladd(value, all(by[r]) * load(scale + v * LANES), load(bias + v * LANES)));
        }
}

#define WHOLE(n)                                                                                    \
    case n:                                                                                         \
        whole_tile(in, wide, each + row, weight, scale, bias, inputs, out, tall, n, SPAN);           \
        break;

/* y = bias + x · weight for rows of short integers, whose scales are `each`. */
static void whole_product(const int16_t *x, int64_t wide, const float *each, int64_t rows, const dense *by, float *y,
                          int64_t tall)
{
    int64_t inputs = even(by->inputs), count = (rows + TALL - 1) / TALL, size = (rows + count - 1) / count;
    int64_t across = (size == 1 ? BROAD : SPAN) * LANES;
    for (int64_t block = 0; block < by->outputs; block += BLOCK)
        for (int64_t part = block; part < block + BLOCK; part += across)
            for (int64_t row = 0; row < rows; row += size) {
                const int16_t *in = x + row * wide, *weight = (const int16_t *)by->weight + block * inputs;
                const float *scale = by->scale + part, *bias = by->bias + part;
                float *out = y + row * tall + part;
                weight += 2 * (part - block);
                if (size == 1)
                    whole_tile(in, wide, each + row, weight, scale, bias, inputs, out, tall, 1, BROAD);
                else
                    switch (rows - row < size ? rows - row : size) {
                        WHOLE(1) WHOLE(2) WHOLE(3) WHOLE(4) WHOLE(5) WHOLE(6)
                    }
            }
}

#if defined(HAS_UNIT)

/* Splits short integers of 14 bits into bytes, one of 128s and one of what is left; four inputs of an output together. */
static inline void split(__m512i one, __m512i other, int8_t *high, int8_t *low)
{
    const __m512i half = _mm512_set1_epi16(64), order = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15));
    __m512i top = _mm512_srai_epi16(_mm512_add_epi16(one, half), 7);
    __m512i next = _mm512_srai_epi16(_mm512_add_epi16(other, half), 7);
    one = _mm512_sub_epi16(one, _mm512_slli_epi16(top, 7));
    other = _mm512_sub_epi16(other, _mm512_slli_epi16(next, 7));
    _mm512_store_si512(high, _mm512_shuffle_epi8(_mm512_packs_epi16(top, next), order));
    _mm512_store_si512(low, _mm512_shuffle_epi8(_mm512_packs_epi16(one, other), order));
}

/* The same by the matrix unit, which multiplies bytes. `bytes` holds those of the rows and of a block of weights. */
static void unit_product(const int16_t *x, int64_t wide, const float *each, int64_t rows, const dense *by, float *y,
                          int64_t tall, int8_t *bytes)
{
    int64_t inputs = even(by->inputs), count = (rows + SIDE - 1) / SIDE, size = (rows + count - 1) / count;
    int8_t *low = bytes + count * size * wide, *high_part = low + count * size * wide, *low_part = high_part + BLOCK * wide;
    for (int64_t k = 0; k < rows * wide; k++) {
        bytes[k] = (int8_t)((x[k] + 64) >> 7);
        low[k] = (int8_t)(x[k] - ((x[k] + 64) >> 7) * 128);
    }
    struct {
        uint8_t palette, start, unused[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } shape = {.palette = 1};
    for (int tile = 0; tile < 7; tile++) /* sums, bytes of rows, bytes of weights */
        shape.bytes[tile] = 4 * SIDE, shape.rows[tile] = tile < 5 ? size : SIDE;
    int32_t sums[3][SIDE * SIDE];
    _tile_loadconfig(&shape);
    for (int64_t part = 0; part < by->outputs; part += SIDE) {
        const int16_t *weight = (const int16_t *)by->weight + part * inputs;
        for (int64_t k = 0; part % BLOCK == 0 && k < wide; k += 4, weight += 4 * BLOCK)
            for (int place = 0; place < BLOCK; place += SIDE) {
                const int16_t *from = weight + 2 * place, *then = from + 2 * BLOCK;
                __builtin_prefetch(from + AHEAD * BLOCK);
                __builtin_prefetch(then + AHEAD * BLOCK);
                split(k < inputs ? _mm512_loadu_si512(from) : _mm512_setzero_si512(),
                      k + 2 < inputs ? _mm512_loadu_si512(then) : _mm512_setzero_si512(),
                      high_part + place * wide + k * SIDE, low_part + place * wide + k * SIDE);
            }
        const int8_t *high_here = high_part + part % BLOCK * wide, *low_here = low_part + part % BLOCK * wide;
        floats scale = load(by->scale + part), bias = load(by->bias + part);
        for (int64_t row = 0; row < rows; row += size) {
            __asm__ volatile("" ::: "memory"); /* what the tiles are loaded from has been written */
            _tile_zero(0);
            _tile_zero(1);
            _tile_zero(2);
            for (int64_t k = 0; k < wide; k += 4 * SIDE) {
                _tile_loadd(3, bytes + row * wide + k, wide);
                _tile_loadd(5, high_here + k * SIDE, 4 * SIDE);
                _tile_dpbssd(0, 3, 5);
                _tile_loadd(6, low_here + k * SIDE, 4 * SIDE);
                _tile_dpbssd(1, 3, 6);
                _tile_loadd(4, low + row * wide + k, wide);
                _tile_dpbssd(2, 4, 6);
                _tile_dpbssd(1, 4, 5);
            }
            _tile_stored(0, sums[0], 4 * SIDE);
            _tile_stored(1, sums[1], 4 * SIDE);
            _tile_stored(2, sums[2], 4 * SIDE);
            __asm__ volatile("" ::: "memory");
            for (int64_t r = 0; r < size && row + r < rows; r++) {
                bits high, middle, rest;
                memcpy(&high, sums[0] + r * SIDE, sizeof high);
                memcpy(&middle, sums[1] + r * SIDE, sizeof middle);
                memcpy(&rest, sums[2] + r * SIDE, sizeof rest);
                floats sum = __builtin_convertvector((ints)((high << 14) + (middle << 7) + rest), floats);
                store(y + (row + r) * tall + part, muladd(sum, all(each[row + r]) * scale, bias));
            }
        }
    }
    _tile_release();
}

/* Returns whether the system lets this process use the matrix unit. */
static int has_unit(void)
{
    static int known; /* 1 for no, 2 for yes */
    if (!known)
        known = syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18 /* XTILE_DATA */) ? 1 : 2;
    return known == 2;
}

#else

#define unit_product(x, wide, each, rows, by, y, tall, bytes) (void)(bytes)
#define has_unit() 0

#endif

/* exp(-x), of which three and a number can be multiplied without overflow. */
static inline floats decay(floats x) { return exponential(-x, 28); }

/* The memory of a cell after a frame, from its gates i, f, o, g, each `wide` apart: c = f c + i tanh(g) and o tanh(c) with
   one division each. */
static void remember(const float *gates, int64_t wide, int64_t hidden, const float *before, float *c, float *h)
{
    for (int64_t u = 0; u < hidden; u += LANES) {
        floats enter = decay(load(gates + u)), keep = all(1.0f) + decay(load(gates + wide + u));
        floats show = decay(load(gates + 2 * wide + u)), fresh = decay(2 * load(gates + 3 * wide + u));
        floats both = (all(1.0f) + enter) * (all(1.0f) + fresh), old = some(before + u, hidden - u);
        old = muladd(old, both, keep * (all(1.0f) - fresh)) / (keep * both);
        floats left = decay(old + old);
        fresh = (all(1.0f) - left) / ((all(1.0f) + show) * (all(1.0f) + left));
        if (hidden - u >= LANES) {
            store(c + u, old);
            store(h + u, fresh);
        } else {
            memcpy(c + u, &old, (hidden - u) * sizeof(float));
            memcpy(h + u, &fresh, (hidden - u) * sizeof(float));
        }
    }
}

typedef struct {
    const model *m;
    int64_t rows, batch; /* rows of this part; of the whole batch, which is how far apart cells are */
    const float *context, *noise, *h, *c;
    float temperature, *after_h, *after_c, *pose;
    double *nats;
    float *space; /* of one thread */
} part;

static int64_t widest_of(const model *m)
{
    int64_t widest = 0;
    for (int64_t e = 0; e < m->encoders; e++)
        widest = most(widest, up(m->encoder[e].outputs));
    return widest;
}

/* How many floats a thread works in: intermediate values of its rows, and a block of weights. */
int64_t space_of(const model *m)
{
    int64_t inputs = m->given + m->kept + m->hidden, longest = most(most(inputs, 2 * m->hidden), m->context);
    int64_t row = 2 * widest_of(m) + inputs + 2 * m->hidden + 4 * up(m->hidden) + 3 * (up(m->pose) + BLOCK);
    row += up(most(inputs, 2 * m->hidden)); /* short integers and their bytes */
    return MANY * row + BLOCK * up(most(inputs, 2 * m->hidden)) + 2 * BLOCK + most(most(longest, widest_of(m)), m->pose) * BLOCK + BLOCK;
}

static void frame_of(part *p)
{
    const model *m = p->m;
    int64_t rows = p->rows, gate = up(m->hidden), wide_pose = up(m->pose) + BLOCK, moved = m->pose - m->kept;
    int64_t inputs = m->given + m->kept + m->hidden, deep = 2 * m->hidden, widest = widest_of(m);
    int64_t long_whole = up(most(inputs, deep));
    float *next = p->space;
#define TAKE(name, size) float *name = next; next += (size)
    TAKE(given, rows * widest);
    TAKE(other, rows * widest);
    TAKE(in, rows * inputs);
    TAKE(in_deep, rows * deep);
    TAKE(gates, rows * 4 * gate);
    TAKE(x, rows * wide_pose);
    TAKE(mixed, rows * wide_pose);
    TAKE(said, rows * wide_pose);
    TAKE(scale, up(rows));
    next += -((intptr_t)next / (int64_t)sizeof(float)) & (LANES - 1);
    TAKE(room, (rows + BLOCK) * long_whole);
    int16_t *integers = (int16_t *)room;
    int8_t *bytes = (int8_t *)(integers + rows * long_whole);
    float *block = next;
    int64_t wide = m->context;
    const float *from = p->context;
    for (int64_t e = 0; e < m->encoders; e++) {
        const dense *layer = m->encoder + e;
        int64_t tall = up(layer->outputs);
        float *to = e % 2 ? other : given;
        product(from, wide, rows, layer, to, tall, block);
        for (int64_t k = 0; k < rows * tall; k += LANES)
            store(to + k, load(to + k) * sigmoid(load(to + k)));
        from = to, wide = tall;
    }
    for (int64_t r = 0; r < rows; r++) {
        const float *noise = p->noise + r * (m->pose + m->degrees);
        float share = p->temperature, *to = x + r * wide_pose;
        double chi = 0, square = 0;
        if (m->degrees) {
            for (int64_t k = 0; k < m->degrees; k++)
                chi = fma((double)noise[m->pose + k], (double)noise[m->pose + k], chi);
            share *= (float)sqrt((double)m->degrees / chi);
        }
        for (int64_t k = 0; k < m->pose; k++) {
            to[k] = noise[k] * share;
            square = fma((double)to[k], (double)to[k], square);
        }
        p->nats[r] = m->log_det + m->log_at_zero;
        p->nats[r] -= m->degrees ? 0.5 * (double)(m->degrees + m->pose) * logarithm(1 + square / (double)m->degrees)
                                 : 0.5 * square;
        memcpy(in + r * inputs, from + r * wide, m->given * sizeof(float));
    }
    for (int64_t k = m->steps - 1; k >= 0; k--) {
        const float *shown = 0;
        for (int64_t depth = 0; depth < m->layers; depth++) {
            int64_t cell = k * m->layers + depth, place = cell * p->batch * m->hidden;
            int64_t long_row = depth ? deep : inputs, first = depth ? 0 : m->given, many = depth ? m->hidden : m->kept;
            float *to = depth ? in_deep : in;
            for (int64_t r = 0; r < rows; r++) {
                float *row = to + r * long_row + first;
                memcpy(row, depth ? shown + r * m->hidden : x + r * wide_pose, many * sizeof(float));
                memcpy(row + many, p->h + place + r * m->hidden, m->hidden * sizeof(float));
            }
            if (m->cells[cell].kind < SHORT) {
                product(to, long_row, rows, m->cells + cell, gates, 4 * gate, block);
            } else {
                rounded(to, long_row, rows, long_row, integers, up(long_row), scale);
                if (rows > UNIT && has_unit())
                    unit_product(integers, up(long_row), scale, rows, m->cells + cell, gates, 4 * gate, bytes);
                else
                    whole_product(integers, up(long_row), scale, rows, m->cells + cell, gates, 4 * gate);
            }
            for (int64_t r = 0; r < rows; r++) {
                int64_t at = place + r * m->hidden;
                remember(gates + r * 4 * gate, gate, m->hidden, p->c + at, p->after_c + at, p->after_h + at);
            }
            shown = p->after_h + place;
        }
        product(shown, m->hidden, rows, m->heads + k, said, wide_pose, block);
        for (int64_t r = 0; r < rows; r++) {
            float *at = x + r * wide_pose + m->kept, *shift = said + r * wide_pose, *scale = shift + moved;
            for (int64_t i = 0; i < moved; i += LANES) {
                floats by = sigmoid(load(scale + i) + all(2.0f)) + all(m->scale_floor);
                store(at + i, load(at + i) / by - load(shift + i));
                store(mixed + i, by); /* its first row, until the product below */
            }
            for (int64_t i = 0; i < moved; i += GROUP) {
                double together = 1;
                for (int64_t j = i; j < moved && j < i + GROUP; j++)
                    together *= mixed[j];
                p->nats[r] += logarithm(together);
            }
        }
        product(x, wide_pose, rows, m->unmix + k, mixed, wide_pose, block);
        float *swap = x;
        x = mixed, mixed = swap;
    }
    for (int64_t r = 0; r < rows; r++)
        memcpy(p->pose + r * m->pose, x + r * wide_pose, m->pose * sizeof(float));
}

typedef struct {
    part whole;
    int64_t each, next, space, threads; /* rows at a time; the first that no thread has taken; floats of a thread; threads */
} queue;

static void *frames_of(void *given)
{
    queue *q = given;
    int64_t thread = __atomic_fetch_add(&q->threads, 1, __ATOMIC_RELAXED);
    for (;;) {
        int64_t row = __atomic_fetch_add(&q->next, q->each, __ATOMIC_RELAXED);
        part p = q->whole;
        if (row >= p.batch)
            return 0;
        p.rows = p.batch - row < q->each ? p.batch - row : q->each;
        p.context += row * p.m->context;
        p.noise += row * (p.m->pose + p.m->degrees);
        p.h += row * p.m->hidden, p.c += row * p.m->hidden;
        p.after_h += row * p.m->hidden, p.after_c += row * p.m->hidden;
        p.pose += row * p.m->pose, p.nats += row;
        p.space += thread * q->space;
        frame_of(&p);
    }
}

/* One frame of `batch` rows: poses and log-densities, and the memory h and c of all cells (cells, batch, hidden) after
   it. Each of the threads has `space_of` floats of the space. */
void frame(const model *m, int64_t batch, int64_t threads, float *space, const float *context, const float *noise,
           float temperature, const float *h, const float *c, float *after_h, float *after_c, float *pose, double *nats)
{
    int64_t each = (batch + threads - 1) / threads;
    each = each < SOME ? SOME : each > MANY ? MANY : each;
    part all_rows = {m, 0, batch, context, noise, h, c, temperature, after_h, after_c, pose, nats, space};
    queue q = {all_rows, each, 0, space_of(m), 0};
    pthread_t started[64];
    int64_t helpers = 0;
    while (helpers < 64 && helpers + 1 < threads && (helpers + 1) * each < batch
           && !pthread_create(started + helpers, 0, frames_of, &q))
        helpers++;
    frames_of(&q);
    while (helpers)
        pthread_join(started[--helpers], 0);
}

/* The functions that the tests compare with numpy's; the gates and the memory of the cells are x. */
void activations(const float *x, int64_t count, float *exponentials, float *sigmoids, float *c, float *h)
{
    for (int64_t k = 0; k < count; k += LANES) {
        store(exponentials + k, exponential(load(x + k), 88));
        store(sigmoids + k, sigmoid(load(x + k)));
    }
    remember(x, 0, count, x, c, h);
}

/* The map from past poses to a context and from a target to the next pose: `Context.build` and `Context.from_target`. */
typedef struct {
    int64_t history, controls, labels, flags, legs; /* the planted numbers come first: x, z and yaw of each leg */
    int64_t hips_x, hips_z, hips, toes;             /* channels; hips_x is negative where legs have no reach */
    float far, nearest, tiny, unused;               /* bound of poses; squares of lengths in metres */
    const float *mean, *deviation, *weights, *momentum, *scale, *reach; /* momentum is null for a model without it */
} motion;

/* Where poses and memories are. */
typedef struct {
    float *h, *c, *poses;
} place;

/* One frame of `batch` rows, as in `advance`; controls of a row are `far` numbers apart. */
static void frame_on(const model *m, const motion *by, int64_t batch, int64_t threads, float *space, float *context,
                     const float *seen, int64_t far, const float *steps, const float *waves, const float *labels,
                     const float *noise, float temperature, place from, place into, float *pose, double *nats)
{
    int64_t size = m->pose, past = by->history * size, given = 3 * by->controls, legs = by->legs;
    const float *poses = from.poses;
    for (int64_t r = 0; r < batch; r++) {
        float *to = context + r * m->context;
        memcpy(to, poses + r * past, past * sizeof(float));
        memcpy(to += past, seen + r * far, given * sizeof(float));
        to += given;
        for (int64_t k = 0; k < by->flags; k++)
            *to++ = 1;
        memcpy(to, labels + r * by->labels, by->labels * sizeof(float));
    }
    frame(m, batch, threads, space, context, noise, temperature, from.h, from.c, into.h, into.c, pose, nats);
    for (int64_t r = 0; r < batch; r++) {
        const float *last = poses + (r + 1) * past - size, *step = steps + 3 * r;
        float cosine = waves[r], half_cosine = waves[batch + r], sine = waves[2 * batch + r], half_sine = waves[3 * batch + r];
        float shift_x = half_cosine * step[1] - half_sine * step[0], shift_z = half_sine * step[1] + half_cosine * step[0];
        float *to = into.poses + r * past, *target = pose + r * size, *next = to + past - size;
        memcpy(to, poses + r * past + size, (past - size) * sizeof(float));
        for (int64_t k = 0; k < size; k++)
            next[k] = last[k] * by->deviation[k] + by->mean[k];
        for (int64_t leg = 0; leg < legs; leg++) {
            float x = next[leg], z = next[legs + leg];
            float new_x = cosine * x - sine * z - shift_x, new_z = sine * x + cosine * z - shift_z;
            if (by->hips_x >= 0) {
                float hips_x = next[by->hips_x], hips_z = next[by->hips_z], down = next[by->hips] - next[by->toes + leg];
                float away_x = new_x - hips_x, away_z = new_z - hips_z, level = by->reach[leg] - down * down;
                float share = (level > by->nearest ? level : by->nearest) / (away_x * away_x + away_z * away_z + by->tiny);
                share = sqrtf(share < 1 ? share : 1);
                new_x = hips_x + share * away_x, new_z = hips_z + share * away_z;
            }
            next[leg] = new_x, next[legs + leg] = new_z;
            next[2 * legs + leg] -= step[2];
        }
        for (int64_t k = 0; k < size; k++) {
            float expected = by->weights[k] * ((next[k] - by->mean[k]) / by->deviation[k]);
            if (by->momentum)
                expected = expected + by->momentum[k] * (last[k] - last[k - size]);
            float value = target[k] * by->scale[k] + expected;
            next[k] = fmaxf(fminf(value, by->far), -by->far);
            target[k] = next[k] * by->deviation[k] + by->mean[k];
        }
    }
}

/* Frames of `batch` rows from past poses (batch, history, pose) and memories to those after them, and the poses (frames,
   batch, pose) in physical units and their log-densities (frames, batch). `seen` are controls (batch, controls + frames -
   1, 3) from those of the first past pose on, `steps` (frames, batch, 3) metres forward and sideways and the turn, `waves`
   (frames, 4, batch) the cosines of the turn and of half of it, then their sines. `context` is room for the contexts,
   `between` for every other frame. The operations and their order are those of numpy. */
void advance(const model *m, const motion *by, int64_t batch, int64_t frames, int64_t threads, float *space,
             float *context, const float *seen, const float *steps, const float *waves, const float *labels,
             const float *noise, float temperature, place before, place between, place after, float *pose, double *nats)
{
    place from = before;
    for (int64_t t = 0; t < frames; t++) {
        place into = (frames - t) % 2 ? after : between;
        frame_on(m, by, batch, threads, space, context, seen + 3 * t, 3 * (by->controls + frames - 1),
                 steps + t * batch * 3, waves + t * batch * 4, labels, noise + t * batch * (m->pose + m->degrees),
                 temperature, from, into, pose + t * batch * m->pose, nats + t * batch);
        from = into;
    }
}
