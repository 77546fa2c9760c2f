#include "bridge/record/health.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "bridge/core/json.h"

namespace orbridge {
namespace {

constexpr std::size_t kErrorBytesMax = 1'000;

std::optional<TimePoint> time_at(const Json& value) {
    const auto number = value.integer();
    return number ? std::optional(TimePoint{milliseconds{*number}}) : std::nullopt;
}

std::string cut(std::string text) {
    if (text.size() <= kErrorBytesMax) return text;
    auto end = kErrorBytesMax;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not within a character
    text.resize(end);
    return text;
}

}  // namespace

std::string to_note(const Health& health) {
    JsonWriter json;
    json.object();
    const auto time = [&](const char* name, const std::optional<TimePoint>& at) {
        if (at) json.member(name, std::int64_t{at->time_since_epoch().count()});
    };
    time("last_success", health.last_success);
    time("last_error", health.last_error);
    // What an answer said may be about somebody, and a note is found by no subject when that is to be forgotten: only
    // what went wrong is kept, not what the other side wrote.
    json.member("error", health.error.substr(0, health.error.find(": "))).member("failures", health.failures);
    return json.end().text();
}

Health health_from(const std::string& note) {
    Health health;
    const auto document = JsonDocument::parse(note);
    if (!document) return health;
    const auto root = (*document)->root();
    health.last_success = time_at(root["last_success"]);
    health.last_error = time_at(root["last_error"]);
    health.error = root["error"].string().value_or("");
    health.failures = static_cast<int>(std::clamp<std::int64_t>(root["failures"].integer().value_or(0), 0, 1 << 30));
    return health;
}

HealthBook::HealthBook(std::string prefix, Keep keep, milliseconds keep_every)
    : prefix_(std::move(prefix)), keep_(std::move(keep)), keep_every_(keep_every) {}

void HealthBook::set_names(const std::set<std::string>& names,
                           const std::function<std::optional<std::string>(const std::string& key)>& read) {
    auto old = entries_.with([](auto& entries) { return entries; });
    std::map<std::string, Entry> added;
    for (const auto& name : names) {
        if (old.contains(name)) continue;
        if (const auto note = read(prefix_ + name)) added[name].health = health_from(*note);
        added.try_emplace(name);
    }
    entries_.with([&](auto& entries) {
        std::erase_if(entries, [&](const auto& entry) { return !names.contains(entry.first); });
        entries.merge(added);
    });
}

void HealthBook::succeeded(const std::string& name, TimePoint at) {
    entries_.with([&](auto& entries) {
        const auto found = entries.find(name);
        if (found == entries.end()) return;
        auto& entry = found->second;
        const bool healed = entry.health.failures > 0 || !entry.health.last_success;
        entry.health.last_success = std::max(entry.health.last_success.value_or(at), at);
        entry.health.failures = 0;
        entry.kept = false;
        if (healed || at - entry.kept_at >= keep_every_ || at < entry.kept_at) keep(name, entry, at);
    });
}

void HealthBook::failed(const std::string& name, TimePoint at, const std::string& error,
                        std::optional<TimePoint> other_success) {
    entries_.with([&](auto& entries) {
        const auto found = entries.find(name);
        if (found == entries.end()) return;
        auto& health = found->second.health;
        if (other_success && health.last_error && *other_success > *health.last_error) health.failures = 0;
        health.last_error = at;
        health.error = cut(error);
        ++health.failures;
        keep(name, found->second, at);
    });
}

std::map<std::string, Health> HealthBook::all() const {
    return entries_.with([](const auto& entries) {
        std::map<std::string, Health> all;
        for (const auto& [name, entry] : entries) all.emplace(name, entry.health);
        return all;
    });
}

void HealthBook::keep_all() {
    entries_.with([&](auto& entries) {
        for (auto& [name, entry] : entries)
            if (!entry.kept) keep(name, entry, entry.kept_at);
    });
}

void HealthBook::keep(const std::string& name, Entry& entry, TimePoint now) {
    keep_(prefix_ + name, to_note(entry.health));
    entry.kept_at = now;
    entry.kept = true;
}

}  // namespace orbridge
