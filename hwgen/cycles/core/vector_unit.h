// Pooling and addition (hwgen/rtl/vector_unit.py, vector/).
#pragma once
#include "activations.h"
#include "fields.h"

namespace hwgen {

struct VectorUnit {
    enum { MAXIMUM, SUM, ADDITION, PACK };
    static constexpr unsigned TAPS = 16, WORDS = 8, SETUP = 10, REQUANTIZED = 9;
    struct Tap {
        bool inside, last;
        uint32_t address;
    };
    const Config *config = nullptr;
    uint32_t mask = 0;
    VectorFields command{};
    bool busy = false;
    Cycle walks_at = 0;
    // Tap walker
    bool walking = false, second = false;
    int64_t x = 0, y = 0, column = 0, row = 0, plane = 0, number = 0;
    bool stepped[2] = {};  // taps on their way, the newest first
    Tap taps_on_their_way[2] = {};
    RamFifo<uint32_t> requests;
    RamFifo<Tap> taps;
    unsigned taps_under_way = 0, missing = 0;
    bool walked = false;
    StreamBuffer<char> words;
    // Reducer
    bool held = false, held_last = false, reduced = false;
    // Requantizer and results
    unsigned requantizing = 0;
    uint32_t results_on_their_way = 0;  // a bit a cycle
    RamQueue results;
    unsigned words_under_way = 0;
    uint32_t address = 0;
    StreamBuffer<uint32_t> written;  // words on their way to their banks

    void build(const Config &c) {
        config = &c;
        mask = c.clusters * c.activation_words - 1;
        requests.build(TAPS);
        taps.build(TAPS);
    }
    bool ready() const { return !busy; }
    bool done() const { return walked && missing == 0 && !written.valid; }

    void step(Cycle now, const VectorFields *comes, WritePort &write, ReadPort &reads) {
        if (!busy && !comes) return;
        const bool ends = done(), exact = command.operation == MAXIMUM || command.operation == PACK;
        const bool leaves = results.valid && written.ready();
        written.step(written.valid && write.granted, leaves, address);

        // Results to words, words to the buffer.
        bool room = words_under_way != WORDS, requantizer_ready = requantizing <= 1;
        bool reduced_ready = room && (exact || requantizer_ready), given = reduced && reduced_ready;
        bool pushed = exact ? given : results_on_their_way >> (REQUANTIZED - 1) & 1;
        results_on_their_way = results_on_their_way << 1 | (requantizing == 1);
        if (given && !exact)
            requantizing = config->lanes;
        else if (requantizing)
            requantizing--;
        results.step(leaves, pushed);
        words_under_way += given - leaves;
        address += leaves;

        // Taps and their words to results.
        bool moves = held && (!reduced || reduced_ready);
        bool takes = (!held || moves) && taps.valid && (words.valid || !taps.out.inside);
        const bool comes_word = reads.valid() && words.ready();
        if (comes_word) reads.take();
        words.step(takes && taps.out.inside, comes_word, 0);
        if (moves)
            reduced = held_last;
        else if (reduced_ready)
            reduced = false;
        if (takes)
            held = true, held_last = taps.out.last;
        else if (moves)
            held = false;

        // Steps to taps.
        bool asks = requests.valid && reads.ready();
        if (asks) reads.ask(requests.out);
        const Tap arrived = taps_on_their_way[1];
        requests.step(asks, stepped[1] && arrived.inside, arrived.address);
        taps.step(takes, stepped[1], arrived);
        stepped[1] = stepped[0], taps_on_their_way[1] = taps_on_their_way[0];
        bool steps = walking && taps_under_way != TAPS, window_ended = false, ended = false;
        stepped[0] = steps;
        if (steps) taps_on_their_way[0] = walk(window_ended, ended);
        taps_under_way += steps - takes;
        missing += window_ended - leaves;
        walked = (walked && !ends) || ended;
        if (ended) walking = false;
        if (busy && now + 1 == walks_at) walking = true;
        if (ends) busy = false;
        if (comes) {
            command = *comes;
            busy = true;
            walks_at = now + 1 + SETUP + 2;
            second = false;
            x = y = column = row = plane = number = 0;
            address = command.output;
        }
        write.offer(written.valid, written.out);
    }

private:
    Tap walk(bool &window_ended, bool &ended) {
        const VectorFields &f = command;
        const bool addition = f.operation == ADDITION;
        const bool last_tap = x + 1 == f.kernel_columns && y + 1 == f.kernel_rows;
        Tap tap{};
        tap.last = addition ? second : last_tap;
        if (second) {
            tap.inside = true;
            tap.address = uint32_t(f.second + number++) & mask;
        } else {
            int64_t in_x = column * f.stride + x - f.pad_left, in_y = row * f.stride + y - f.pad_top;
            if (f.operation == PACK) {
                const int64_t position = row * f.in_columns + column;
                tap.inside = true;
                tap.address = uint32_t(f.input + (plane * f.kernel_rows + y) * f.second + position) & mask;
            } else {
                tap.inside = in_x >= 0 && in_x < f.in_columns && in_y >= 0 && in_y < f.in_rows;
                tap.address = uint32_t(f.input + (plane * f.in_rows + in_y) * f.in_columns + in_x) & mask;
            }
            if (last_tap && addition) {
                second = true;
                return tap;
            }
            if (!last_tap) {
                if (++x == f.kernel_columns) x = 0, y++;
                return tap;
            }
        }
        window_ended = true;
        second = false;
        x = y = 0;
        if (++column == f.out_columns) column = 0, row++;
        if (row == f.out_rows) row = 0, plane++;
        ended = plane == f.planes;
        return tap;
    }
};

}  // namespace hwgen
