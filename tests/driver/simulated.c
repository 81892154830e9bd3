/* The C driver on a simulated accelerator: images from a file to results on standard output; with
 * a fourth argument, also the mistakes that the driver can tell. Arguments: simulator library,
 * images, their number. */

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hwgen_driver.h"
#include PROGRAM_HEADER

#define MEMORY_BYTES ((uint64_t)1 << 24)
#define START 0x10000u /* of what the driver gets, in the accelerator's memory */
#define PATIENCE 100000000u

static struct {
    void *machine;
    unsigned barriers;
    void *(*open)(uint64_t size, uint64_t seed);
    void (*close)(void *machine);
    uint8_t *(*memory)(void *machine);
    int (*write)(void *machine, uint32_t address, uint32_t value);
    int (*read)(void *machine, uint32_t address, uint32_t *value);
    int (*run)(void *machine, uint64_t cycles);
} simulator;

static uint32_t read_register(void *context, uint32_t offset)
{
    uint32_t value = 0;
    if (!simulator.read(context, offset, &value))
        exit(3);
    return value;
}

static void write_register(void *context, uint32_t offset, uint32_t value)
{
    if (!simulator.write(context, offset, value))
        exit(4);
}

static void barrier(void *context)
{
    (void)context;
    simulator.barriers++;
}

static void wait_for_interrupt(void *context)
{
    simulator.run(context, 1000);
}

static uint32_t read_nothing(void *context, uint32_t offset)
{
    (void)context, (void)offset;
    return 0xdeadbeefu;
}

/* ISO C has no conversion from an object's address to a function's; POSIX says to do this. */
static void look_up(void *library, const char *name, void *function)
{
    *(void **)function = dlsym(library, name);
}

static void open_simulator(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(5);
    }
    look_up(library, "hwgen_open", &simulator.open);
    look_up(library, "hwgen_close", &simulator.close);
    look_up(library, "hwgen_memory", &simulator.memory);
    look_up(library, "hwgen_write", &simulator.write);
    look_up(library, "hwgen_read", &simulator.read);
    look_up(library, "hwgen_run", &simulator.run);
    simulator.machine = simulator.open(MEMORY_BYTES, 1);
}

static void tell(const char *what, const struct hwgen_device *device)
{
    char text[320];
    hwgen_message(device, text, sizeof text);
    printf("%s: %s\n", what, text);
}

static void check(enum hwgen_result result, const struct hwgen_device *device)
{
    if (result != HWGEN_OK) {
        tell("unexpected", device);
        exit(6);
    }
}

static void print_outputs(const struct hwgen_device *device)
{
    for (uint32_t number = 0; number < PROGRAM.outputs; number++) {
        uint32_t size = hwgen_size(&PROGRAM.output[number]);
        int16_t *values = malloc(size * sizeof *values);
        hwgen_get_output(device, number, values);
        printf("output %u:", (unsigned)number);
        for (uint32_t n = 0; n < size; n++)
            printf(" %d", values[n]);
        printf("\n");
        free(values);
    }
}

static void run_images(struct hwgen_device *device, const char *path, unsigned count)
{
    uint32_t size = PROGRAM.images * PROGRAM.channels * PROGRAM.rows * PROGRAM.columns;
    uint32_t counts[HWGEN_COUNTERS];
    uint8_t *pixels = malloc(size);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        exit(7);
    for (unsigned n = 0; n < count; n++) {
        device->port.wait = n % 2 ? NULL : wait_for_interrupt; /* polled, by interrupt, ... */
        if (fread(pixels, 1, size, file) != size)
            exit(8);
        hwgen_put_pixels(device, pixels);
        check(hwgen_start(device), device);
        check(hwgen_finish(device, PATIENCE), device);
        print_outputs(device);
    }
    fclose(file);
    hwgen_counters(device, counts);
    for (unsigned n = 0; n < HWGEN_COUNTERS; n++)
        printf("counter %s: %u\n", hwgen_counter_names[n], (unsigned)counts[n]);
    free(pixels);
}

/* The input's integers, as if the program had computed them. */
static void put_integers(struct hwgen_device *device)
{
    uint32_t size = PROGRAM.images * PROGRAM.channels * PROGRAM.rows * PROGRAM.columns;
    int16_t *values = malloc(size * sizeof *values);
    for (uint32_t n = 0; n < size; n++)
        values[n] = (int16_t)(n % 100) - 50;
    hwgen_put_input(device, values);
    free(values);
}

static void make_mistakes(struct hwgen_device *device, struct hwgen_memory memory)
{
    struct hwgen_device other;
    struct hwgen_port port = device->port;
    struct hwgen_program program = PROGRAM;
    char text[12];

    put_integers(device);
    check(hwgen_start(device), device);
    tell("started twice", (hwgen_start(device), device));
    tell("too early", (hwgen_finish(device, 1), device));
    check(hwgen_finish(device, PATIENCE), device);
    print_outputs(device);

    port.read = read_nothing;
    tell("nothing there", (hwgen_open(&other, &port), &other));
    hwgen_message(&other, text, sizeof text);
    printf("cut off: %s\n", text);
    check(hwgen_open(&other, &device->port), &other);
    tell("no program", (hwgen_start(&other), &other));
    program.hash_low ^= 1;
    tell("other configuration", (hwgen_load(&other, &program, &memory), &other));
    program.units.mac = 2;
    program.units.count = 5;
    program.units.modes[0] = 0x77u | 0x1fu << 8 | 0x10u << 24;
    program.units.modes[1] = 0xffu;
    tell("other units", (hwgen_load(&other, &program, &memory), &other));
    memory.address += 32;
    tell("misplaced", (hwgen_load(&other, &PROGRAM, &memory), &other));
    memory.address -= 32;
    memory.size = hwgen_needed(&PROGRAM) - 1;
    tell("too small", (hwgen_load(&other, &PROGRAM, &memory), &other));
    memory.size++;

    memory.bytes[3 * HWGEN_INSTRUCTION_BYTES] = 0xff;
    check(hwgen_start(device), device);
    tell("malformed", (hwgen_finish(device, PATIENCE), device));
    tell("after an error", (hwgen_load(device, &PROGRAM, &memory), device));
    check(hwgen_reset(device, PATIENCE), device);
    check(hwgen_load(device, &PROGRAM, &memory), device);
    check(hwgen_start(device), device);
    check(hwgen_reset(device, PATIENCE), device);
    check(hwgen_start(device), device);
    check(hwgen_finish(device, PATIENCE), device);
    print_outputs(device);
}

int main(int count, char **arguments)
{
    struct hwgen_port port = {NULL, read_register, write_register, barrier, NULL};
    struct hwgen_memory memory;
    struct hwgen_device device;

    if (count < 4)
        return 2;
    open_simulator(arguments[1]);
    port.context = simulator.machine;
    check(hwgen_open(&device, &port), &device);
    memory.bytes = simulator.memory(simulator.machine) + START;
    memory.address = START;
    memory.size = MEMORY_BYTES - START;
    check(hwgen_load(&device, &PROGRAM, &memory), &device);
    run_images(&device, arguments[2], (unsigned)atoi(arguments[3]));
    if (count > 4)
        make_mistakes(&device, memory);
    printf("barriers: %u\n", simulator.barriers);
    simulator.close(simulator.machine);
    return 0;
}
