/* The conditional pass of a channel gate on a CPU: one image, only the outputs that fired. */
#include <stdint.h>
#include <string.h>

/* Sixteen numbers at any address; the compiler maps them to what the machine has. */
typedef float vector __attribute__((vector_size(64), aligned(4)));
#define LANES 16

/* x:       rows x width x channels, already padded; conditional channels only. Channels lie together,
 *          so that a kernel row at a position is one run of kernel_columns * channels numbers and
 *          nothing needs to be gathered. A multiple of 16.
 * weights: outputs x kernel_rows x (kernel_columns * channels).
 * fired:   outputs x (out_rows * out_columns), 0 or 1.
 * sums:    as fired; the dot products of the outputs that fired are added to it. */
void hwgen_skip(const float *x, long width, long channels, long kernel_rows, long kernel_columns,
                long stride_rows, long stride_columns, long out_rows, long out_columns, long outputs,
                const float *weights, const uint8_t *fired, float *sums) {
    const long positions = out_rows * out_columns, run = kernel_columns * channels;
    for (long k = 0; k < outputs; k++, weights += kernel_rows * run, fired += positions,
              sums += positions) {
        for (long p = 0; p < positions;) {
            uint64_t eight;
            if (p + 8 <= positions && (memcpy(&eight, fired + p, 8), eight == 0)) {
                p += 8;
                continue;
            }
            long end = p + 8 < positions ? p + 8 : positions;
            for (; p < end; p++) {
                if (!fired[p]) continue;
                const float *from =
                    x + (p / out_columns * stride_rows * width + p % out_columns * stride_columns) *
                            channels;
                /* Four sums, so that additions do not wait for each other. */
                vector s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
                for (long i = 0; i < kernel_rows; i++) {
                    const vector *a = (const vector *)(from + i * width * channels);
                    const vector *b = (const vector *)(weights + i * run);
                    long left = run / LANES;
                    for (; left >= 4; left -= 4, a += 4, b += 4) {
                        s0 += a[0] * b[0];
                        s1 += a[1] * b[1];
                        s2 += a[2] * b[2];
                        s3 += a[3] * b[3];
                    }
                    for (; left; left--) s0 += *a++ * *b++;
                }
                s0 = (s0 + s1) + (s2 + s3);
                float sum = 0;
                for (int lane = 0; lane < LANES; lane++) sum += s0[lane];
                sums[p] += sum;
            }
        }
    }
}
