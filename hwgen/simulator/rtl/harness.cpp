// A generated accelerator and its memory, behind a C interface for Python's ctypes.
//
// The memory answers AXI4 in order, one outstanding queue for reads and one for writes, with a latency, a bandwidth
// and random stalls that the caller sets; address ranges can be made to answer with errors. All random numbers come from
// one seed.

#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "verilated.h"
#ifdef HWGEN_TRACE
#include "verilated_fst_c.h"
#endif
#include TOP_HEADER

namespace {

struct Burst {
    uint64_t address;
    unsigned beats;
    uint64_t ready;  // first cycle of the answer
};

struct Fault {
    uint64_t low, high;
    unsigned response;
    bool write;
};

struct Machine {
    VerilatedContext context;
    TOP_CLASS top;
    std::vector<uint8_t> memory;
    uint64_t cycle = 0, random;
    // Memory model
    unsigned latency = 0, stall = 0;           // cycles; stalls of each channel in 65536 cycles
    unsigned rate = 256, credit = 0;           // beats in 256 cycles, both directions together
    bool frozen = false;                       // a memory that answers nothing any more
    std::deque<Burst> reads, writes;
    std::deque<std::pair<uint64_t, unsigned>> responses;  // (cycle, BRESP)
    unsigned write_response = 0;
    std::vector<Fault> faults;
    uint64_t beats_read = 0, beats_written = 0;
#ifdef HWGEN_TRACE
    std::unique_ptr<VerilatedFstC> trace;
    uint64_t trace_first = 0, trace_last = 0;
#endif

    explicit Machine(size_t size, uint64_t seed) : top(&context), memory(size), random(seed * 2 + 1) {}

    bool stalls() {
        if (!stall) return false;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        return (random & 0xffff) < stall;
    }

    unsigned response(uint64_t address, bool write) const {
        if (address + BEAT > memory.size()) return 3;  // DECERR
        for (const Fault &fault : faults)
            if (fault.write == write && address >= fault.low && address < fault.high) return fault.response;
        return 0;
    }

    // What the memory offers in the coming cycle.
    void offer() {
        credit = credit + rate > 512 ? 512 : credit + rate;
        top.m_axi_arready = !frozen && reads.size() < 64 && !stalls();
        top.m_axi_awready = !frozen && writes.size() < 64 && !stalls();
        top.m_axi_wready = !frozen && !writes.empty() && credit >= 256 && !stalls();
        if (!top.m_axi_rvalid && !frozen && !reads.empty() && reads.front().ready <= cycle && credit >= 256 && !stalls()) {
            const Burst &burst = reads.front();
            unsigned answer = response(burst.address, false);
            if (answer == 0) std::memcpy(&top.m_axi_rdata, &memory[burst.address], BEAT);
            top.m_axi_rresp = answer;
            top.m_axi_rlast = burst.beats == 1;
            top.m_axi_rvalid = 1;
        }
        if (!top.m_axi_bvalid && !frozen && !responses.empty() && responses.front().first <= cycle && !stalls()) {
            top.m_axi_bresp = responses.front().second;
            top.m_axi_bvalid = 1;
        }
    }

    // What has been transferred when the clock rises.
    void transfer() {
        if (top.m_axi_arvalid && top.m_axi_arready)
            reads.push_back({top.m_axi_araddr, unsigned(top.m_axi_arlen) + 1, cycle + latency});
        if (top.m_axi_rvalid && top.m_axi_rready) {
            Burst &burst = reads.front();
            burst.address += BEAT;
            if (--burst.beats == 0) reads.pop_front();
            drop_read = true;
            credit -= credit >= 256 ? 256 : credit;
            beats_read++;
        }
        if (top.m_axi_wvalid && top.m_axi_wready) {
            Burst &burst = writes.front();
            unsigned answer = response(burst.address, true);
            if (answer == 0) {
                uint8_t data[BEAT];
                std::memcpy(data, &top.m_axi_wdata, BEAT);
                uint64_t strobes = top.m_axi_wstrb;
                for (unsigned i = 0; i < BEAT; i++)
                    if (strobes >> i & 1) memory[burst.address + i] = data[i];
            } else {
                write_response = answer;
            }
            burst.address += BEAT;
            if (--burst.beats == 0) {
                responses.push_back({cycle + latency, write_response});
                write_response = 0;
                writes.pop_front();
            }
            credit -= credit >= 256 ? 256 : credit;
            beats_written++;
        }
        if (top.m_axi_awvalid && top.m_axi_awready)
            writes.push_back({top.m_axi_awaddr, unsigned(top.m_axi_awlen) + 1, 0});
        if (top.m_axi_bvalid && top.m_axi_bready) {
            responses.pop_front();
            drop_response = true;
        }
    }
    bool drop_read = false, drop_response = false;
    bool lite_aw = false, lite_w = false, lite_b = false, lite_ar = false, lite_r = false;
    uint32_t lite_data = 0;

    void tick() {
        offer();
        top.clk = 0;
        top.eval();
        dump(0);
        transfer();
        lite_aw = top.s_axi_awvalid && top.s_axi_awready;
        lite_w = top.s_axi_wvalid && top.s_axi_wready;
        lite_b = top.s_axi_bvalid && top.s_axi_bready;
        lite_ar = top.s_axi_arvalid && top.s_axi_arready;
        lite_r = top.s_axi_rvalid && top.s_axi_rready;
        lite_data = top.s_axi_rdata;
        top.clk = 1;
        top.eval();
        dump(1);
        if (drop_read) top.m_axi_rvalid = 0;
        if (drop_response) top.m_axi_bvalid = 0;
        drop_read = drop_response = false;
        cycle++;
    }

    void dump(int half) {
#ifdef HWGEN_TRACE
        if (trace && cycle >= trace_first && cycle < trace_last) trace->dump(2 * cycle + half);
#else
        (void)half;
#endif
    }

    bool write_register(uint32_t address, uint32_t value, unsigned limit) {
        top.s_axi_awaddr = address;
        top.s_axi_wdata = value;
        top.s_axi_wstrb = 15;
        top.s_axi_awvalid = top.s_axi_wvalid = top.s_axi_bready = 1;
        bool answered = false;
        while (limit-- && !answered) {
            tick();
            answered = lite_b;
            if (lite_aw) top.s_axi_awvalid = 0;
            if (lite_w) top.s_axi_wvalid = 0;
        }
        top.s_axi_bready = 0;
        return answered;
    }

    bool read_register(uint32_t address, uint32_t *value, unsigned limit) {
        top.s_axi_araddr = address;
        top.s_axi_arvalid = top.s_axi_rready = 1;
        bool answered = false;
        while (limit-- && !answered) {
            tick();
            answered = lite_r;
            *value = lite_data;
            if (lite_ar) top.s_axi_arvalid = 0;
        }
        top.s_axi_rready = 0;
        return answered;
    }
};

}  // namespace

extern "C" {

Machine *hwgen_open(uint64_t size, uint64_t seed) {
    auto *machine = new Machine(size, seed);
    machine->top.rst = 1;
    for (int i = 0; i < 8; i++) machine->tick();
    machine->top.rst = 0;
    return machine;
}

void hwgen_close(Machine *machine) {
#ifdef HWGEN_TRACE
    if (machine->trace) machine->trace->close();
#endif
    machine->top.final();
    delete machine;
}

uint8_t *hwgen_memory(Machine *machine) { return machine->memory.data(); }
uint64_t hwgen_cycle(Machine *machine) { return machine->cycle; }

void hwgen_model(Machine *machine, unsigned latency, unsigned rate, unsigned stall, int frozen) {
    machine->latency = latency;
    machine->rate = rate;
    machine->stall = stall;
    machine->frozen = frozen;
}

void hwgen_fault(Machine *machine, uint64_t low, uint64_t high, unsigned response, int write) {
    if (low == high)
        machine->faults.clear();
    else
        machine->faults.push_back({low, high, response, write != 0});
}

int hwgen_write(Machine *machine, uint32_t address, uint32_t value) {
    return machine->write_register(address, value, 10000);
}

int hwgen_read(Machine *machine, uint32_t address, uint32_t *value) {
    return machine->read_register(address, value, 10000);
}

// Runs until the interrupt is high or `cycles` have passed; tells whether it is high.
int hwgen_run(Machine *machine, uint64_t cycles) {
    while (cycles-- && !machine->top.irq) machine->tick();
    return machine->top.irq;
}

int hwgen_trace(Machine *machine, const char *path, uint64_t first, uint64_t last) {
#ifdef HWGEN_TRACE
    machine->context.traceEverOn(true);
    machine->trace = std::make_unique<VerilatedFstC>();
    machine->top.trace(machine->trace.get(), 99);
    machine->trace->open(path);
    machine->trace_first = first;
    machine->trace_last = last;
    return 1;
#else
    (void)machine, (void)path, (void)first, (void)last;
    return 0;
#endif
}
}
