// One stream to several takers, and the strobes of several doers to one (hwgen/rtl/fork.py).
#pragma once
#include <vector>

#include "ring.h"

namespace hwgen {

struct Fork {
    std::vector<char> taken;

    void build(unsigned ways) { taken.assign(ways, 0); }
    // All have the payload: it is taken in this cycle.
    bool complete() const {
        for (const char one : taken)
            if (!one) return false;
        return true;
    }
    // A payload is offered. `ready(n)`: output n takes it; `give(n)`: it is given to it. True: it is taken.
    template <class Ready, class Give>
    bool step(Ready &&ready, Give &&give) {
        if (complete()) {
            taken.assign(taken.size(), 0);
            return true;
        }
        for (unsigned n = 0; n < taken.size(); n++)
            if (!taken[n] && ready(n)) give(n), taken[n] = 1;
        return false;
    }
    template <class Archive>
    void archive(Archive &a) {
        for (char &one : taken) a.value(one);
    }
};

// A strobe a cycle after the last of everyone's n-th; `strobes(n)` are those of input n, known ahead.
struct StrobeJoin {
    Delayed<char> out;
    Cycle newest = 0;

    template <class Archive>
    void archive(Archive &a) {
        hwgen::archive(a, out);
        a.time(newest);
    }
    template <class Strobes>
    void join(unsigned ways, Strobes &&strobes) {
        for (;;) {
            Cycle last = 0;
            for (unsigned n = 0; n < ways; n++) {
                if (strobes(n).empty()) return;
                last = std::max(last, strobes(n).next());
            }
            for (unsigned n = 0; n < ways; n++) strobes(n).take();
            newest = std::max(last, newest) + 1;
            out.at(newest, 0);
        }
    }
};

}  // namespace hwgen
