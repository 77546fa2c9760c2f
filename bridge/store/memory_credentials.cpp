#include <algorithm>
#include <tuple>

#include "bridge/store/memory_store.h"

namespace orbridge {

Result<std::vector<CredentialRow>> MemoryStore::credentials() {
    auto all = state_.with([](const State& state) {
        std::vector<CredentialRow> rows;
        rows.reserve(state.credentials.size());
        for (const auto& [id, row] : state.credentials) rows.push_back(row);
        return rows;
    });
    std::sort(all.begin(), all.end(), [](const CredentialRow& a, const CredentialRow& b) {
        return std::tie(a.adapter, a.name, a.scope) < std::tie(b.adapter, b.name, b.scope);
    });
    return all;
}

Result<CredentialRow> MemoryStore::put_credential(const CredentialRow& row) {
    return state_.with([&](State& state) -> Result<CredentialRow> {
        const auto is_same = [&](const auto& item) {
            const auto& other = item.second;
            return std::tie(other.adapter, other.name, other.scope) == std::tie(row.adapter, row.name, row.scope);
        };
        const auto found = std::find_if(state.credentials.begin(), state.credentials.end(), is_same);
        const bool is_there = found != state.credentials.end();
        const bool fits = row.revision == 0
                              ? !is_there && state.credentials.count(row.id) == 0
                              : is_there && found->first == row.id && found->second.revision == row.revision;
        if (!fits) return Error{Error::Kind::Conflict, "the credentials were changed by somebody else"};
        auto& stored = state.credentials[row.id];
        const auto created_at = row.revision == 0 ? row.created_at : stored.created_at;
        stored = row;
        stored.created_at = created_at;
        ++stored.revision;
        return stored;
    });
}

Status MemoryStore::remove_credential(const std::string& id) {
    return state_.with([&](State& state) -> Status {
        if (state.credentials.erase(id) != 0) return Ok{};
        return Error{Error::Kind::NotFound, "there are no credentials with the id " + id};
    });
}

}  // namespace orbridge
