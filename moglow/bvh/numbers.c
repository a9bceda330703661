/* Numbers as text with a fixed number of decimals, as `numbers_to_text` in numpy writes them, to the byte. */

#include <math.h>
#include <stdint.h>

/* Writes rows of numbers, whose rounded products with `tens` (10 to the power of the decimals) are exact, and returns
   the length. The text has room for 20 + decimals bytes a number. */
int64_t to_text(const double *numbers, int64_t rows, int64_t columns, int64_t decimals, double tens, char *text)
{
    char *end = text, digits[24];
    uint64_t power = 1;
    for (int64_t d = 0; d < decimals; d++)
        power *= 10;
    for (int64_t row = 0; row < rows; row++)
        for (int64_t column = 0; column < columns; column++) {
            double number = *numbers++, scaled = rint(fabs(number) * tens);
            uint64_t all = (uint64_t)scaled, whole = all / power, fraction = all % power;
            int length = 0;
            if (number < 0 && all)
                *end++ = '-';
            do
                digits[length++] = (char)('0' + whole % 10);
            while (whole /= 10);
            while (length)
                *end++ = digits[--length];
            *end++ = '.';
            for (int64_t d = decimals - 1; d >= 0; d--, fraction /= 10)
                end[d] = (char)('0' + fraction % 10);
            end += decimals;
            *end++ = column + 1 < columns ? ' ' : '\n';
        }
    return end - text;
}
