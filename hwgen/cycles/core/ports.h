// Numbers of ports: which of them do something.
#pragma once
#include <cstdint>

namespace hwgen {

struct PortSet {
    static constexpr unsigned WORDS = 3;  // more than the ports of 16 clusters with a drain of 8 lanes each
    uint64_t bits[WORDS] = {};

    void add(unsigned n) { bits[n >> 6] |= uint64_t(1) << (n & 63); }
    void put(unsigned n, bool inside) {
        uint64_t &word = bits[n >> 6];
        word = (word & ~(uint64_t(1) << (n & 63))) | uint64_t(inside) << (n & 63);
    }
    bool has(unsigned n) const { return bits[n >> 6] >> (n & 63) & 1; }
    bool any() const {
        uint64_t all = 0;
        for (const uint64_t word : bits) all |= word;
        return all;
    }
    template <class Each>
    void each(Each &&what) const {
        for (unsigned w = 0; w < WORDS; w++)
            for (uint64_t rest = bits[w]; rest; rest &= rest - 1) what(64 * w + unsigned(__builtin_ctzll(rest)));
    }
    PortSet operator&(const PortSet &others) const {
        PortSet both;
        for (unsigned n = 0; n < WORDS; n++) both.bits[n] = bits[n] & others.bits[n];
        return both;
    }
    PortSet operator~() const {
        PortSet rest;
        for (unsigned n = 0; n < WORDS; n++) rest.bits[n] = ~bits[n];
        return rest;
    }
};

}  // namespace hwgen
