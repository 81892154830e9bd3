// From instructions in memory to commands of the units (hwgen/rtl/control/fetch.py, decoder.py, check.py, tokens.py,
// unit_queue.py, program.py).
#pragma once
#include "fields.h"
#include "fifo.h"
#include "memory_port.h"
#include "ring.h"

namespace hwgen {

struct Instruction {
    Unit unit;
    bool end;
    uint32_t wait, post;
    int64_t fields[MOST_FIELDS];
};

struct UnitQueue {
    StreamFifo<unsigned> waiting;  // numbers of instructions
    bool offered = false;
    unsigned level = 0, in_flight = 1;
    Delayed<unsigned> under_way;          // accepted and not done
    bool accepted = false, done = false;  // in this cycle
    bool ended = false;                   // done in the cycle before

    bool valid() const { return waiting.valid(); }
    bool room() const { return level != in_flight || ended; }
    bool asking() const { return waiting.valid() && !offered && room(); }
    bool idle() const { return !waiting.valid() && level == 0; }
};

struct Fetch {
    static constexpr unsigned INSTRUCTION_BYTES = 32;
    unsigned length = 0, beats = 0, most = 0;
    unsigned asked = 0, left = 0, room = 0, parts = 0;
    StreamFifo<char> prefetched;
    uint64_t address = 0;
    bool running = true;

    void build(const Config &config, unsigned instructions) {
        length = instructions;
        beats = INSTRUCTION_BYTES / config.beat_bytes;
        room = most = config.prefetch;
        prefetched.build(most * beats);
    }
    bool idle() const { return room == most; }
    bool valid() const { return parts == beats; }
    // True: something has changed.
    bool step(Cycle now, bool stop, bool leaving, MemoryPort &port) {
        bool asking = running && !stop && asked != length && room && port.splitters[0].ready();
        const bool full = valid(), waits = most > 1;  // beats in a memory
        const bool beat = port.beat_valid(0) && (waits ? prefetched.ready(now) : !full);
        if (asking) port.splitters[0].ask({address + uint64_t(asked) * INSTRUCTION_BYTES, INSTRUCTION_BYTES});
        const bool assembles = waits ? !full && prefetched.valid() : beat;
        if (leaving) parts = 0, left++;
        if (assembles) parts++;
        if (assembles && waits) prefetched.pop(now);
        if (beat) port.beat_ready = true;
        if (beat && waits) prefetched.push(0);
        room += leaving - asking;
        asked += asking;
        if (stop) running = false;
        return asking || beat || leaving || assembles;
    }
};

// Where the time of an instruction goes.
struct Times {
    Cycle granted = 0, accepted = 0, done = 0;
};

struct ProgramRunner {
    static constexpr unsigned PASSES_IN_FLIGHT = 4, TOKENS = 32;
    std::vector<Instruction> program;
    std::vector<Times> times;
    UnitQueue queues[UNITS];
    Fetch fetch;
    unsigned counts[TOKENS] = {};
    enum { NEXT, CHECK, TOKENS_OF, DISPATCH, END, DROP, LAST } state = NEXT;
    unsigned most = 255;  // of a token counter
    bool queued = true;   // instructions wait in queues, not at the decoder
    Cycle checked = 0;  // the cycle of the verdict
    unsigned at = 0;    // the instruction that is looked at
    bool ended = false;
    bool overflow = false;
    Cycle next = 0;  // the next cycle that must be stepped, if nothing comes from outside

    void build(const Config &config) {
        queued = config.queue_depth != 0;
        most = (1u << config.token_bits) - 1;
        for (int unit = LOAD; unit < UNITS; unit++) {
            queues[unit].waiting.build(config.queue_depth);
            queues[unit].in_flight = unit == ARRAY ? PASSES_IN_FLIGHT : 1;
        }
        fetch.build(config, unsigned(program.size()));
        times.resize(program.size());
    }

    // The instruction that is offered to a unit, or -1.
    int offer(Unit unit) const {
        const UnitQueue &queue = queues[unit];
        if (queued) return queue.offered ? int(queue.waiting.front()) : -1;
        return at_decoder(unit, DISPATCH) && queue.room() ? int(at) : -1;
    }

    void step(Cycle now, MemoryPort &port, Counters &counters) {
        for (int unit = LOAD; unit < UNITS; unit++) {
            counters.busy[unit] += was_busy[unit] ? now - counted : 0;
            counters.waiting[unit] += was_waiting[unit] ? now - counted : 0;
        }
        counted = now + 1;
        const auto state_before = state;
        bool quiet = fetch.idle(), changes = false;
        for (int unit = LOAD; unit < UNITS; unit++) quiet &= queues[unit].idle();
        const int granted = eligible ? __builtin_ctz(eligible) : -1;
        const uint32_t taken = granted < 0 ? 0 : asked(granted);
        uint32_t posts[UNITS] = {}, posted = 0;
        for (int unit = LOAD; unit < UNITS; unit++) {
            UnitQueue &queue = queues[unit];
            counters.busy[unit] += busy(unit);
            counters.waiting[unit] += queue.asking() && granted != unit;
            counters.waiting[unit] += at_decoder(unit, TOKENS_OF) && granted != FETCH;
            if (queue.ended) {
                const unsigned number = queue.under_way.take();
                posted |= posts[unit] = program[number].post;
                times[number].done = now - 1;
            }
        }
        eligible = 0;
        for (int unit = FETCH; unit < UNITS && granted < 0; unit++) {
            const bool asking = unit == FETCH ? state == END || state == TOKENS_OF : queues[unit].asking();
            if (asking && !(asked(unit) & ~(filled | posted))) eligible |= 1u << unit;
        }
        const unsigned accepted = at;  // if it is one that waited at the decoder
        const bool leaving = decode(now, granted == FETCH, quiet, counters);
        for (int unit = LOAD; unit < UNITS; unit++) {
            UnitQueue &queue = queues[unit];
            if (granted == unit) {
                queue.offered = true;
                times[queue.waiting.front()].granted = now;
            }
            if (queue.accepted) {
                const unsigned number = queued ? queue.waiting.front() : accepted;
                queue.under_way.at(now, number);
                times[number].accepted = now;
                if (queued) queue.waiting.pop(now);
                queue.offered = false;
            }
            queue.level += queue.accepted - queue.ended;
            changes |= queue.accepted || queue.ended || queue.done;
            queue.ended = queue.done;
            queue.accepted = queue.done = false;
            if (dispatched_to == unit) queue.waiting.push(at - 1);
        }
        if (taken) take(taken);
        for (uint32_t post : posts)
            if (post) add(post);
        changes |= eligible || granted >= 0 || state != state_before || dispatched_to >= 0;
        changes |= fetch.step(now, stopping, leaving, port);
        next = changes ? now + 1 : state == CHECK ? checked : NEVER;
        for (int unit = LOAD; unit < UNITS; unit++) {
            was_busy[unit] = busy(unit);
            was_waiting[unit] = queues[unit].asking() || at_decoder(unit, TOKENS_OF);
        }
    }

private:
    // The instruction at the decoder is the unit's, and this is what it waits for: tokens, or the unit.
    bool at_decoder(int unit, int what) const { return !queued && state == what && program[at].unit == unit; }
    bool busy(int unit) const { return queues[unit].level || offer(Unit(unit)) >= 0; }

    int dispatched_to = -1;
    bool stopping = false;
    uint32_t filled = 0;    // counters above zero
    uint32_t eligible = 0;  // units that have been seen to have their tokens
    // What the cycles until the next step count as
    Cycle counted = 0;
    bool was_busy[UNITS] = {}, was_waiting[UNITS] = {};

    void take(uint32_t tokens) {
        for (; tokens; tokens &= tokens - 1) {
            const unsigned token = __builtin_ctz(tokens);
            if (--counts[token] == 0) filled &= ~(1u << token);
        }
    }
    void add(uint32_t tokens) {
        for (; tokens; tokens &= tokens - 1) {
            const unsigned token = __builtin_ctz(tokens);
            overflow |= ++counts[token] > most;
            filled |= 1u << token;
        }
    }

    // The tokens that the next instruction of a unit waits for.
    uint32_t asked(int unit) { return program[unit == FETCH ? at : queues[unit].waiting.front()].wait; }

    // True: an instruction leaves the fetch. Queues are as they were at the beginning of the cycle, but for what units took.
    bool decode(Cycle now, bool granted, bool quiet, Counters &counters) {
        dispatched_to = -1;
        stopping = state == END || state == DROP;
        switch (state) {
            case NEXT:
                if (fetch.valid()) {
                    checked = now + verdict(program[at]);
                    state = CHECK;
                }
                return false;
            case CHECK:
                if (now == checked) state = program[at].end ? END : queued ? DISPATCH : TOKENS_OF;
                return false;
            case TOKENS_OF:
                if (granted) times[at].granted = now, state = DISPATCH;
                return false;
            case DISPATCH:
                if (!queued) {
                    if (!queues[program[at].unit].accepted) return false;
                    at++;
                    counters.instructions++;
                    state = NEXT;
                    return true;
                }
                if (!queues[program[at].unit].waiting.ready(now)) return false;
                dispatched_to = program[at++].unit;
                counters.instructions++;
                state = NEXT;
                return true;
            case END:
                if (!granted) return false;
                counters.instructions++;
                times[at].granted = now;
                state = DROP;
                return true;
            case DROP:
                if (quiet) {
                    state = LAST;
                    times[at].done = now;
                }
                return fetch.valid();
            case LAST:
                ended = true;
                return false;
        }
        return false;
    }

    // Cycles from the start of the check to its verdict.
    static unsigned verdict(const Instruction &instruction) {
        if (instruction.unit == DRAIN) {
            DrainFields f;
            read_fields(f, instruction.fields);
            return 3 + bit_length(f.slots);
        }
        if (instruction.unit == ARRAY) {
            PassFields f;
            read_fields(f, instruction.fields);
            return 7 + bit_length(f.slots) + bit_length(f.planes) + bit_length(f.step_rows);
        }
        return 1;
    }
};

}  // namespace hwgen
