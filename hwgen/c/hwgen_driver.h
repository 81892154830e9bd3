// Driver of a generated accelerator, for bare metal: C99, no heap, nothing but memcpy.
//
// It is the same for every configuration of a version. docs/driver.md explains it by an example.

#ifndef HWGEN_DRIVER_H
#define HWGEN_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// @generated@

// The way to an accelerator. `context` is handed to each function.
struct hwgen_port {
    void *context;
    uint32_t (*read)(void *context, uint32_t offset);
    void (*write)(void *context, uint32_t offset, uint32_t value);
    // Lets each side see what the other has written to memory: a fence, and where the processor
    // has a cache that the accelerator does not look into, clean and invalidate. NULL: not needed.
    void (*barrier)(void *context);
    // Sleeps until the interrupt or until a while has passed. NULL: STATUS is polled.
    void (*wait)(void *context);
};

// Memory that the processor and the accelerator share.
struct hwgen_memory {
    uint8_t *bytes;   // where the processor finds it
    uint64_t address; // where the accelerator finds it, a multiple of HWGEN_PAGE
    uint64_t size;
};

#define HWGEN_PAGE 4096u

// Bits `shift` ... of integers, so many as `bits`, each in a room of `room` bits (a power of two up
// to 8), in which they stand `copies` times side by side.
struct hwgen_slice {
    uint8_t shift, bits, room, copies;
};

// Where the integers of an edge of the network lie: planes of `lanes` channels each, a plane in
// raster order, the lanes of a position side by side. A plane holds all images of a batch, one below
// the other, with `gap` rows before, between and behind them. An integer is a byte; or, if there are
// slices, it lies in as many planes of each of them, one slice behind the other.
struct hwgen_tensor {
    unsigned base;          // base register: 1 input, 2 work
    uint64_t offset;        // of its first byte from there
    uint32_t bytes;         // of all planes
    uint32_t channels;      // of the network
    uint32_t rows, columns; // of each channel of an image
    uint32_t images, gap;
    uint32_t lanes;
    bool is_signed;
    bool is_bipolar;        // -1 and 1, which lie there as 0 and 1
    uint32_t slices;
    const struct hwgen_slice *slice;
    const uint16_t *places; // place of each channel among the lanes of all planes; NULL: in order
};

// How the pixels of an image lie in a tensor: channel c of pixel (row, column) is lane
// (y * fold_columns + x) * channels + c of every word (u, v) with row = u * step + y - top and
// column = v * step + x - left, 0 <= y < fold_rows, 0 <= x < fold_columns.
struct hwgen_packing {
    struct hwgen_tensor tensor;
    uint32_t fold_rows, fold_columns, step, top, left;
};

// How raw bytes become the integers of the input, channel by channel:
// clamp((byte * multiplier + bias + half) >> shift, low, high).
struct hwgen_scaling {
    int32_t multiplier;
    int64_t bias;
    uint32_t shift;
    int16_t low, high;
};

// What multiplies: field MAC of PARTS, and the registers MODES, MODES0 ... MODES12.
struct hwgen_units {
    uint32_t mac, count, modes[HWGEN_MODES_WORDS];
};

// A compiled network: what `hwgen compile --c` writes.
struct hwgen_program {
    const char *name;
    struct hwgen_units units; // that it was compiled for
    uint32_t hash_low, hash_high; // of the configuration it was compiled for
    const uint8_t *instructions;
    uint32_t length; // instructions, of 32 bytes each
    const uint8_t *constants;
    uint32_t constant_bytes;
    uint64_t work_bytes;
    uint32_t images;                 // of a run
    uint32_t channels, rows, columns; // of an image
    uint32_t input_bytes;
    uint32_t packings; // all of them are filled
    const struct hwgen_packing *packing;
    const struct hwgen_scaling *scaling; // of each input channel; NULL: bytes are the integers
    uint32_t outputs;
    const struct hwgen_tensor *output;
};

enum hwgen_result {
    HWGEN_OK = 0,
    HWGEN_NOT_FOUND,           // something else, or nothing, answers at the registers
    HWGEN_OTHER_UNITS,         // the program was compiled for other MAC units, or modes of them
    HWGEN_OTHER_CONFIGURATION, // the program was compiled for another accelerator
    HWGEN_MISPLACED,           // the memory does not begin at a multiple of HWGEN_PAGE
    HWGEN_TOO_SMALL,           // the program needs more memory
    HWGEN_NOT_LOADED,          // no program has been loaded
    HWGEN_NOT_IDLE,            // a program is running, or the last one ended in an error
    HWGEN_RUNNING,             // the program has not ended yet
    HWGEN_STOPPED,             // the accelerator has stopped in its error state
    HWGEN_NOT_RESET            // the memory still owes answers
};

// One accelerator. Its members are the driver's own.
struct hwgen_device {
    struct hwgen_port port;
    const struct hwgen_program *program;
    struct hwgen_memory memory;
    uint64_t offset[3]; // of constants, input and work in the memory
    uint64_t needed;    // bytes of memory for the program
    struct hwgen_units units, wanted; // of the accelerator, and of the program last offered
    uint32_t status, index, found;
    enum hwgen_result result;
};

// All functions that return a result keep it for hwgen_message.

// Looks whether an accelerator answers.
enum hwgen_result hwgen_open(struct hwgen_device *device, const struct hwgen_port *port);

// Bytes of memory that a program needs.
uint64_t hwgen_needed(const struct hwgen_program *program);

// Puts a program and its constants into memory, and tells the accelerator where. Both must stay.
enum hwgen_result hwgen_load(struct hwgen_device *device, const struct hwgen_program *program,
                             const struct hwgen_memory *memory);

// Puts the images of a run into memory: integers of the network's input, or raw bytes that are
// scaled first; image by image, each channel by channel, each row by row. Only after hwgen_load.
void hwgen_put_input(struct hwgen_device *device, const int16_t *values);
void hwgen_put_pixels(struct hwgen_device *device, const uint8_t *pixels);

// Starts the program and returns at once.
enum hwgen_result hwgen_start(struct hwgen_device *device);

// Looks up to `attempts` times whether the program has ended, and calls `wait` before each.
enum hwgen_result hwgen_finish(struct hwgen_device *device, uint32_t attempts);

// The integers of a result, image by image, each channel by channel, each row by row.
void hwgen_get_output(const struct hwgen_device *device, uint32_t number, int16_t *values);

// Number of integers of a tensor.
uint32_t hwgen_size(const struct hwgen_tensor *tensor);

// The performance counters of the last program, in the order of hwgen_counter_names.
void hwgen_counters(const struct hwgen_device *device, uint32_t counts[HWGEN_COUNTERS]);
extern const char *const hwgen_counter_names[HWGEN_COUNTERS];

// Ends whatever runs and clears an error; looks up to `attempts` times whether the memory has come
// to rest. What has been loaded stays loaded.
enum hwgen_result hwgen_reset(struct hwgen_device *device, uint32_t attempts);

// The last result as a sentence of up to size-1 characters and a zero. 320 are enough for all.
void hwgen_message(const struct hwgen_device *device, char *text, size_t size);

#endif
