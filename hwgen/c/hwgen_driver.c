// See hwgen_driver.h.

#include "hwgen_driver.h"

#include <string.h>

#define BOTH_INTERRUPTS (HWGEN_INTERRUPT_STATUS_DONE_MASK | HWGEN_INTERRUPT_STATUS_ERROR_MASK)
#define FIELD(value, field) (((value) & field##_MASK) >> field##_LSB)

const char *const hwgen_counter_names[HWGEN_COUNTERS] = HWGEN_COUNTER_NAMES;

static uint32_t read_register(const struct hwgen_device *device, uint32_t offset)
{
    return device->port.read(device->port.context, offset);
}

static void write_register(const struct hwgen_device *device, uint32_t offset, uint32_t value)
{
    device->port.write(device->port.context, offset, value);
}

// A number in two registers. Where addresses are narrow the upper one cannot be written, but reads
// as zero.
static void write_wide(const struct hwgen_device *device, uint32_t offset, uint64_t value)
{
    uint32_t high = (uint32_t)(value >> 32);
    write_register(device, offset, (uint32_t)value);
    if (read_register(device, offset + 4) != high)
        write_register(device, offset + 4, high);
}

static void barrier(const struct hwgen_device *device)
{
    if (device->port.barrier != NULL)
        device->port.barrier(device->port.context);
}

static enum hwgen_result told(struct hwgen_device *device, enum hwgen_result result)
{
    device->result = result;
    return result;
}

// Reads STATUS and gives its state.
static uint32_t look(struct hwgen_device *device)
{
    device->status = read_register(device, HWGEN_STATUS);
    return FIELD(device->status, HWGEN_STATUS_STATE);
}

enum hwgen_result hwgen_open(struct hwgen_device *device, const struct hwgen_port *port)
{
    memset(device, 0, sizeof *device);
    device->port = *port;
    device->found = read_register(device, HWGEN_ID);
    return told(device, device->found == HWGEN_IDENTIFICATION ? HWGEN_OK : HWGEN_NOT_FOUND);
}

static uint64_t whole_pages(uint64_t size)
{
    return (size + HWGEN_PAGE - 1) / HWGEN_PAGE * HWGEN_PAGE;
}

// Places of constants, input and work; gives the end of all.
static uint64_t arrange(const struct hwgen_program *program, uint64_t offset[3])
{
    offset[0] = whole_pages((uint64_t)program->length * HWGEN_INSTRUCTION_BYTES);
    offset[1] = offset[0] + whole_pages(program->constant_bytes);
    offset[2] = offset[1] + whole_pages(program->input_bytes);
    return offset[2] + whole_pages(program->work_bytes);
}

uint64_t hwgen_needed(const struct hwgen_program *program)
{
    uint64_t offset[3];
    return arrange(program, offset);
}

static struct hwgen_units units_of(const struct hwgen_device *device)
{
    struct hwgen_units units;

    units.mac = FIELD(read_register(device, HWGEN_PARTS), HWGEN_PARTS_MAC);
    units.count = read_register(device, HWGEN_MODES);
    for (unsigned n = 0; n < HWGEN_MODES_WORDS; n++)
        units.modes[n] = read_register(device, HWGEN_MODES0 + 4 * n);
    return units;
}

enum hwgen_result hwgen_load(struct hwgen_device *device, const struct hwgen_program *program,
                             const struct hwgen_memory *memory)
{
    uint64_t end;

    device->program = NULL;
    device->memory = *memory;
    device->needed = arrange(program, device->offset);
    device->units = units_of(device);
    device->wanted = program->units;
    if (memcmp(&device->units, &device->wanted, sizeof device->units))
        return told(device, HWGEN_OTHER_UNITS);
    if (read_register(device, HWGEN_HASH_LOW) != program->hash_low ||
        read_register(device, HWGEN_HASH_HIGH) != program->hash_high)
        return told(device, HWGEN_OTHER_CONFIGURATION);
    if (memory->address % HWGEN_PAGE)
        return told(device, HWGEN_MISPLACED);
    if (device->needed > memory->size)
        return told(device, HWGEN_TOO_SMALL);
    if (look(device) != HWGEN_STATE_IDLE)
        return told(device, HWGEN_NOT_IDLE);
    device->program = program;
    memcpy(memory->bytes, program->instructions, (size_t)program->length * HWGEN_INSTRUCTION_BYTES);
    memcpy(memory->bytes + device->offset[0], program->constants, program->constant_bytes);
    for (unsigned base = 0; base < 3; base++)
        write_wide(device, HWGEN_BASE0_LOW + 8 * base, memory->address + device->offset[base]);
    end = memory->address + device->needed;
    write_wide(device, HWGEN_PROGRAM_LOW, memory->address);
    write_register(device, HWGEN_LENGTH, program->length);
    write_wide(device, HWGEN_READ_START_LOW, memory->address);
    write_wide(device, HWGEN_READ_END_LOW, end);
    write_wide(device, HWGEN_WRITE_START_LOW, memory->address + device->offset[2]);
    write_wide(device, HWGEN_WRITE_END_LOW, end);
    return told(device, HWGEN_OK);
}

uint32_t hwgen_size(const struct hwgen_tensor *tensor)
{
    return tensor->images * tensor->channels * tensor->rows * tensor->columns;
}

// The first byte of the word of a plane at a row and a column of an image.
static uint8_t *word_of(const struct hwgen_device *device, const struct hwgen_tensor *tensor,
                        uint32_t image, uint32_t plane, uint32_t row, uint32_t column)
{
    uint32_t pitch = tensor->rows + tensor->gap;
    uint64_t words = (uint64_t)(tensor->gap + tensor->images * pitch) * tensor->columns;
    uint64_t word = plane * words +
                    (uint64_t)(tensor->gap + image * pitch + row) * tensor->columns + column;
    uint32_t size = tensor->slices ? tensor->lanes * tensor->slice->room / 8 : tensor->lanes;
    return device->memory.bytes + device->offset[tensor->base] + tensor->offset + word * size;
}

// The byte of a lane (of all planes) at a row and a column of an image.
static uint8_t *byte_of(const struct hwgen_device *device, const struct hwgen_tensor *tensor,
                        uint32_t image, uint32_t lane, uint32_t row, uint32_t column)
{
    return word_of(device, tensor, image, lane / tensor->lanes, row, column) + lane % tensor->lanes;
}

// Puts an integer, two's complement, into a lane that holds zeros.
static void fill(const struct hwgen_device *device, const struct hwgen_tensor *tensor,
                 uint32_t image, uint32_t lane, uint32_t row, uint32_t column, uint8_t value)
{
    uint32_t planes = (tensor->channels + tensor->lanes - 1) / tensor->lanes;
    if (tensor->is_bipolar)
        value = value == 1;
    if (tensor->slices == 0)
        *byte_of(device, tensor, image, lane, row, column) = value;
    for (uint32_t number = 0; number < tensor->slices; number++) {
        const struct hwgen_slice *slice = &tensor->slice[number];
        uint32_t field = (uint32_t)(value >> slice->shift) & ((1u << slice->bits) - 1);
        uint32_t plane = number * planes + lane / tensor->lanes;
        uint32_t bit = lane % tensor->lanes * slice->room;
        uint8_t *byte = word_of(device, tensor, image, plane, row, column) + bit / 8;
        for (uint32_t copy = 0; copy < slice->copies; copy++)
            *byte |= (uint8_t)(field << (bit % 8 + copy * (slice->room / slice->copies)));
    }
}

// An empty input area: zeros in all lanes without a pixel.
static void empty_input(const struct hwgen_device *device)
{
    memset(device->memory.bytes + device->offset[1], 0, device->program->input_bytes);
}

// A value of the input, everywhere where a kernel tap will look for it.
static void put(const struct hwgen_device *device, uint32_t image, uint32_t channel, uint32_t row,
                uint32_t column, uint8_t value)
{
    const struct hwgen_program *program = device->program;
    for (uint32_t number = 0; number < program->packings; number++) {
        const struct hwgen_packing *packing = &program->packing[number];
        const struct hwgen_tensor *tensor = &packing->tensor;
        for (uint32_t y = 0; y < packing->fold_rows && y <= row + packing->top; y++)
            for (uint32_t x = 0; x < packing->fold_columns && x <= column + packing->left; x++) {
                uint32_t down = row + packing->top - y, across = column + packing->left - x;
                uint32_t lane = (y * packing->fold_columns + x) * program->channels + channel;
                if (down % packing->step == 0 && down / packing->step < tensor->rows &&
                    across % packing->step == 0 && across / packing->step < tensor->columns)
                    fill(device, tensor, image, lane, down / packing->step, across / packing->step,
                         value);
            }
    }
}

void hwgen_put_input(struct hwgen_device *device, const int16_t *values)
{
    const struct hwgen_program *program = device->program;
    empty_input(device);
    for (uint32_t image = 0; image < program->images; image++)
        for (uint32_t channel = 0; channel < program->channels; channel++)
            for (uint32_t row = 0; row < program->rows; row++)
                for (uint32_t column = 0; column < program->columns; column++)
                    put(device, image, channel, row, column, (uint8_t)*values++);
}

// Division by a power of two towards minus infinity: >> of negative numbers is the compiler's own.
static int64_t shifted(int64_t value, uint32_t shift)
{
    return value >= 0 ? value >> shift : -((-value - 1) >> shift) - 1;
}

static uint8_t scaled(uint8_t pixel, const struct hwgen_scaling *scaling)
{
    int64_t sum = (int64_t)pixel * scaling->multiplier + scaling->bias;
    int64_t value = shifted(sum + ((int64_t)1 << (scaling->shift - 1)), scaling->shift);
    if (value < scaling->low)
        value = scaling->low;
    if (value > scaling->high)
        value = scaling->high;
    return (uint8_t)value;
}

void hwgen_put_pixels(struct hwgen_device *device, const uint8_t *pixels)
{
    const struct hwgen_program *program = device->program;
    const struct hwgen_scaling *scaling = program->scaling;
    empty_input(device);
    for (uint32_t image = 0; image < program->images; image++)
        for (uint32_t channel = 0; channel < program->channels; channel++)
            for (uint32_t row = 0; row < program->rows; row++)
                for (uint32_t column = 0; column < program->columns; column++) {
                    uint8_t pixel = *pixels++;
                    put(device, image, channel, row, column,
                        scaling == NULL ? pixel : scaled(pixel, &scaling[channel]));
                }
}

enum hwgen_result hwgen_start(struct hwgen_device *device)
{
    if (device->program == NULL)
        return told(device, HWGEN_NOT_LOADED);
    if (look(device) != HWGEN_STATE_IDLE)
        return told(device, HWGEN_NOT_IDLE);
    barrier(device);
    write_register(device, HWGEN_INTERRUPT_STATUS, BOTH_INTERRUPTS);
    write_register(device, HWGEN_INTERRUPT_ENABLE, BOTH_INTERRUPTS);
    write_register(device, HWGEN_CONTROL, HWGEN_CONTROL_START_MASK);
    return told(device, HWGEN_OK);
}

enum hwgen_result hwgen_finish(struct hwgen_device *device, uint32_t attempts)
{
    while (attempts--) {
        if (device->port.wait != NULL)
            device->port.wait(device->port.context);
        if (look(device) == HWGEN_STATE_RUNNING)
            continue;
        if (FIELD(device->status, HWGEN_STATUS_STATE) == HWGEN_STATE_ERROR) {
            device->index = read_register(device, HWGEN_ERROR_INDEX);
            return told(device, HWGEN_STOPPED);
        }
        write_register(device, HWGEN_INTERRUPT_STATUS, BOTH_INTERRUPTS);
        barrier(device);
        return told(device, HWGEN_OK);
    }
    return told(device, HWGEN_RUNNING);
}

void hwgen_get_output(const struct hwgen_device *device, uint32_t number, int16_t *values)
{
    const struct hwgen_tensor *output = &device->program->output[number];
    uint32_t positions = output->rows * output->columns;
    for (uint32_t image = 0; image < output->images; image++)
        for (uint32_t channel = 0; channel < output->channels; channel++)
            for (uint32_t position = 0; position < positions; position++) {
                uint32_t place = output->places == NULL ? channel : output->places[channel];
                int16_t value = *byte_of(device, output, image, place, position / output->columns,
                                         position % output->columns);
                if (output->is_bipolar)
                    value = value ? 1 : -1;
                *values++ = output->is_signed && value > 127 ? (int16_t)(value - 256) : value;
            }
}

void hwgen_counters(const struct hwgen_device *device, uint32_t counts[HWGEN_COUNTERS])
{
    for (uint32_t number = 0; number < HWGEN_COUNTERS; number++)
        counts[number] = read_register(device, HWGEN_CYCLES + 4 * number);
}

enum hwgen_result hwgen_reset(struct hwgen_device *device, uint32_t attempts)
{
    write_register(device, HWGEN_CONTROL, HWGEN_CONTROL_RESET_MASK);
    while (attempts--)
        if (look(device) == HWGEN_STATE_IDLE)
            return told(device, HWGEN_OK);
    return told(device, HWGEN_NOT_RESET);
}

// Sentences. A text under construction: what does not fit is left out.
struct text {
    char *bytes;
    size_t size, length;
};

static void add(struct text *text, const char *more)
{
    while (*more != '\0' && text->length + 1 < text->size)
        text->bytes[text->length++] = *more++;
}

static void add_number(struct text *text, uint64_t value, unsigned radix)
{
    char digits[21];
    char *first = digits + sizeof digits - 1;
    *first = '\0';
    do {
        *--first = "0123456789abcdef"[value % radix];
        value /= radix;
    } while (value);
    add(text, first);
}

static const char *named(const char *const *names, uint32_t count, uint32_t number)
{
    return number < count ? names[number] : "unknown";
}

#define NAMED(names, number) named((names), sizeof(names) / sizeof *(names), (number))

static void add_stop(struct text *text, const struct hwgen_device *device)
{
    static const char *const units[] = HWGEN_UNIT_NAMES;
    static const char *const errors[] = HWGEN_ERROR_SENTENCES;
    static const char *const details[] = HWGEN_DETAIL_SENTENCES;
    uint32_t error = FIELD(device->status, HWGEN_STATUS_ERROR);

    add(text, "the accelerator stopped in instruction ");
    add_number(text, device->index, 10);
    add(text, " (");
    add(text, NAMED(units, FIELD(device->status, HWGEN_STATUS_UNIT)));
    add(text, " unit): ");
    add(text, NAMED(errors, error));
    if (error == HWGEN_ERROR_MALFORMED) {
        add(text, ": ");
        add(text, NAMED(details, FIELD(device->status, HWGEN_STATUS_DETAIL)));
    }
}

static void add_units(struct text *text, const struct hwgen_units *units)
{
    static const char *const macs[] = HWGEN_MAC_NAMES;

    add(text, NAMED(macs, units->mac));
    add(text, " units (");
    for (uint32_t n = 0; n < units->count && n < 4 * HWGEN_MODES_WORDS; n++) {
        uint32_t mode = units->modes[n / 4] >> 8 * (n % 4);
        add(text, n ? ", " : "");
        add_number(text, (mode & 15) + 1, 10);
        add(text, "x");
        add_number(text, (mode >> 4 & 15) + 1, 10);
    }
    add(text, ")");
}

void hwgen_message(const struct hwgen_device *device, char *bytes, size_t size)
{
    struct text text = {bytes, size, 0};

    if (size == 0)
        return;
    switch (device->result) {
    case HWGEN_OK:
        add(&text, "no error");
        break;
    case HWGEN_NOT_FOUND:
        add(&text, "there is no hwgen accelerator: ID reads 0x");
        add_number(&text, device->found, 16);
        break;
    case HWGEN_OTHER_UNITS:
        add(&text, "the program was compiled for ");
        add_units(&text, &device->wanted);
        add(&text, "; the accelerator has ");
        add_units(&text, &device->units);
        break;
    case HWGEN_OTHER_CONFIGURATION:
        add(&text, "the program was compiled for another configuration than the accelerator has");
        break;
    case HWGEN_MISPLACED:
        add(&text, "the memory must begin at a multiple of 4096, not at 0x");
        add_number(&text, device->memory.address, 16);
        break;
    case HWGEN_TOO_SMALL:
        add(&text, "the program needs ");
        add_number(&text, device->needed, 10);
        add(&text, " bytes of memory, ");
        add_number(&text, device->memory.size, 10);
        add(&text, " are there");
        break;
    case HWGEN_NOT_LOADED:
        add(&text, "no program has been loaded");
        break;
    case HWGEN_NOT_IDLE:
        add(&text, "the accelerator is not idle: it runs a program, or waits for a reset");
        break;
    case HWGEN_RUNNING:
        add(&text, "the program has not ended yet");
        break;
    case HWGEN_STOPPED:
        add_stop(&text, device);
        break;
    case HWGEN_NOT_RESET:
        add(&text, "the accelerator cannot be reset: its memory does not answer");
        break;
    }
    bytes[text.length] = '\0';
}
