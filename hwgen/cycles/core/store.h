// The store unit (hwgen/rtl/control/store.py, beats.py).
#pragma once
#include "activations.h"
#include "fifo.h"
#include "memory_port.h"
#include "rows.h"

namespace hwgen {

struct StoreUnit {
    const Config *config = nullptr;
    RowWalker walker;
    StreamFifo<Row> expected;
    unsigned left = 0;  // words of the row whose addresses are still to be given
    uint32_t address = 0;
    // The row whose words come
    bool active = false, full = false;
    Row row{};
    unsigned offset = 0, pieces = 0;
    bool flushing = false;

    void build(const Config &c) {
        config = &c;
        expected.build(4);
    }
    bool idle() const {
        return walker.state == RowWalker::IDLE && !active && !expected.valid() && !left && !flushing;
    }

    bool step(Cycle now, const StoreFields *command, const uint64_t *bases, MemoryPort &port, ReadPort &reads,
              bool &accepted) {
        bool done = flushing && port.store_quiet();
        bool last = config->word_bytes[0] <= config->beat_bytes ? join(now, port, reads) : cut(now, port, reads);
        if (last)
            flushing = true;
        else if (done)
            flushing = false;

        bool walks = walker.valid() && expected.ready(now) && port.store_splitter.ready() && left == 0;
        if (left && reads.ready()) {
            reads.ask(address++);
            left--;
        }
        if (walks) {
            Row next = walker.row();
            port.store_splitter.ask({next.address, uint64_t(next.words) * walker.size});
            expected.push(next);
            left = next.words, address = next.buffer;
        }
        accepted = command && walker.ready();
        if (accepted) {
            walker.command = *command;
            walker.size = config->word_bytes[0];
        }
        walker.step(accepted, walks, bases);
        return done;
    }

private:
    // Words go to their places in a beat.
    bool join(Cycle now, MemoryPort &port, ReadPort &reads) {
        const unsigned beat = config->beat_bytes, size = config->word_bytes[0];
        bool given = full && port.store_beat_ready();
        bool taken = active && row.words && (!full || port.store_beat_ready()) && reads.valid();
        bool ended = given && row.words == 0;
        if (given) port.beat_given = true, full = false;
        if (taken) {
            reads.take();
            full = offset + size >= beat || row.words == 1;
            row.words--;
            offset = (offset + size) & (beat - 1);
        }
        return next(now, ended);
    }

    // A word is several beats.
    bool cut(Cycle now, MemoryPort &port, ReadPort &reads) {
        bool beat_ready = port.store_beat_ready();
        bool taken = active && row.words && (pieces == 0 || (pieces == 1 && beat_ready)) && reads.valid();
        bool ended = pieces == 1 && beat_ready && row.words == 0;
        if (pieces && beat_ready) port.beat_given = true, pieces--;
        if (taken) {
            reads.take();
            pieces = config->word_bytes[0] / config->beat_bytes;
            row.words--;
        }
        return next(now, ended);
    }

    bool next(Cycle now, bool ended) {
        bool done = ended && row.last;
        if (!active || ended) {
            active = expected.valid();
            if (active) {
                row = expected.front();
                offset = row.address & (config->beat_bytes - 1);
                expected.pop(now);
            }
        }
        return done;
    }
};

}  // namespace hwgen
