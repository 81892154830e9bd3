// The loops of a load or a store (hwgen/rtl/control/rows.py).
#pragma once
#include "config.h"
#include "fields.h"

namespace hwgen {

struct Row {
    uint64_t address;
    uint32_t words, buffer;
    bool last;
};

struct RowWalker {
    enum { IDLE, START, CHECK, WALK } state = IDLE;
    StoreFields command{};
    unsigned size = 0;  // bytes of a word
    uint64_t dense = 0;  // bits of a dense word; 0: words are whole
    uint64_t memory = 0, plane_memory = 0;
    uint32_t buffer = 0, plane_buffer = 0;
    int64_t rows = 0, planes = 0;

    bool ready() const { return state == IDLE; }
    uint64_t row_bytes() const {
        const uint64_t words = uint64_t(command.words);
        return dense ? (words * dense + 7) / 8 : words * size;
    }
    bool valid() const { return state == WALK; }
    Row row() const { return {memory, uint32_t(command.words), buffer, rows == 1 && planes == 1}; }

    // `accepts`: `command` and `size` have been set in this cycle.
    void step(bool accepts, bool taken, const uint64_t *bases) {
        switch (state) {
            case IDLE:
                if (accepts) state = START;
                break;
            case START:
                memory = plane_memory = bases[command.base] + command.address;
                buffer = plane_buffer = command.buffer;
                rows = command.rows, planes = command.planes;
                state = CHECK;
                break;
            case CHECK:
                state = WALK;
                break;
            case WALK:
                if (taken) advance();
        }
    }

private:
    void advance() {
        if (--rows) {
            memory += command.row_stride * size;
            buffer += command.buffer_row_stride;
            return;
        }
        memory = plane_memory += command.plane_stride * size;
        buffer = plane_buffer += command.buffer_plane_stride;
        rows = command.rows;
        if (--planes == 0) state = IDLE;
    }
};

}  // namespace hwgen
