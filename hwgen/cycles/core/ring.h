// Things that will happen at known times, in order.
#pragma once
#include <array>

#include "config.h"

namespace hwgen {

template <class T>
struct Delayed {
    struct Event {
        Cycle when;
        T what;
    };
    std::array<Event, 64> events;
    unsigned write = 0, read = 0;

    void at(Cycle when, T what) { events[write++ & 63] = {when, what}; }
    bool empty() const { return write == read; }
    Cycle next() const { return empty() ? NEVER : events[read & 63].when; }
    const T &first() const { return events[read & 63].what; }
    bool due(Cycle now) const { return next() <= now; }
    T take() { return events[read++ & 63].what; }
};

template <class Archive, class T>
void archive(Archive &a, Delayed<T> &events) {
    unsigned count = events.write - events.read;
    a.value(count);
    if (Archive::RESTORES) events.read = 0, events.write = count;
    for (unsigned n = events.read; n != events.write; n++) {
        a.time(events.events[n & 63].when);
        a.value(events.events[n & 63].what);
    }
}

}  // namespace hwgen
