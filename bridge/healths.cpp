#include "bridge/healths.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

namespace orbridge {
namespace {

template <class Thing>
std::set<std::string> names_of(const std::vector<Thing>& things) {
    std::set<std::string> names;
    for (const auto& thing : things) names.insert(thing.id.value);
    return names;
}

HealthBook::Keep keep_with(Recorder& recorder) {
    return [&recorder](const std::string& key, std::string value) { recorder.keep(key, std::move(value)); };
}

}  // namespace

Healths::Healths(Store& store, Recorder& recorder, const Clock& clock)
    : store_(store),
      clock_(clock),
      targets_("health.target:", keep_with(recorder)),
      sources_("health.source:", keep_with(recorder)) {}

void Healths::configure(const Settings& settings) {
    const auto read = [this](const std::string& key) {
        const auto note = store_.note(key);
        return note ? *note : std::nullopt;
    };
    targets_.set_names(names_of(settings.targets), read);
    sources_.set_names(names_of(settings.sources), read);
}

void Healths::recorded(const Settle& settle) {
    const auto& attempt = settle.attempt;
    const auto& target = settle.claim.delivery.target.value;
    if (attempt.outcome == "retry" || attempt.outcome == "rejected") {
        targets_.failed(target, clock_.now(), attempt.reason);
    } else {
        targets_.succeeded(target, clock_.now());
    }
}

void Healths::polled(const SourceId& source, const std::string& error) {
    if (error.empty()) return sources_.succeeded(source.value, clock_.now());
    sources_.failed(source.value, clock_.now(), error, last_heard(source));
}

void Healths::refused(const SourceId& source, const std::string& reason) {
    sources_.failed(source.value, clock_.now(), reason, last_heard(source));
}

void Healths::keep_all() {
    targets_.keep_all();
    sources_.keep_all();
}

std::optional<TimePoint> Healths::last_heard(const SourceId& source) {
    const auto heard = store_.intakes_heard();
    std::optional<TimePoint> last;
    if (!heard) return last;
    for (const auto& each : *heard)
        if (each.source == source.value) last = std::max(last.value_or(each.last_at), each.last_at);
    return last;
}

}  // namespace orbridge
