#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/ids.h"
#include "bridge/core/log.h"
#include "bridge/core/secret.h"
#include "bridge/credentials/fields.h"
#include "bridge/credentials/vault.h"
#include "bridge/store/store.h"

namespace orbridge {

/// Which credentials: every scope may have its own, and a narrower one wins over `global`.
struct CredentialName {
    std::string adapter, name;
    std::string scope = "global";  ///< `global`, `register:<id>`, `workspace:<name>`
};

/// Values in use.
struct HeldCredential {
    std::string id;
    std::uint64_t version = 0;  ///< of the values, for report()
    std::string scope;          ///< the one that was found
    Secret values;              ///< a JSON object of the adapter's fields, as they were given
    CredentialRow::Verdict verdict = CredentialRow::Verdict::Untested;
};

/// Invalid: neither `global` nor one owner as `register:…` or `workspace:…`.
Status check_scope(std::string_view scope);

/// Credentials in the store, under the vault. Safe from any thread; everything given to it must outlive it.
class CredentialBook {
public:
    CredentialBook(Store& store, Vault& vault, const Clock& clock, IdMaker& ids, Log& log)
        : store_(store), vault_(vault), clock_(clock), ids_(ids), log_(log) {}

    // ---- whoever uses credentials

    /// Those of the scope, else those of `global`. NotFound, `credentials_required: …`: there are none, or they
    /// wait for their values. Unavailable: the vault is off. Invalid, naming the row: what is kept does not open.
    Result<HeldCredential> values(const CredentialName& which) const;

    /// What the other side thinks of them, as an answer in use or a test shows. Written if it is news, and only
    /// if the values are still those. `message` is shown to people and must hold no secret.
    void report(const HeldCredential& held, bool valid, const std::string& message);

    /// Replaces the values by ones that the other side gave (OAuth 2). Conflict: they are others by now.
    Result<HeldCredential> renew(const HeldCredential& held, const Secret& values);

    /// Called after each change of what values() gives, from the thread that made it.
    void when_changed(std::function<void(const CredentialName&)> hear) { changed_ = std::move(hear); }

    // ---- whoever keeps them

    Result<std::vector<CredentialRow>> all() const;
    Result<CredentialRow> find(const std::string& id) const;  ///< NotFound
    /// The row's values. NotFound: none are given yet.
    Result<HeldCredential> hold(const CredentialRow& row) const;
    /// Like report(), and written though it be no news: somebody asked.
    void report_test(const HeldCredential& held, bool valid, const std::string& message);
    /// There are never more rows than that; those above stay, and no new ones are made.
    void set_rows_max(std::size_t rows_max) { rows_max_ = rows_max; }
    /// New or in place of those that are there. `tested`: they were tried out just now, with this message.
    Result<CredentialRow> put(const CredentialName& which, const Secret& values,
                              const std::optional<std::string>& tested);
    /// Without values: whoever uses them waits. Those that are there stay as they are.
    Result<CredentialRow> want(const CredentialName& which);
    Status remove(const std::string& id);

    struct Rekeyed {
        int sealed_anew = 0, current = 0;
        std::vector<std::string> unreadable;  ///< one message for each row that no master key opens
    };
    /// Seals under the first master key what is sealed under another. Each row at once, so that it can be
    /// interrupted anywhere and called again (integrations.md K8).
    Result<Rekeyed> rekey();

private:
    /// The row there is, or a new one with revision 0.
    Result<CredentialRow> row_of(const CredentialName& which);
    Result<Secret> open(const CredentialRow& row) const;
    void note(const HeldCredential& held, bool valid, const std::string& message, bool only_news);
    Result<std::string> seal(const CredentialRow& row, const Secret& values) const;
    Result<CredentialRow> write(const CredentialRow& row);
    Result<bool> rekey_row(const CredentialRow& row);
    void tell(const CredentialRow& row) const;

    Store& store_;
    Vault& vault_;
    const Clock& clock_;
    IdMaker& ids_;
    Log& log_;
    std::function<void(const CredentialName&)> changed_;
    std::atomic<std::size_t> rows_max_{1'000};
};

}  // namespace orbridge
