#include <iostream>

#include "bridge/cli/api.h"

namespace orbridge::cli {
namespace {

int order(const Args& args, const std::string& what, const std::string& done) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    const auto path = "/api/v1/targets/" + percent_encode(args.word(0)) + "/" + what;
    const auto answer = ApiClient(*settings).post(path, "{}");
    if (!answer) return fail(answer.error());
    std::cout << (args.json() ? std::string((*answer)->text()) : args.word(0) + " " + done) << "\n";
    return kOk;
}

}  // namespace

int run_pause(const Args& args) { return order(args, "pause", "is paused"); }

int run_resume(const Args& args) { return order(args, "resume", "is resumed"); }

}  // namespace orbridge::cli
