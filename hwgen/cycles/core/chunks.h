// The chunks of a program one after the other: which pass each is of, and what of it decides on time.
#pragma once
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

#include "activations.h"
#include "fields.h"
#include "tasks.h"

namespace hwgen {

// Chunks are numbered as the feeder sends them, from the reset on.
struct Pass {
    PassFields fields;
    unsigned positions;  // of the cluster
    uint64_t first;      // chunk
    unsigned number;     // of the program's passes
};

// Numbers of things that are equal if and only if their numbers are.
struct Names {
    std::unordered_map<std::string, uint32_t> numbers;
    size_t bytes = 0;

    uint32_t of(const std::string &thing) {
        const auto [found, fresh] = numbers.emplace(thing, uint32_t(numbers.size() + 1));
        if (fresh) bytes += thing.size() + 64;
        return found->second;
    }
};

struct Chunks {
    struct Part {
        Pass pass;
        uint64_t end;             // chunk behind its last one
        unsigned gates = 0;       // before it
        uint32_t name = 0;        // what all its chunks have in common
    };
    const Config *config = nullptr;
    uint64_t first = 0;            // chunk of the program
    std::vector<Part> passes;
    std::vector<unsigned> part_of;  // of each chunk
    std::vector<uint32_t> kinds_of;  // each chunk: equal if they take the same time in the same state of the array
    Names parts, kinds_by_name;

    void build(const Config &c) { config = &c; }

    // Another program.
    void begin(uint64_t from) {
        first = from;
        passes.clear(), part_of.clear(), kinds_of.clear();
    }
    void add(const PassFields &fields) {
        const uint64_t start = first + part_of.size();
        const unsigned gates = passes.empty() ? 0 : passes.back().gates + (passes.back().pass.fields.gate != 0);
        part_of.insert(part_of.end(), fields.chunks, unsigned(passes.size()));
        passes.push_back({{fields, 0, start, unsigned(passes.size())}, start + uint64_t(fields.chunks), gates});
    }

    unsigned part_number(uint64_t chunk) const { return part_of[chunk - first]; }
    // What a pass reads.
    Words read(unsigned number) const {
        const PassFields &f = passes[number].pass.fields;
        const int64_t rows = (f.positions - 1) / f.width * f.stride + f.kernel_rows;
        return {f.input, (f.planes - 1) * f.input_plane_stride + std::max(f.in_rows, f.images ? rows : 0) * f.in_columns};
    }
    uint32_t mask() const { return config->clusters * config->activation_words - 1; }
    const Part &part(uint64_t chunk) const { return passes[part_of[chunk - first]]; }
    const Part &following(const Part &part) const { return (&part)[1]; }

    size_t bytes() const { return parts.bytes + kinds_by_name.bytes; }
    void forget() { parts = {}, kinds_by_name = {}; }

    // What may matter to the array of the chunks of a pass, besides where the tile lies and what comes after it.
    // `decisions`: a name for those of its gate.
    void name(const std::vector<uint32_t> &decisions) {
        kinds_of.clear();
        for (const Part &part : passes) {
            PassFields f = part.pass.fields;
            const bool gated = f.gate || f.conditional;
            const uint32_t gate = gated ? decisions[f.gate ? part.gates : part.gates - 1] : 0;
            f.first = f.is_signed = f.clear_counts = f.mask = f.planes = f.kernel_rows = f.kernel_columns = 0;
            f.input = f.input_plane_stride = f.weights = f.chunks = f.align = f.sum_shift = 0;
            f.pad_left = 0;
            if (!f.images) f.in_rows = f.pad_top = 0;
            f.in_columns %= config->activation_banks;
            std::string what(reinterpret_cast<const char *>(&f), sizeof f);
            const uint32_t common = parts.of(what.append(reinterpret_cast<const char *>(&gate), sizeof gate));
            for (uint64_t chunk = part.pass.first; chunk < part.end; chunk++) kinds_of.push_back(kind(part, common, chunk));
        }
    }
    std::vector<uint32_t> kinds(uint64_t from, uint64_t to) const {
        std::vector<uint32_t> result;
        for (uint64_t chunk = from; chunk < to; chunk++) result.push_back(kind_of(chunk));
        return result;
    }
    bool begin_with(uint64_t chunk, const std::vector<uint32_t> &kinds) const {
        for (const uint32_t kind : kinds)
            if (kind_of(chunk++) != kind) return false;
        return true;
    }

    // Where the window of place 0 begins, modulo the activation buffer.
    uint32_t address(uint64_t chunk) const {
        const PassFields &f = part(chunk).pass.fields;
        const int64_t index = int64_t(chunk - part(chunk).pass.first), taps = f.kernel_rows * f.kernel_columns;
        const int64_t plane = index / taps, row = index % taps / f.kernel_columns, column = index % f.kernel_columns;
        const int64_t at = f.input + plane * f.input_plane_stride + (row - f.pad_top) * f.in_columns + column - f.pad_left;
        return uint32_t(at) & mask();
    }

private:
    uint32_t kind_of(uint64_t chunk) const { return chunk - first < kinds_of.size() ? kinds_of[chunk - first] : 0; }
    uint32_t kind(const Part &part, uint32_t common, uint64_t chunk) {
        const PassFields &f = part.pass.fields;
        const int64_t tap = int64_t(chunk - part.pass.first) % (f.kernel_rows * f.kernel_columns);
        const int64_t left = f.pad_left - tap % f.kernel_columns, top = f.pad_top - tap / f.kernel_columns;
        const int64_t right = (f.width - 1) * f.stride - left - (f.in_columns - 1);
        const int64_t bottom = (f.positions - 1) / f.width * f.stride - top - (f.in_rows - 1);
        // Banks, and how far windows reach beyond the edges of the tile.
        const auto beyond = [](int64_t edge) { return uint32_t(std::max<int64_t>(edge, 0)); };
        const uint32_t what[] = {common,
                                 address(chunk) % config->activation_banks,
                                 beyond(left),
                                 beyond(right),
                                 f.images ? uint32_t(top) : beyond(top),
                                 f.images ? 0 : beyond(bottom),
                                 chunk == part.pass.first,
                                 chunk + 1 == part.end};
        return kinds_by_name.of(std::string(reinterpret_cast<const char *>(what), sizeof what));
    }
};

}  // namespace hwgen
