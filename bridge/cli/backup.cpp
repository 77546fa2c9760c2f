#include "bridge/store/backup.h"

#include <iostream>

#include "bridge/cli/api.h"

namespace orbridge::cli {

int run_backup(const Args& args) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    const auto bytes = back_up(settings->store.path, args.word(0));
    if (!bytes) return fail(bytes.error());
    if (args.json()) {
        JsonWriter json;
        json.object().member("file", args.word(0)).member("bytes", static_cast<std::int64_t>(*bytes)).end();
        std::cout << json.text() << "\n";
    } else {
        std::cout << args.word(0) << ": " << *bytes << " bytes\n";
    }
    return kOk;
}

}  // namespace orbridge::cli
