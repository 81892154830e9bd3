// What the array did once it does again: from equal states with equal chunks to come, and nothing from outside.
//
// States are kept when a chunk of weights arrives. From one to the next is a segment: how long it takes, what it counts,
// and which chunks it has looked at.
#pragma once
#include <memory>

#include "array.h"

namespace hwgen {

struct Replay {
    struct State;
    struct Segment {
        std::vector<uint32_t> kinds;  // of the chunks that anything depends on
        State *to = nullptr;
        Cycle cycles = 0;
        uint64_t chunks = 0;           // by which the first of them moves
        std::vector<uint32_t> served;  // read ports of the array, for each bank
        std::vector<std::pair<unsigned, uint64_t>> counts;  // which counter, by how much
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
    // The state that the array has left, if it has been undisturbed since
    State *left = nullptr;
    Cycle since = 0;
    uint64_t from = 0;
    unsigned gates = 0;
    Counters counters;
    std::vector<uint64_t> marks;

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
        if (fresh) state->bytes = &found->first, size += found->first.size() + sizeof(State) + 64;
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
        marks = buffer.turns();
    }
    void disturb() { left = nullptr; }
    void forget() {
        disturb();
        states.clear();
        size = 0;
    }

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

    // What will happen from `state` on, when the first chunk is `base`, or nothing.
    const Segment *find(State &state, uint64_t base, const Chunks &chunks) {
        for (auto &segment : state.segments) {
            if (!chunks.begin_with(base, segment->kinds)) continue;
            if (&segment != &state.segments.front()) std::swap(segment, state.segments.front());
            return state.segments.front().get();
        }
        return nullptr;
    }
    // The array as it is in `state`.
    void restore(const State &state, Cycle now, uint64_t base, const std::vector<uint32_t> &served, Array &array,
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
        segment->served = buffer.served(array.ports, marks);
        const auto *before = reinterpret_cast<const uint64_t *>(&counters);
        const auto *after = reinterpret_cast<const uint64_t *>(&array.counters);
        for (unsigned n = 0; n < COUNTERS; n++)
            if (after[n] != before[n]) segment->counts.push_back({n, after[n] - before[n]});
        size += sizeof(Segment) + 4 * segment->kinds.size() + 16 * segment->counts.size() + 4 * segment->served.size() + 64;
        left->segments.insert(left->segments.begin(), std::move(segment));
    }
};

}  // namespace hwgen
