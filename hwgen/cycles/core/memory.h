// The memory beside the accelerator: the model of hwgen/simulator/rtl/harness.cpp without random stalls.
#pragma once
#include <algorithm>
#include <deque>

#include "config.h"

namespace hwgen {

struct Memory {
    struct Burst {
        unsigned beats;
        Cycle ready;  // first cycle of the answer
    };
    static constexpr unsigned RESTED = 512;  // the most credit there is
    unsigned latency = 0, rate = 256, credit = RESTED;
    std::deque<Burst> reads, writes;
    std::deque<Cycle> responses;
    // Channels in this cycle
    bool arready = false, awready = false, wready = false, rvalid = false, rlast = false, bvalid = false;

    void build(const Config &config) {
        latency = config.latency;
        rate = config.rate;
    }

    Cycle offered = 0;  // cycles before this one have given their credit

    // Cycles in which nothing was transferred may be left out.
    void offer(Cycle now) {
        const uint64_t earned = credit + (now + 1 - offered) * rate;
        credit = unsigned(std::min<uint64_t>(earned, RESTED));
        offered = now + 1;
        arready = reads.size() < 64;
        awready = writes.size() < 64;
        wready = !writes.empty() && credit >= 256;
        if (!rvalid && !reads.empty() && reads.front().ready <= now && credit >= 256) {
            rlast = reads.front().beats == 1;
            rvalid = true;
        }
        if (!bvalid && !responses.empty() && responses.front() <= now) bvalid = true;
    }

    // What has been transferred in this cycle: beats less one of an address, or -1; strobes of the others.
    void transfer(Cycle now, int read_address, bool read_beat, bool write_beat, int write_address, bool response) {
        if (read_address >= 0) reads.push_back({unsigned(read_address) + 1, now + latency});
        if (read_beat) {
            if (--reads.front().beats == 0) reads.pop_front();
            pay();
        }
        if (write_beat) {
            if (--writes.front().beats == 0) {
                responses.push_back(now + latency);
                writes.pop_front();
            }
            pay();
        }
        if (write_address >= 0) writes.push_back({unsigned(write_address) + 1, 0});
        if (response) responses.pop_front(), bvalid = false;
        if (read_beat) rvalid = false;
    }

    void pay() { credit -= credit >= 256 ? 256 : credit; }
};

}  // namespace hwgen
