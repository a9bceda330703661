/* Rows of floats times a matrix of short integers: y = (x · w) · scale, one scale for each output.

   The integers stand in blocks of BLOCK outputs, in a block input by input, so that they are read once and in order;
   the sums of a block stay in registers. In the vector types of gcc and clang; the step from integers to floats is
   spelt out, as they do it badly on their own. */

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#define LANES 16
typedef __m512 floats;
static inline floats widen(const int16_t *from)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i *)from)));
}
#elif defined(__AVX2__)
#define LANES 8
typedef __m256 floats;
static inline floats widen(const int16_t *from)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)from)));
}
#else
#error "a processor with AVX2 is needed to be faster than float32"
#endif

#define BLOCK 64
#define AHEAD 32 /* inputs whose weights are fetched ahead; the fetch of what lies behind the last one does nothing */
#define VECTORS (BLOCK / LANES)

void product(const float *x, const int16_t *w, const float *scale, float *y, int64_t rows, int64_t inputs,
             int64_t outputs)
{
    for (int64_t block = 0; block < outputs; block += BLOCK) {
        for (int64_t row = 0; row < rows; row++) {
            const int16_t *from = w + block * inputs;
            floats sum[VECTORS] = {0}, by;
            for (int64_t i = 0; i < inputs; i++, from += BLOCK) {
                for (int line = 0; line < BLOCK; line += 32)
                    __builtin_prefetch(from + AHEAD * BLOCK + line);
                for (int v = 0; v < VECTORS; v++)
                    sum[v] += x[row * inputs + i] * widen(from + v * LANES);
            }
            for (int v = 0; v < VECTORS; v++) {
                memcpy(&by, scale + block + v * LANES, sizeof by);
                sum[v] *= by;
            }
            memcpy(y + row * outputs + block, sum, sizeof sum);
        }
    }
}
