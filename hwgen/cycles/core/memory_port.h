// The AXI4 port: splitters, read master, write master (hwgen/rtl/control/splitter.py, read_master.py, write_master.py,
// memory_port.py).
#pragma once
#include "counters.h"
#include "memory.h"

namespace hwgen {

struct Request {
    uint64_t address, bytes;
};

struct BurstSplitter {
    enum { EMPTY, CHECK, CUT } state = EMPTY;
    unsigned beat_bits = 0, piece_bits = 0;
    uint64_t first = 0, last = 0;
    bool asked = false;  // a request comes in this cycle
    Request request{};

    void build(const Config &config) {
        beat_bits = ceil_log2(config.beat_bytes);
        piece_bits = beat_bits + bit_length(config.burst) - 1;
    }
    bool ready() const { return state == EMPTY; }
    void ask(const Request &what) { asked = true, request = what; }
    bool valid() const { return state == CUT; }
    bool final() const { return first >> piece_bits == last >> piece_bits; }
    unsigned beats() const {  // less one
        uint64_t in_piece = (uint64_t(1) << (piece_bits - beat_bits)) - 1;
        uint64_t end = final() ? last >> beat_bits & in_piece : in_piece;
        return unsigned(end - (first >> beat_bits & in_piece));
    }
    void step(bool taken) {
        if (state == CUT) {
            if (taken) {
                if (final()) state = EMPTY;
                first = ((first >> piece_bits) + 1) << piece_bits;
            }
        } else if (state == CHECK) {
            state = CUT;
        } else if (asked) {
            first = request.address;
            last = request.address + request.bytes - 1;
            state = CHECK;
            asked = false;
        }
    }
};

struct MemoryPort {
    static constexpr int READERS = 2;  // fetch, load
    BurstSplitter splitters[READERS + 1];
    BurstSplitter &store_splitter = splitters[READERS];
    Memory memory;
    unsigned limit = 0, beat_bytes = 0;
    // Reading
    unsigned level = 0, turn = 0, ar_beats = 0;
    bool ar_valid = false;
    std::deque<int> owners;
    bool beat_ready = false;  // the owner takes the beat of this cycle
    // Writing
    unsigned write_level = 0, left = 0, aw_beats = 0;
    bool aw_valid = false, active = false, w_valid = false;
    bool beat_given = false;  // the store gives a beat in this cycle

    void build(const Config &config) {
        for (BurstSplitter &splitter : splitters) splitter.build(config);
        memory.build(config);
        limit = config.outstanding;
        beat_bytes = config.beat_bytes;
    }

    bool beat_valid(int reader) const { return memory.rvalid && level && owners.front() == reader; }
    bool store_beat_ready() const { return active && (!w_valid || memory.wready); }
    bool store_quiet() const { return store_splitter.state == BurstSplitter::EMPTY && write_level == 0; }
    // Something is under way, or begins in this cycle.
    bool busy() const {
        if (level || write_level || ar_valid || aw_valid || w_valid) return true;
        for (const BurstSplitter &splitter : splitters)
            if (splitter.state != BurstSplitter::EMPTY || splitter.asked) return true;
        return false;
    }
    // The next cycle that must be stepped.
    Cycle next(Cycle now) const {
        if (!busy()) return NEVER;
        // Only the latency of the memory is left to wait for?
        const bool quiet = !ar_valid && !write_level && !aw_valid && !w_valid && !memory.rvalid && !memory.reads.empty();
        if (!quiet) return now + 1;
        for (const BurstSplitter &splitter : splitters)
            if (splitter.state == BurstSplitter::CHECK || splitter.asked || (splitter.valid() && level != limit)) return now + 1;
        if (store_splitter.valid()) return now + 1;
        return std::max(now + 1, memory.reads.front().ready);
    }

    void step(Cycle now, Counters &counters) {
        int read_address = ar_valid && memory.arready ? int(ar_beats) : -1;
        int write_address = aw_valid && memory.awready ? int(aw_beats) : -1;
        bool read_beat = beat_ready, write_beat = w_valid && memory.wready;
        bool popped = read_beat && memory.rlast;
        bool response = memory.bvalid && write_level;
        counters.bytes_read += read_beat ? beat_bytes : 0;
        counters.bytes_written += write_beat ? beat_bytes : 0;
        issue_read(popped);
        issue_write(response);
        memory.transfer(now, read_address, read_beat, write_beat, write_address, response);
        beat_ready = beat_given = false;
    }

private:
    void issue_read(bool popped) {
        bool free = (!ar_valid || memory.arready) && level != limit;
        if (memory.arready) ar_valid = false;
        int chosen = -1;
        for (int distance = 1; free && distance <= READERS && chosen < 0; distance++) {
            int client = (turn + distance) % READERS;
            if (splitters[client].valid()) chosen = client;
        }
        if (popped) owners.pop_front(), level--;
        if (chosen >= 0) {
            turn = chosen;
            ar_valid = true;
            ar_beats = splitters[chosen].beats();
            owners.push_back(chosen);
            level++;
        }
        for (int n = 0; n < READERS; n++) splitters[n].step(n == chosen);
    }

    void issue_write(bool answered) {
        bool taken = beat_given, ended = taken && left == 0;
        bool begun = store_splitter.valid() && (!aw_valid || memory.awready) && (!active || ended) && write_level != limit;
        if (memory.awready) aw_valid = false;
        if (memory.wready) w_valid = false;
        if (taken) {
            w_valid = true;
            left--;
        }
        if (ended) active = false;
        if (begun) {
            aw_valid = active = true;
            aw_beats = left = store_splitter.beats();
        }
        write_level += begun - answered;
        store_splitter.step(begun);
    }
};

}  // namespace hwgen
