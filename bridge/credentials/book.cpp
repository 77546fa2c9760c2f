#include "bridge/credentials/book.h"

#include <algorithm>
#include <array>

#include "bridge/core/text.h"

namespace orbridge {
namespace {

constexpr int kTries = 5;
constexpr std::size_t kMessageBytesMax = 500;
constexpr std::size_t kNameLengthMax = 200;
constexpr std::array<std::string_view, 2> kOwners = {"register:", "workspace:"};

SealedFor place_of(const CredentialRow& row) { return {"credentials", row.id, {row.adapter, row.scope}}; }

std::string story(const CredentialRow& row) {
    return row.adapter + '/' + row.name + (row.scope == "global" ? "" : " for " + row.scope);
}

Error required(const CredentialName& which) {
    return {Error::Kind::NotFound, "credentials_required: no credentials `" + which.name + "` for adapter " +
                                       which.adapter + ": give them with `orbridge credentials set`"};
}

Status check_name(std::string_view what, std::string_view name) {
    const auto is_bad = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '/' || c == '\x7f'; };
    if (!name.empty() && name.size() <= kNameLengthMax && std::none_of(name.begin(), name.end(), is_bad)) return Ok{};
    return Error{Error::Kind::Invalid, std::string(what) + ": expected 1 to 200 characters without spaces and `/`"};
}

bool is_owner_id(std::string_view id) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
               c == '.';
    };
    return !id.empty() && id.size() <= kNameLengthMax && std::all_of(id.begin(), id.end(), fits);
}

Status check(const CredentialName& which) {
    if (auto wrong = check_name("adapter", which.adapter); !wrong) return wrong;
    if (auto wrong = check_name("name", which.name); !wrong) return wrong;
    return check_scope(which.scope);
}

bool is_of(const CredentialRow& row, const CredentialName& which) {
    return row.adapter == which.adapter && row.name == which.name && row.scope == which.scope;
}

std::string cut(std::string_view message) {
    auto text = on_one_line(message);
    if (text.size() <= kMessageBytesMax) return text;
    auto end = kMessageBytesMax;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not within a character
    return text.substr(0, end);
}

}  // namespace

Status check_scope(std::string_view scope) {
    if (scope == "global") return Ok{};
    for (const auto owner : kOwners)
        if (scope.starts_with(owner) && is_owner_id(scope.substr(owner.size()))) return Ok{};
    return Error{Error::Kind::Invalid,
                 "scope: expected `global`, or exactly one owner as `register:<id>` or `workspace:<name>` of letters, "
                 "digits, `.`, `_` and `-`"};
}

// ---- whoever uses credentials

Result<HeldCredential> CredentialBook::values(const CredentialName& which) const {
    if (auto wrong = check_scope(which.scope); !wrong) return wrong.error();
    const auto rows = store_.credentials();
    if (!rows) return rows.error();
    const CredentialRow* found = nullptr;
    for (const auto& row : *rows) {
        if (row.sealed.empty()) continue;
        if (is_of(row, which)) {
            found = &row;
            break;
        }
        if (is_of(row, {which.adapter, which.name, "global"})) found = &row;
    }
    if (found == nullptr) return required(which);
    return hold(*found);
}

Result<HeldCredential> CredentialBook::hold(const CredentialRow& row) const {
    auto values = open(row);
    if (!values) return values.error();
    return HeldCredential{row.id, row.version, row.scope, *std::move(values), row.verdict};
}

void CredentialBook::report(const HeldCredential& held, bool valid, const std::string& message) {
    note(held, valid, message, true);
}

void CredentialBook::report_test(const HeldCredential& held, bool valid, const std::string& message) {
    note(held, valid, message, false);
}

void CredentialBook::note(const HeldCredential& held, bool valid, const std::string& message, bool only_news) {
    const auto verdict = valid ? CredentialRow::Verdict::Valid : CredentialRow::Verdict::Refused;
    for (int i = 0; i < kTries; ++i) {
        auto row = find(held.id);
        if (!row || row->version != held.version) return;
        const bool is_news = row->verdict != verdict;
        if (only_news && !is_news) return;
        row->verdict = verdict;
        row->checked_at = clock_.now();
        row->message = cut(message);
        const auto written = store_.put_credential(*row);
        if (written) {
            if (!is_news) return;
            if (valid) log_.info("credentials.valid", {{"credentials", story(*row)}});
            if (!valid) log_.warn("credentials.refused", {{"credentials", story(*row)}, {"reason", row->message}});
            return;
        }
        if (written.error().kind != Error::Kind::Conflict) return;
    }
}

Result<HeldCredential> CredentialBook::renew(const HeldCredential& held, const Secret& values) {
    for (int i = 0; i < kTries; ++i) {
        auto row = find(held.id);
        if (!row) return row.error();
        if (row->version != held.version)
            return Error{Error::Kind::Conflict, "the credentials were given anew meanwhile"};
        auto sealed = seal(*row, values);
        if (!sealed) return sealed.error();
        row->sealed = *std::move(sealed);
        row->key_id = vault_.key_id();
        ++row->version;
        row->verdict = CredentialRow::Verdict::Valid;
        row->checked_at = row->updated_at = clock_.now();
        row->message = "renewed";
        const auto written = store_.put_credential(*row);
        if (written) return HeldCredential{row->id, row->version, row->scope, values, row->verdict};
        if (written.error().kind != Error::Kind::Conflict) return written.error();
    }
    return Error{Error::Kind::Conflict, "the credentials keep changing"};
}

// ---- whoever keeps them

Result<std::vector<CredentialRow>> CredentialBook::all() const { return store_.credentials(); }

Result<CredentialRow> CredentialBook::find(const std::string& id) const {
    auto rows = store_.credentials();
    if (!rows) return rows.error();
    for (auto& row : *rows)
        if (row.id == id) return std::move(row);
    return Error{Error::Kind::NotFound, "there are no credentials with the id " + id};
}

Result<CredentialRow> CredentialBook::row_of(const CredentialName& which) {
    if (auto wrong = check(which); !wrong) return wrong.error();
    auto rows = store_.credentials();
    if (!rows) return rows.error();
    for (auto& row : *rows)
        if (is_of(row, which)) return std::move(row);
    if (rows->size() >= rows_max_) {
        return Error{Error::Kind::Conflict, "there are " + std::to_string(rows->size()) +
                                                " credentials, and no more are taken (credentials.rows_max)"};
    }
    CredentialRow row;
    row.id = ids_.uuid_v7();
    row.adapter = which.adapter;
    row.name = which.name;
    row.scope = which.scope;
    row.created_at = row.updated_at = clock_.now();
    return row;
}

Result<Secret> CredentialBook::open(const CredentialRow& row) const {
    if (row.sealed.empty()) return required({row.adapter, row.name, row.scope});
    auto opened = vault_.open(place_of(row), row.sealed);
    if (!opened && opened.error().kind == Error::Kind::Invalid)
        return Error{Error::Kind::Unavailable, opened.error().message + " (" + story(row) + ")"};
    return opened;
}

Result<std::string> CredentialBook::seal(const CredentialRow& row, const Secret& values) const {
    return vault_.seal(place_of(row), values.reveal());
}

Result<CredentialRow> CredentialBook::write(const CredentialRow& row) {
    auto written = store_.put_credential(row);
    if (written) tell(*written);
    return written;
}

Result<CredentialRow> CredentialBook::put(const CredentialName& which, const Secret& values,
                                          const std::optional<std::string>& tested) {
    auto found = row_of(which);
    if (!found) return found.error();
    auto row = *std::move(found);
    const auto now = clock_.now();
    auto sealed = seal(row, values);
    if (!sealed) return sealed.error();
    row.sealed = *std::move(sealed);
    row.key_id = vault_.key_id();
    ++row.version;
    row.updated_at = now;
    row.verdict = tested ? CredentialRow::Verdict::Valid : CredentialRow::Verdict::Untested;
    row.checked_at = tested ? std::optional(now) : std::nullopt;
    row.message = cut(tested.value_or(""));
    return write(row);
}

Result<CredentialRow> CredentialBook::want(const CredentialName& which) {
    auto row = row_of(which);
    if (!row || row->revision != 0) return row;
    return write(*row);
}

Status CredentialBook::remove(const std::string& id) {
    const auto row = find(id);
    if (!row) return row.error();
    auto removed = store_.remove_credential(id);
    if (removed) tell(*row);
    return removed;
}

Result<bool> CredentialBook::rekey_row(const CredentialRow& given) {
    auto row = given;
    for (int i = 0; i < kTries; ++i) {
        if (row.sealed.empty() || vault_.is_current(place_of(row), row.sealed)) return false;
        const auto values = open(row);
        if (!values) return values.error();
        auto sealed = seal(row, *values);
        if (!sealed) return sealed.error();
        row.sealed = *std::move(sealed);
        row.key_id = vault_.key_id();
        const auto written = store_.put_credential(row);
        if (written) return true;
        if (written.error().kind != Error::Kind::Conflict) return written.error();
        auto fresh = find(row.id);
        if (!fresh) return fresh.error().kind == Error::Kind::NotFound ? Result<bool>(false) : fresh.error();
        row = *std::move(fresh);
    }
    return Error{Error::Kind::Conflict, story(row) + ": keeps changing"};
}

Result<CredentialBook::Rekeyed> CredentialBook::rekey() {
    if (!vault_.on()) return vault_.seal({}, {}).error();
    const auto rows = store_.credentials();
    if (!rows) return rows.error();
    Rekeyed done;
    for (const auto& row : *rows) {
        const auto sealed_anew = rekey_row(row);
        if (sealed_anew) {
            ++(*sealed_anew ? done.sealed_anew : done.current);
        } else {
            done.unreadable.push_back(sealed_anew.error().message);
        }
    }
    return done;
}

void CredentialBook::tell(const CredentialRow& row) const {
    if (changed_) changed_({row.adapter, row.name, row.scope});
}

}  // namespace orbridge
