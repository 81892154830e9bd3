/* The conditional pass of a channel gate on a CPU: one image, only the outputs that fired.
 *
 * columns: positions x length, row-major: what the kernel sees at each position, conditional channels
 *          only. Rows where nothing fired need not hold anything.
 * weights: channels x length, row-major.
 * fired:   channels x positions, 0 or 1.
 * sums:    channels x positions; the dot products of the outputs that fired are added to it.
 */
#include <stdint.h>

static float dot(const float *a, const float *b, long length) {
    float lanes[16] = {0};
    long i = 0;
    for (; i + 16 <= length; i += 16)
        for (int lane = 0; lane < 16; lane++) lanes[lane] += a[i + lane] * b[i + lane];
    float sum = 0;
    for (int lane = 0; lane < 16; lane++) sum += lanes[lane];
    for (; i < length; i++) sum += a[i] * b[i];
    return sum;
}

/* Gather: the columns of the positions where at least one channel fired. x is channels x rows x width,
 * already padded; order of a column is channel, kernel row, kernel column, as in the weights. */
void hwgen_gather(const float *x, long channels, long rows, long width, long kernel_rows,
                  long kernel_columns, long stride_rows, long stride_columns, long out_rows,
                  long out_columns, const uint8_t *wanted, float *columns) {
    long length = channels * kernel_rows * kernel_columns;
    for (long r = 0; r < out_rows; r++)
        for (long c = 0; c < out_columns; c++) {
            long position = r * out_columns + c;
            if (!wanted[position]) continue;
            float *to = columns + position * length;
            for (long k = 0; k < channels; k++)
                for (long i = 0; i < kernel_rows; i++) {
                    const float *from =
                        x + (k * rows + r * stride_rows + i) * width + c * stride_columns;
                    for (long j = 0; j < kernel_columns; j++) *to++ = from[j];
                }
        }
}

/* Compute and scatter. Positions run in blocks that stay in the first-level cache while all channels
 * walk over them. */
void hwgen_skip(const float *columns, const float *weights, const uint8_t *fired, long positions,
                long channels, long length, float *sums) {
    const long block = 8;
    for (long first = 0; first < positions; first += block) {
        long last = first + block < positions ? first + block : positions;
        for (long k = 0; k < channels; k++)
            for (long p = first; p < last; p++)
                if (fired[k * positions + p])
                    sums[k * positions + p] += dot(columns + p * length, weights + k * length, length);
    }
}
