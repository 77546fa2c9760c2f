#include "bridge/deliver/resolver.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "bridge/core/http.h"

namespace orbridge {
namespace {

using Steady = std::chrono::steady_clock;

constexpr milliseconds kIdleThread{10'000};  // then it ends

struct Known {
    Resolver::Addresses addresses;  ///< of the last lookup that had any
    Steady::time_point at{};        ///< when they came
    bool suspect = false;
};

bool is_name_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
}

std::string_view authority_of(std::string_view url) {
    auto authority = url.substr(0, url.find_first_of("/?#\\"));
    if (const auto at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
    return authority;
}

}  // namespace

struct Resolver::State {
    State(Resolve how, ResolverSettings with, std::function<void()> tell)
        : lookup(std::move(how)), settings(with), answered(std::move(tell)) {}

    const Resolve lookup;
    const ResolverSettings settings;
    std::mutex mutex;
    std::condition_variable arrived;
    std::function<void()> answered;
    std::deque<std::string> waiting, suspects;  ///< not begun
    std::unordered_set<std::string> asked;      ///< waiting, or being looked up
    std::unordered_map<std::string, Known> known;
    std::vector<Answer> answers;
    int threads = 0, idle = 0, busy_with_suspects = 0;
    bool closed = false;

    bool may_take_suspect() const {
        return !suspects.empty() && busy_with_suspects < std::max(1, settings.threads_max / 2);
    }
    /// More wait than there are threads to be woken.
    bool wants_thread() const {
        return has_work() && threads < settings.threads_max &&
               waiting.size() + suspects.size() > static_cast<std::size_t>(idle);
    }
    bool has_work() const { return !waiting.empty() || may_take_suspect(); }

    bool ask(const std::string& host) {
        if (asked.contains(host)) return true;
        if (asked.size() >= settings.names_max) return false;
        const auto found = known.find(host);
        const bool suspect = found != known.end() && found->second.suspect;
        (suspect ? suspects : waiting).push_back(host);
        asked.insert(host);
        return true;
    }

    void keep(const std::string& host, const Result<Addresses>& found, bool slow, Steady::time_point now) {
        if (known.size() >= settings.names_max && !known.contains(host)) known.erase(known.begin());
        auto& entry = known[host];
        entry.suspect = slow || !found;
        if (!found || found->empty()) return;
        entry.addresses = *found;
        entry.at = now;
    }
};

Resolver::Resolver(Resolve lookup, ResolverSettings settings, std::function<void()> answered)
    : state_(std::make_shared<State>(std::move(lookup), settings, std::move(answered))) {}

Resolver::~Resolver() {
    const std::lock_guard lock(state_->mutex);
    state_->closed = true;
    state_->answered = nullptr;
    state_->arrived.notify_all();
}

Result<std::optional<Resolver::Addresses>> Resolver::find(const std::string& host) {
    auto& state = *state_;
    const std::lock_guard lock(state.mutex);
    std::optional<Addresses> usable;
    if (const auto found = state.known.find(host); found != state.known.end() && !found->second.addresses.empty()) {
        const auto age = Steady::now() - found->second.at;
        if (age < state.settings.fresh) return {found->second.addresses};
        if (age < state.settings.stale) usable = found->second.addresses;
    }
    if (!state.ask(host)) {
        if (usable) return usable;
        return Error{Error::Kind::Unavailable, "cannot resolve " + host + ": too many names are being looked up"};
    }
    if (state.wants_thread()) {
        try {
            std::thread([shared = state_] { work(shared); }).detach();
            ++state.threads;
        } catch (const std::system_error&) {
            // No thread to be had now: one that is busy takes it, or the next call tries again.
        }
    } else {
        state.arrived.notify_one();
    }
    return usable;
}

void Resolver::forget(const std::string& host) {
    auto& state = *state_;
    const std::lock_guard lock(state.mutex);
    const auto removed = std::erase(state.waiting, host) + std::erase(state.suspects, host);
    if (removed > 0) state.asked.erase(host);
}

std::vector<Resolver::Answer> Resolver::answers() {
    const std::lock_guard lock(state_->mutex);
    return std::exchange(state_->answers, {});
}

void Resolver::work(const std::shared_ptr<State>& shared) {
    auto& state = *shared;
    std::unique_lock lock(state.mutex);
    while (true) {
        ++state.idle;
        state.arrived.wait_for(lock, kIdleThread, [&] { return state.closed || state.has_work(); });
        --state.idle;
        if (state.closed || !state.has_work()) break;
        const bool suspect = state.waiting.empty();
        auto& queue = suspect ? state.suspects : state.waiting;
        const auto host = std::move(queue.front());
        queue.pop_front();
        state.busy_with_suspects += suspect ? 1 : 0;
        lock.unlock();
        const auto start = Steady::now();
        auto found = state.lookup(host);
        const auto end = Steady::now();
        lock.lock();
        state.busy_with_suspects -= suspect ? 1 : 0;
        state.asked.erase(host);
        state.keep(host, found, end - start > state.settings.slow, end);
        if (found && found->empty()) found = Error{Error::Kind::Unavailable, "cannot resolve " + host};
        if (state.closed) break;
        state.answers.push_back({host, std::move(found)});
        state.answered();
    }
    --state.threads;
}

std::optional<NamedPort> name_to_look_up(std::string_view url) {
    NamedPort named;
    for (const auto& [scheme, port] : {std::pair<std::string_view, int>{"http://", 80}, {"https://", 443}}) {
        if (!equal_ignoring_case(url.substr(0, scheme.size()), scheme)) continue;
        named.port = port;
        url.remove_prefix(scheme.size());
        break;
    }
    if (named.port == 0) return std::nullopt;
    const auto authority = authority_of(url);
    const auto colon = authority.find(':');
    const auto host = authority.substr(0, colon);
    if (host.empty() || host.back() == '.' || !std::all_of(host.begin(), host.end(), is_name_letter))
        return std::nullopt;
    // libcurl reads 127.1 and 0x7f000001 as addresses, and knows where localhost is.
    const auto last = host.substr(host.rfind('.') + 1);
    if (last.find_first_not_of("0123456789") == std::string_view::npos || last.starts_with("0x")) return std::nullopt;
    if (equal_ignoring_case(last, "localhost")) return std::nullopt;
    if (colon != std::string_view::npos) {
        const auto text = authority.substr(colon + 1);
        const auto parsed = std::from_chars(text.data(), text.data() + text.size(), named.port);
        if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
    }
    named.host = std::string(host);
    return named;
}

}  // namespace orbridge
