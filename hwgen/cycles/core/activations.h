// The activation buffer (hwgen/rtl/activation_buffer.py, activation_bank.py, arbiter.py, read_port.py).
#pragma once
#include <algorithm>
#include <vector>

#include "counters.h"
#include "fifo.h"
#include "ports.h"

namespace hwgen {

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
    unsigned number = 0;
    PortSet *awake = nullptr;   // ports that may change in this cycle
    PortSet *asking = nullptr;  // ports that ask a bank for a word
    // In this cycle
    bool asked = false, taken = false, granted = false;

    bool ready() const { return waiting < 2; }
    void ask(uint32_t address, uint64_t chunk = 0) {
        asked = true;
        awake->add(number);
        places[(oldest + waiting) & 1] = {address, uint32_t(chunk)};
    }
    bool valid() const { return valid_; }
    void take() { taken = true, awake->add(number); }
    bool wants() const { return waiting && has_room; }
    const Reading &first() const { return places[oldest]; }
    bool stays_awake() const {
        return waiting || flight || was_granted || has_room != (free > 2) || (answers && !valid_);
    }
    // `hold`: the first two stages stay where they are. True: something has changed for its reader.
    bool step(bool hold) {
        const bool answered = flight & ANSWERING;
        if (hold) {
            flight = (flight & (CHOSEN | READING)) | (flight & READ) << 1;
        } else {
            flight = (flight << 1 | granted) & (CHOSEN | READING | READ | ANSWERING);
            reading = chosen, chosen = first();
        }
        waiting += asked - granted;
        oldest ^= granted;
        has_room = free > 2;
        free += taken - was_granted;
        was_granted = granted;
        const bool pull = answers && (!valid_ || taken), changed = pull || granted;
        valid_ = pull || (valid_ && !taken);
        answers += answered - pull;
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
        a.value(answers), a.value(valid_), a.value(free), a.value(was_granted), a.value(has_room);
        bool wakes = awake->has(number);
        a.value(wakes);
        if (Archive::RESTORES) awake->put(number, wakes), asking->put(number, wants());
    }
};

struct WritePort {
    unsigned number = 0;
    PortSet *offering = nullptr;  // ports that have something to write
    bool granted = false;
    uint32_t address = 0;

    void offer(bool valid, uint32_t where) { offering->put(number, valid), address = where; }
};

// Whose turn it is at each bank: who was served least recently goes first; in the beginning, who has the lowest number.
struct Turns {
    unsigned banks = 0, ports = 0;
    std::vector<uint64_t> served;  // for each bank, of each port
    uint64_t newest = 0;

    void build(unsigned of_banks, unsigned of_ports) {
        banks = of_banks, ports = of_ports;
        for (unsigned n = 0; n < banks * ports; n++) served.push_back(n % ports);
        newest = ports;
    }
    uint64_t of(unsigned bank, unsigned port) const { return served[bank * ports + port]; }
    void serve(unsigned bank, unsigned port) { served[bank * ports + port] = newest++; }

    // One of those who ask wins at each bank that any of them asks for: `address(port)`, `grant(port, bank)`.
    template <class Address, class Grant>
    void arbitrate(const PortSet &asking, Address &&address, Grant &&grant) {
        unsigned winners[MOST_BANKS];
        uint64_t wanted = 0;
        asking.each([&](unsigned n) {
            const unsigned b = address(n) & (banks - 1);
            if (!(wanted >> b & 1) || of(b, n) < of(b, winners[b])) winners[b] = n;
            wanted |= uint64_t(1) << b;
        });
        for (; wanted; wanted &= wanted - 1) {
            const unsigned b = unsigned(__builtin_ctzll(wanted));
            serve(b, winners[b]);
            grant(winners[b], b);
        }
    }
    static constexpr unsigned MOST_BANKS = 64;
};

struct ActivationBuffer {
    unsigned banks = 0, words = 0;
    std::vector<ReadPort> reads;
    std::vector<WritePort> writes;
    PortSet readers;  // all of them
    PortSet awake;    // read ports: a request waits, or the reader has asked or taken something in this cycle
    PortSet asking;   // read ports that ask a bank for a word
    PortSet changed;  // read ports: for their readers
    PortSet writing;  // write ports that have something to write

    void build(const Config &config, unsigned read_ports, unsigned write_ports) {
        banks = config.activation_banks;
        words = config.clusters * config.activation_words;
        reads.resize(read_ports);
        writes.resize(write_ports);
        for (unsigned n = 0; n < read_ports; n++) reads[n].number = n, reads[n].awake = &awake, reads[n].asking = &asking, readers.add(n);
        for (unsigned n = 0; n < write_ports; n++) writes[n].number = n, writes[n].offering = &writing;
        read_turns.build(banks, read_ports);
        write_turns.build(banks, write_ports);
    }

    // Grants of this cycle: of each write port, and of the readers that move on at the end of the cycle.
    void arbitrate_writes(Counters &counters) {
        writing.each([&](unsigned n) { writes[n].granted = false; });
        write_turns.arbitrate(
            writing, [&](unsigned n) { return writes[n].address; },
            [&](unsigned n, unsigned bank) {
                writes[n].granted = true;
                counters.activation_writes++;
                written[newest].put(bank, writes[n].address & (words - 1));
            });
    }
    // `ports`: the only ones that may read.
    void arbitrate_reads(const PortSet &ports, Counters &counters) {
        if (hold) return;
        read_turns.arbitrate(
            asking & ports, [&](unsigned n) { return reads[n].first().address; },
            [&](unsigned n, unsigned) { reads[n].granted = true, counters.activation_reads++; });
    }

    // True: it may do something in the next cycle.
    bool step() {
        const Written &before = written[!newest];
        const bool conflict = before.banks && meets(before);
        const bool reads = step_reads(readers), writes = step_writes();
        hold = conflict;
        return reads || writes;
    }
    bool step_reads(const PortSet &ports) {
        uint64_t busy = 0;
        for (unsigned w = 0; w < PortSet::WORDS; w++) {
            const uint64_t stepped = awake.bits[w] & ports.bits[w];
            uint64_t wake = 0, ask = 0, change = 0;
            for (uint64_t rest = stepped; rest; rest &= rest - 1) {
                const unsigned n = unsigned(__builtin_ctzll(rest));
                ReadPort &port = reads[64 * w + n];
                change |= uint64_t(port.step(hold)) << n;
                wake |= uint64_t(port.stays_awake()) << n;
                ask |= uint64_t(port.wants()) << n;
            }
            awake.bits[w] = (awake.bits[w] & ~stepped) | wake;
            asking.bits[w] = (asking.bits[w] & ~stepped) | ask;
            changed.bits[w] = change;
            busy |= wake;
        }
        return busy;
    }
    // The same if nothing is read that is written.
    bool step_writes() {
        const bool some = written[newest].banks;
        newest = !newest;
        written[newest].banks = 0;
        return some;
    }

    bool held() const { return hold; }

    // Who of `ports` was served least recently, in each bank. Restored, those that have been `served` since are the newest.
    template <class Archive>
    void archive_turns(Archive &a, const std::vector<unsigned> &ports, const std::vector<uint32_t> &served) {
        for (unsigned b = 0; b < banks; b++) {
            uint64_t ranks = 0;  // four bits for each port
            for (unsigned i = 0; i < ports.size() && !Archive::RESTORES; i++)
                for (const unsigned other : ports)
                    ranks += uint64_t(read_turns.of(b, other) < read_turns.of(b, ports[i])) << 4 * i;
            a.value(ranks);
            if (!Archive::RESTORES || !served[b]) continue;
            unsigned order[16];
            for (unsigned i = 0; i < ports.size(); i++) order[ranks >> 4 * i & 15] = i;
            for (unsigned rank = 0; rank < ports.size(); rank++)
                if (served[b] >> order[rank] & 1) read_turns.serve(b, ports[order[rank]]);
        }
    }
    uint64_t turn() const { return read_turns.newest; }
    // Which of `ports` have been served since `turn` was that, in each bank.
    std::vector<uint32_t> served(const std::vector<unsigned> &ports, uint64_t since) const {
        std::vector<uint32_t> result(banks);
        for (unsigned b = 0; b < banks; b++)
            for (unsigned i = 0; i < ports.size(); i++)
                result[b] |= uint32_t(read_turns.of(b, ports[i]) >= since) << i;
        return result;
    }

private:
    // Words, one in a bank at most.
    struct Written {
        uint64_t banks = 0;
        uint32_t word[Turns::MOST_BANKS];
        void put(unsigned bank, uint32_t address) { banks |= uint64_t(1) << bank, word[bank] = address; }
    };
    Turns read_turns, write_turns;
    Written written[2];   // in this cycle, and in the one before
    bool newest = false;  // which of them is of this cycle
    bool hold = false;  // a row would be read while it is written: all reads wait for a cycle

    // Whether a word would be read and written in the same cycle.
    bool meets(const Written &before) const {
        bool some = false;
        awake.each([&](unsigned n) {
            const ReadPort &port = reads[n];
            if (!(port.flight & (hold ? ReadPort::READING : ReadPort::CHOSEN))) return;
            const uint32_t word = (hold ? port.reading : port.chosen).address & (words - 1), bank = word & (banks - 1);
            some |= before.banks >> bank & 1 && before.word[bank] == word;
        });
        return some;
    }
};

}  // namespace hwgen
