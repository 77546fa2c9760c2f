#include "tests/sim/nth_failure.h"

#include <cstdio>
#include <functional>
#include <string>

#include "tests/sim/simulation.h"

namespace orbridge::sim {
namespace {

constexpr int kCallsMax = 1'000;

/// Plants the n-th fault, and says afterwards whether it was reached.
struct Fault {
    std::string name;
    std::function<void(World&, int n)> plant;
    std::function<bool(World&)> reached;
};

std::vector<Fault> faults_of_store() {
    std::vector<Fault> faults;
    for (const char* method : {"", "accept", "add_deliveries", "claim", "settle", "pending_targets", "event",
                               "deliveries", "note", "set_note"})
        for (const auto strike : {Strike::Before, Strike::After, Strike::CrashBefore, Strike::CrashAfter})
            faults.push_back({std::string("store.") + (*method == '\0' ? "any" : method) + " " + to_text(strike),
                              [=](World& world, int n) { world.faults.strike_nth(method, n, strike); },
                              [](World& world) { return world.faults.reached(); }});
    return faults;
}

std::vector<Fault> faults_of_transport() {
    std::vector<Fault> faults;
    for (const auto fate : {Fate::AnsweredLate, Fate::Never, Fate::Refused, Fate::ResetBefore, Fate::ResetAfter,
                            Fate::Trouble, Fate::TroubleAfter, Fate::CrashBefore})
        faults.push_back({std::string("exchange ") + to_text(fate),
                          [=](World& world, int n) { world.transport.fate_of_nth(n, fate); },
                          [](World& world) { return world.transport.nth_reached(); }});
    return faults;
}

void print_failure(const Fault& fault, int n, const Played& outcome) {
    for (const auto& line : outcome.trace) std::printf("    %s\n", line.c_str());
    std::printf("FAILED: %s, call %d: %s: %s\n", fault.name.c_str(), n, outcome.violation->checker.c_str(),
                outcome.violation->text.c_str());
}

bool run_fault(const Fault& fault, const Scenario& scenario, const std::shared_ptr<const MappingSet>& mappings) {
    for (int n = 1; n < kCallsMax; ++n) {
        Simulation simulation(scenario, mappings, Bug::None, Trace::Kind::Tail);
        fault.plant(simulation.world(), n);
        const auto outcome = simulation.run();
        if (outcome.violation) {
            print_failure(fault, n, outcome);
            return false;
        }
        if (fault.reached(simulation.world())) continue;
        std::printf("%-40s %4d calls\n", fault.name.c_str(), n - 1);
        return true;
    }
    std::printf("FAILED: %s: the scenario never ends before the fault\n", fault.name.c_str());
    return false;
}

}  // namespace

bool run_nth_failures(const std::shared_ptr<const MappingSet>& mappings) {
    const auto scenario = small_scenario();
    int failed = 0, passed = 0;
    for (const auto& faults : {faults_of_store(), faults_of_transport()})
        for (const auto& fault : faults) ++(run_fault(fault, scenario, mappings) ? passed : failed);
    std::printf("n-th failure: %d passed, %d failed\n", passed, failed);
    return failed == 0;
}

}  // namespace orbridge::sim
