// The state of a unit as bytes, relative to a cycle and a chunk, and back, for another cycle and another chunk.
//
// Each unit of the array lists its state once, in `archive(a)`: what decides on its future, and nothing that does not.
// A time that is over is only that: over.
#pragma once
#include <string>

#include "activations.h"
#include "chunks.h"
#include "ring.h"

namespace hwgen {

struct StateWriter {
    static constexpr bool RESTORES = false;
    std::string &bytes;
    Cycle now;
    uint64_t base;  // the chunk that others are relative to
    const Chunks &chunks;

    template <class T>
    void value(const T &what) {
        put(uint64_t(what));
    }
    void time(const Cycle &when) { put(when == NEVER ? 0 : when <= now ? 1 : when - now + 1); }
    void chunk(const uint64_t &number) { put(number - base); }
    void reading(const Reading &what) {
        put(uint32_t(what.chunk - base));
        put((what.address - chunks.address(base + uint32_t(what.chunk - base))) & chunks.mask());
    }

private:
    void put(uint64_t value) {
        for (; value > 127; value >>= 7) bytes.push_back(char(value | 128));
        bytes.push_back(char(value));
    }
};

struct StateReader {
    static constexpr bool RESTORES = true;
    const char *bytes;
    Cycle now;
    uint64_t base;
    const Chunks &chunks;

    template <class T>
    void value(T &what) {
        what = T(get());
    }
    void time(Cycle &when) {
        const uint64_t distance = get();
        when = distance ? now + distance - 1 : NEVER;
    }
    void chunk(uint64_t &number) { number = base + get(); }
    void reading(Reading &what) {
        const uint64_t chunk = base + get();
        what.chunk = uint32_t(chunk);
        what.address = uint32_t(get() + chunks.address(chunk)) & chunks.mask();
    }

private:
    uint64_t get() {
        uint64_t value = 0;
        for (unsigned shift = 0;; shift += 7) {
            const uint8_t byte = uint8_t(*bytes++);
            value |= uint64_t(byte & 127) << shift;
            if (byte < 128) return value;
        }
    }
};

}  // namespace hwgen
