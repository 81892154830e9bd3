// The machine of `control.sequential`, instruction after instruction (hwgen/rtl/control/sequential).
#pragma once
#include <vector>

#include "config.h"
#include "counters.h"
#include "fields.h"
#include "memory.h"
#include "program.h"
#include "sequential_array.h"

namespace hwgen {

struct Sequential {
    static constexpr unsigned BLOCK_BYTES = 32;  // of an instruction and of a record
    static constexpr Cycle PLACED = 2;             // from the place of a burst to its address: both ends of the window
    static constexpr Cycle FETCHED = 2;            // from the start of an instruction to its place
    const Config *config = nullptr;
    Memory memory;
    Counters counters;
    std::vector<Instruction> program;
    std::vector<Times> times;
    const uint64_t *bases = nullptr;
    unsigned at = 0;  // the next instruction
    Cycle began = 0, now = 0;
    bool ended = false;

    void build(const Config &c) {
        config = &c;
        memory.build(c);
    }

    void begin(std::vector<Instruction> instructions, const uint64_t *origins, Cycle cycle) {
        program = std::move(instructions);
        times.assign(program.size(), Times());
        bases = origins;
        counters = Counters();
        memory.credit = Memory::RESTED;
        at = 0, ended = false;
        began = now = cycle;
    }

    bool run(Cycle limit) {
        while (!ended && now - began < limit) step();
        return ended;
    }

    Counters counted() const {
        Counters all = counters;
        all.cycles = now - began;
        return all;
    }

private:
    unsigned beat_bytes() const { return unsigned(config->beat_bytes); }

    // One instruction.
    void step() {
        const Instruction &instruction = program[at];
        Times &time = times[at];
        now += FETCHED;
        read(BLOCK_BYTES / beat_bytes());
        time.granted = ++now;  // it is decoded
        now++;
        counters.instructions++;
        time.accepted = now;
        if (instruction.end) {
            now++;  // the end is noticed
            time.done = now;
            ended = true;
            return;
        }
        switch (instruction.unit) {
            case LOAD: load(instruction); break;
            case STORE: store(instruction); break;
            case ARRAY: {
                PassFields f;
                read_fields(f, instruction.fields);
                count_pass(f, counters);
                now += pass_cycles(f);
                break;
            }
            default: {
                DrainFields f;
                read_fields(f, instruction.fields);
                count_drain(f, counters);
                now += drain_cycles(f);
            }
        }
        counters.busy[instruction.unit] += now - time.accepted;
        time.done = now - 1;
        at++;
    }

    void load(const Instruction &instruction) {
        LoadFields f;
        read_fields(f, instruction.fields);
        const uint64_t words = uint64_t(f.planes * f.rows * f.words);
        if (f.target == 0) counters.activation_writes += words;
        if (f.target == 1) counters.weight_words_written += words;
        if (f.target == 2) counters.records_written += words;
        const unsigned size = unsigned(config->word_bytes[f.target]);
        const unsigned whole = size / beat_bytes();  // a record is a burst of its own
        bursts(f, size, whole, [this](unsigned beats) { read(beats); });
    }

    void store(const Instruction &instruction) {
        StoreFields f;
        read_fields(f, instruction.fields);
        counters.activation_reads += uint64_t(f.planes * f.rows * f.words);
        bursts(f, beat_bytes(), 1, [this](unsigned beats) { write(beats); });
    }

    // Row by row, up to multiples of the longest burst. `now` is the cycle of the first burst's place.
    template <class Fields, class Copy>
    void bursts(const Fields &f, unsigned size, unsigned whole, Copy &&copy) {
        const unsigned longest = whole > 1 ? whole : 1u << (bit_length(unsigned(config->burst)) - 1);
        for (int64_t plane = 0; plane < f.planes; plane++)
            for (int64_t row = 0; row < f.rows; row++) {
                const int64_t words = plane * f.plane_stride + row * f.row_stride;
                uint64_t place = (bases[f.base] + uint64_t(f.address) + uint64_t(words) * size) / beat_bytes();
                for (uint64_t left = uint64_t(f.words) * whole; left;) {
                    const unsigned beats = unsigned(std::min<uint64_t>(left, longest - (place & (longest - 1))));
                    copy(beats);
                    place += beats, left -= beats;
                }
            }
        now++;
    }

    // A burst whose place is worked out in cycle `now`; afterwards `now` is the one in which the bus is at rest again, and in
    // which the place of another is.
    void read(unsigned beats) {
        const Cycle asked = now + PLACED + 1;
        Cycle cycle = asked;
        for (unsigned left = beats; left; cycle++) {
            memory.offer(cycle);
            const bool beat = cycle > asked && memory.rvalid;
            memory.transfer(cycle, cycle == asked ? int(beats) - 1 : -1, beat, false, -1, false);
            if (beat)
                left--;
            else if (cycle > asked && memory.reads.front().ready > cycle)
                cycle = memory.reads.front().ready - 1;
        }
        counters.bytes_read += uint64_t(beats) * beat_bytes();
        now = cycle;
    }

    void write(unsigned beats) {
        const Cycle asked = now + PLACED + 1;
        Cycle cycle = asked;
        unsigned left = beats;
        for (bool answered = false; !answered; cycle++) {
            memory.offer(cycle);
            const bool beat = left && memory.wready;
            answered = !left && memory.bvalid;
            memory.transfer(cycle, -1, false, beat, cycle == asked ? int(beats) - 1 : -1, answered);
            left -= beat;
        }
        counters.bytes_written += uint64_t(beats) * beat_bytes();
        now = cycle;
    }

};

}  // namespace hwgen
