// Plays seeded scenarios against the real accept, deliver and record steps on virtual time. See README.md.
#include <charconv>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "bridge/normalize/mapping_loader.h"
#include "tests/sim/mutants.h"
#include "tests/sim/nth_failure.h"
#include "tests/sim/simulation.h"

using namespace orbridge;
using namespace orbridge::sim;

namespace {

constexpr std::uint64_t kSeeds = 2'000;
constexpr std::uint64_t kSeedsForMutant = 2'000;

using Mappings = std::shared_ptr<const MappingSet>;

const char* const kUsage =
    "usage: orbridge_sim [--seeds N]       play seeds 1 … N (default 2000)\n"
    "       orbridge_sim --seed S          play one seed, printing what happens (with --mutant too)\n"
    "       orbridge_sim --mutant NAME     plant a bug and play seeds until a checker notices\n"
    "       orbridge_sim --mutants         each of them; fails if one survives\n"
    "       orbridge_sim --list-mutants\n"
    "       orbridge_sim --nth-failure     every call of store and transport fails once\n"
    "with   --from S                       begin with seed S\n";

struct Options {
    std::string what = "seeds";
    std::string mutant;
    std::uint64_t seeds = kSeeds, first = 1;
};

Played play(std::uint64_t seed, const Mappings& mappings, Bug bug, Trace::Kind tracing) {
    const auto scenario = make_scenario(seed);
    return Simulation(scenario, mappings, bug, tracing).run();
}

void print_violation(std::uint64_t seed, const Violation& violation) {
    std::printf("FAILED: seed %llu: %s: %s\n", static_cast<unsigned long long>(seed), violation.checker.c_str(),
                violation.text.c_str());
}

/// Played once more, for its trace; it must fail again in the same way.
void explain(std::uint64_t seed, const Mappings& mappings, const Played& first) {
    const auto again = play(seed, mappings, Bug::None, Trace::Kind::Tail);
    for (const auto& line : again.trace) std::printf("    %s\n", line.c_str());
    print_violation(seed, *first.violation);
    if (again.fingerprint != first.fingerprint) std::printf("    (it went another way the second time)\n");
}

bool run_seeds(const Options& options, const Mappings& mappings) {
    const auto start = std::chrono::steady_clock::now();
    std::uint64_t passed = 0, failed = 0;
    for (auto seed = options.first; seed < options.first + options.seeds; ++seed) {
        const auto outcome = play(seed, mappings, Bug::None, Trace::Kind::Off);
        const bool repeatable =
            seed % 100 != 0 || play(seed, mappings, Bug::None, Trace::Kind::Off).fingerprint == outcome.fingerprint;
        if (!repeatable) std::printf("FAILED: seed %llu is not repeatable\n", static_cast<unsigned long long>(seed));
        if (outcome.violation && failed < 5) explain(seed, mappings, outcome);
        ++(outcome.violation || !repeatable ? failed : passed);
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::printf("seeds: %llu passed, %llu failed (%.0f seeds/s)\n", static_cast<unsigned long long>(passed),
                static_cast<unsigned long long>(failed), static_cast<double>(options.seeds) / took.count());
    return failed == 0;
}

bool run_one(const Options& options, const Mappings& mappings) {
    const auto* mutant = find_mutant(options.mutant);
    const auto outcome = play(options.first, mappings, mutant ? mutant->bug : Bug::None, Trace::Kind::Print);
    if (outcome.violation) print_violation(options.first, *outcome.violation);
    std::printf("seeds: %d passed, %d failed (fingerprint %016llx)\n", outcome.violation ? 0 : 1,
                outcome.violation ? 1 : 0, static_cast<unsigned long long>(outcome.fingerprint));
    return !outcome.violation;
}

bool kill(const Mutant& mutant, std::uint64_t first, const Mappings& mappings) {
    for (std::uint64_t n = 1; n <= kSeedsForMutant; ++n) {
        const auto outcome = play(first + n - 1, mappings, mutant.bug, Trace::Kind::Off);
        if (!outcome.violation) continue;
        std::printf("%-24s %5llu  %-10s %s\n", mutant.name, static_cast<unsigned long long>(n),
                    outcome.violation->checker.c_str(), mutant.what);
        return true;
    }
    std::printf("%-24s SURVIVED %llu seeds: %s\n", mutant.name, static_cast<unsigned long long>(kSeedsForMutant),
                mutant.what);
    return false;
}

bool run_mutants(const Options& options, const Mappings& mappings) {
    std::printf("%-24s %5s  %-10s\n", "mutant", "seeds", "checker");
    int killed = 0, survived = 0;
    for (const auto& mutant : mutants())
        if (options.mutant.empty() || options.mutant == mutant.name)
            ++(kill(mutant, options.first, mappings) ? killed : survived);
    std::printf("mutants: %d killed, %d survived\n", killed, survived);
    return survived == 0 && killed > 0;
}

bool list_mutants() {
    for (const auto& mutant : mutants()) std::printf("%-24s %s\n", mutant.name, mutant.what);
    return true;
}

bool read_number(std::string_view text, std::uint64_t& number) {
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    return read.ec == std::errc{} && read.ptr == text.data() + text.size();
}

bool read_options(int argc, char** argv, Options& options) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view flag = argv[i];
        const std::string_view value = i + 1 < argc ? argv[i + 1] : "";
        const bool takes_value = flag == "--seeds" || flag == "--seed" || flag == "--mutant" || flag == "--from";
        const bool names_what =
            flag == "--mutants" || flag == "--list-mutants" || flag == "--nth-failure" || flag == "--help";
        if (names_what) options.what = flag.substr(2);
        if (flag == "--mutant") options.mutant = value;
        if (flag == "--mutant" && options.what == "seeds") options.what = "mutants";
        if (flag == "--seed") options.what = "seed";
        if (flag == "--seeds" && !read_number(value, options.seeds)) return false;
        if ((flag == "--seed" || flag == "--from") && !read_number(value, options.first)) return false;
        if (!takes_value && !names_what) return false;
        if (takes_value) ++i;
    }
    return options.mutant.empty() || find_mutant(options.mutant) != nullptr;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    if (!read_options(argc, argv, options)) {
        std::fputs(kUsage, stderr);
        return 2;
    }
    Complaints complaints;
    const auto mappings = load_mappings({ORBRIDGE_ROOT "/mappings/openregister.yaml"}, complaints);
    const std::map<std::string, std::function<bool()>> all = {
        {"seeds", [&] { return run_seeds(options, mappings); }},
        {"seed", [&] { return run_one(options, mappings); }},
        {"mutants", [&] { return run_mutants(options, mappings); }},
        {"list-mutants", list_mutants},
        {"help", [] { return std::fputs(kUsage, stdout) >= 0; }},
        {"nth-failure", [&] { return run_nth_failures(mappings); }},
    };
    return all.at(options.what)() ? 0 : 1;
}
