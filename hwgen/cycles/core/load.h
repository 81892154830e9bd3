// The load unit (hwgen/rtl/control/load.py, words.py).
#pragma once
#include <cstring>

#include "activations.h"
#include "fifo.h"
#include "memory_port.h"
#include "rows.h"

namespace hwgen {

struct LoadUnit {
    enum Target { ACTIVATIONS, WEIGHTS, RECORDS };
    const Config *config = nullptr;
    RowWalker walker;
    StreamFifo<Row> expected;
    int target = 0;
    // The row whose words come
    bool active = false, full = false;
    // A word of activations on its way to its bank
    struct Word {
        uint32_t address;
        bool last;
    };
    StreamBuffer<Word> waiting;
    bool written = false;      // the last one was, in the cycle before
    bool second_path = false;  // of the record that is being stored
    Row row{};
    unsigned offset = 0, parts = 0;
    uint64_t record_address = 0;  // in memory, of the next record
    unsigned need = 0, fill = 0;  // bits of a dense word; of those that are there

    void build(const Config &c) {
        config = &c;
        expected.build(1u << ceil_log2(c.outstanding + 2));
    }
    bool idle() const { return walker.state == RowWalker::IDLE && !active && !expected.valid() && !waiting.valid && !written; }
    bool writes_activations() const { return waiting.valid; }
    uint32_t address() const { return waiting.out.address; }

    // Takes `command` if there is one; true: it has ended.
    template <class Records>
    bool step(Cycle now, const LoadFields *command, const uint64_t *bases, bool granted, MemoryPort &port,
              Records &&store_record, Counters &counters, bool &accepted) {
        bool done = need ? dense_words(now, port, counters) : words(now, granted, port, store_record, counters);
        bool walks = walker.valid() && expected.ready(now) && port.splitters[1].ready();
        if (walks) {
            Row next = walker.row();
            port.splitters[1].ask({next.address, walker.row_bytes()});
            expected.push(next);
        }
        accepted = command && walker.ready();
        if (accepted) {
            target = int(command->target);
            const unsigned eighth = config->word_bytes[WEIGHTS];  // bits of an eighth of a word
            need = eighth * unsigned(command->bits) << (3 - command->room);
            walker.dense = need;
            std::memcpy(&walker.command, &command->base, sizeof walker.command);
            walker.size = config->word_bytes[target];
        }
        walker.step(accepted, walks, bases);
        return done;
    }

private:
    // hwgen/rtl/control/dense.py
    bool dense_words(Cycle now, MemoryPort &port, Counters &counters) {
        const bool given = active && fill >= need, ended = given && row.words == 1, done = ended && row.last;
        const unsigned left = given ? fill - need : fill;
        const bool rows_ready = !active || ended, beats_ready = active && !ended && left < need;
        counters.weight_words_written += given;
        row.words -= given, row.buffer += given;
        fill = left;
        if (beats_ready && port.beat_valid(1)) {
            port.beat_ready = true;
            fill += 8 * config->beat_bytes;
        }
        if (rows_ready) {
            fill = 0;
            active = expected.valid();
            if (active) {
                row = expected.front();
                expected.pop(now);
            }
        }
        return done;
    }

    template <class Records>
    bool words(Cycle now, bool granted, MemoryPort &port, Records &&store_record, Counters &counters) {
        const unsigned beat = config->beat_bytes, size = config->word_bytes[target];
        bool splits = full && target == RECORDS && config->gated;  // into two paths, in two cycles
        bool given = full && (target != ACTIVATIONS || waiting.ready()) && (!splits || second_path);
        second_path = splits && !second_path;
        bool ended = given && row.words == 1;
        bool emptied = given && (size >= beat || offset + size >= beat);
        const bool taken = granted && waiting.valid;
        const bool done = written || (target != ACTIVATIONS && ended && row.last);
        written = taken && waiting.out.last;
        waiting.step(taken, given && target == ACTIVATIONS, {row.buffer, row.words == 1 && row.last});
        bool rows_ready = !active || ended;
        bool beats_ready = active && !ended && (!full || emptied);
        if (given) {
            if (target == RECORDS) {
                store_record(row.buffer, record_address);
                record_address += size;
                counters.records_written++;
            }
            counters.weight_words_written += target == WEIGHTS;
            row.words--, row.buffer++;
            offset = (offset + size) & (beat - 1);
        }
        if (emptied || ended) full = false;
        if (beats_ready && port.beat_valid(1)) {
            port.beat_ready = true;
            full = parts + 1 >= (size + beat - 1) / beat;
            parts = full ? 0 : parts + 1;
        }
        if (rows_ready) {
            active = expected.valid();
            if (active) {
                row = expected.front();
                offset = row.address & (beat - 1);
                record_address = row.address;
                expected.pop(now);
            }
        }
        return done;
    }
};

}  // namespace hwgen
