/* The input area that the C driver fills for integers from a file, to standard output. Arguments:
 * file of int16, size of the area. */

#include <stdio.h>
#include <stdlib.h>

#include "hwgen_driver.h"
#include PROGRAM_HEADER

int main(int arguments, char **argument)
{
    struct hwgen_device device = {0};
    uint32_t images = PROGRAM.images, count = images * PROGRAM.channels * PROGRAM.rows;
    int16_t *values;
    FILE *file;
    size_t size;
    if (arguments != 3)
        return 2;
    device.program = &PROGRAM;
    size = (size_t)atol(argument[2]);
    count *= PROGRAM.columns;
    values = malloc(count * sizeof *values);
    device.memory.bytes = malloc(size);
    file = fopen(argument[1], "rb");
    if (file == NULL || fread(values, sizeof *values, count, file) != count)
        return 3;
    hwgen_put_input(&device, values);
    return fwrite(device.memory.bytes, 1, size, stdout) == size ? 0 : 4;
}
