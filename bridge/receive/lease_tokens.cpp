#include "bridge/receive/lease_tokens.h"

#include <algorithm>
#include <set>

#include "bridge/core/text.h"
#include "bridge/settings/settings.h"

namespace orbridge {
namespace {

std::string hash_of(const std::string& value) { return to_hex(sha256(value)); }

/// 43 characters of the alphabet that needs no encoding in a URL.
std::string new_value(Random& random) {
    std::string bytes;
    for (int i = 0; i < 4; ++i) {
        const auto bits = random.bits();
        bytes.append(reinterpret_cast<const char*>(&bits), sizeof bits);
    }
    auto text = to_base64(bytes);
    std::replace(text.begin(), text.end(), '+', '-');
    std::replace(text.begin(), text.end(), '/', '_');
    text.erase(std::remove(text.begin(), text.end(), '='), text.end());
    return text;
}

}  // namespace

Status LeaseTokens::load() {
    auto stored = store_.api_tokens();
    if (!stored) return stored.error();
    state_.with([&](State& state) { state.stored = std::move(*stored); });
    return Ok{};
}

void LeaseTokens::configure(const std::vector<std::pair<std::string, Secret>>& tokens) {
    std::map<std::string, std::string> configured;
    for (const auto& [name, value] : tokens) configured[hash_of(value.reveal())] = name;
    state_.with([&](State& state) { state.configured = std::move(configured); });
}

std::optional<std::string> LeaseTokens::name_of(const std::string& value) const {
    const auto hash = hash_of(value);
    return state_.with([&](const State& state) -> std::optional<std::string> {
        if (const auto known = state.configured.find(hash); known != state.configured.end()) return known->second;
        for (const auto& token : state.stored)
            if (token.hash == hash && token.reads.empty()) return token.name;
        return std::nullopt;
    });
}

std::optional<std::vector<std::string>> LeaseTokens::readable_with(const std::string& value) const {
    const auto hash = hash_of(value);
    return state_.with([&](const State& state) -> std::optional<std::vector<std::string>> {
        for (const auto& token : state.stored)
            if (token.hash == hash && !token.reads.empty()) return token.reads;
        return std::nullopt;
    });
}

Result<Secret> LeaseTokens::create(const std::string& name, Random& random, TimePoint now,
                                   std::vector<std::string> reads) {
    if (!is_name(name))
        return Error{Error::Kind::Invalid, "name: expected 1 to 63 of a-z, 0-9, `_` and `-`, a letter or digit first"};
    const auto all = rows();
    if (std::any_of(all.begin(), all.end(), [&](const Row& row) { return row.name == name; }))
        return Error{Error::Kind::Conflict, "there is a token named " + name};
    const auto value = new_value(random);
    const ApiToken token{name, hash_of(value), now, std::move(reads)};
    if (const auto stored = store_.put_api_token(token); !stored) return stored.error();
    state_.with([&](State& state) { state.stored.push_back(token); });
    return Secret(value);
}

Status LeaseTokens::remove(const std::string& name) {
    if (auto removed = store_.remove_api_token(name); !removed) return removed;
    state_.with(
        [&](State& state) { std::erase_if(state.stored, [&](const ApiToken& token) { return token.name == name; }); });
    return Ok{};
}

std::vector<LeaseTokens::Row> LeaseTokens::rows() const {
    return state_.with([](const State& state) {
        std::vector<Row> rows;
        std::set<std::string> names;
        for (const auto& [hash, name] : state.configured)
            if (names.insert(name).second) rows.push_back({name, true, std::nullopt, {}});
        for (const auto& token : state.stored) rows.push_back({token.name, false, token.created_at, token.reads});
        std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.name < b.name; });
        return rows;
    });
}

}  // namespace orbridge
