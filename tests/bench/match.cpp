/// What it costs to find the subscriptions of one event among 10,000: plain names, plain beginnings, patterns
/// whose answer is known, and names never seen before against patterns made to stall.
///     bench_match [subscriptions=10000] [events=2000]
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "adapters/subscriber/matcher.h"

namespace {

using namespace orbridge;
using MakeText = std::function<std::string(int)>;

/// Of this thread's own CPU time, so that what else runs on the machine does not count.
double micros() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

long resident_mib() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024;
}

/// `created:zaken:aanvraag:<uuid>`, another one each time.
std::string fresh_name(int) {
    static std::mt19937_64 random(7);
    char uuid[40];
    std::snprintf(uuid, sizeof uuid, "%08x-%04x-4%03x-8%03x-%012llx", static_cast<unsigned>(random() & 0xffffffff),
                  static_cast<unsigned>(random() & 0xffff), static_cast<unsigned>(random() & 0xfff),
                  static_cast<unsigned>(random() & 0xfff), static_cast<unsigned long long>(random() & 0xffffffffffff));
    return std::string("created:zaken:aanvraag:") + uuid;
}

std::string hostile(int i) {
    const auto n = std::to_string(i);
    switch (i % 8) {
        case 0: return "(a+)+" + n;
        case 1: return ".*(x+x+)+y" + n;
        case 2: return ".*(a|b)*c" + n;
        case 3: return ".*" + n;
        case 4: return "([a-z]+:)*" + n + ".*";
        case 5: return ".*(.*e){3}" + n;
        case 6: return "(.*)*" + n;
        default: return ".*[a-f]{8}.*" + n + ".*";
    }
}

/// Nothing of these must be in a name as it stands, so that each has to be searched.
std::string without_text(int i) {
    const auto n = [](int value) { return std::to_string(value + 1); };
    return ".*[a-f]{" + n(i % 10) + "}.*[0-9]{" + n(i / 10 % 10) + "}.*[a-z]{" + n(i / 100 % 10) + "}.*[^a]{" +
           n(i / 1000) + "}";
}

/// What these need is in every name, so that no filter helps.
std::string with_common_text(int i) { return ".*aanvraag" + without_text(i); }

void measure(const char* what, int subscriptions, int events, const MakeText& filter, const MakeText& name) {
    SubscriptionMatcher matcher;
    const auto begin = micros();
    for (int i = 0; i < subscriptions; ++i) {
        const auto read = read_event_filter(filter(i));
        if (!read) std::abort();
        matcher.add("hook-" + std::to_string(i), "Object", *read);
    }
    const double add = (micros() - begin) / subscriptions;
    std::vector<double> times;
    std::size_t found = 0;
    for (int i = -100; i <= events; ++i) {
        const auto subject = name(i + 100);
        const auto start = micros();
        found += matcher.match("Object", subject).size();
        times.push_back(micros() - start);
    }
    const auto first = times.front();  // much is built on first use
    std::sort(times.begin(), times.end());
    std::printf("%-46s %9.1f %9.1f %9.1f %9.1f us  add %5.1f us  %5.1f hooks an event  %4ld MiB\n", what, first,
                times[times.size() / 2], times[times.size() * 99 / 100], times.back(), add,
                static_cast<double>(found) / (events + 101), resident_mib());
}

}  // namespace

int main(int count, char** arguments) {
    const int subscriptions = count > 1 ? std::atoi(arguments[1]) : 10'000;
    const int events = count > 2 ? std::atoi(arguments[2]) : 2'000;
    std::printf(
        "one event against %d subscriptions of one channel                first       p50       p99       max\n",
        subscriptions);
    const auto numbered = [](int i) { return "created:register-" + std::to_string(i) + ":new"; };
    measure("plain names", subscriptions, events, numbered, [&](int i) { return numbered(i * 4 % 10'000); });
    measure(
        "plain beginnings", subscriptions, events,
        [](int i) { return "created:register-" + std::to_string(i) + ":.*"; },
        [](int i) { return "created:register-" + std::to_string(i * 4 % 10'000) + ":aanvraag:x"; });
    measure(
        "patterns, names seen before", subscriptions, events,
        [](int i) { return "(created|updated):.*-" + std::to_string(i); },
        [](int i) { return "created:register-" + std::to_string(i % 100); });
    measure(
        "patterns, a new name each time", subscriptions, events,
        [](int i) { return "(created|updated):schema-" + std::to_string(i) + ":.*"; }, fresh_name);
    measure("hostile patterns, a new name each time", subscriptions, events, hostile, fresh_name);
    measure("hostile patterns that need no text", subscriptions, events, without_text, fresh_name);
    measure("hostile patterns that need what all names have", subscriptions, events, with_common_text, fresh_name);
    measure("hostile patterns, a new name of 1000 letters", subscriptions, std::min(events, 200), hostile,
            [](int i) { return std::string(static_cast<std::size_t>(990), "axe"[i % 3]) + std::to_string(i); });
    return 0;
}
