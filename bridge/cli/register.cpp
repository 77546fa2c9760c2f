#include <chrono>
#include <iostream>
#include <thread>

#include "bridge/cli/api.h"

namespace orbridge::cli {
namespace {

/// Whether every wanted source with a registrar was looked at since.
bool looked_at(const Json& sources, const std::string& wanted, const std::string& since) {
    for (const auto& source : sources.members()) {
        if (!source.value["registrar"] || (!wanted.empty() && source.key != wanted)) continue;
        if (text_of(source.value["registrar"], "checked_at") < since)
            return false;  // one format: text order is time order
    }
    return true;
}

int report(const Json& sources, const std::string& wanted) {
    int code = kOk;
    for (const auto& source : sources.members()) {
        const auto registrar = source.value["registrar"];
        if (!registrar || (!wanted.empty() && source.key != wanted)) continue;
        const auto state = text_of(registrar, "state");
        std::cout << source.key << ": " << state << (registrar["message"] ? ", " + text_of(registrar, "message") : "")
                  << "\n";
        for (const auto& each : registrar["registrations"].members()) {
            std::cout << "  " << text_of(each.value, "kind") << " " << text_of(each.value, "state") << " "
                      << text_of(each.value, "class") << "\n";
        }
        if (state == "failed") code = kFailed;
    }
    return code;
}

int ask(const Args& args, const std::string& what) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    ApiClient api(*settings);
    const auto source = args.get("source");
    const auto asked = api.post("/api/v1/" + what + query_of(args, {"source"}), "");
    if (!asked) return fail(asked.error());
    const auto since = text_of((*asked)->root(), "requested_at");
    for (int tries = 0; tries < 600; ++tries) {
        const auto status = api.get("/api/v1/status");
        if (!status) return fail(status.error());
        const auto sources = (*status)->root()["sources"];
        if (looked_at(sources, source, since)) {
            if (!args.json()) return report(sources, source);
            std::cout << sources.raw() << "\n";
            return kOk;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{100});
    }
    return fail({Error::Kind::Unavailable, "the sources were not reached within a minute; see `orbridge status`"});
}

}  // namespace

int run_register(const Args& args) { return ask(args, "register"); }

int run_unregister(const Args& args) { return ask(args, "unregister"); }

}  // namespace orbridge::cli
