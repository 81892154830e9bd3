// What the array did once it does again: from equal states with equal chunks to come, and the same passes at the same time.
//
// States are kept when a chunk of weights arrives. From one to the next is a segment: how long it takes, what it counts,
// which chunks it has looked at, and what others see of it.
#pragma once
#include <memory>

#include "array.h"

namespace hwgen {

struct Replay {
    // What the array and the control of the program tell each other, so many cycles after the beginning of a segment.
    enum : uint8_t { ACCEPTED = 1, DONE = 2, OFFERED = 4 };  // a pass; whether one is offered has changed
    struct Event {
        uint32_t when;
        uint8_t what;
    };
    struct State;
    struct Segment {
        std::vector<uint32_t> kinds;  // of the chunks that anything depends on
        State *to = nullptr;
        Cycle cycles = 0;
        uint64_t chunks = 0;                                // by which the first of them moves
        std::vector<std::pair<unsigned, uint64_t>> counts;  // which counter, by how much
        std::vector<Event> events;
        std::vector<uint32_t> served;  // ports of the array that have read, for each bank

        unsigned accepted() const {
            return unsigned(std::count_if(events.begin(), events.end(), [](const Event &e) { return e.what & ACCEPTED; }));
        }
    };
    struct State {
        const std::string *bytes;
        std::vector<std::unique_ptr<Segment>> segments;  // the newest use first
    };
    static constexpr size_t MOST_BYTES = size_t(256) << 20;
    static constexpr unsigned COUNTERS = sizeof(Counters) / sizeof(uint64_t);

    std::unordered_map<std::string, State> states;
    Names names;  // of the decisions of gates
    size_t size = 0;
    // The state that the array has left, if nothing has disturbed it since, and what has happened
    State *left = nullptr;
    Cycle since = 0;
    uint64_t from = 0;
    unsigned gates = 0;
    Counters counters;
    std::vector<Event> events;
    uint64_t turn = 0;  // of the buffer's readers

    // The chunks of the program get their names.
    void name(Array &array) {
        if (size + names.bytes + array.chunks.bytes() > MOST_BYTES) forget(), names = {}, array.chunks.forget();
        std::vector<uint32_t> gates;
        for (size_t n = 0; n < array.decisions[0].size(); n++) {
            std::string all;
            for (const auto &group : array.decisions) {
                const auto &fired = group[n].fired;
                all.append(reinterpret_cast<const char *>(fired.data()), fired.size() * sizeof fired[0]);
            }
            gates.push_back(names.of(all));
        }
        array.chunks.name(gates);
    }

    // The state of the array before cycle `now`; what has led to it is remembered.
    State *arrive(Cycle now, bool offered, Array &array, ActivationBuffer &buffer) {
        if (size > MOST_BYTES) forget();
        const uint64_t base = array.from();
        std::string bytes;
        StateWriter writer{bytes, now, base, array.chunks};
        writer.value(offered);
        array.archive(writer, buffer);
        buffer.archive_turns(writer, array.ports, {});
        const auto [found, fresh] = states.try_emplace(std::move(bytes));
        State *state = &found->second;
        if (fresh) {
            state->bytes = &found->first;
            size += found->first.size() + sizeof(State) + 64;
        }
        if (left && gates == array.gates()) learn(state, now, base, array, buffer);
        leave(state, now, base, array, buffer);
        return state;
    }
    void leave(State *state, Cycle now, uint64_t base, const Array &array, const ActivationBuffer &buffer) {
        left = state;
        since = now;
        from = base;
        gates = array.gates();
        counters = array.counters;
        events.clear();
        turn = buffer.turn();
    }
    void disturb() { left = nullptr; }
    void happens(Cycle now, uint8_t what) {
        if (left) events.push_back({uint32_t(now - since), what});
    }
    void forget() {
        left = nullptr;
        states.clear();
        size = 0;
    }

    // What will happen from `state` on, when the first chunk is `base`, or nothing.
    const Segment *find(State &state, uint64_t base, const Chunks &chunks) {
        for (auto &segment : state.segments) {
            if (!chunks.begin_with(base, segment->kinds)) continue;
            if (&segment != &state.segments.front()) std::swap(segment, state.segments.front());
            return state.segments.front().get();
        }
        return nullptr;
    }
    // The array as it is in `state`, after `served` ports have read.
    static void restore(const State &state, Cycle now, uint64_t base, const std::vector<uint32_t> &served, Array &array,
                        ActivationBuffer &buffer) {
        StateReader reader{state.bytes->data(), now, base, array.chunks};
        bool offered;
        reader.value(offered);
        array.archive(reader, buffer);
        buffer.archive_turns(reader, array.ports, served);
    }

private:
    void learn(State *to, Cycle now, uint64_t base, const Array &array, const ActivationBuffer &buffer) {
        auto segment = std::make_unique<Segment>();
        segment->kinds = array.chunks.kinds(from, array.to());
        segment->to = to;
        segment->cycles = now - since;
        segment->chunks = base - from;
        for (unsigned n = 0; n < COUNTERS; n++)
            if (const uint64_t by = array.counters.begin()[n] - counters.begin()[n]) segment->counts.push_back({n, by});
        segment->events = events;
        segment->served = buffer.served(array.ports, turn);
        size += sizeof(Segment) + 4 * segment->kinds.size() + 16 * segment->counts.size() + 8 * segment->events.size() +
                4 * segment->served.size() + 128;
        left->segments.insert(left->segments.begin(), std::move(segment));
    }
};

}  // namespace hwgen
