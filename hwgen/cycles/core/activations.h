// The activation buffer (hwgen/rtl/activation_buffer.py, activation_bank.py, arbiter.py, read_port.py).
#pragma once
#include <algorithm>
#include <vector>

#include "counters.h"
#include "fifo.h"

namespace hwgen {

// Who was served least recently goes first; in the beginning, who has the lowest number.
struct Arbiter {
    std::vector<uint64_t> served;
    uint64_t newest = 0;

    void build(unsigned ways) {
        served.resize(ways);
        for (unsigned n = 0; n < ways; n++) served[n] = n;
        newest = ways;
    }
    bool before(unsigned a, unsigned b) const { return served[a] < served[b]; }
    void serve(unsigned n) { served[n] = newest++; }
};

// A word that is read, and for which chunk of the array.
struct Reading {
    uint32_t address;
    uint32_t chunk;  // modulo 2^32
};

// Words one behind the other, in a buffer that begins again behind its end.
struct Words {
    int64_t first = 0, count = 0;

    bool meet(const Words &others, uint32_t mask) const {
        return count && others.count &&
               (((others.first - first) & mask) < count || ((first - others.first) & mask) < others.count);
    }
};

struct ReadPort {
    static constexpr unsigned ROOM = 16;
    // A granted request is on its way through the bank: its row is chosen, the memory is accessed, it answers, the answer
    // comes.
    enum : unsigned { CHOSEN = 1, READING = 2, READ = 4, ANSWERING = 8 };
    Reading places[2] = {};  // requests that wait for their bank
    unsigned waiting = 0, oldest = 0;
    unsigned flight = 0;
    Reading chosen{}, reading{};  // the words of those stages
    unsigned answers = 0;  // in memory, besides that in the output register
    bool valid_ = false;
    unsigned free = ROOM;
    bool was_granted = false, has_room = true;
    uint8_t *awake = nullptr;  // whether it may change in this cycle
    // In this cycle
    bool asked = false, taken = false, granted = false;
    Reading request{};

    bool ready() const { return waiting < 2; }
    void ask(uint32_t address, uint64_t chunk = 0) { asked = true, *awake = 1, request = {address, uint32_t(chunk)}; }
    bool valid() const { return valid_; }
    void take() { taken = true, *awake = 1; }
    bool wants() const { return waiting && has_room; }
    const Reading &first() const { return places[oldest]; }
    // `hold`: the first two stages stay where they are. True: something has changed for its reader.
    bool step(bool hold) {
        const bool answered = flight & ANSWERING;
        if (hold) {
            flight = (flight & (CHOSEN | READING)) | (flight & READ) << 1;
        } else {
            flight = (flight << 1 | granted) & (CHOSEN | READING | READ | ANSWERING);
            reading = chosen, chosen = first();
        }
        if (asked) places[(oldest + waiting) & 1] = request;
        waiting += asked - granted;
        oldest ^= granted;
        has_room = free > 2;
        free += taken - was_granted;
        was_granted = granted;
        const bool pull = answers && (!valid_ || taken);
        const bool changed = pull || granted;
        valid_ = pull || (valid_ && !taken);
        answers += answered - pull;
        *awake = waiting || flight || was_granted || has_room != (free > 2) || (answers && !valid_);
        asked = taken = granted = false;
        return changed;
    }

    // Of a port that reads for chunks, between cycles.
    template <class Archive>
    void archive(Archive &a) {
        a.value(waiting);
        if (Archive::RESTORES) oldest = 0;
        for (unsigned n = 0; n < waiting; n++) a.reading(places[(oldest + n) & 1]);
        a.value(flight);
        if (flight & CHOSEN) a.reading(chosen);
        if (flight & READING) a.reading(reading);
        a.value(answers), a.value(valid_), a.value(free), a.value(was_granted), a.value(has_room), a.value(*awake);
    }
};

struct WritePort {
    uint8_t *valid = nullptr;
    bool granted = false;
    uint32_t address = 0;
};

struct ActivationBuffer {
    unsigned banks = 0, words = 0;
    std::vector<ReadPort> reads;
    std::vector<WritePort> writes;
    std::vector<uint8_t> changed;  // for the reader of each port

    void build(const Config &config, unsigned readers, unsigned writers) {
        banks = config.activation_banks;
        words = config.clusters * config.activation_words;
        reads.resize(readers);
        writes.resize(writers);
        awake.assign(readers, 0);
        changed.assign(readers, 0);
        valid.assign(writers, 0);
        for (unsigned n = 0; n < readers; n++) reads[n].awake = &awake[n];
        for (unsigned n = 0; n < writers; n++) writes[n].valid = &valid[n];
        read_winners.assign(banks, -1);
        write_winners.assign(banks, -1);
        read_arbiters.resize(banks);
        write_arbiters.resize(banks);
        for (Arbiter &arbiter : read_arbiters) arbiter.build(readers);
        for (Arbiter &arbiter : write_arbiters) arbiter.build(writers);
    }

    // Grants of this cycle: of each write port, and of the readers that move on at the end of the cycle.
    void arbitrate_writes(Counters &counters) {
        bool some = false;
        for (unsigned n = 0; n < writes.size(); n++) {
            if (!valid[n]) continue;
            writes[n].granted = false;
            compete(write_arbiters, write_winners, n, writes[n].address);
            some = true;
        }
        if (some)
            counters.activation_writes += award(write_arbiters, write_winners, [&](unsigned n) {
                writes[n].granted = true;
                granted_writes.push_back(writes[n].address & (words - 1));
            });
    }
    void arbitrate_reads(Counters &counters) {
        bool some = false;
        for (unsigned n = 0; n < reads.size() && !hold; n++) {
            if (!awake[n] || !reads[n].wants()) continue;
            compete(read_arbiters, read_winners, n, reads[n].first().address);
            some = true;
        }
        if (some)
            counters.activation_reads +=
                award(read_arbiters, read_winners, [&](unsigned n) { reads[n].granted = true; });
    }

    // True: it may do something in the next cycle.
    bool step() {
        const bool conflict = !written.empty() && meets();
        bool busy = step_reads();
        busy |= step_writes();
        hold = conflict;
        return busy;
    }
    bool step_reads() {
        bool busy = false;
        for (unsigned n = 0; n < reads.size(); n++) {
            changed[n] = awake[n] && reads[n].step(hold);
            busy |= awake[n];
        }
        return busy;
    }
    // The same if nothing is read that is written.
    bool step_writes() {
        const bool some = !granted_writes.empty();
        if (some || !written.empty()) {
            written.swap(granted_writes);
            granted_writes.clear();
        }
        return some;
    }

    // Cycles in which only `ports` are read, and nothing that is written.
    void arbitrate_alone(const std::vector<unsigned> &ports, Counters &counters) {
        bool some = false;
        for (const unsigned n : ports) {
            if (!awake[n] || !reads[n].wants()) continue;
            compete(read_arbiters, read_winners, n, reads[n].first().address);
            some = true;
        }
        if (some)
            counters.activation_reads +=
                award(read_arbiters, read_winners, [&](unsigned n) { reads[n].granted = true; });
    }
    bool step_alone(const std::vector<unsigned> &ports) {
        bool busy = false;
        for (const unsigned n : ports) {
            changed[n] = awake[n] && reads[n].step(false);
            busy |= awake[n];
        }
        return busy;
    }
    bool held() const { return hold; }
    // Somebody besides `ports` reads.
    bool reads_beside(const std::vector<unsigned> &ports) const {
        unsigned n = 0;
        for (const unsigned port : ports) {
            for (; n < port; n++)
                if (awake[n]) return true;
            n++;
        }
        for (; n < awake.size(); n++)
            if (awake[n]) return true;
        return false;
    }

    // Who of `ports` was served least recently, in each bank. Restored, those that have been `served` since are the newest.
    template <class Archive>
    void archive_turns(Archive &a, const std::vector<unsigned> &ports, const std::vector<uint32_t> &served) {
        std::vector<unsigned> order(ports.size());
        for (unsigned b = 0; b < banks; b++) {
            Arbiter &arbiter = read_arbiters[b];
            for (unsigned i = 0; i < ports.size(); i++) {
                unsigned rank = 0;
                if (!Archive::RESTORES)
                    for (const unsigned other : ports) rank += arbiter.before(other, ports[i]);
                a.value(rank);
                order[rank] = i;
            }
            if (!Archive::RESTORES) continue;
            for (const unsigned i : order)
                if (served[b] >> i & 1) arbiter.serve(ports[i]);
        }
    }
    std::vector<uint64_t> turns() const {
        std::vector<uint64_t> newest;
        for (const Arbiter &arbiter : read_arbiters) newest.push_back(arbiter.newest);
        return newest;
    }
    // Which of `ports` have been served since `turns` was that, in each bank.
    std::vector<uint32_t> served(const std::vector<unsigned> &ports, const std::vector<uint64_t> &since) const {
        std::vector<uint32_t> result(banks);
        for (unsigned b = 0; b < banks; b++)
            for (unsigned i = 0; i < ports.size(); i++)
                result[b] |= uint32_t(read_arbiters[b].served[ports[i]] >= since[b]) << i;
        return result;
    }

    // A request waits, or a reader has asked or taken something in this cycle; a writer has something to write.
    bool reading() const { return std::any_of(awake.begin(), awake.end(), [](uint8_t one) { return one; }); }
    bool writing() const { return std::any_of(valid.begin(), valid.end(), [](uint8_t one) { return one; }); }

private:
    std::vector<uint8_t> awake, valid;  // of the read ports, of the write ports
    std::vector<Arbiter> read_arbiters, write_arbiters;
    std::vector<int> read_winners, write_winners;        // of each bank; all -1 between cycles
    std::vector<uint32_t> granted_writes, written;  // words, in this cycle and in the one before
    bool hold = false;  // a row would be read while it is written: all reads wait for a cycle

    // Whether a word would be read and written in the same cycle.
    bool meets() const {
        const unsigned stage = hold ? ReadPort::READING : ReadPort::CHOSEN;
        for (const ReadPort &port : reads)
            if (port.flight & stage)
                for (uint32_t word : written)
                    if (((hold ? port.reading : port.chosen).address & (words - 1)) == word) return true;
        return false;
    }

    void compete(const std::vector<Arbiter> &arbiters, std::vector<int> &winners, unsigned n, uint32_t address) {
        const unsigned b = address & (banks - 1);
        if (winners[b] < 0 || arbiters[b].before(n, winners[b])) winners[b] = int(n);
    }

    template <class Grant>
    unsigned award(std::vector<Arbiter> &arbiters, std::vector<int> &winners, Grant &&grant) {
        unsigned count = 0;
        for (unsigned b = 0; b < banks; b++) {
            if (winners[b] < 0) continue;
            arbiters[b].serve(winners[b]);
            grant(winners[b]);
            winners[b] = -1;
            count++;
        }
        return count;
    }
};

}  // namespace hwgen
