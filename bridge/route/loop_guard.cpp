#include "bridge/route/loop_guard.h"

#include <algorithm>

#include "bridge/core/json.h"

namespace orbridge {
namespace {

std::string key_of(const Event& event, const TargetId& target) {
    return target.value + '\n' + event.source.value + '\n' + event.subject;
}

std::string text_at(const Event& event, const std::string& path) {
    if (path.empty()) return {};
    const auto document = JsonDocument::parse(event.payload);
    return document ? (*document)->root().path(path).scalar().value_or("") : std::string();
}

bool recent(const std::deque<TimePoint>& at, std::size_t count, TimePoint since) {
    return at.size() >= count && at[at.size() - count] > since;
}

}  // namespace

LoopVerdict LoopGuard::judge(const LoopSettings& rules, const Event& event, const TargetId& target, TimePoint now,
                             const IsOurs& is_ours) const {
    LoopVerdict verdict;
    if (event.subject.empty()) return verdict;
    const auto* seen = find(event, target);
    verdict.reason = echo(rules, event, seen, is_ours);
    verdict.echo = !verdict.reason.empty();
    verdict.cut = verdict.echo && rules.policy == LoopSettings::Policy::Cut;
    if (rules.limit == 0 || seen == nullptr) return verdict;
    if (!recent(seen->at, static_cast<std::size_t>(rules.limit), now - rules.window)) return verdict;
    verdict.cut = verdict.limit = true;
    verdict.reason = "loop: more than " + std::to_string(rules.limit) + " deliveries about " + event.subject + " in " +
                     std::to_string(rules.window.count()) + " ms";
    return verdict;
}

/// Why the event looks like one that we caused; empty if it does not.
std::string LoopGuard::echo(const LoopSettings& rules, const Event& event, const Seen* seen,
                            const IsOurs& is_ours) const {
    if (!rules.users.empty()) {
        const auto user = text_at(event, rules.user);
        if (std::find(rules.users.begin(), rules.users.end(), user) != rules.users.end())
            return "loop: caused by " + user;
    }
    const auto marker = text_at(event, rules.marker);
    const bool old = seen != nullptr && seen->marker == marker;
    if (marker.empty() || old || !is_uuid(marker) || !is_ours(marker)) return {};
    return "loop: caused by what was done about " + marker;
}

void LoopGuard::count(const LoopSettings& rules, const Event& event, const TargetId& target, TimePoint now) {
    if (event.subject.empty() || (rules.limit == 0 && rules.marker.empty())) return;
    auto& seen = touch(event, target);
    if (auto marker = text_at(event, rules.marker); !marker.empty()) seen.marker = std::move(marker);
    seen.at.push_back(now);
    while (seen.at.size() > static_cast<std::size_t>(rules.limit)) seen.at.pop_front();
}

const LoopGuard::Seen* LoopGuard::find(const Event& event, const TargetId& target) const {
    const auto found = by_key_.find(key_of(event, target));
    return found == by_key_.end() ? nullptr : &*found->second;
}

LoopGuard::Seen& LoopGuard::touch(const Event& event, const TargetId& target) {
    const auto key = key_of(event, target);
    if (const auto found = by_key_.find(key); found != by_key_.end()) {
        seen_.splice(seen_.begin(), seen_, found->second);
        return seen_.front();
    }
    seen_.push_front({key, {}, {}});
    by_key_[key] = seen_.begin();
    if (seen_.size() > subjects_max_) {
        by_key_.erase(seen_.back().key);
        seen_.pop_back();
    }
    return seen_.front();
}

}  // namespace orbridge
