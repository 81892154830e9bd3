// The C interface of the cycle model, for hwgen/cycles/core.py.
#include <cstring>

#include "accelerator.h"

using namespace hwgen;

// Which position of a tile is number `n` of cluster `g`.
static unsigned position_of(unsigned n, unsigned g, unsigned clusters, unsigned diagonal) {
    const unsigned turns = diagonal ? n >> (diagonal - 1) : 0;
    return n * clusters + ((g - turns) & (clusters - 1));
}

#pragma GCC visibility push(default)
extern "C" {

// `skips`: cycles in which nothing happens are left out; the result is the same.
Accelerator *cycles_open(const Config *config, int skips) {
    auto *accelerator = new Accelerator;
    accelerator->skips = skips;
    accelerator->config = *config;
    accelerator->build();
    return accelerator;
}

void cycles_close(Accelerator *accelerator) { delete accelerator; }

// The next program. `code`: for each instruction its unit, whether it is END, wait, post, and MOST_FIELDS fields.
// `constants` must stay until the program has run.
void cycles_begin(Accelerator *accelerator, const int64_t *code, uint64_t count, const uint64_t *bases,
                  uint64_t address, const uint8_t *constants, uint64_t size) {
    std::vector<Instruction> program(count);
    for (Instruction &instruction : program) {
        instruction.unit = Unit(code[0]);
        instruction.end = code[1];
        instruction.wait = uint32_t(code[2]);
        instruction.post = uint32_t(code[3]);
        std::memcpy(instruction.fields, code + 4, sizeof instruction.fields);
        code += 4 + MOST_FIELDS;
    }
    std::memcpy(accelerator->bases, bases, sizeof accelerator->bases);
    accelerator->constants = constants;
    accelerator->constants_size = size;
    accelerator->begin(std::move(program), address);
}

// What a gate decides: `fired` is a byte for each slot of the block and position.
void cycles_gate(Accelerator *accelerator, const uint8_t *fired, uint32_t slots, uint32_t positions, uint32_t diagonal) {
    const Config &config = accelerator->config;
    const unsigned clusters = config.clusters, engines = config.group;
    for (unsigned g = 0; g < clusters; g++) {
        unsigned own = (positions + clusters - 1 - g) / clusters;
        for (int j = 0; j < config.groups; j++) {
            Decisions decisions;
            decisions.fired.assign(own * slots, 0);
            for (unsigned n = 0; n < own; n++) {
                const unsigned position = position_of(n, g, clusters, diagonal);
                for (unsigned s = 0; s < engines * slots; s++)
                    if (fired[(j * engines * slots + s) * size_t(positions) + position])
                        decisions.fired[n * slots + s / engines] |= 1u << s % engines;
            }
            TaskPacker{engines, decisions}.pack(slots);
            accelerator->array.decisions[g * config.groups + j].push_back(std::move(decisions));
        }
    }
}

// The modes in which the vectors of the next pass are multiplied: a byte for each chunk and position.
void cycles_trim(Accelerator *accelerator, const uint8_t *modes, uint32_t chunks, uint32_t positions, uint32_t diagonal) {
    const unsigned clusters = accelerator->config.clusters;
    for (unsigned g = 0; g < clusters; g++) {
        const unsigned own = (positions + clusters - 1 - g) / clusters;
        std::vector<uint8_t> dealt;
        for (unsigned chunk = 0; chunk < chunks; chunk++)
            for (unsigned n = 0; n < own; n++)
                dealt.push_back(modes[chunk * size_t(positions) + position_of(n, g, clusters, diagonal)]);
        accelerator->array.clusters[g].trimmed.push_back(std::move(dealt));
    }
}

int cycles_run(Accelerator *accelerator, uint64_t limit) { return accelerator->run(limit); }
void cycles_counters(const Accelerator *accelerator, Counters *counters) { *counters = accelerator->counted(); }

// Cycles in which what the array does was known already.
uint64_t cycles_replayed(const Accelerator *accelerator) { return accelerator->replayed; }

// Three numbers for each instruction: the cycles of its tokens, its start and its end.
void cycles_times(const Accelerator *accelerator, uint64_t *times) {
    const bool sequential = accelerator->config.sequential;
    const Cycle began = sequential ? accelerator->sequential.began : accelerator->began;
    for (const Times &t : sequential ? accelerator->sequential.times : accelerator->runner.times) {
        for (Cycle cycle : {t.granted, t.accepted, t.done}) *times++ = cycle - began;
    }
}
}
#pragma GCC visibility pop
