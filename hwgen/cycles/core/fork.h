// One stream to several takers, and the strobes of several doers to one (hwgen/rtl/fork.py).
#pragma once
#include <vector>

namespace hwgen {

struct Fork {
    std::vector<char> taken;

    void build(unsigned ways) { taken.assign(ways, 0); }
    // `ready(n)`: output n takes the payload if it is offered; `give(n)`: it is given to it. True: all have it.
    template <class Ready, class Give>
    bool step(Ready &&ready, Give &&give) {
        bool all = true;
        for (unsigned n = 0; n < taken.size(); n++) {
            if (taken[n]) continue;
            if (ready(n))
                give(n), taken[n] = 1;
            else
                all = false;
        }
        if (all) taken.assign(taken.size(), 0);
        return all;
    }
};

struct StrobeJoin {
    std::vector<unsigned> counts;

    void build(unsigned ways) { counts.assign(ways, 0); }
    bool strobe() const {
        for (unsigned count : counts)
            if (!count) return false;
        return true;
    }
    template <class Strobe>
    void step(Strobe &&strobes) {
        bool out = strobe();
        for (unsigned n = 0; n < counts.size(); n++) counts[n] += strobes(n) - out;
    }
    bool idle() const {
        for (unsigned count : counts)
            if (count) return false;
        return true;
    }
};

}  // namespace hwgen
