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
        put(what.chunk - base);
        put((what.address - chunks.address(what.chunk)) & chunks.mask());
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
        what.chunk = base + get();
        what.address = uint32_t(get() + chunks.address(what.chunk)) & chunks.mask();
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

template <class Archive, class T>
void archive(Archive &a, Delayed<T> &events) {
    unsigned count = events.write - events.read;
    a.value(count);
    if (Archive::RESTORES) events.read = 0, events.write = count;
    for (unsigned n = events.read; n != events.write; n++) {
        a.time(events.events[n & 63].when);
        a.value(events.events[n & 63].what);
    }
}

}  // namespace hwgen
