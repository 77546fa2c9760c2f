#include "bridge/store/open.h"

#include "bridge/store/sqlite_store.h"

namespace orbridge {

Result<std::unique_ptr<Store>> open_store(const StoreSettings& settings, const Clock& clock, Log& log) {
    auto store = SqliteStore::open(settings, clock, log);
    if (!store) return store.error();
    return std::unique_ptr<Store>(*std::move(store));
}

}  // namespace orbridge
