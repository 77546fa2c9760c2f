#include "bridge/lent.h"

namespace orbridge {
namespace {

CredentialAccess access_to(const LentPtr& lent) {
    CredentialAccess access;
    access.values = [lent](const CredentialName& which) {
        return lent->book.with([&](CredentialBook* book) -> Result<HeldCredential> {
            if (book == nullptr) return Error{Error::Kind::Unavailable, "the store is closed"};
            return book->values(which);
        });
    };
    access.report = [lent](const HeldCredential& held, bool valid, const std::string& message) {
        lent->book.with([&](CredentialBook* book) {
            if (book != nullptr) book->report(held, valid, message);
        });
    };
    return access;
}

}  // namespace

AdapterHooks adapter_hooks(Metrics& metrics, const LentPtr& lent) {
    AdapterHooks hooks;
    hooks.changed = [&metrics](const TargetId& target, std::string_view what, int count) {
        metrics.changed(target, std::string(what), count);
    };
    hooks.credentials = access_to(lent);
    hooks.stopping = lent->stopping.get_token();
    return hooks;
}

}  // namespace orbridge
